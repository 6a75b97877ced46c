"""The entities that tables can be mapped to, and the columns dbt sees of each in ``mapped.<entity>``.

Ids are tokens (uuid as text), code systems are FHIR URIs. Every view also carries LEADING_COLUMNS.
"""

from __future__ import annotations

LEADING_COLUMNS: dict[str, str] = {
    "record_id": "uuid",
    "source": "text",
    "batch_id": "text",
    "batch_seq": "bigint",
    "is_deleted": "boolean",
    "person_token": "uuid",
    "event_at": "timestamptz",
    "received_at": "timestamptz",
    "match_tokens": "text[]",
}

# After an entity's own columns, so that views made before it was there can take it on.
TRAILING_COLUMNS: dict[str, str] = {"last_updated": "timestamptz"}

_CODED = {"code": "text", "system": "text", "display": "text"}

ENTITIES: dict[str, dict[str, str]] = {
    "patient": {
        "patient_id": "text",
        "birth_date": "date",
        "death_date": "date",
        "sex": "text",
        "gender_identity": "text",
        "race": "text",
        "ethnicity": "text",
        "language": "text",
        "payer": "text",
        "postal_code": "text",
        "state": "text",
        "age_years": "numeric",
    },
    "encounter": {
        "encounter_id": "text",
        "patient_id": "text",
        "class_code": "text",
        "type_code": "text",
        "type_system": "text",
        "status": "text",
        "started_at": "timestamptz",
        "ended_at": "timestamptz",
        "reason_code": "text",
        "reason_system": "text",
        "discharge_disposition": "text",
    },
    "condition": {
        "condition_id": "text",
        "patient_id": "text",
        "encounter_id": "text",
        **_CODED,
        "category": "text",
        "clinical_status": "text",
        "onset_at": "timestamptz",
        "abated_at": "timestamptz",
        "recorded_at": "timestamptz",
    },
    "observation": {
        "observation_id": "text",
        "patient_id": "text",
        "encounter_id": "text",
        **_CODED,
        "category": "text",
        "status": "text",
        "value_number": "numeric",
        "value_code": "text",
        "value_system": "text",
        "unit": "text",
        "observed_at": "timestamptz",
    },
    "medication": {
        "medication_id": "text",
        "patient_id": "text",
        "encounter_id": "text",
        **_CODED,
        "status": "text",
        "started_at": "timestamptz",
        "ended_at": "timestamptz",
    },
    "procedure": {
        "procedure_id": "text",
        "patient_id": "text",
        "encounter_id": "text",
        **_CODED,
        "status": "text",
        "started_at": "timestamptz",
        "ended_at": "timestamptz",
    },
    "immunization": {
        "immunization_id": "text",
        "patient_id": "text",
        "encounter_id": "text",
        **_CODED,
        "status": "text",
        "occurred_at": "timestamptz",
    },
    "allergy": {
        "allergy_id": "text",
        "patient_id": "text",
        "encounter_id": "text",
        **_CODED,
        "category": "text",
        "clinical_status": "text",
        "recorded_at": "timestamptz",
    },
    "report": {
        "report_id": "text",
        "patient_id": "text",
        "encounter_id": "text",
        **_CODED,
        "status": "text",
        "issued_at": "timestamptz",
    },
    "coverage": {
        "patient_id": "text",
        "payer": "text",
        "payer_type": "text",
        "started_at": "timestamptz",
        "ended_at": "timestamptz",
    },
    "zip3_population": {"zip3": "text", "population": "bigint", "census_year": "integer"},
}

# An entity's own id. Where a contract maps none, a row of a table is known by its key; where a table has several maps to
# one of PARTS (a row of vital signs becomes an observation a sign), each map's rows get ids of their own.
OWN_ID: dict[str, str] = {entity: f"{entity}_id" for entity in ENTITIES if f"{entity}_id" in ENTITIES[entity]}
PARTS = frozenset({"condition", "observation", "medication", "procedure", "immunization", "allergy", "report"})

# Observations and populations without their value say nothing; a row maps only where the value column is not null.
REQUIRED_FIELDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "observation": (("value_number", "value_code"),),
    "zip3_population": (("zip3",), ("population",)),
}


def columns_of(entity: str) -> dict[str, str]:
    """All columns of ``mapped.<entity>`` with their Postgres types, leading ones first."""
    return {**LEADING_COLUMNS, **ENTITIES[entity], **TRAILING_COLUMNS}
