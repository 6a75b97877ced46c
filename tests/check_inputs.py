"""A small hospital's export that passes every check, as files, and single mistakes to put into it."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

LOINC, SNOMED, ICD10 = "http://loinc.org", "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM, CVX = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://hl7.org/fhir/sid/cvx"


def coded(system: str, code: str) -> dict:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code}]}


def hospital(people: int = 20) -> dict[str, list[dict]]:
    """Resource type -> resources: each person has a visit with vital signs, a diagnosis and a prescription in it."""
    found: dict[str, list[dict]] = {"Organization": [{"resourceType": "Organization", "id": "org-1"}]}

    def add(resource_type: str, own_id: str, /, **body) -> None:
        found.setdefault(resource_type, []).append({"resourceType": resource_type, "id": own_id, **body})

    for n in range(people):
        day = f"2026-0{1 + n % 9}-1{n % 10}"
        who, visit = {"reference": f"Patient/p{n}"}, {"reference": f"Encounter/e{n}"}
        add(
            "Patient", f"p{n}", birthDate=f"19{50 + n}-03-0{1 + n % 9}", gender=("female", "male")[n % 2],
            identifier=[{"system": "urn:hospital", "value": f"MRN-{n}"}], name=[{"family": f"Family{n}", "given": [f"Given{n}"]}],
            address=[{"postalCode": "02139", "state": "MA"}],
        )  # fmt: skip
        add(
            "Encounter", f"e{n}", status="finished", subject=who, type=[coded(SNOMED, "270427003")],
            **{"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}},
            period={"start": f"{day}T09:00:00Z", "end": f"{day}T10:00:00Z"}, serviceProvider={"reference": "Organization/org-1"},
            length={"value": 60, "unit": "min", "code": "min", "system": "http://unitsofmeasure.org"},
        )  # fmt: skip
        add(
            "Condition", f"c{n}", subject=who, encounter=visit, code=coded(ICD10, "E11.9"), onsetDateTime=day, recordedDate=day,
            clinicalStatus=coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
            verificationStatus=coded("http://terminology.hl7.org/CodeSystem/condition-ver-status", "confirmed"),
            category=[coded("http://terminology.hl7.org/CodeSystem/condition-category", "encounter-diagnosis")],
        )  # fmt: skip
        for code, value, unit in (
            ("8302-2", 170, "cm"),
            ("29463-7", 68, "kg"),
            ("39156-5", 23.5, "kg/m2"),
            ("4548-4", 6.1, "%"),
        ):
            add(
                "Observation", f"o{n}-{code}", status="final", subject=who, encounter=visit, code=coded(LOINC, code),
                category=[coded("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")],
                effectiveDateTime=f"{day}T09:30:00Z",
                valueQuantity={"value": value, "unit": unit, "code": unit, "system": "http://unitsofmeasure.org"},
            )  # fmt: skip
        add(
            "MedicationRequest", f"m{n}", status="active", intent="order", subject=who, encounter=visit, authoredOn=day,
            medicationCodeableConcept=coded(RXNORM, "860975"), requester={"reference": "Practitioner/dr-1"},
        )  # fmt: skip
    return found


def write(folder: Path, hospital: dict[str, list[dict]]) -> Path:
    """The export as NDJSON files, one a type."""
    folder.mkdir(parents=True, exist_ok=True)
    for resource_type, resources in hospital.items():
        (folder / f"{resource_type}.ndjson").write_text("".join(json.dumps(each) + "\n" for each in resources))
    return folder


# Which check must count how many of the mistakes in `broken`.
OF_BROKEN = {
    "Observation.plausibleValueHigh.4548-4[%]": 1,
    "Observation.plausibleValueLow.4548-4[%]": 1,
    "Observation.plausibleUnitConceptIds.29463-7": 1,
    "Observation.unitGiven.value": 2,
    "Observation.fitsItsType": 1,
    f"Observation.isStandardValidConcept.{LOINC}": 1,
    "Observation.computedBodyMassIndex.value": 1,
    "Observation.isForeignKey.encounter_ref": 1,
    "Observation.withinVisitDates.happened_at": 1,
    "Observation.fkClass.category": 1,
    "Observation.duplicateRecord": 1,
    "Observation.contradictedValue.value": 1,
    "Observation.isRequired.status_missing": 1,
    "Condition.plausibleGenderUseDescendants.O[female]": 1,
    "Condition.codeInTerminology.code_value": 1,
    "Condition.placeholderDate.recorded_at": 1,
    "Condition.plausibleStartBeforeEnd.end_before_start": 1,
    "Encounter.plausibleBeforeDeath.happened_at": 1,
    "Patient.formatMatch.postal_code": 1,
    "Patient.valueSetMember.state": 1,
    "Encounter.computedLength.happened_at": 1,
    "Encounter.isForeignKey.provider_ref": 1,
    "Encounter.isRequired.type_code": 1,
    f"MedicationRequest.isStandardValidConcept.{RXNORM}": 1,
    "MedicationRequest.placeholderDate.happened_at": 1,
}


def broken(clean: dict[str, list[dict]]) -> tuple[dict[str, list[dict]], dict[str, int]]:
    """The export with mistakes in it, and which check must count how many of them."""
    found = deepcopy(clean)
    _break_results(found["Observation"])
    _break_the_rest(found)
    return found, dict(OF_BROKEN)


def _break_results(observations: list[dict]) -> None:
    of = {each["id"]: each for each in observations}
    of["o0-4548-4"]["valueQuantity"]["value"] = 61  # a slipped decimal point
    of["o1-4548-4"]["valueQuantity"]["value"] = 0.61
    of["o2-29463-7"]["valueQuantity"] |= {"unit": "[oz_av]", "code": "[oz_av]"}
    of["o11-29463-7"]["valueQuantity"] |= {"unit": "stone", "code": "stone"}  # no unit of UCUM: sealed, and told
    del of["o3-4548-4"]["valueQuantity"]["unit"], of["o3-4548-4"]["valueQuantity"]["code"]
    of["o4-4548-4"]["code"] = coded(LOINC, "4548-5")  # check digit
    of["o5-39156-5"]["valueQuantity"]["value"] = 33.5  # not what height and weight give
    of["o6-4548-4"]["encounter"] = {"reference": "Encounter/nobody-has-it"}
    of["o7-4548-4"]["effectiveDateTime"] = "2026-11-01T09:30:00Z"  # weeks after its visit
    of["o8-8302-2"]["category"] = [coded("http://terminology.hl7.org/CodeSystem/observation-category", "vitals")]
    observations.append(of["o9-4548-4"] | {"id": "o9-again"})
    other = {"valueQuantity": of["o12-4548-4"]["valueQuantity"] | {"value": 7.1}}
    observations.append(of["o12-4548-4"] | {"id": "o12-other"} | other)
    del of["o10-4548-4"]["status"]


def _break_the_rest(found: dict[str, list[dict]]) -> None:
    conditions, people, visits = found["Condition"], found["Patient"], found["Encounter"]
    prescriptions = found["MedicationRequest"]
    conditions[1]["code"] = coded(ICD10, "O80")  # p1 is a man
    conditions[2]["code"] = coded(ICD10, "E11.99X")  # in form, and in no edition
    conditions[3]["recordedDate"] = "1900-01-01"
    conditions[4] |= {"abatementDateTime": "2020-01-01"}
    people[5]["deceasedDateTime"] = "2026-01-01"  # and was seen in June
    people[6]["address"] = [{"postalCode": "0213", "state": "Massachusetts"}]
    visits[7]["length"]["value"] = 600
    visits[8]["serviceProvider"] = {"reference": "Organization/unknown"}
    del visits[9]["type"]
    prescriptions[10]["medicationCodeableConcept"] = coded(RXNORM, "0860975")
    prescriptions[11] |= {"authoredOn": "1970-01-01"}
