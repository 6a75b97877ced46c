"""Broken copies of FHIR resources: each takes a good resource and returns the line that should be refused, or counted."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import orjson

from include.sample.answer_key import DUPLICATE, LOADED, QUARANTINED

# Counted: let in, and told by the check of the catalogue that `reason_codes` names, which fails for nothing else.
STRUCTURAL, PLAUSIBILITY, COUNTED = "structural", "plausibility", "counted"
OVER_LIMIT = 210_000  # bytes; sources.yml allows 200,000 a record
TOO_DEEP = 1_500  # levels; JSON readers stop at 1,024
DAYS_OUTSIDE = 12  # further from a visit than its checks allow
SUBJECT_ELEMENTS = ("subject", "patient", "beneficiary")
START_ELEMENTS = {
    "Observation": "effectiveDateTime",
    "Condition": "onsetDateTime",
    "Immunization": "occurrenceDateTime",
    "MedicationRequest": "authoredOn",
    "DiagnosticReport": "effectiveDateTime",
    "AllergyIntolerance": "recordedDate",
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
    "AllergyIntolerance",
    "Coverage",
    "DocumentReference",
)
WITH_STATUS = ("Encounter", "Observation", "MedicationRequest", "Procedure", "Immunization", "DiagnosticReport", "Coverage", "DocumentReference")  # fmt: skip
ABOUT_PEOPLE = EVERY_TYPE[1:]
CODED = ("Observation", "Condition", "MedicationRequest", "Procedure", "Immunization", "DiagnosticReport", "AllergyIntolerance")  # fmt: skip
WITH_CLINICAL_STATUS = ("Condition", "AllergyIntolerance")


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


def _pressure(systolic: int, diastolic: int) -> Callable[[dict], bytes]:
    return lambda resource: _panel(resource, systolic, diastolic)


def _panel(resource: dict, systolic: int, diastolic: int) -> bytes:
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
            "component": [part("8480-6", systolic), part("8462-4", diastolic)],
        }
    )


def _died(at: str) -> Callable[[dict], bytes]:
    return lambda resource: _dump(
        {key: value for key, value in resource.items() if key != "deceasedBoolean"} | {"deceasedDateTime": at}
    )


def _ended(at: str) -> Callable[[dict], bytes]:
    """The same event with another end."""

    def make(resource: dict) -> bytes:
        kind = resource["resourceType"]
        if kind == "Encounter":
            return _dump(resource | {"period": resource["period"] | {"end": at}})
        if kind == "Procedure":
            start = resource.get("performedDateTime") or resource["performedPeriod"]["start"]
            bare = {key: value for key, value in resource.items() if key != "performedDateTime"}
            return _dump(bare | {"performedPeriod": {"start": start, "end": at}})
        return _dump(resource | {"abatementDateTime": at})

    return make


def _concept(name: str, code: str, system: str) -> Callable[[dict], bytes]:
    """The same resource with another code in one of its elements, a list where the element is one."""

    def make(resource: dict) -> bytes:
        concept = {"coding": [{"system": system, "code": code}]}
        return _dump(resource | {name: [concept] if isinstance(resource.get(name), list) else concept})

    return make


def _nested(resource: dict) -> bytes:
    return _dump(resource | {"language": "@@"}).replace(b'"@@"', b"[" * TOO_DEEP + b"]" * TOO_DEEP)


def _temperature(**changes: object) -> Callable[[dict], bytes]:
    """A body temperature at the time and in the visit of another finding; no measure looks at it."""

    def make(resource: dict) -> bytes:
        good = orjson.loads(_measured("8310-5", "Body temperature", 36.8, "Cel")(resource))
        made = good | {name: change(resource) if callable(change) else change for name, change in changes.items()}
        return _dump({name: value for name, value in made.items() if value is not None})

    return make


def _unit(code: str | None) -> Callable[[dict], dict]:
    coded = {"unit": code, "system": "http://unitsofmeasure.org", "code": code} if code else {}
    return lambda resource: {"value": 36.8} | coded


def _before_its_visit(document: dict) -> bytes:
    """A note without words, dated days before the visit that it belongs to."""
    at = document["date"]
    earlier = f"{date.fromisoformat(at[:10]) - timedelta(days=DAYS_OUTSIDE)}{at[10:]}"
    return _dump(document | {"date": earlier, "content": [{"attachment": {"contentType": "text/plain"}}]})


def _year_before(resource: dict) -> str:
    at = resource["effectiveDateTime"]
    return f"{int(at[:4]) - 1}{at[4:].replace('-02-29', '-02-28')}" + ("" if len(at) > 10 else "T08:00:00Z")


LOINC, ICD10 = "http://loinc.org", "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
DATED = ("Encounter", "Observation", "Immunization", "Procedure", "MedicationRequest", "DiagnosticReport", "AllergyIntolerance")  # fmt: skip


def _counted(kind: str, types: tuple[str, ...], make: Callable[[dict], bytes], check: str) -> FhirDefect:
    return FhirDefect(kind, COUNTED, types, make, (check,), LOADED)


# Kinds that fit few types come first: of a small file only the first ones are planted.
DEFECTS = (
    FhirDefect("birth_in_future", PLAUSIBILITY, ("Patient",), _with(birthDate="2041-05-17"), ("birth_in_future",)),
    FhirDefect("birth_date_unreadable", PLAUSIBILITY, ("Patient",), _with(birthDate="1987-02-30"), ("birth_date_unreadable",)),
    FhirDefect("birth_before_1890", PLAUSIBILITY, ("Patient",), _with(birthDate="1800-01-01"), ("birth_before_1890",)),
    FhirDefect("death_before_birth", PLAUSIBILITY, ("Patient",), _died("1891-03-04"), ("death_before_birth",)),
    FhirDefect("death_in_future", PLAUSIBILITY, ("Patient",), _died("2038-01-19"), ("death_in_future",)),
    FhirDefect("death_unreadable", PLAUSIBILITY, ("Patient",), _died("2026-02-30"), ("death_unreadable",)),
    FhirDefect("gender_unknown_code", PLAUSIBILITY, ("Patient",), _with(gender="M"), ("gender_unknown_code",)),
    _counted("code_of_no_edition", ("Condition",), _concept("code", "L60.99", ICD10), "Condition.codeInTerminology.code_value"),
    _counted("drug_mistyped", ("MedicationRequest",), _concept("medicationCodeableConcept", "0860975", RXNORM),
             f"MedicationRequest.isStandardValidConcept.{RXNORM}"),
    _counted("before_its_visit", ("DocumentReference",), _before_its_visit, "DocumentReference.withinVisitDates.happened_at"),
    FhirDefect("malformed_json", STRUCTURAL, EVERY_TYPE, _cut, ("malformed_json",)),
    FhirDefect("clinical_status_unknown", PLAUSIBILITY, WITH_CLINICAL_STATUS,
               _concept("clinicalStatus", "current", CLINICAL), ("clinical_status_unknown",)),
    FhirDefect("verification_status_unknown", PLAUSIBILITY, WITH_CLINICAL_STATUS,
               _concept("verificationStatus", "sure", VERIFICATION), ("verification_status_unknown",)),
    FhirDefect("value_impossible_hba1c", PLAUSIBILITY, ("Observation",),
               _measured("4548-4", "Hemoglobin A1c", 250.0, "%"), ("value_impossible",)),
    FhirDefect("value_in_another_unit", PLAUSIBILITY, ("Observation",),
               _measured("8310-5", "Body temperature", 98.4, "Cel"), ("value_impossible",)),
    FhirDefect("duplicate", STRUCTURAL, EVERY_TYPE, _dump, (), DUPLICATE),
    FhirDefect("end_before_start", PLAUSIBILITY, ("Encounter",), _end_before_start, ("end_before_start",)),
    FhirDefect("resolved_before_onset", PLAUSIBILITY, ("Condition", "Procedure"), _ended("1891-03-04"), ("end_before_start",)),
    FhirDefect("end_unreadable", PLAUSIBILITY, ("Encounter", "Condition", "Procedure"), _ended("2026-02-30"), ("end_unreadable",)),
    FhirDefect("recorded_in_future", PLAUSIBILITY, ("Condition",), _with(recordedDate="2038-01-19"), ("recorded_in_future",)),
    FhirDefect("issued_in_future", PLAUSIBILITY, ("DiagnosticReport",), _with(issued="2038-01-19T09:00:00Z"), ("issued_in_future",)),
    FhirDefect("intent_unknown", PLAUSIBILITY, ("MedicationRequest",), _with(intent="wish"), ("intent_unknown",)),
    FhirDefect("date_missing", PLAUSIBILITY, ("Immunization",), _without("occurrenceDateTime"), ("date_missing",)),
    FhirDefect("status_missing", PLAUSIBILITY, WITH_STATUS, _without("status"), ("status_missing",)),
    FhirDefect("subject_unknown", PLAUSIBILITY, ABOUT_PEOPLE, _dangling, ("subject_unknown",)),
    FhirDefect("duplicate_id", STRUCTURAL, ABOUT_PEOPLE, _changed, ("duplicate_id",)),
    FhirDefect("wrong_resource_type", STRUCTURAL, EVERY_TYPE, _other_type, ("wrong_resource_type",)),
    FhirDefect("missing_resource_type", STRUCTURAL, EVERY_TYPE, _without("resourceType"), ("missing_resource_type",)),
    FhirDefect("bad_resource_type", STRUCTURAL, EVERY_TYPE, _with(resourceType="lab result"), ("bad_resource_type",)),
    FhirDefect("invalid_utf8", STRUCTURAL, EVERY_TYPE, _bytes_inside(b"\xff\xfe"), ("invalid_utf8",)),
    FhirDefect("nul_character", STRUCTURAL, EVERY_TYPE, _bytes_inside(b"\\u0000"), ("nul", "nul_character")),
    FhirDefect("lone_surrogate", STRUCTURAL, EVERY_TYPE, _bytes_inside(b"\\ud83d"), ("lone_surrogate",)),
    FhirDefect("missing_id", STRUCTURAL, EVERY_TYPE, _without("id"), ("missing_id",)),
    FhirDefect("bad_id", STRUCTURAL, EVERY_TYPE, lambda resource: _dump(resource | {"id": resource["id"] + "\n" * 3}), ("bad_id",)),
    FhirDefect("nested_too_deep", STRUCTURAL, EVERY_TYPE, _nested, ("nested_too_deep",)),
    FhirDefect("value_impossible_pressure", PLAUSIBILITY, ("Observation",), _pressure(900, 80), ("systolic_impossible",)),
    FhirDefect("value_impossible_diastolic", PLAUSIBILITY, ("Observation",), _pressure(128, 820), ("diastolic_impossible",)),
    FhirDefect("value_impossible_weight", PLAUSIBILITY, ("Observation",),
               _measured("29463-7", "Body weight", 7200.0, "kg"), ("value_impossible",)),
    FhirDefect("subject_missing", PLAUSIBILITY, ABOUT_PEOPLE, _without_subject, ("subject_missing",)),
    FhirDefect("code_missing", PLAUSIBILITY, CODED, _without_code, ("code_missing",)),
    FhirDefect("date_unreadable", PLAUSIBILITY, DATED, _started("2026-02-30"), ("date_unreadable",)),
    FhirDefect("date_in_future", PLAUSIBILITY, DATED, _started("2038-01-19"), ("date_in_future",)),
    FhirDefect("date_before_birth", PLAUSIBILITY, ("Observation", "Condition", "Immunization", "DiagnosticReport"),
               _started("1891-03-04"), ("date_before_birth",)),
    FhirDefect("status_unknown", PLAUSIBILITY, WITH_STATUS, _with(status="done"),
               ("status_unknown_code", "status_unknown", "status_missing")),
    FhirDefect("over_long", STRUCTURAL, ("Observation", "Condition"), _over_long, ("over_long",)),
    FhirDefect("not_an_object", STRUCTURAL, ("Observation", "Encounter"),
               lambda resource: b"[" + _dump(resource) + b"]", ("not_an_object",)),
    _counted("code_mistyped", ("Observation",), _temperature(code={"coding": [{"system": LOINC, "code": "8310-6"}]}),
             f"Observation.isStandardValidConcept.{LOINC}"),
    _counted("unit_of_something_else", ("Observation",), _temperature(valueQuantity=_unit("mg")),
             "Observation.plausibleUnitConceptIds.8310-5"),
    _counted("unit_missing", ("Observation",), _temperature(valueQuantity=_unit(None)), "Observation.unitGiven.value"),
    _counted("category_of_another_list", ("Observation",),
             _temperature(category=[{"coding": [{"system": CATEGORIES, "code": "vitals"}]}]), "Observation.fkClass.category"),
    _counted("visit_unknown", ("Observation",), _temperature(encounter={"reference": "Encounter/enc-of-nobody"}),
             "Observation.isForeignKey.encounter_ref"),
    _counted("told_before_taken", ("Observation",), _temperature(issued=_year_before),
             "Observation.plausibleTemporalAfter.issued_at~happened_at"),
)  # fmt: skip
BY_KIND = {defect.kind: defect for defect in DEFECTS}
SAME_ID = ("duplicate", "duplicate_id")  # these repeat the id of their model; all others get one of their own


def kinds_for(resource_type: str) -> list[str]:
    """The kinds of defect that fit a resource type, in the order in which they are planted."""
    return [defect.kind for defect in DEFECTS if resource_type in defect.types]
