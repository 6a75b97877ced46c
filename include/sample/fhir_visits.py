"""Encounters of the north and what was measured at them, as FHIR R4."""

from collections.abc import Iterator

import numpy as np

from include.sample import codes
from include.sample.block import Block
from include.sample.clock import with_offset
from include.sample.codes import ACUTE, CHRONIC, FINDINGS
from include.sample.people import NORTH
from include.sample.visits import CHRONIC_REASON

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
VISIT_TYPES = (
    ("185349003", "Encounter for check up"),
    ("50849002", "Emergency room admission"),
    ("32485007", "Hospital admission"),
)
SINGLE_VALUES = tuple(key for key in FINDINGS if key not in ("systolic", "diastolic"))
LABORATORY_DELAY = np.timedelta64(15 * 60, "s")
BEDSIDE_DELAY = np.timedelta64(5 * 60, "s")


def reason_concept(reason: int) -> dict:
    """A visit's reason as a CodeableConcept in ICD-10-CM and SNOMED CT."""
    illness = CHRONIC[reason - CHRONIC_REASON] if reason >= CHRONIC_REASON else ACUTE[reason]
    return illness_concept(illness)


def illness_concept(illness: codes.Illness) -> dict:
    """An illness as a CodeableConcept in ICD-10-CM and SNOMED CT."""
    return {
        "coding": [
            {"system": codes.ICD10, "code": illness.icd10, "display": illness.display},
            {"system": codes.SNOMED, "code": illness.snomed, "display": illness.display},
        ],
        "text": illness.display,
    }


def encounters(block: Block) -> Iterator[dict]:
    """Yield an Encounter for every visit to the north."""
    visits, ids, patient = block.visits, block.encounter_ids, block.patient_ids
    starts, ends = with_offset(visits.start), with_offset(visits.end)
    for at in np.flatnonzero(visits.hospital == NORTH).tolist():
        kind = int(visits.kind[at])
        code, display = codes.ENCOUNTER_CLASSES[kind]
        type_code, type_display = VISIT_TYPES[kind]
        yield {
            "resourceType": "Encounter",
            "id": ids[at],
            "status": "finished",
            "class": {"system": codes.ACT_CODE, "code": code, "display": display},
            "type": [{"coding": [{"system": codes.SNOMED, "code": type_code, "display": type_display}]}],
            "subject": {"reference": f"Patient/{patient[visits.person[at]]}"},
            "participant": [{"individual": {"reference": f"Practitioner/prac-{visits.clinician[at]}"}}],
            "period": {"start": starts[at], "end": ends[at]},
            "reasonCode": [reason_concept(int(visits.reason[at]))],
            "serviceProvider": {"reference": "Organization/north"},
            "location": [{"location": {"reference": "Location/north-main"}}],
            **(
                {
                    "hospitalization": {
                        "dischargeDisposition": {
                            "coding": [
                                {
                                    "system": "http://terminology.hl7.org/CodeSystem/discharge-disposition",
                                    "code": "home",
                                    "display": "Home",
                                }
                            ]
                        }
                    }
                }
                if kind == 2
                else {}
            ),
        }


def observations(block: Block) -> Iterator[dict]:
    """Yield every Observation of the north: panels of blood pressure, single values, answers about social needs."""
    yield from _blood_pressures(block)
    for key in SINGLE_VALUES:
        yield from _single_values(block, key)
    yield from _screenings(block)


def observation_ids(block: Block, key: str) -> list[str]:
    """The id of the finding `key` made at each visit of a block, made or not."""
    return block.ids(f"observation {key}", range(len(block.visits)), prefix="obs-")


def _frame(block: Block, key: str, at: np.ndarray, delay: np.timedelta64) -> Iterator[tuple[int, dict, dict]]:
    """Yield (place in `at`, how an Observation begins, how it ends) for those made in the north."""
    visits, patient, encounter, ids = (
        block.visits,
        block.patient_ids,
        block.encounter_ids,
        observation_ids(block, key),
    )
    times = with_offset(visits.start[at] + delay)
    for place in np.flatnonzero(visits.hospital[at] == NORTH).tolist():
        visit = int(at[place])
        yield (
            place,
            {"resourceType": "Observation", "id": ids[visit], "status": "final"},
            {
                "subject": {"reference": f"Patient/{patient[visits.person[visit]]}"},
                "encounter": {"reference": f"Encounter/{encounter[visit]}"},
                "effectiveDateTime": times[place],
            },
        )


def _category(code: str) -> list[dict]:
    return [{"coding": [{"system": CATEGORY, "code": code}]}]


def _concept(code: str, display: str) -> dict:
    return {"coding": [{"system": codes.LOINC, "code": code, "display": display}], "text": display}


def _quantity(value: float, finding: codes.Finding) -> dict:
    number = int(value) if finding.digits == 0 else value
    return {"value": number, "unit": finding.unit, "system": codes.UCUM, "code": finding.unit}


def _blood_pressures(block: Block) -> Iterator[dict]:
    at, systolic = block.findings.values["systolic"]
    diastolic = block.findings.values["diastolic"][1].tolist()
    systolic = systolic.tolist()
    upper, lower = FINDINGS["systolic"], FINDINGS["diastolic"]
    for place, head, tail in _frame(block, "pressure", at, BEDSIDE_DELAY):
        yield (
            head
            | {"category": _category("vital-signs"), "code": _concept(*codes.BLOOD_PRESSURE)}
            | tail
            | {
                "component": [
                    {"code": _concept(upper.loinc, upper.display), "valueQuantity": _quantity(systolic[place], upper)},
                    {"code": _concept(lower.loinc, lower.display), "valueQuantity": _quantity(diastolic[place], lower)},
                ]
            }
        )


def _single_values(block: Block, key: str) -> Iterator[dict]:
    finding, (at, values) = FINDINGS[key], block.findings.values[key]
    values = values.tolist()
    delay = LABORATORY_DELAY if finding.category == "laboratory" else BEDSIDE_DELAY
    for place, head, tail in _frame(block, key, at, delay):
        yield (
            head
            | {"category": _category(finding.category), "code": _concept(finding.loinc, finding.display)}
            | tail
            | {"valueQuantity": _quantity(values[place], finding)}
        )


def _screenings(block: Block) -> Iterator[dict]:
    ids = [observation_ids(block, f"screening {question[0]}") for question in codes.SCREENING]
    at = block.findings.needs[0][0]
    for place, head, tail in _frame(block, "screening", at, BEDSIDE_DELAY):
        members = [{"reference": f"Observation/{each[at[place]]}"} for each in ids]
        yield (
            head
            | {"category": _category("survey"), "code": _concept(*codes.SCREENING_PANEL)}
            | tail
            | {"hasMember": members}
        )
    for (code, display, no, yes, _), (at, needs) in zip(codes.SCREENING, block.findings.needs, strict=True):
        for place, head, tail in _frame(block, f"screening {code}", at, BEDSIDE_DELAY):
            yield (
                head
                | {"category": _category("survey"), "code": _concept(code, display)}
                | tail
                | {"valueCodeableConcept": _concept(*(yes if needs[place] else no))}
            )
