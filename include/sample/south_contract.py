"""The south's contract: what its tables hold, and what its own codes mean."""

from typing import Any

from include.sample import codes
from include.sample.codes import FINDINGS, LANGUAGES
from include.sample.contract_words import PATIENT, VISIT, column, mapping, sealed, source_id, table, text, when
from include.sample.csv_tables import TEST_CODES, payer_values, race_translations
from include.sample.south_treatments import treatment_tables

SEX = {"F": "female", "M": "male", "X": "other"}
VITAL_COLUMNS = {
    "sbp": "systolic",
    "dbp": "diastolic",
    "height_cm": "height",
    "weight_kg": "weight",
    "bmi": "bmi",
    "pulse": "heart_rate",
    "temp_c": "temperature",
}


def south_contract() -> dict[str, Any]:
    """Return the south's contract, ready to be written as YAML."""
    return {
        "owner": "south hospital, data steward",
        "encoding": "utf-8",
        "delimiter": ",",
        "null_values": [""],
        "identifier_system": codes.SOUTH_MRN,
        "tables": {
            "patients": _patients(),
            "visits": _visits(),
            "diagnoses": _diagnoses(),
            "vitals": _vitals(),
            "labs": _labs(),
            "screenings": _screenings(),
            **treatment_tables(),
            "home_readings": _home_readings(),
            "referrals": _referrals(),
        },
    }


def _patients() -> dict[str, Any]:
    columns = {
        "patient_id": PATIENT,
        "ssn": sealed(match="identifier", system=codes.SSN),
        "last_name": sealed(match="family"),
        "first_name": sealed(match="given"),
        "birth_date": when("date", match="birth_date"),
        "death_date": when("date"),
        "sex_cd": text(match="sex"),
        "gender_cd": text(),
        "race_cd": text(),
        "ethnic_cd": text(),
        "lang_cd": text(),
        "payer_cd": text(),
        "street": sealed(match="street"),
        "city": column("text", "direct_identifier"),
        "state_cd": when("text"),
        "zip": when("text", match="postal_code"),
        "home_phone": sealed(match="phone"),
        "email": sealed(match="email", optional=True),
        "preferred_name": sealed(optional=True),
    }
    languages = {south: code for code, _, south in LANGUAGES}
    fields = {
        "patient_id": "patient_id",
        "birth_date": "birth_date",
        "death_date": "death_date",
        "sex": "sex_cd",
        "gender_identity": "gender_cd",
        "race": "race_cd",
        "ethnicity": "ethnic_cd",
        "language": "lang_cd",
        "payer": "payer_cd",
        "postal_code": "zip",
        "state": "state_cd",
    }
    values = {
        "sex": SEX,
        "race": race_translations(),
        "language": languages,
        "ethnicity": {"H": "Hispanic or Latino", "N": "Not Hispanic or Latino", "U": "Unknown", "D": "Declined"},
        "payer": payer_values(),
        "gender_identity": {"FTM": "407377005", "MTF": "407376001", "NB": "33791000087105"},
    }
    return table("patients", "patient_id", None, columns, [mapping("patient", fields, values=values)])


def _visits() -> dict[str, Any]:
    columns = {
        "visit_id": source_id("Encounter"),
        "patient_id": PATIENT,
        "visit_class": text(),
        "started": when(),
        "ended": when(),
        "visit_status": text(),
        "reason_icd": text(),
        "disposition": text(),
        "note": column("text", "free_text"),
    }
    fields = {
        "encounter_id": "visit_id",
        "patient_id": "patient_id",
        "class_code": "visit_class",
        "status": "visit_status",
        "started_at": "started",
        "ended_at": "ended",
        "reason_code": "reason_icd",
        "discharge_disposition": "disposition",
    }
    return table(
        "visits",
        "visit_id",
        "started",
        columns,
        [
            mapping(
                "encounter",
                fields,
                constants={"reason_system": codes.ICD10},
                values={
                    "class_code": {"O": "AMB", "E": "EMER", "I": "IMP"},
                    "status": {"C": "finished"},
                    "discharge_disposition": {"HOME": "home"},
                },
            )
        ],
    )


def _diagnoses() -> dict[str, Any]:
    columns = {
        "dx_id": source_id("Condition"),
        "patient_id": PATIENT,
        "visit_id": VISIT,
        "icd10": text(),
        "dx_text": text(),
        "dx_kind": text(),
        "dx_status": text(),
        "onset": when("date"),
        "resolved": when("date"),
        "recorded": when("date"),
    }
    fields = {
        "condition_id": "dx_id",
        "patient_id": "patient_id",
        "encounter_id": "visit_id",
        "code": "icd10",
        "display": "dx_text",
        "category": "dx_kind",
        "clinical_status": "dx_status",
        "onset_at": "onset",
        "abated_at": "resolved",
        "recorded_at": "recorded",
    }
    return table(
        "diagnoses",
        "dx_id",
        "onset",
        columns,
        [
            mapping(
                "condition",
                fields,
                constants={"system": codes.ICD10},
                values={
                    "category": {"PL": "problem-list-item", "VD": "encounter-diagnosis"},
                    "clinical_status": {"A": "active", "R": "resolved"},
                },
            )
        ],
    )


def _vitals() -> dict[str, Any]:
    columns = {"vital_id": source_id("Observation"), "patient_id": PATIENT, "visit_id": VISIT, "taken_at": when()}
    columns |= {name: column("decimal", "clinical") for name in VITAL_COLUMNS}
    maps = [
        mapping(
            "observation",
            {
                "observation_id": "vital_id",
                "patient_id": "patient_id",
                "encounter_id": "visit_id",
                "value_number": name,
                "observed_at": "taken_at",
            },
            constants=_vital_constants(key),
        )
        for name, key in VITAL_COLUMNS.items()
    ]
    return table("vitals", "vital_id", "taken_at", columns, maps)


def _labs() -> dict[str, Any]:
    columns = {
        "lab_id": source_id("Observation"),
        "patient_id": PATIENT,
        "visit_id": VISIT,
        "test_code": text(),
        "value": column("decimal", "clinical"),
        "unit": text(),
        "result_status": text(),
        "collected": when(),
    }
    fields = {
        "observation_id": "lab_id",
        "patient_id": "patient_id",
        "encounter_id": "visit_id",
        "code": "test_code",
        "status": "result_status",
        "value_number": "value",
        "unit": "unit",
        "observed_at": "collected",
    }
    declared = table(
        "labs",
        "lab_id",
        "collected",
        columns,
        [
            mapping(
                "observation",
                fields,
                constants={"system": codes.LOINC, "category": "laboratory"},
                values={
                    "code": {south: FINDINGS[key].loinc for key, south in TEST_CODES.items()},
                    "status": {"F": "final", "C": "corrected"},
                },
            )
        ],
        data_class="lab_results",
    )
    return declared | {"deleted_when": {"result_status": ["X"]}}


def _screenings() -> dict[str, Any]:
    columns = {
        "screening_id": source_id("Observation"),
        "patient_id": PATIENT,
        "visit_id": VISIT,
        "question": text(),
        "answer": text(),
        "asked_at": when(),
    }
    fields = {
        "observation_id": "screening_id",
        "patient_id": "patient_id",
        "encounter_id": "visit_id",
        "code": "question",
        "value_code": "answer",
        "observed_at": "asked_at",
    }
    constants = {"system": codes.LOINC, "category": "survey", "status": "final", "value_system": codes.LOINC}
    return table(
        "screenings", "screening_id", "asked_at", columns, [mapping("observation", fields, constants=constants)]
    )


def _home_readings() -> dict[str, Any]:
    columns = {
        "reading_id": source_id("Observation"),
        "patient_id": PATIENT,
        "taken_at": when(),
        "sbp": column("decimal", "clinical"),
        "dbp": column("decimal", "clinical"),
    }
    maps = [
        mapping(
            "observation",
            {
                "observation_id": "reading_id",
                "patient_id": "patient_id",
                "value_number": name,
                "observed_at": "taken_at",
            },
            constants=_vital_constants(key),
        )
        for name, key in (("sbp", "systolic"), ("dbp", "diastolic"))
    ]
    return table("home_readings", "reading_id", "taken_at", columns, maps)


def _vital_constants(key: str) -> dict[str, str]:
    """What every observation of a vital sign says, whoever made it."""
    finding = FINDINGS[key]
    return {
        "code": finding.loinc,
        "system": codes.LOINC,
        "display": finding.display,
        "category": finding.category,
        "status": "final",
        "unit": finding.unit,
    }


def _referrals() -> dict[str, Any]:
    """A table whose file has lost a column that it may not lose, so its batch is held back."""
    return table(
        "referrals",
        "referral_id",
        "referred_on",
        {
            "referral_id": source_id("ServiceRequest"),
            "patient_id": PATIENT,
            "specialty": text(),
            "urgency": text(),
            "referred_on": when("date"),
        },
        [],
    )
