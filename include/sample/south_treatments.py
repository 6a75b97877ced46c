"""The part of the south's contract that tells of treatments: medicines, procedures, vaccines, allergies, coverage."""

from typing import Any

from include.sample import codes
from include.sample.codes import PAYERS
from include.sample.contract_words import PATIENT, VISIT, mapping, sealed, source_id, table, text, when
from include.sample.csv_tables import PAYER_CODES, payer_values

ABOUT = {"patient_id": "patient_id", "encounter_id": "visit_id"}


def treatment_tables() -> dict[str, dict[str, Any]]:
    """Return the contract's entries for these tables, by name."""
    return {
        "prescriptions": _prescriptions(),
        "procedures": _procedures(),
        "immunizations": _immunizations(),
        "allergies": _allergies(),
        "coverage": _coverage(),
    }


def _prescriptions() -> dict[str, Any]:
    columns = {
        "rx_id": source_id("MedicationRequest"),
        "patient_id": PATIENT,
        "visit_id": VISIT,
        "rxnorm": text(),
        "drug": text(),
        "rx_status": text(),
        "written": when(),
        "prescriber": source_id("Practitioner"),
    }
    fields = ABOUT | {
        "medication_id": "rx_id",
        "code": "rxnorm",
        "display": "drug",
        "status": "rx_status",
        "started_at": "written",
    }
    values = {"status": {"A": "active", "C": "completed"}}
    return table(
        "prescriptions",
        "rx_id",
        "written",
        columns,
        [mapping("medication", fields, constants={"system": codes.RXNORM}, values=values)],
    )


def _procedures() -> dict[str, Any]:
    columns = {
        "proc_id": source_id("Procedure"),
        "patient_id": PATIENT,
        "visit_id": VISIT,
        "snomed": text(),
        "proc_text": text(),
        "proc_status": text(),
        "done_at": when(),
    }
    fields = ABOUT | {
        "procedure_id": "proc_id",
        "code": "snomed",
        "display": "proc_text",
        "status": "proc_status",
        "started_at": "done_at",
        "ended_at": "done_at",
    }
    values = {"status": {"C": "completed"}}
    return table(
        "procedures",
        "proc_id",
        "done_at",
        columns,
        [mapping("procedure", fields, constants={"system": codes.SNOMED}, values=values)],
    )


def _immunizations() -> dict[str, Any]:
    columns = {
        "shot_id": source_id("Immunization"),
        "patient_id": PATIENT,
        "cvx": text(),
        "vaccine": text(),
        "shot_status": text(),
        "given_on": when("date"),
    }
    fields = {
        "immunization_id": "shot_id",
        "patient_id": "patient_id",
        "code": "cvx",
        "display": "vaccine",
        "status": "shot_status",
        "occurred_at": "given_on",
    }
    values = {"status": {"G": "completed"}}
    return table(
        "immunizations",
        "shot_id",
        "given_on",
        columns,
        [mapping("immunization", fields, constants={"system": codes.CVX}, values=values)],
    )


def _allergies() -> dict[str, Any]:
    columns = {
        "allergy_id": source_id("AllergyIntolerance"),
        "patient_id": PATIENT,
        "snomed": text(),
        "substance": text(),
        "kind": text(),
        "recorded": when("date"),
    }
    fields = {
        "allergy_id": "allergy_id",
        "patient_id": "patient_id",
        "code": "snomed",
        "display": "substance",
        "category": "kind",
        "recorded_at": "recorded",
    }
    constants = {"system": codes.SNOMED, "clinical_status": "active"}
    return table("allergies", "allergy_id", "recorded", columns, [mapping("allergy", fields, constants=constants)])


def _coverage() -> dict[str, Any]:
    columns = {
        "coverage_id": source_id("Coverage"),
        "patient_id": PATIENT,
        "payer_cd": text(),
        "valid_from": when("date"),
        "member_number": sealed(),
    }
    fields = {"patient_id": "patient_id", "payer": "payer_cd", "payer_type": "payer_cd", "started_at": "valid_from"}
    types = {south: code for south, (code, _, _) in zip(PAYER_CODES, PAYERS, strict=True)}
    values = {"payer": payer_values(), "payer_type": types}
    return table("coverage", "coverage_id", "valid_from", columns, [mapping("coverage", fields, values=values)])
