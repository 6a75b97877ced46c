"""Broken copies of FHIR resources: each takes a good resource and returns the line that should be refused."""

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from include.sample.answer_key import DUPLICATE, QUARANTINED

STRUCTURAL, PLAUSIBILITY = "structural", "plausibility"
OVER_LIMIT = 210_000  # bytes; sources.yml allows 200,000 a record
SUBJECT_ELEMENTS = ("subject", "patient", "beneficiary")
START_ELEMENTS = {
    "Observation": "effectiveDateTime",
    "Condition": "onsetDateTime",
    "Immunization": "occurrenceDateTime",
    "MedicationRequest": "authoredOn",
    "DiagnosticReport": "effectiveDateTime",
}
CODE_ELEMENTS = {"MedicationRequest": "medicationCodeableConcept", "Immunization": "vaccineCode"}
EVERY_TYPE = (
    "Patient",
    "Encounter",
    "Observation",
    "Condition",
    "MedicationRequest",
    "Procedure",
    "Immunization",
    "DiagnosticReport",
)
WITH_STATUS = ("Encounter", "Observation", "MedicationRequest", "Procedure", "Immunization", "DiagnosticReport")
ABOUT_PEOPLE = EVERY_TYPE[1:]
CODED = ("Observation", "Condition", "MedicationRequest", "Procedure", "Immunization", "DiagnosticReport")


@dataclass(frozen=True, slots=True)
class FhirDefect:
    """A kind of defect: where it fits, how it is made, and under which reasons it may be refused."""

    kind: str
    family: str
    types: tuple[str, ...]
    make: Callable[[dict], bytes]
    reason_codes: tuple[str, ...]
    handling: str = QUARANTINED


def _dump(resource: dict) -> bytes:
    return orjson.dumps(resource)


def _without(*names: str) -> Callable[[dict], bytes]:
    return lambda resource: _dump({key: value for key, value in resource.items() if key not in names})


def _with(**values: object) -> Callable[[dict], bytes]:
    return lambda resource: _dump(resource | values)


def _cut(resource: dict) -> bytes:
    line = _dump(resource)
    return line[: len(line) * 2 // 3]


def _bytes_inside(bad: bytes) -> Callable[[dict], bytes]:
    def make(resource: dict) -> bytes:
        return _dump(resource | {"language": "en-@@"}).replace(b"en-@@", b"en-" + bad)

    return make


def _over_long(resource: dict) -> bytes:
    return _dump(
        resource | {"text": {"status": "additional", "div": "<div>" + "blank " * (OVER_LIMIT // 6) + "</div>"}}
    )


def _other_type(resource: dict) -> bytes:
    return _dump({"resourceType": "Basic", "id": resource["id"], "code": {"text": "referral"}})


def _changed(resource: dict) -> bytes:
    """The same id with other content, and nothing to tell which came first."""
    return _dump(
        {key: value for key, value in resource.items() if key != "meta"}
        | {"implicitRules": "http://north.example.org/rules/2"}
    )


def _dangling(resource: dict) -> bytes:
    name = next(name for name in SUBJECT_ELEMENTS if name in resource)
    return _dump(resource | {name: {"reference": f"Patient/pt-{resource['id'][-12:]}"}})


def _without_subject(resource: dict) -> bytes:
    return _without(*SUBJECT_ELEMENTS)(resource)


def _without_code(resource: dict) -> bytes:
    return _without(CODE_ELEMENTS.get(resource["resourceType"], "code"))(resource)


def _started(value: str) -> Callable[[dict], bytes]:
    def make(resource: dict) -> bytes:
        kind = resource["resourceType"]
        if kind == "Encounter":
            return _dump(resource | {"period": {"start": value, "end": value}})
        if kind == "Procedure":
            return _dump(resource | {"performedPeriod": {"start": value}})
        return _dump(resource | {START_ELEMENTS[kind]: value})

    return make


def _end_before_start(resource: dict) -> bytes:
    start = resource["period"]["start"]
    return _dump(resource | {"period": {"start": start, "end": f"{int(start[:4]) - 1}{start[4:]}"}})


def _measured(code: str, display: str, value: float, unit: str) -> Callable[[dict], bytes]:
    def make(resource: dict) -> bytes:
        bare = {
            key: each for key, each in resource.items() if key not in ("component", "valueCodeableConcept", "hasMember")
        }
        return _dump(
            bare
            | {
                "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": display}]},
                "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
            }
        )

    return make


def _pressure_of_900(resource: dict) -> bytes:
    def part(code: str, value: int) -> dict:
        return {
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "valueQuantity": {
                "value": value,
                "unit": "mm[Hg]",
                "system": "http://unitsofmeasure.org",
                "code": "mm[Hg]",
            },
        }

    bare = {
        key: each for key, each in resource.items() if key not in ("valueQuantity", "valueCodeableConcept", "hasMember")
    }
    return _dump(
        bare
        | {
            "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
            "component": [part("8480-6", 900), part("8462-4", 80)],
        }
    )


DATED = ("Encounter", "Observation", "Immunization", "Procedure")
DEFECTS = (
    FhirDefect("malformed_json", STRUCTURAL, EVERY_TYPE, _cut, ("malformed_json",)),
    FhirDefect(
        "value_impossible_hba1c",
        PLAUSIBILITY,
        ("Observation",),
        _measured("4548-4", "Hemoglobin A1c", 250.0, "%"),
        ("value_impossible",),
    ),
    FhirDefect("duplicate", STRUCTURAL, EVERY_TYPE, _dump, (), DUPLICATE),
    FhirDefect("end_before_start", PLAUSIBILITY, ("Encounter",), _end_before_start, ("end_before_start",)),
    FhirDefect("status_missing", PLAUSIBILITY, WITH_STATUS, _without("status"), ("status_missing",)),
    FhirDefect("subject_unknown", PLAUSIBILITY, ABOUT_PEOPLE, _dangling, ("subject_unknown",)),
    FhirDefect("birth_in_future", PLAUSIBILITY, ("Patient",), _with(birthDate="2041-05-17"), ("birth_in_future",)),
    FhirDefect("duplicate_id", STRUCTURAL, ABOUT_PEOPLE, _changed, ("duplicate_id",)),
    FhirDefect(
        "birth_date_unreadable", PLAUSIBILITY, ("Patient",), _with(birthDate="1987-02-30"), ("birth_date_unreadable",)
    ),
    FhirDefect("wrong_resource_type", STRUCTURAL, EVERY_TYPE, _other_type, ("wrong_resource_type",)),
    FhirDefect("invalid_utf8", STRUCTURAL, EVERY_TYPE, _bytes_inside(b"\xff\xfe"), ("invalid_utf8",)),
    FhirDefect("nul_character", STRUCTURAL, EVERY_TYPE, _bytes_inside(b"\\u0000"), ("nul", "nul_character")),
    FhirDefect("missing_id", STRUCTURAL, EVERY_TYPE, _without("id"), ("missing_id",)),
    FhirDefect(
        "value_impossible_pressure",
        PLAUSIBILITY,
        ("Observation",),
        _pressure_of_900,
        ("systolic_impossible",),
    ),
    FhirDefect(
        "value_impossible_weight",
        PLAUSIBILITY,
        ("Observation",),
        _measured("29463-7", "Body weight", 7200.0, "kg"),
        ("value_impossible",),
    ),
    FhirDefect("subject_missing", PLAUSIBILITY, ABOUT_PEOPLE, _without_subject, ("subject_missing",)),
    FhirDefect("code_missing", PLAUSIBILITY, CODED, _without_code, ("code_missing",)),
    FhirDefect("date_unreadable", PLAUSIBILITY, DATED, _started("2026-02-30"), ("date_unreadable",)),
    FhirDefect("date_in_future", PLAUSIBILITY, DATED, _started("2038-01-19"), ("date_in_future",)),
    FhirDefect(
        "date_before_birth",
        PLAUSIBILITY,
        ("Observation", "Condition", "Immunization"),
        _started("1891-03-04"),
        ("date_before_birth",),
    ),
    FhirDefect(
        "status_unknown",
        PLAUSIBILITY,
        WITH_STATUS,
        _with(status="done"),
        ("status_unknown_code", "status_unknown", "status_missing"),
    ),
    FhirDefect("over_long", STRUCTURAL, ("Observation", "Condition"), _over_long, ("over_long",)),
    FhirDefect(
        "not_an_object",
        STRUCTURAL,
        ("Observation", "Encounter"),
        lambda resource: b"[" + _dump(resource) + b"]",
        ("not_an_object",),
    ),
)
BY_KIND = {defect.kind: defect for defect in DEFECTS}
SAME_ID = ("duplicate", "duplicate_id")  # these repeat the id of their model; all others get one of their own


def kinds_for(resource_type: str) -> list[str]:
    """The kinds of defect that fit a resource type, in the order in which they are planted."""
    return [defect.kind for defect in DEFECTS if resource_type in defect.types]
