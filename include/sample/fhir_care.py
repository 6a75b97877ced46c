"""Problems, medicines, procedures, vaccines, allergies, reports and notes of the north, as FHIR R4."""

import base64
from collections.abc import Iterator

import numpy as np

from include.sample import codes, names
from include.sample.block import Block
from include.sample.care import MEDICINE_CODES, VACCINES
from include.sample.clock import days, with_offset
from include.sample.codes import ACUTE, ALLERGIES, CHRONIC, MEDICINES, PROCEDURES
from include.sample.fhir_visits import LABORATORY_DELAY, illness_concept, observation_ids
from include.sample.notes import note_text
from include.sample.people import NORTH
from include.sample.visits import EMERGENCY

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"


def conditions(block: Block) -> Iterator[dict]:
    """Yield the north's problem list and the diagnoses of its visits."""
    problems, patient, encounter = block.care.problems, block.patient_ids, block.encounter_ids
    ids, onsets = block.ids("problem", range(len(problems.person)), prefix="con-"), days(problems.onset)
    for at in np.flatnonzero(problems.hospital == NORTH).tolist():
        yield _condition(ids[at], "problem-list-item", illness_concept(CHRONIC[problems.illness[at]])) | {
            "subject": {"reference": f"Patient/{patient[problems.person[at]]}"},
            "onsetDateTime": onsets[at],
            "recordedDate": onsets[at],
        }
    visits = block.visits
    ids = block.ids("diagnosis", range(len(visits)), prefix="con-")
    starts, over = with_offset(visits.start), days(visits.end.astype("datetime64[D]") + 9)
    for at in block.care.diagnoses[visits.hospital[block.care.diagnoses] == NORTH].tolist():
        past = visits.end[at] + np.timedelta64(10, "D") < block.people.night
        yield _condition(ids[at], "encounter-diagnosis", illness_concept(ACUTE[visits.reason[at]]), active=not past) | {
            "subject": {"reference": f"Patient/{patient[visits.person[at]]}"},
            "encounter": {"reference": f"Encounter/{encounter[at]}"},
            "onsetDateTime": starts[at],
            **({"abatementDateTime": over[at]} if past else {}),
            "recordedDate": starts[at],
        }


def _condition(id: str, category: str, concept: dict, *, active: bool = True) -> dict:
    return {
        "resourceType": "Condition",
        "id": id,
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active" if active else "resolved"}]},
        "verificationStatus": {"coding": [{"system": VERIFICATION, "code": "confirmed"}]},
        "category": [{"coding": [{"system": CONDITION_CATEGORY, "code": category}]}],
        "code": concept,
    }


def medication_requests(block: Block) -> Iterator[dict]:
    """Yield a MedicationRequest for every prescription of the north."""
    visits, patient, encounter = block.visits, block.patient_ids, block.encounter_ids
    at, medicine = block.care.medicines
    ids, written = block.ids("medicine", at, prefix="mr-"), with_offset(visits.start[at])
    for place in np.flatnonzero(visits.hospital[at] == NORTH).tolist():
        visit, code = int(at[place]), MEDICINE_CODES[medicine[place]]
        recent = visits.start[visit] > block.people.night - 180
        yield {
            "resourceType": "MedicationRequest",
            "id": ids[place],
            "status": "active" if recent else "completed",
            "intent": "order",
            "medicationCodeableConcept": {
                "coding": [{"system": codes.RXNORM, "code": code, "display": MEDICINES[code]}]
            },
            "subject": {"reference": f"Patient/{patient[visits.person[visit]]}"},
            "encounter": {"reference": f"Encounter/{encounter[visit]}"},
            "authoredOn": written[place],
            "requester": {"reference": f"Practitioner/prac-{visits.clinician[visit]}"},
        }


def procedures(block: Block) -> Iterator[dict]:
    """Yield the north's Procedures."""
    visits, patient, encounter = block.visits, block.patient_ids, block.encounter_ids
    at, which = block.care.procedures
    ids, starts = block.ids("procedure", range(len(at)), prefix="pro-"), with_offset(visits.start[at])
    for place in np.flatnonzero(visits.hospital[at] == NORTH).tolist():
        visit, (_, code, display) = int(at[place]), PROCEDURES[which[place]]
        yield {
            "resourceType": "Procedure",
            "id": ids[place],
            "status": "completed",
            "code": {"coding": [{"system": codes.SNOMED, "code": code, "display": display}], "text": display},
            "subject": {"reference": f"Patient/{patient[visits.person[visit]]}"},
            "encounter": {"reference": f"Encounter/{encounter[visit]}"},
            "performedPeriod": {"start": starts[place], "end": starts[place]},
        }


def immunizations(block: Block) -> Iterator[dict]:
    """Yield the north's Immunizations, given at vaccination clinics and so without an encounter."""
    shots, patient = block.care.shots, block.patient_ids
    ids, given = block.ids("shot", range(len(shots.person)), prefix="imm-"), days(shots.day)
    for at in np.flatnonzero(shots.hospital == NORTH).tolist():
        code, display = VACCINES[shots.vaccine[at]]
        yield {
            "resourceType": "Immunization",
            "id": ids[at],
            "status": "completed",
            "vaccineCode": {"coding": [{"system": codes.CVX, "code": code, "display": display}]},
            "patient": {"reference": f"Patient/{patient[shots.person[at]]}"},
            "occurrenceDateTime": given[at],
            "primarySource": True,
            "lotNumber": f"L{at % 977:03d}",
        }


def allergies(block: Block) -> Iterator[dict]:
    """Yield the north's AllergyIntolerances; most say that none is known."""
    people, which, hospital = block.care.allergies
    patient, ids = block.patient_ids, block.ids("allergy", range(len(people)), prefix="alg-")
    recorded = days(block.people.history_start)
    for at in np.flatnonzero(hospital == NORTH).tolist():
        code, display, category = ALLERGIES[which[at]]
        yield {
            "resourceType": "AllergyIntolerance",
            "id": ids[at],
            "clinicalStatus": {
                "coding": [{"system": CLINICAL.replace("condition", "allergyintolerance"), "code": "active"}]
            },
            **({"category": [category]} if category else {}),
            "code": {"coding": [{"system": codes.SNOMED, "code": code, "display": display}]},
            "patient": {"reference": f"Patient/{patient[people[at]]}"},
            "recordedDate": recorded[people[at]],
        }


def diagnostic_reports(block: Block) -> Iterator[dict]:
    """Yield a DiagnosticReport for every metabolic panel of the north."""
    visits, patient, encounter = block.visits, block.patient_ids, block.encounter_ids
    at, _ = block.findings.values["glucose"]
    ids, times = block.ids("report", at, prefix="rep-"), with_offset(visits.start[at] + LABORATORY_DELAY)
    glucose, creatinine = observation_ids(block, "glucose"), observation_ids(block, "creatinine")
    code, display = codes.LAB_PANEL
    for place in np.flatnonzero(visits.hospital[at] == NORTH).tolist():
        visit = int(at[place])
        yield {
            "resourceType": "DiagnosticReport",
            "id": ids[place],
            "status": "final",
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}]}],
            "code": {"coding": [{"system": codes.LOINC, "code": code, "display": display}]},
            "subject": {"reference": f"Patient/{patient[visits.person[visit]]}"},
            "encounter": {"reference": f"Encounter/{encounter[visit]}"},
            "effectiveDateTime": times[place],
            "issued": times[place],
            "result": [
                {"reference": f"Observation/{glucose[visit]}"},
                {"reference": f"Observation/{creatinine[visit]}"},
            ],
        }


def documents(block: Block) -> Iterator[dict]:
    """Yield a DocumentReference with a short note for some visits to the north; the note names the patient."""
    visits, patient, encounter = block.visits, block.patient_ids, block.encounter_ids
    at = block.care.notes[visits.hospital[block.care.notes] == NORTH]
    ids, times = block.ids("note", at, prefix="doc-"), with_offset(visits.end[at])
    for place, visit in enumerate(at.tolist()):
        code, display = (
            ("34878-9", "Emergency medicine Note") if visits.kind[visit] == EMERGENCY else ("11506-3", "Progress note")
        )
        text = note_text(block, visit)
        yield {
            "resourceType": "DocumentReference",
            "id": ids[place],
            "status": "current",
            "type": {"coding": [{"system": codes.LOINC, "code": code, "display": display}]},
            "subject": {"reference": f"Patient/{patient[visits.person[visit]]}"},
            "date": times[place],
            "author": [
                {
                    "reference": f"Practitioner/prac-{visits.clinician[visit]}",
                    "display": names.CLINICIANS[visits.clinician[visit]],
                }
            ],
            "content": [
                {"attachment": {"contentType": "text/plain", "data": base64.b64encode(text.encode()).decode()}}
            ],
            "context": {"encounter": [{"reference": f"Encounter/{encounter[visit]}"}]},
        }


def directory() -> Iterator[dict]:
    """Yield the north itself, its payers, its place and its clinicians."""
    for id, name in (("north", "North Hospital"), *((f"payer-{key}", display) for _, display, key in codes.PAYERS)):
        yield {"resourceType": "Organization", "id": id, "active": True, "name": name}
    yield {"resourceType": "Location", "id": "north-main", "status": "active", "name": "North Hospital, main building"}
    for number, name in enumerate(names.CLINICIANS[:6]):
        given, family = name.split()
        yield {
            "resourceType": "Practitioner",
            "id": f"prac-{number}",
            "active": True,
            "name": [{"family": family, "given": [given]}],
        }
