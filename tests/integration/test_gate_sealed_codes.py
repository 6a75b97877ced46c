"""What the intake seals because it is no code of the system it names, the gate still refuses: through the real loader."""

from __future__ import annotations

import pytest

from include.quality.gate import check_batch
from include.settings import Settings
from tests.deliveries import NAME, Delivery, ndjson, patient
from tests.quality_inputs import refused_by

ICD10, SNOMED = "http://hl7.org/fhir/sid/icd-10-cm", "http://snomed.info/sct"
# name of the case: the codings of a condition, and whether the gate refuses it
CODINGS = {
    "diabetes": ([(ICD10, "E11.9")], False),
    "covid": ([(ICD10, "U07.1")], False),
    "a point and nothing": ([(ICD10, "E11.")], True),
    "small letters": ([(ICD10, "e11.9")], True),
    "a name": ([(ICD10, NAME)], True),
    "beside a good one": ([(SNOMED, "44054006"), (ICD10, "E1")], True),
    "another system's": ([(SNOMED, "E11.")], False),
    "nobody knows whose": ([("http://north.example.org/dx", NAME)], False),
}


def condition(name: str) -> dict:
    codings, _ = CODINGS[name]
    return {
        "resourceType": "Condition",
        "id": name.replace(" ", "-").replace("'", ""),
        "subject": {"reference": "Patient/p1"},
        "onsetDateTime": "2026-01-05",
        "code": {"coding": [{"system": system, "code": code} for system, code in codings]},
    }


@pytest.fixture
def judged(settings: Settings, tmp_path) -> dict[str, str | None]:
    """Case -> why the gate refused it, None where it did not."""
    clean = [condition("diabetes") | {"id": f"clean-{number}"} for number in range(200)]
    source = Delivery.of(settings, tmp_path).put("Patient.ndjson", ndjson(patient(1)))
    source.put("Condition.ndjson", ndjson(*map(condition, CODINGS), *clean))
    (batch,) = source.load()
    places = {row["place"]: row["record_id"] for row in source.rows(batch) if row["resource_type"] == "Condition"}
    records = [places[place] for place in sorted(places, key=lambda place: int(place.split()[-1]))]
    assert check_batch(batch, source.settings) == "passed"
    refused = refused_by(settings, batch)
    return {name: refused.get(record) for name, record in zip(CODINGS, records, strict=False)}


def test_a_code_that_cannot_be_icd_10_is_refused_though_it_was_sealed(judged) -> None:
    assert judged == {name: "icd10_malformed" if refused else None for name, (_, refused) in CODINGS.items()}
