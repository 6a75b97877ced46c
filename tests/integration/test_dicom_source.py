"""Kind dicom through the real door: files land, load sealed, pass the gate, and become studies in the mart."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.identity.resolve import resolve_persons
from include.intake.load import load_source
from include.intake.promote import promote_batch
from include.landing.land import land_source
from include.quality.gate import check_batch
from include.settings import Settings
from include.warehouse.connect import connect
from include.warehouse.tables import ensure_views
from tests.dbt.test_build import CORE, dbt
from tests.deliveries import NIGHT, Delivery
from tests.dicom_instances import NUMBER, PHONE, ROOT, instance

MORROW = NIGHT + timedelta(days=1)
STUDY = [(series, number) for series in (1, 2) for number in (1, 2, 3)]


def night_of(source: Delivery, night=NIGHT) -> Settings:
    """Land, load, check and promote what the source's folder holds."""
    land_source(source.name, night, source.settings)
    for batch in load_source(source.name, night, source.settings):
        assert check_batch(batch, source.settings) == "passed"
        promote_batch(batch, source.settings)
    return source.settings


@pytest.fixture
def pacs(fresh_hot: Settings, tmp_path) -> Delivery:
    ensure_views(fresh_hot)
    return Delivery.of(fresh_hot, tmp_path, kind="dicom", timezone="America/New_York")


def studies(settings: Settings, *command: str, night=NIGHT) -> list[tuple]:
    resolve_persons(night, settings)
    dbt(settings, *command, night=night)
    with connect("transformer", "hot", settings) as hot:
        return hot.execute(
            """select modality_code, body_site_code, series_count, instance_count, event_year, burned_in_risk
               from candidate_clinical.imaging_studies order by modality_code"""
        ).fetchall()


def test_a_study_over_two_nights_is_one_study_and_refused_files_are_told(pacs: Delivery) -> None:
    for series, number in STUDY[:4]:
        pacs.put(f"IM{series}{number}", instance(series=series, number=number))
    pacs.put(
        "ultrasound.dcm",
        instance(study=2, Modality="US", PatientID="MRN-0043", PatientName="Other^Olive", BodyPartExamined=None),
    )
    pacs.put("short.dcm", instance(study=3)[:-10]).put("note.txt", b"not a picture").put("DICOMDIR", b"passed over")
    settings = night_of(pacs)
    assert studies(settings, "build", "-s", "+imaging_studies", "--exclude-resource-type", "unit_test", "test") == [
        ("CT", "816094009", 2, 4, 2026, "not suspected"), ("US", None, 1, 1, 2026, "suspected"),
    ]  # fmt: skip
    refused = {(row["reason_code"], row["scope"]) for row in pacs.rows("quarantine", "quality")}
    assert refused == {("truncated_file", "file"), ("not_dicom", "file")}
    with connect("postgres", "hot", settings) as hot:
        received, loaded, duplicate, quarantined = hot.execute(
            "select received, loaded, duplicate, quarantined from lifecycle.batch where source = %s", [pacs.name]
        ).fetchone()
        assert (received, loaded, duplicate, quarantined) == (12, 7, 3, 2)
        body = hot.execute(
            "select string_agg(body::text, '') from raw.resource where source = %s", [pacs.name]
        ).fetchone()[0]
    for secret in ("Quackenbush", "Elm", NUMBER, PHONE, ROOT, "QUACK", "20260301"):
        assert secret not in body
    for series, number in STUDY[4:]:
        pacs.put(f"IM{series}{number}", instance(series=series, number=number))
    # the same instance again, corrected: it replaces itself and is not another picture
    pacs.put("IM11", instance(series=1, number=1, BurnedInAnnotation="YES"))
    night_of(pacs, MORROW)
    assert studies(settings, "build", "-s", *CORE, night=MORROW)[0] == ("CT", "816094009", 2, 6, 2026, "declared")
