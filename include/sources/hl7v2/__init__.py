"""HL7 v2 messages: cut out of files and streams, parsed lazily, and mapped to FHIR R4 by HL7's v2-to-FHIR guide."""
