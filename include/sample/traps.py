"""Identifiers where nobody expects them: each trap puts one person's name or number into an element of a good resource."""

from collections.abc import Callable
from dataclasses import dataclass

from include.sample.identities import Identity

MOST_TRAPS = 3  # of a kind, in a block


@dataclass(frozen=True, slots=True)
class Trap:
    """Where an identifier hides, in which type, and how it gets there; `kind` says which identifier it is."""

    where: str
    resource_type: str
    kind: str
    hide: Callable[[dict, str], None]


def identifier(who: Identity, kind: str) -> str:
    """Return a person's identifier of a kind used by traps."""
    return {
        "full_name": who.full_name,
        "inverted_name": f"{who.family}, {who.given}",
        "ssn": who.ssn,
        "phone": who.phone,
        "email": who.email,
        "street": who.street,
        "north_mrn": who.north_mrn,
    }[kind]


def _put(name: str, template: str = "{}") -> Callable[[dict, str], None]:
    def hide(resource: dict, value: str) -> None:
        resource[name] = template.format(value)

    return hide


def _note(resource: dict, value: str) -> None:
    resource["note"] = [{"text": f"Spoke with {value} about the result; will repeat in May."}]


def _unknown_extension(resource: dict, value: str) -> None:
    resource["extension"] = [{"url": "http://north.example.org/fhir/legacy-banner", "valueString": value}]


def _subject_display(resource: dict, value: str) -> None:
    resource["subject"] = resource["subject"] | {"display": value}


def _concept_text(resource: dict, value: str) -> None:
    resource["code"] = resource["code"] | {"text": f"{resource['code']['coding'][0]['display']} ({value})"}


def _unknown_element(resource: dict, value: str) -> None:
    resource["xLegacyHeader"] = {"banner": value, "line": 4}


def _narrative(resource: dict, value: str) -> None:
    resource["text"] = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{value}</div>'}


def _local_coding(resource: dict, value: str) -> None:
    coding = {
        "system": "http://north.example.org/procedures",
        "code": "FOR-" + value.split()[-1].upper(),
        "display": f"As agreed with {value}",
    }
    resource["code"] = resource["code"] | {"coding": [*resource["code"]["coding"], coding]}


def _source_of_message(resource: dict, value: str) -> None:
    resource["meta"] = {"source": f"interface/{value.replace(' ', '_')}.hl7"}


def _location_display(resource: dict, value: str) -> None:
    resource["location"] = [{"location": {"reference": "Location/north-main", "display": f"Home of {value}"}}]


def _status_reason(resource: dict, value: str) -> None:
    resource["statusReason"] = {"text": f"Stopped at the request of {value}"}


TRAPS = (
    Trap("Observation.note", "Observation", "full_name", _note),
    Trap("Observation.subject.display", "Observation", "full_name", _subject_display),
    Trap("Observation.meta.source", "Observation", "full_name", _source_of_message),
    Trap("Encounter.extension (unknown URL)", "Encounter", "inverted_name", _unknown_extension),
    Trap("Encounter.xLegacyHeader (unknown element)", "Encounter", "ssn", _unknown_element),
    Trap("Encounter.location.display", "Encounter", "full_name", _location_display),
    Trap("Condition.code.text", "Condition", "full_name", _concept_text),
    Trap("Patient.text", "Patient", "street", _narrative),
    Trap("Procedure.code.coding (local system)", "Procedure", "full_name", _local_coding),
    Trap("MedicationRequest.statusReason.text", "MedicationRequest", "full_name", _status_reason),
    Trap("DiagnosticReport.conclusion", "DiagnosticReport", "phone", _put("conclusion", "Called {} with the result.")),
    Trap("Immunization.lotNumber", "Immunization", "north_mrn", _put("lotNumber")),
)


def traps_for(resource_type: str) -> list[Trap]:
    """The traps laid in resources of a type."""
    return [trap for trap in TRAPS if trap.resource_type == resource_type]
