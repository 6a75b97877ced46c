"""Names of coding systems as HL7 v2 writes them, and codes of its tables as FHIR's.

Names from HL7 table 0396 (https://terminology.hl7.org/CodeSystem-v2-0396.html); maps of codes after the concept maps of
HL7's v2-to-FHIR guide (https://build.fhir.org/ig/HL7/v2-to-fhir/). A code that no map has keeps its table's address.
"""

from __future__ import annotations

import re

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
V2_TABLES = TERMINOLOGY + "v2-"
UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD9CM = "http://hl7.org/fhir/sid/icd-9-cm"
CVX = "http://hl7.org/fhir/sid/cvx"
SSN = "http://hl7.org/fhir/sid/us-ssn"
NPI = "http://hl7.org/fhir/sid/us-npi"

SYSTEMS = {
    "LN": LOINC,
    "LOINC": LOINC,
    "SCT": SNOMED,
    "SNM": SNOMED,
    "SNOMED": SNOMED,
    "SNOMEDCT": SNOMED,
    "SNOMED-CT": SNOMED,
    "I10": ICD10CM,
    "I10C": ICD10CM,
    "ICD10": ICD10CM,
    "ICD10CM": ICD10CM,
    "ICD-10-CM": ICD10CM,
    "I10P": "http://www.cms.gov/Medicare/Coding/ICD10",
    "ICD10PCS": "http://www.cms.gov/Medicare/Coding/ICD10",
    "I9": ICD9CM,
    "I9C": ICD9CM,
    "I9CDX": ICD9CM,
    "I9CP": ICD9CM,
    "ICD9": ICD9CM,
    "ICD-9-CM": ICD9CM,
    "CVX": CVX,
    "MVX": "http://hl7.org/fhir/sid/mvx",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "C4": "http://www.ama-assn.org/go/cpt",
    "CPT": "http://www.ama-assn.org/go/cpt",
    "CPT4": "http://www.ama-assn.org/go/cpt",
    "C5": "http://www.ama-assn.org/go/cpt",
    "HCPCS": "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
    "HPC": "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
    "UCUM": UCUM,
    "CDCREC": "urn:oid:2.16.840.1.113883.6.238",
    "NCIT": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
    "NUCC": "http://nucc.org/provider-taxonomy",
    "NUBC": "http://www.nubc.org/patient-discharge",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "ISO3166": "urn:iso:std:iso:3166",
    "ISO639": "urn:ietf:bcp:47",
    "NIP001": V2_TABLES.replace("v2-", "") + "NIP001",
}
_TABLE = re.compile(r"(?:HL7|PH_[A-Za-z]*_HL7_)?0*(\d{3,4})", re.ASCII)
_OID = re.compile(r"\d(?:\.\d+){2,}", re.ASCII)


def system_of(name: str, source: str) -> str | None:
    """The address of a coding system by its v2 name; a local name becomes an address of the source's own."""
    name = name.strip()
    if not name:
        return None
    known = SYSTEMS.get(name.upper())
    if known:
        return known
    table = _TABLE.fullmatch(name) if name[:3] == "HL7" or name[:3] == "PH_" else None
    if table:
        return f"{V2_TABLES}{table[1]:0>4}"
    if _OID.fullmatch(name):
        return f"urn:oid:{name}"
    if name.startswith(("http://", "https://", "urn:")):
        return name
    return f"urn:hl7v2:{source}:{name}"


def _coding(system: str, code: str, display: str | None = None) -> dict:
    return {"system": TERMINOLOGY + system, "code": code, **({"display": display} if display else {})}


GENDER = {"F": "female", "M": "male", "O": "other", "A": "other", "N": "other", "X": "other", "U": "unknown"}
MARITAL = {
    "A": ("A", "Annulled"),
    "D": ("D", "Divorced"),
    "M": ("M", "Married"),
    "S": ("S", "Never Married"),
    "W": ("W", "Widowed"),
    "C": ("C", "Common Law"),
    "G": ("T", "Domestic partner"),
    "P": ("T", "Domestic partner"),
    "E": ("L", "Legally Separated"),
    "U": ("UNK", "unknown"),
}
ENCOUNTER_CLASS = {
    "E": _coding("v3-ActCode", "EMER", "emergency"),
    "I": _coding("v3-ActCode", "IMP", "inpatient encounter"),
    "O": _coding("v3-ActCode", "AMB", "ambulatory"),
    "P": _coding("v3-ActCode", "PRENC", "pre-admission"),
    "R": _coding("v3-ActCode", "AMB", "ambulatory"),
    "B": _coding("v3-ActCode", "IMP", "inpatient encounter"),
}
ENCOUNTER_STATUS_BY_EVENT = {
    "A03": "finished",
    "A05": "planned",
    "A14": "planned",
    "A11": "cancelled",
    "A27": "cancelled",
    "A38": "cancelled",
    "A21": "onleave",
    "A23": "entered-in-error",
}
OBSERVATION_STATUS = {
    "C": "corrected",
    "D": "entered-in-error",
    "F": "final",
    "I": "registered",
    "N": "cancelled",
    "P": "preliminary",
    "R": "preliminary",
    "S": "preliminary",
    "U": "final",
    "V": "final",
    "W": "entered-in-error",
    "X": "cancelled",
    "A": "amended",
    "B": "amended",
}
REPORT_STATUS = {
    "A": "partial",
    "C": "corrected",
    "F": "final",
    "I": "registered",
    "M": "corrected",
    "N": "registered",
    "O": "registered",
    "P": "preliminary",
    "R": "partial",
    "S": "registered",
    "X": "cancelled",
}
ORDER_STATUS = {
    "A": "active",
    "CA": "revoked",
    "CM": "completed",
    "DC": "revoked",
    "ER": "entered-in-error",
    "HD": "on-hold",
    "IP": "active",
    "RP": "revoked",
    "SC": "active",
}
ORDER_CONTROL = {
    "NW": "active",
    "OK": "active",
    "XO": "active",
    "RE": "completed",
    "CA": "revoked",
    "OC": "revoked",
    "CR": "revoked",
    "DC": "revoked",
    "OD": "revoked",
    "DR": "revoked",
    "HD": "on-hold",
    "HR": "on-hold",
    "RL": "active",
    "RP": "revoked",
}
# ServiceRequest says revoked where MedicationRequest says stopped or cancelled.
DRUG_STATUS = {"revoked": "cancelled", "active": "active", "completed": "completed", "on-hold": "on-hold"}
PRIORITY = {"S": "stat", "A": "asap", "R": "routine", "P": "routine", "T": "urgent", "C": "urgent"}
DOCUMENT_STATUS = {
    "AU": "final",
    "LA": "final",
    "DI": "preliminary",
    "DO": "preliminary",
    "IN": "preliminary",
    "IP": "preliminary",
    "PA": "preliminary",
}
AVAILABILITY = {"CA": "entered-in-error", "OB": "superseded", "AV": "current", "UN": "current"}
APPOINTMENT_STATUS = {
    "PENDING": "pending",
    "WAITLIST": "waitlist",
    "BOOKED": "booked",
    "OVERBOOK": "booked",
    "STARTED": "arrived",
    "COMPLETE": "fulfilled",
    "CANCELLED": "cancelled",
    "DC": "cancelled",
    "DELETED": "entered-in-error",
    "BLOCKED": "cancelled",
    "NOSHOW": "noshow",
}
APPOINTMENT_BY_EVENT = {"S15": "cancelled", "S16": "cancelled", "S17": "entered-in-error", "S26": "noshow"}
ALLERGY_CATEGORY = {
    "DA": "medication",
    "FA": "food",
    "EA": "environment",
    "AA": "environment",
    "PA": "environment",
    "LA": "environment",
}
CRITICALITY = {"SV": "high", "MO": "low", "MI": "low", "U": "unable-to-assess"}
IDENTIFIER_SYSTEMS = {"SS": SSN, "NPI": NPI, "MBI": "http://hl7.org/fhir/sid/us-mbi"}
RELATIONSHIP = {
    "SEL": "self",
    "18": "self",
    "SPO": "spouse",
    "CHD": "child",
    "PAR": "parent",
    "MTH": "parent",
    "FTH": "parent",
    "OTH": "other",
}
OMB_RACES = frozenset({"1002-5", "2028-9", "2054-5", "2076-8", "2106-3"})
ETHNICITY = {"H": "2135-2", "N": "2186-5", "2135-2": "2135-2", "2186-5": "2186-5"}
LANGUAGES = {
    "eng": "en",
    "spa": "es",
    "fre": "fr",
    "fra": "fr",
    "ger": "de",
    "deu": "de",
    "ita": "it",
    "por": "pt",
    "rus": "ru",
    "ara": "ar",
    "chi": "zh",
    "zho": "zh",
    "jpn": "ja",
    "kor": "ko",
    "vie": "vi",
    "pol": "pl",
    "hin": "hi",
    "tgl": "tl",
    "e": "en",
}
