"""Test cases of the CMS measures at their boundaries, each the smallest that is in or the largest that is out.

What is expected follows from the measures' own CQL; every value set holds one code of its own, so nothing here is licensed.
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import orjson

from include.measures.deck import POPULATIONS, Case
from include.terminology.value_sets import ValueSet

SNOMED, LOINC = "http://snomed.info/sct", "http://loinc.org"
SEED = Path(__file__).parents[1] / "dbt_project" / "seeds" / "ecqm_value_sets.csv"
NURSING_HOME, OWN_HOME, YES, LEFT, RIGHT = "160734000", "160943002", "373066001", "7771000", "24028007"
OUT, IN, EXCLUDED, COUNTED = (0, 0, 0, 0, 0), (1, 1, 0, 0, 0), (1, 1, 1, 0, 0), (1, 1, 0, 0, 1)


def own_value_sets() -> list[ValueSet]:
    """One code a value set, in the shape of SNOMED CT's."""
    with SEED.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [ValueSet(row["oid"], row["title"], "1", frozenset({(SNOMED, _code(row["value_set"]))})) for row in rows]


def _code(value_set: str) -> str:
    with SEED.open(newline="") as lines:
        names = [row["value_set"] for row in csv.DictReader(lines)]
    return f"99{names.index(value_set):04d}100"


def of(value_set: str) -> dict:
    """A CodeableConcept of a value set's code."""
    return coded(SNOMED, _code(value_set))


def coded(system: str, code: str) -> dict:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code}]}


def person(born: str, sex: str = "248152002", **changes) -> dict:
    """A patient with US Core's sex."""
    url = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-sex"
    return {"resourceType": "Patient", "birthDate": born, "gender": "female",
            "extension": [{"url": url, "valueCode": sex}], **changes}  # fmt: skip


def visit(
    value_set: str = "office_visit",
    start: str = "2026-03-01T10:00:00Z",
    end: str | None = "2026-03-01T10:30:00Z",
    **changes,
) -> dict:
    """A finished encounter; its id may be given."""
    return {
        "resourceType": "Encounter", "status": "finished", "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "type": [of(value_set)], "period": {"start": start, **({"end": end} if end else {})}, **changes,
    }  # fmt: skip


def condition(
    value_set: str,
    onset: str | None = "2026-01-01T00:00:00Z",
    category: str | None = "encounter-diagnosis",
    status: str = "active",
    **changes,
) -> dict:
    """A confirmed condition."""
    told = {"onsetDateTime": onset} if onset else {}
    kind = (
        {"category": [coded("http://terminology.hl7.org/CodeSystem/condition-category", category)]} if category else {}
    )
    return {
        "resourceType": "Condition", "code": of(value_set), **told, **kind,
        "clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/condition-clinical", status), **changes,
    }  # fmt: skip


def verified(word: str) -> dict:
    """A verification status."""
    return {"verificationStatus": coded("http://terminology.hl7.org/CodeSystem/condition-ver-status", word)}


def observation(
    code: dict, at: str | dict, category: str | None = "laboratory", status: str = "final", **changes
) -> dict:
    """An observation at a moment, or over a period."""
    when = {"effectivePeriod": at} if isinstance(at, dict) else {"effectiveDateTime": at}
    kind = (
        {"category": [coded("http://terminology.hl7.org/CodeSystem/observation-category", category)]}
        if category
        else {}
    )
    return {"resourceType": "Observation", "status": status, "code": code, **when, **kind, **changes}


def percent(value: float) -> dict:
    """A value in percent."""
    return {"valueQuantity": {"value": value, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}}


def hba1c(at: str | dict, value: float | None = None, **changes) -> dict:
    """An HbA1c, with or without a result."""
    return observation(of("hba1c_laboratory_test"), at, **(percent(value) if value is not None else {}), **changes)


def pressure(at: str, systolic: int | None, diastolic: int | None, **changes) -> dict:
    """A blood pressure panel."""
    parts = [
        {"code": coded(LOINC, code), "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}}
        for code, value in (("8480-6", systolic), ("8462-4", diastolic)) if value is not None
    ]  # fmt: skip
    return observation(coded(LOINC, "85354-9"), at, "vital-signs", component=parts, **changes)


def procedure(value_set: str, at: str | dict, status: str = "completed") -> dict:
    """A procedure at a moment, or over a period."""
    when = {"performedPeriod": at} if isinstance(at, dict) else {"performedDateTime": at}
    return {"resourceType": "Procedure", "status": status, "code": of(value_set), **when}


def device(authored: str = "2026-05-01T00:00:00Z", **changes) -> dict:
    """An order of a frailty device."""
    return {"resourceType": "DeviceRequest", "status": "active", "intent": "order", "codeCodeableConcept": of("frailty_device"),
            "authoredOn": authored, **changes}  # fmt: skip


def medication(authored: str, days: int | None = 90, **changes) -> dict:
    """An active order of a dementia medication."""
    supply = {
        "dispenseRequest": {
            "expectedSupplyDuration": {"value": days, "system": "http://unitsofmeasure.org", "code": "d"}
        }
    }
    return {"resourceType": "MedicationRequest", "status": "active", "intent": "order", "authoredOn": authored,
            "medicationCodeableConcept": of("dementia_medications"), **(supply if days else {}), **changes}  # fmt: skip


def housing(code: str, at: str | dict) -> dict:
    """A housing status."""
    return observation(coded(LOINC, "71802-3"), at, "survey", valueCodeableConcept=coded(SNOMED, code))


NOT_TO = {
    "modifierExtension": [
        {
            "url": "http://hl7.org/fhir/5.0/StructureDefinition/extension-DeviceRequest.doNotPerform",
            "valueBoolean": True,
        }
    ]
}
DIABETES, SEEN = condition("diabetes"), visit()
AT_70, AT_65, AT_50 = person("1956-06-01"), person("1961-01-01"), person("1976-06-01")
OF_122, OF_165 = (DIABETES, SEEN), (condition("essential_hypertension"), SEEN)
FINE = hba1c("2026-06-01T10:00:00Z", 7.0)
TWICE_A_DAY = {
    "dosageInstruction": [{"timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
                           "doseAndRate": [{"doseQuantity": {"value": 1}}]}],
    "dispenseRequest": {"quantity": {"value": 60}, "numberOfRepeatsAllowed": 2},
}  # fmt: skip
INPATIENT = visit("encounter_inpatient", "2026-08-01T08:00:00Z", "2026-08-03T12:00:00Z")
EMERGENCY_CLASS = {
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER"},
    "id": "emergency",
}
AT_EMERGENCY = {"encounter": {"reference": "Encounter/emergency"}}

# measure, what stands at the boundary, what is expected, the case's resources
CASES: list[tuple[str, str, tuple[int, ...], list[dict]]] = [
    ("cms122", "18 on the last day", COUNTED, [person("2008-12-31"), *OF_122]),
    ("cms122", "18 the day after", OUT, [person("2009-01-01"), *OF_122]),
    ("cms122", "75 on the last day", COUNTED, [person("1951-01-01"), *OF_122]),
    ("cms122", "76 on the last day", OUT, [person("1950-12-31"), *OF_122]),
    ("cms122", "only a year of birth, in either way 40", COUNTED, [person("1986"), *OF_122]),
    ("cms122", "only a year of birth, perhaps 76", OUT, [person("1950"), *OF_122]),
    ("cms122", "a visit ending after the period", OUT,
     [AT_50, DIABETES, visit(start="2026-12-31T23:00:00Z", end="2027-01-01T00:30:00Z")]),
    ("cms122", "a visit of the evening before in its own zone", COUNTED,
     [AT_50, DIABETES, visit(start="2025-12-31T23:30:00-05:00", end="2025-12-31T23:50:00-05:00")]),
    ("cms122", "a visit still going on", OUT, [AT_50, DIABETES, visit(end=None)]),
    ("cms122", "a visit that was planned", OUT, [AT_50, DIABETES, visit(status="planned")]),
    ("cms122", "a virtual encounter, which CMS122 does not list", OUT, [AT_50, DIABETES, visit("virtual_encounter")]),
    ("cms122", "nutrition services, told as the second type", COUNTED,
     [AT_50, DIABETES, visit(type=[coded(SNOMED, "123456100"), of("nutrition_services")])]),
    ("cms122", "diabetes on the problem list only", OUT, [AT_50, SEEN, condition("diabetes", category="problem-list-item")]),
    ("cms122", "diabetes without a category", COUNTED, [AT_50, SEEN, condition("diabetes", category=None)]),
    ("cms122", "diabetes refuted", OUT, [AT_50, SEEN, condition("diabetes", **verified("refuted"))]),
    ("cms122", "diabetes provisional", COUNTED, [AT_50, SEEN, condition("diabetes", **verified("provisional"))]),
    ("cms122", "diabetes over the day before", OUT,
     [AT_50, SEEN, condition("diabetes", "2020-01-01", status="resolved", abatementDateTime="2025-12-31")]),
    ("cms122", "diabetes over on the first day", COUNTED,
     [AT_50, SEEN, condition("diabetes", "2020-01-01", status="resolved", abatementDateTime="2026-01-01")]),
    ("cms122", "diabetes over since nobody knows when", OUT, [AT_50, SEEN, condition("diabetes", "2020-01-01", status="resolved")]),
    ("cms122", "diabetes begun the day after", OUT, [AT_50, SEEN, condition("diabetes", "2027-01-01T00:00:00Z")]),
    ("cms122", "diabetes since the age of 45", COUNTED,
     [AT_50, SEEN, condition("diabetes", None, onsetAge={"value": 45, "system": "http://unitsofmeasure.org", "code": "a"})]),
    ("cms122", "HbA1c of 9.0", IN, [AT_50, *OF_122, hba1c("2026-06-01T10:00:00Z", 9.0)]),
    ("cms122", "HbA1c of 9.1", COUNTED, [AT_50, *OF_122, hba1c("2026-06-01T10:00:00Z", 9.1)]),
    ("cms122", "HbA1c without a result", COUNTED, [AT_50, *OF_122, hba1c("2026-06-01T10:00:00Z")]),
    ("cms122", "HbA1c preliminary", COUNTED, [AT_50, *OF_122, hba1c("2026-06-01T10:00:00Z", 7.0, status="preliminary")]),
    ("cms122", "HbA1c of a survey", COUNTED, [AT_50, *OF_122, hba1c("2026-06-01T10:00:00Z", 7.0, category="survey")]),
    ("cms122", "the lowest of the last day", IN,
     [AT_50, *OF_122, hba1c("2026-06-01T18:00:00Z", 9.5), hba1c("2026-06-01T08:00:00Z", 8.5)]),
    ("cms122", "the last day, not the lowest", COUNTED,
     [AT_50, *OF_122, hba1c("2026-06-01T18:00:00Z", 9.5), hba1c("2026-05-01T08:00:00Z", 8.5)]),
    ("cms122", "no result beside a good one on the last day", COUNTED, [AT_50, *OF_122, hba1c("2026-06-01T18:00:00Z"), FINE]),
    ("cms122", "a period that ends on the first day", IN,
     [AT_50, *OF_122, hba1c({"start": "2025-12-30T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, 7.0)]),
    ("cms122", "a period without an end counts from its beginning", IN,
     [AT_50, *OF_122, hba1c({"start": "2026-12-31T00:00:00Z"}, 7.0)]),
    ("cms122", "glucose management indicator", COUNTED,
     [AT_50, *OF_122, observation(coded(LOINC, "97506-0"), "2026-06-01T10:00:00Z", **percent(9.2))]),
    ("cms122", "nursing home, the last word", EXCLUDED,
     [AT_70, *OF_122, FINE, housing(OWN_HOME, "2026-01-05T00:00:00Z"), housing(NURSING_HOME, "2026-02-05T00:00:00Z")]),
    ("cms122", "nursing home, not the last word", IN,
     [AT_70, *OF_122, FINE, housing(NURSING_HOME, "2026-01-05T00:00:00Z"), housing(OWN_HOME, "2026-02-05T00:00:00Z")]),
    ("cms122", "nursing home at 65", IN, [AT_65, *OF_122, FINE, housing(NURSING_HOME, "2026-02-05T00:00:00Z")]),
    ("cms122", "nursing home told years ago", EXCLUDED, [AT_70, *OF_122, FINE, housing(NURSING_HOME, "2019-02-05T00:00:00Z")]),
    ("cms122", "frailty device and dementia medication until the year before begins", EXCLUDED,
     [AT_70, *OF_122, FINE, device(), medication("2024-10-04T00:00:00Z")]),
    ("cms122", "and a day too short", IN, [AT_70, *OF_122, FINE, device(), medication("2024-10-03T00:00:00Z")]),
    ("cms122", "90 days by quantity, dose and refills", EXCLUDED,
     [AT_70, *OF_122, FINE, device(), medication("2024-10-04T00:00:00Z", None, **TWICE_A_DAY)]),
    ("cms122", "89 days would not do: a day earlier by quantity", IN,
     [AT_70, *OF_122, FINE, device(), medication("2024-10-03T00:00:00Z", None, **TWICE_A_DAY)]),
    ("cms122", "a medication completed is not active", IN,
     [AT_70, *OF_122, FINE, device(), medication("2026-01-01T00:00:00Z", status="completed")]),
    ("cms122", "a medication not to be given", IN,
     [AT_70, *OF_122, FINE, device(), medication("2026-01-01T00:00:00Z", doNotPerform=True)]),
    ("cms122", "a device not to be ordered", IN, [AT_70, *OF_122, FINE, device(**NOT_TO), medication("2026-01-01T00:00:00Z")]),
    ("cms122", "a device proposed", IN, [AT_70, *OF_122, FINE, device(intent="proposal"), medication("2026-01-01T00:00:00Z")]),
    ("cms122", "a device ordered the year before", IN,
     [AT_70, *OF_122, FINE, device("2025-12-31T00:00:00Z"), medication("2026-01-01T00:00:00Z")]),
    ("cms122", "medical equipment used", EXCLUDED,
     [AT_70, *OF_122, FINE, medication("2026-01-01T00:00:00Z"),
      observation(coded(LOINC, "98181-1"), "2026-03-01", "survey", valueCodeableConcept=of("frailty_device"))]),
    ("cms122", "frailty symptom, preliminary", EXCLUDED,
     [AT_70, *OF_122, FINE, medication("2026-01-01T00:00:00Z"), observation(of("frailty_symptom"), "2026-03-01", "exam", "preliminary")]),
    ("cms122", "advanced illness begun on the first day of the year before", EXCLUDED,
     [AT_70, *OF_122, FINE, device(), condition("advanced_illness", "2025-01-01", "problem-list-item")]),
    ("cms122", "advanced illness begun earlier", IN,
     [AT_70, *OF_122, FINE, device(), condition("advanced_illness", "2024-12-31", "problem-list-item")]),
    ("cms122", "frailty alone at 81 or over is CMS165's", IN, [person("1951-06-01"), *OF_122, FINE, device()]),
    ("cms122", "discharged to hospice, stay ending in the period", EXCLUDED,
     [AT_50, *OF_122, FINE, visit("encounter_inpatient", "2025-12-30T00:00:00Z", "2026-01-01T10:00:00Z",
                                  hospitalization={"dischargeDisposition": coded(SNOMED, "428361000124107")})]),
    ("cms122", "discharged to hospice, stay ending after it", IN,
     [AT_50, *OF_122, FINE, visit("encounter_inpatient", "2026-12-30T00:00:00Z", "2027-01-01T10:00:00Z",
                                  hospitalization={"dischargeDisposition": coded(SNOMED, "428361000124107")})]),
    ("cms122", "hospice by assessment, answered no", IN,
     [AT_50, *OF_122, FINE, observation(coded(LOINC, "45755-6"), "2026-03-01", "survey", valueCodeableConcept=coded(SNOMED, "373067005"))]),
    ("cms122", "palliative care by questionnaire", EXCLUDED,
     [AT_50, *OF_122, FINE, observation(coded(LOINC, "71007-9"), "2026-03-01", "survey")]),
    ("cms122", "an intervention not done", IN, [AT_50, *OF_122, FINE, procedure("palliative_care_intervention", "2026-03-01", "not-done")]),
    ("cms125", "42 and seen", IN, [person("1984-12-31"), SEEN]),
    ("cms125", "41", OUT, [person("1985-01-01"), SEEN]),
    ("cms125", "a man by the recorded sex", OUT, [person("1976-06-01", "248153007"), SEEN]),
    ("cms125", "a mammogram on 1 October two years before", COUNTED,
     [AT_50, SEEN, observation(of("mammography"), "2024-10-01T00:00:00Z", "imaging")]),
    ("cms125", "a mammogram the day before", IN, [AT_50, SEEN, observation(of("mammography"), "2024-09-30T23:59:59Z", "imaging")]),
    ("cms125", "a mammogram without the category imaging", IN, [AT_50, SEEN, observation(of("mammography"), "2026-02-01", None)]),
    ("cms125", "left and right, by laterality and by procedure", EXCLUDED,
     [AT_50, SEEN, condition("unilateral_mastectomy_unspecified_laterality", "2015-01-01", bodySite=[coded(SNOMED, LEFT)]),
      procedure("unilateral_mastectomy_right", "2018-01-01")]),
    ("cms125", "left twice", IN,
     [AT_50, SEEN, condition("unilateral_mastectomy_unspecified_laterality", "2015-01-01", bodySite=[coded(SNOMED, LEFT)]),
      procedure("unilateral_mastectomy_left", "2018-01-01")]),
    ("cms125", "history of both", EXCLUDED, [AT_50, SEEN, condition("history_of_bilateral_mastectomy", "2010", "problem-list-item")]),
    ("cms125", "both, after the period", IN, [AT_50, SEEN, procedure("bilateral_mastectomy", "2027-01-01T00:00:00Z")]),
    ("cms125", "nutrition services, which CMS125 does not list", OUT, [AT_50, visit("nutrition_services")]),
    ("cms130", "colonoscopy nine years before", COUNTED, [AT_50, SEEN, procedure("colonoscopy", "2017-01-01T00:00:00Z")]),
    ("cms130", "colonoscopy the day before that", IN, [AT_50, SEEN, procedure("colonoscopy", "2016-12-31T23:59:59Z")]),
    ("cms130", "stool DNA two years before, with a word for a result", COUNTED,
     [AT_50, SEEN, observation(of("sdna_fit_test"), "2024-01-01T00:00:00Z", valueString="Negative")]),
    ("cms130", "stool DNA without a result", IN, [AT_50, SEEN, observation(of("sdna_fit_test"), "2026-01-01T00:00:00Z")]),
    ("cms130", "stool blood test the year before", IN,
     [AT_50, SEEN, observation(of("fecal_occult_blood_test_fobt"), "2025-12-31T23:00:00Z", valueCodeableConcept=coded(SNOMED, "260385100"))]),
    ("cms130", "stool blood test in the period", COUNTED,
     [AT_50, SEEN, observation(of("fecal_occult_blood_test_fobt"), "2026-01-01", valueCodeableConcept=coded(SNOMED, "260385100"))]),
    ("cms130", "sigmoidoscopy four years before", COUNTED, [AT_50, SEEN, procedure("flexible_sigmoidoscopy", "2022-01-01")]),
    ("cms130", "sigmoidoscopy stopped", IN, [AT_50, SEEN, procedure("flexible_sigmoidoscopy", "2026-01-01", "stopped")]),
    ("cms130", "CT colonography the day before four years before", IN,
     [AT_50, SEEN, observation(of("ct_colonography"), "2021-12-31T23:00:00Z", "imaging")]),
    ("cms130", "colorectal cancer told by its year", EXCLUDED, [AT_50, SEEN, condition("malignant_neoplasm_of_colon", "2024")]),
    ("cms130", "colorectal cancer perhaps after the period", IN, [AT_50, SEEN, condition("malignant_neoplasm_of_colon", "2026-12")]),
    ("cms130", "total colectomy on the last day", EXCLUDED, [AT_50, SEEN, procedure("total_colectomy", "2026-12-31")]),
    ("cms165", "hypertension in the last moment of the first half", IN,
     [AT_50, SEEN, condition("essential_hypertension", "2026-06-30T23:59:59.999Z", "problem-list-item")]),
    ("cms165", "hypertension on 1 July", OUT, [AT_50, SEEN, condition("essential_hypertension", "2026-07-01T00:00:00Z")]),
    ("cms165", "139 over 89", COUNTED, [AT_50, *OF_165, pressure("2026-03-01T10:10:00Z", 139, 89)]),
    ("cms165", "140 over 89", IN, [AT_50, *OF_165, pressure("2026-03-01T10:10:00Z", 140, 89)]),
    ("cms165", "139 over 90", IN, [AT_50, *OF_165, pressure("2026-03-01T10:10:00Z", 139, 90)]),
    ("cms165", "the lowest of each on the last day", COUNTED,
     [AT_50, *OF_165, pressure("2026-03-01T10:10:00Z", 139, 95), pressure("2026-03-01T12:10:00Z", 150, 89)]),
    ("cms165", "the last day, not the best", IN,
     [AT_50, *OF_165, pressure("2026-03-01T10:10:00Z", 120, 80), pressure("2026-03-02T10:10:00Z", 150, 89)]),
    ("cms165", "a panel without diastolic hides that day's others", IN,
     [AT_50, *OF_165, pressure("2026-03-01T10:10:00Z", 120, 80), pressure("2026-03-01T11:10:00Z", 125, None)]),
    ("cms165", "a reading during an inpatient stay", COUNTED,
     [AT_50, *OF_165, INPATIENT, pressure("2026-03-01T10:10:00Z", 120, 80), pressure("2026-08-02T10:10:00Z", 150, 89)]),
    ("cms165", "a reading the day after the stay", IN,
     [AT_50, *OF_165, INPATIENT, pressure("2026-03-01T10:10:00Z", 120, 80), pressure("2026-08-04T10:10:00Z", 150, 89)]),
    ("cms165", "a reading of an emergency class, at no visit that disqualifies", COUNTED,
     [AT_50, *OF_165, visit("frailty_symptom", **EMERGENCY_CLASS), pressure("2026-03-01T10:10:00Z", 120, 80, **AT_EMERGENCY)]),
    ("cms165", "a reading at an emergency visit", IN,
     [AT_50, *OF_165, visit("emergency_department_evaluation_and_management_visit", **EMERGENCY_CLASS),
      pressure("2026-03-01T10:10:00Z", 120, 80, **AT_EMERGENCY)]),
    ("cms165", "a reading cancelled", IN, [AT_50, *OF_165, pressure("2026-03-01T10:10:00Z", 120, 80, status="cancelled")]),
    ("cms165", "pregnancy over before the period", IN,
     [AT_50, *OF_165, condition("pregnancy", "2025-01-01", status="resolved", abatementDateTime="2025-10-01")]),
    ("cms165", "pregnancy", EXCLUDED, [AT_50, *OF_165, condition("pregnancy", "2026-02-01T00:00:00Z")]),
    ("cms165", "kidney transplant years ago", EXCLUDED, [AT_50, *OF_165, procedure("kidney_transplant", "2011-05-01")]),
    ("cms165", "dialysis going on", IN, [AT_50, *OF_165, procedure("dialysis_services", {"start": "2026-05-01T00:00:00Z"})]),
    ("cms165", "monthly dialysis visits begun", EXCLUDED, [AT_50, *OF_165, visit("esrd_monthly_outpatient_services", end=None)]),
    ("cms165", "frailty alone at 81", EXCLUDED, [person("1945-12-31"), *OF_165, device()]),
    ("cms165", "frailty alone at 80", IN, [person("1946-01-01"), *OF_165, device()]),
    ("cms165", "85 and 86: the last age", IN, [person("1941-01-01"), *OF_165]),
    ("cms165", "86", OUT, [person("1940-12-31"), *OF_165]),
]  # fmt: skip


def boundary_cases() -> list[Case]:
    """The cases above, as a deck's reader would give them."""
    return [
        Case(
            deck="boundaries", name=title, title=title, measure=measure, first_day=date(2026, 1, 1), last_day=date(2026, 12, 31),
            expected=dict(zip(POPULATIONS, expected, strict=True)),
            resources=[orjson.dumps({"id": f"r{place}", **resource}) for place, resource in enumerate(resources)],
        )
        for measure, title, expected, resources in CASES
    ]  # fmt: skip
