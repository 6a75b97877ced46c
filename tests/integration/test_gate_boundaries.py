"""Every critical rule, on both sides of its boundary, judged together in one real run of Great Expectations."""

from __future__ import annotations

import pytest

from include.quality.gate import check_batch
from include.quality.suites import read_suites
from tests.quality_inputs import Documents, gate_results, refused_by, token

LOINC, ICD10 = "http://loinc.org", "http://hl7.org/fhir/sid/icd-10-cm"


def coded(code: str, system: str = LOINC) -> dict:
    return {"coding": [{"system": system, "code": code}]}


def quantity(value: float, unit: str) -> dict:
    return {"value": value, "unit": unit, "code": unit}


def pressure(systolic: float, diastolic: float) -> dict:
    parts = [("8480-6", systolic), ("8462-4", diastolic)]
    return {
        "code": coded("85354-9"),
        "component": [{"code": coded(code), "valueQuantity": quantity(value, "mm[Hg]")} for code, value in parts],
    }


# name of the case: what differs from a clean observation, and the rule that must refuse it (None: it passes)
OBSERVATIONS = {
    "last moment of the night": ({"effectiveDateTime": "2026-11-24T12:00:00Z"}, None),
    "a second after the night": ({"effectiveDateTime": "2026-11-24T12:00:01Z"}, "date_in_future"),
    "the same moment in another zone": ({"effectiveDateTime": "2026-11-24T00:00:01-12:00"}, "date_in_future"),
    "this year, no more": ({"effectiveDateTime": "2026"}, None),
    "next year": ({"effectiveDateTime": "2027"}, "date_in_future"),
    "this month": ({"effectiveDateTime": "2026-11"}, None),
    "next month": ({"effectiveDateTime": "2026-12"}, "date_in_future"),
    "a leap day": ({"effectiveDateTime": "2024-02-29"}, None),
    "no leap day": ({"effectiveDateTime": "2023-02-29"}, "date_unreadable"),
    "a word that Postgres takes for a time": ({"effectiveDateTime": "yesterday"}, "date_unreadable"),
    "a date in another form": ({"effectiveDateTime": "03/01/2026 10:00"}, "date_unreadable"),
    "year nought": ({"effectiveDateTime": "0000"}, "date_unreadable"),
    "born after midnight in the east": ({"effectiveDateTime": "1980-05-09T10:00:00Z"}, None),
    "a second before any birth of that day": ({"effectiveDateTime": "1980-05-09T09:59:59Z"}, "date_before_birth"),
    "the year of birth": ({"effectiveDateTime": "1980"}, None),
    "the year before": ({"effectiveDateTime": "1979"}, "date_before_birth"),
    "a period that starts in time": ({"effectiveDateTime": None, "effectivePeriod": {"start": "2026-01-01"}}, None),
    "a period that starts too late": (
        {"effectiveDateTime": None, "effectivePeriod": {"start": "2028-01-01"}},
        "date_in_future",
    ),
    "lowest HbA1c": ({"valueQuantity": quantity(2, "%")}, None),
    "below the lowest HbA1c": ({"valueQuantity": quantity(1.99, "%")}, "value_impossible"),
    "highest HbA1c": ({"valueQuantity": quantity(25, "%")}, None),
    "above the highest HbA1c": ({"valueQuantity": quantity(25.01, "%")}, "value_impossible"),
    "HbA1c in another unit": ({"valueQuantity": quantity(48, "mmol/mol")}, None),
    "HbA1c in a unit without a range": ({"valueQuantity": quantity(4800, "furlong")}, None),
    "a code without a range": ({"code": coded("99999-9"), "valueQuantity": quantity(1e9, "%")}, None),
    "tallest person": ({"code": coded("8302-2"), "valueQuantity": quantity(280, "cm")}, None),
    "taller": ({"code": coded("8302-2"), "valueQuantity": quantity(280.1, "cm")}, "value_impossible"),
    "lowest systolic": (pressure(20, 10), None),
    "below it": (pressure(19, 10), "systolic_impossible"),
    "highest systolic": (pressure(370, 90), None),
    "above it": (pressure(371, 90), "systolic_impossible"),
    "diastolic nought": (pressure(120, 0), None),
    "diastolic below nought": (pressure(120, -1), "diastolic_impossible"),
    "diastolic above systolic is only counted": (pressure(80, 120), None),
    "a status of the value set": ({"status": "amended"}, None),
    "a status of none": ({"status": "finished"}, "status_unknown"),
    "no status": ({"status": None}, "status_missing"),
    "no code": ({"code": None}, "code_missing"),
    "a code in words only, sealed": ({"code": {}}, None),
    "no value is only counted": ({"valueQuantity": None}, None),
    "no subject": ({"subject": None}, "subject_missing"),
}
OTHERS = {
    "a known ICD-10 shape": ("Condition", {"code": coded("E11.9", ICD10)}, None),
    "ICD-10 without its point": ("Condition", {"code": coded("E119", ICD10)}, None),
    "a COVID code": ("Condition", {"code": coded("U07.1", ICD10)}, None),
    "a point and nothing": ("Condition", {"code": coded("E11.", ICD10)}, "icd10_malformed"),
    "small letters": ("Condition", {"code": coded("e11.9", ICD10)}, "icd10_malformed"),
    "too short": ("Condition", {"code": coded("E1", ICD10)}, "icd10_malformed"),
    "a SNOMED code is not asked": ("Condition", {"code": coded("44054006", "http://snomed.info/sct")}, None),
    "abated on the day it began": (
        "Condition",
        {"onsetDateTime": "2026-01-05T10:00:00Z", "abatementDateTime": "2026-01-05"},
        None,
    ),
    "abated on a day that is still on somewhere": (
        "Condition",
        {"onsetDateTime": "2026-01-05T11:59:59Z", "abatementDateTime": "2026-01-04"},
        None,
    ),
    "abated on a day that was over everywhere": (
        "Condition",
        {"onsetDateTime": "2026-01-05T12:00:00Z", "abatementDateTime": "2026-01-04"},
        "end_before_start",
    ),
    "abated the same day, both days": (
        "Condition",
        {"onsetDateTime": "2026-01-05", "abatementDateTime": "2026-01-05"},
        None,
    ),
    "abated the day before, both days": (
        "Condition",
        {"onsetDateTime": "2026-01-05", "abatementDateTime": "2026-01-04"},
        "end_before_start",
    ),
    "a clinical status of none": ("Condition", {"clinicalStatus": coded("better")}, "clinical_status_unknown"),
    "a verification of none": ("Condition", {"verificationStatus": coded("maybe")}, "verification_status_unknown"),
    "recorded in the future": ("Condition", {"recordedDate": "2026-11-25"}, "recorded_in_future"),
    "a visit of no length": (
        "Encounter",
        {"period": {"start": "2026-01-05T10:00:00Z", "end": "2026-01-05T10:00:00Z"}},
        None,
    ),
    "a visit that ends a second early": (
        "Encounter",
        {"period": {"start": "2026-01-05T10:00:00Z", "end": "2026-01-05T09:59:59Z"}},
        "end_before_start",
    ),
    "an end that is no date": ("Encounter", {"period": {"start": "2026-01-05", "end": "2026-13-05"}}, "end_unreadable"),
    "a visit still going on": ("Encounter", {"status": "in-progress", "period": {"start": "2026-11-23"}}, None),
    "a planned visit may lie ahead": ("Encounter", {"status": "planned", "period": {"start": "2027-02-01"}}, None),
    "a finished one may not": (
        "Encounter",
        {"status": "finished", "period": {"start": "2027-02-01"}},
        "date_in_future",
    ),
    "a vaccine given": ("Immunization", {"occurrenceDateTime": "2025-10-01"}, None),
    "a vaccine given nobody knows when": ("Immunization", {"occurrenceDateTime": None}, "date_missing"),
    "an order of an intent of none": ("MedicationRequest", {"intent": "hope"}, "intent_unknown"),
    "an order by reference": (
        "MedicationRequest",
        {"medicationCodeableConcept": None, "medicationReference": {}},
        None,
    ),
    "an order of nothing": ("MedicationRequest", {"medicationCodeableConcept": None}, "code_missing"),
    "a procedure not done lies in no time": ("Procedure", {"status": "not-done", "performedDateTime": "2031"}, None),
    "a procedure of the future": ("Procedure", {"performedDateTime": "2031"}, "date_in_future"),
    "an allergy of a status of none": (
        "AllergyIntolerance",
        {"clinicalStatus": coded("gone")},
        "clinical_status_unknown",
    ),
    "a report issued in the future": ("DiagnosticReport", {"issued": "2026-11-25T00:00:00Z"}, "issued_in_future"),
    "a cover that ends before it starts": (
        "Coverage",
        {"period": {"start": "2026-02", "end": "2026-01"}},
        "end_before_start",
    ),
    "a cover of next year": ("Coverage", {"period": {"start": "2027-01-01"}}, None),
    "a note of a status of none": ("DocumentReference", {"status": "final"}, "status_unknown"),
    "an administration of a status of none": ("MedicationAdministration", {"status": "active"}, "status_unknown"),
    "an order in the future": ("ServiceRequest", {"authoredOn": "2027-01-01"}, "date_in_future"),
    "a plan that ends in the future": ("CarePlan", {"period": {"start": "2026-01-01", "end": "2028-01-01"}}, None),
    "a plan that ends before it starts": (
        "CarePlan",
        {"period": {"start": "2026-01", "end": "2025"}},
        "end_before_start",
    ),
}
PATIENTS = {
    "born in 1890": ({"birthDate": "1890-01-01"}, None),
    "born in 1889": ({"birthDate": "1889-12-31"}, "birth_before_1890"),
    "born tomorrow, where it is tomorrow": ({"birthDate": "2026-11-24"}, None),
    "born the day after": ({"birthDate": "2026-11-25"}, "birth_in_future"),
    "born on no day": ({"birthDate": "1980-02-30"}, "birth_date_unreadable"),
    "no day of birth is only counted": ({"birthDate": None}, None),
    "a gender of none": ({"gender": "F"}, "gender_unknown_code"),
    "died on the day of birth": ({"deceasedDateTime": "1980-05-10"}, None),
    "died the day before": ({"deceasedDateTime": "1980-05-08"}, "death_before_birth"),
    "dies in the future": ({"deceasedDateTime": "2026-11-25"}, "death_in_future"),
    "died on no day": ({"deceasedDateTime": "2026-02-30"}, "death_unreadable"),
}
_WHOLE = {
    "Condition": {"subject": True, "code": coded("38341003", "http://snomed.info/sct")},
    "Encounter": {"subject": True, "status": "finished", "period": {"start": "2026-01-05"}, "class": {"code": "AMB"}},
    "Immunization": {"patient": True, "status": "completed", "vaccineCode": coded("158"), "occurrenceDateTime": "2025-10-01"},
    "MedicationRequest": {
        "subject": True, "status": "active", "intent": "order", "medicationCodeableConcept": coded("161"), "authoredOn": "2026-01-05",
    },
    "Procedure": {"subject": True, "status": "completed", "code": coded("1"), "performedDateTime": "2026-01-05"},
    "AllergyIntolerance": {"patient": True, "code": coded("1")},
    "DiagnosticReport": {"subject": True, "status": "final", "code": coded("1")},
    "Coverage": {"beneficiary": True, "status": "active", "payor": [{}]},
    "DocumentReference": {"subject": True, "status": "current"},
    "MedicationAdministration": {"subject": True, "status": "completed"},
    "ServiceRequest": {"subject": True, "status": "active", "code": coded("1")},
    "CarePlan": {"subject": True},
}  # fmt: skip


@pytest.fixture(scope="module")
def judged(stack):
    """Every case, and enough clean rows that the batch is let in: (record id by case, reasons, results)."""
    batch = Documents(stack)
    batch.patient("ann")
    records = {
        name: batch.observation(name, without=tuple(key for key, value in body.items() if value is None), **body)
        for name, (body, _) in OBSERVATIONS.items()
    }
    ann = {"reference": f"Patient/{token(batch.source, 'Patient', 'ann')}"}
    for name, (kind, body, _) in OTHERS.items():
        whole = {key: ann if value is True else value for key, value in _WHOLE[kind].items()} | body
        records[name] = batch.add(kind, name, {k: v for k, v in whole.items() if v is not None}, person="ann")
    for name, (body, _) in PATIENTS.items():
        batch.patient(name, **body)
        records[name] = token(batch.source, "Patient", name, "record")
    records["nobody knows"] = batch.observation("nobody knows", person="a stranger")
    records["unfit status"] = batch.add("Observation", "unfit", _bare(batch), person="ann", unfit=["status"])
    batch.clean(1000)
    batch_id = batch.load()
    outcome = check_batch(batch_id, stack)
    return records, refused_by(stack, batch_id), gate_results(stack, batch_id), outcome


def _bare(batch: Documents) -> dict:
    return {"code": coded("1"), "subject": {"reference": f"Patient/{token(batch.source, 'Patient', 'ann')}"}}


def _expected() -> dict[str, str | None]:
    return (
        {name: rule for name, (_, rule) in OBSERVATIONS.items()}
        | {name: rule for name, (_, _, rule) in OTHERS.items()}
        | {name: rule for name, (_, rule) in PATIENTS.items()}
        | {"nobody knows": "subject_unknown", "unfit status": "status_unknown"}
    )


@pytest.mark.parametrize("case", sorted(_expected()))
def test_the_gate_refuses_what_lies_beyond_the_boundary_and_nothing_else(judged, case):
    records, reasons, _, _ = judged
    assert reasons.get(records[case]) == _expected()[case]


def test_nothing_is_refused_that_no_case_asks_for(judged):
    records, reasons, _, outcome = judged
    assert outcome == "passed"
    assert set(reasons) == {records[name] for name, rule in _expected().items() if rule}


def test_every_critical_rule_of_documents_has_a_case_that_fails_it(judged):
    _, _, results, _ = judged
    failed = {rule for (_, rule), (status, *_) in results.items() if status == "failed"}
    critical = {rule.name for suite in read_suites().all for rule in suite.rules if rule.severity == "critical"}
    assert critical, "no critical rules were read"
    assert critical - failed == set()


def test_a_value_in_an_unlisted_unit_is_counted_as_a_warning(judged):
    _, _, results, _ = judged
    assert results["observation", "unit_unexpected"][0] == "failed"
    assert results["observation", "unit_unexpected"][2] == 1
