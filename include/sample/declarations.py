"""The list of the sample's sources, and the contracts of the two small ones."""

from typing import Any

from include.sample import codes
from include.sample.clock import TIMEZONE
from include.sample.contract_words import PATIENT, column, mapping, sealed, source_id, table, text, when
from include.sample.ward_messages import AUTHORITY


def geo_contract() -> dict[str, Any]:
    """Return the contract of the reference table of populations."""
    reference = column("text", "reference_data")
    table = {
        "files": "zip3_population*.csv",
        "data_class": "population_metrics",
        "key": ["zip3"],
        "columns": {
            "zip3": reference,
            "population": column("integer", "reference_data"),
            "census_year": column("integer", "reference_data"),
        },
        "maps": [
            mapping("zip3_population", {"zip3": "zip3", "population": "population", "census_year": "census_year"})
        ],
    }
    return {"owner": "data engineering", "tables": {"zip3_population": table}}


def registry_contract() -> dict[str, Any]:
    """Return the contract of the state's immunization registry, which knows people by name only."""
    people = table(
        "registrants",
        "registrant_id",
        None,
        {
            "registrant_id": PATIENT,
            "last_name": sealed(match="family"),
            "first_name": sealed(match="given"),
            "birth_date": when("date", match="birth_date"),
            "sex": text(match="sex"),
            "zip": when("text", match="postal_code"),
        },
        [
            mapping(
                "patient",
                {"patient_id": "registrant_id", "birth_date": "birth_date", "sex": "sex", "postal_code": "zip"},
            )
        ],
        person="registrant_id",
    )
    shots = table(
        "doses",
        "dose_id",
        "given_on",
        {"dose_id": source_id("Immunization"), "registrant_id": PATIENT, "cvx": text(), "given_on": when("date")},
        [
            mapping(
                "immunization",
                {"immunization_id": "dose_id", "patient_id": "registrant_id", "code": "cvx", "occurred_at": "given_on"},
                constants={"system": codes.CVX, "status": "completed"},
            )
        ],
        person="registrant_id",
    )
    return {
        "owner": "state immunization registry",
        "identifier_system": "http://registry.example.org/id",
        "tables": {"registrants": people, "doses": shots},
    }


_RECORD_BYTES = 200_000  # small, so that the sample can hold a record that is over it
_HOSPITAL = {"required": True, "max_age_days": 2, "max_record_bytes": _RECORD_BYTES}


def sources_file() -> dict[str, Any]:
    """Return sources.yml of the sample: two hospitals, the state's registry (optional, and stale), populations, and a small
    source of every further kind."""
    return {"owner": "data engineering", "sources": [*_hospitals(), *_registers(), *_further_kinds()]}


def _hospitals() -> list[dict[str, Any]]:
    south = {"path": "south", "contract": "south/contract.yml", "timezone": TIMEZONE}
    return [
        {"name": "north", "kind": "fhir_bulk", "path": "north/fhir_bulk", **_HOSPITAL},
        {"name": "south", "kind": "csv", **south, **_HOSPITAL},
    ]


def _registers() -> list[dict[str, Any]]:
    registry = {"path": "registry", "contract": "registry/contract.yml", "max_age_days": 14}
    return [
        {"name": "registry", "kind": "csv", **registry, "required": False},
        {"name": "geo", "kind": "csv", "path": "geo", "contract": "geo/contract.yml", "required": False},
    ]


def _further_kinds() -> list[dict[str, Any]]:
    ward = {"path": "ward", "timezone": TIMEZONE, "assigning_authorities": {AUTHORITY: codes.NORTH_MRN}}
    pharmacy = {"sqlite_file": "pharmacy/pharmacy.sqlite", "contract": "pharmacy/contract.yml", "timezone": TIMEZONE}
    transcription = {
        "path": "transcription",
        "patient_id": {"manifest": "notes.csv"},
        "identifier_system": codes.NORTH_MRN,
        "type": {"system": codes.LOINC, "code": "11506-3", "display": "Progress note"},
    }
    return [
        {"name": "ward", "kind": "hl7v2", **ward, "max_record_bytes": _RECORD_BYTES},
        {"name": "pharmacy", "kind": "database", **pharmacy},
        {"name": "radiology", "kind": "dicom", "path": "radiology", "timezone": TIMEZONE},
        {"name": "transcription", "kind": "clinical_notes", **transcription, "max_record_bytes": _RECORD_BYTES},
    ]
