"""Codes from the file to the mart: validity, words that a dictionary codes, and what nobody can find, counted."""

from __future__ import annotations

import pytest

from include.coding.icd10cm import ensure_icd10cm
from include.coding.unmapped import record_unmapped
from include.identity.resolve import resolve_persons
from include.intake.load import load_source
from include.intake.promote import promote_batch
from include.landing.land import land_source
from include.quality.gate import check_batch
from include.settings import Settings
from include.warehouse.connect import connect
from include.warehouse.tables import ensure_views
from tests.dbt.test_build import dbt
from tests.deliveries import NIGHT, Delivery, ndjson, patient

ICD = "http://hl7.org/fhir/sid/icd-10-cm"


def condition(name: str, code: dict) -> dict:
    return {
        "resourceType": "Condition", "id": name, "subject": {"reference": "Patient/p1"}, "code": code, "onsetDateTime": "2026-03-01",
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
    }  # fmt: skip


TOLD = {
    "coded": {"coding": [{"system": ICD, "code": "E11.9"}], "text": "no diabetes, says Zebedee Quackenbush"},
    "category": {"coding": [{"system": ICD, "code": "E11"}]},
    "no such code": {"coding": [{"system": ICD, "code": "Q99.99"}]},
    "words": {"text": "Asthma, Zebedee Quackenbush seen on the ward"},
    "denied": {"text": "no evidence of pneumonia"},
    "relative": {"text": "Family history of breast cancer"},
    "local": {"coding": [{"system": "http://north.example.org/dx", "code": "DX7"}], "text": "hypertension"},
    "nothing": {"text": "as discussed"},
}


@pytest.fixture
def north(fresh_hot: Settings, tmp_path) -> Delivery:
    ensure_views(fresh_hot)
    source = Delivery.of(fresh_hot, tmp_path)
    source.put("Patient.ndjson", ndjson(patient(1)))
    source.put("Condition.ndjson", ndjson(*(condition(name.replace(" ", "-"), code) for name, code in TOLD.items())))
    land_source(source.name, NIGHT, source.settings)
    for batch in load_source(source.name, NIGHT, source.settings):
        assert check_batch(batch, source.settings) == "passed"
        promote_batch(batch, source.settings)
    return source


def test_codes_are_checked_words_are_coded_and_what_nobody_finds_is_counted(north: Delivery) -> None:
    settings = north.settings
    assert ensure_icd10cm(settings) > 90_000 and ensure_icd10cm(settings) == 0, "loaded once"
    resolve_persons(NIGHT, settings)
    dbt(settings, "build", "-s", "+conditions", "+int_codes__unmapped", "--exclude-resource-type", "unit_test", "test")
    with connect("transformer", "hot", settings) as hot:
        shown = hot.execute(
            """select system, code, code_origin, coalesce(words_context, '-'), code_validity from candidate_clinical.conditions
               order by code_origin, code nulls last, words_context nulls last"""
        ).fetchall()
        assert sorted(shown, key=str) == sorted(
            [
                (ICD, "E11.9", "source", "-", "valid"),
                (ICD, "E11", "source", "-", "category only"),
                (ICD, "Q99.99", "source", "-", "invalid"),
                (ICD, "J45.909", "words", "affirmed", "not checked"),
                (None, None, "none", "negated", "not checked"),
                (None, None, "none", "family", "not checked"),
                (None, None, "none", "-", "not checked"),
                (shown_local(shown), None, "source", "-", "not checked"),
            ],
            key=str,
        )
        codes = hot.execute("select code from intermediate.int_conditions__current where code = 'J45.909'").fetchall()
        assert codes == [], "measures do not see what only words say"
        bodies = hot.execute("select string_agg(body::text, ' ') from raw.resource").fetchone()[0]
    assert "Quackenbush" not in bodies and "ward" not in bodies
    rows = record_unmapped(NIGHT, settings)
    assert rows == record_unmapped(NIGHT, settings), "told once a night"
    with connect("publisher", "hot", settings) as hot:
        problems = dict(hot.execute("select problem, sum(records) from quality.unmapped_code group by 1").fetchall())
        shown_codes = {code for (code,) in hot.execute("select code from quality.unmapped_code")}
    assert problems == {
        "in words only": 4,
        "not in the table of local codes": 1,
        "not an ICD-10-CM code": 1,
        "an ICD-10-CM category, not a code": 1,
    }
    assert shown_codes == {"none", "rare"}, "no code that one person has is shown"


def shown_local(shown: list[tuple]) -> str:
    """The token of the local system's address."""
    return next(system for system, *_ in shown if system and system.startswith("urn:uuid:"))
