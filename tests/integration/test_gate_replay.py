"""What stayed outside comes back through landing, intake and the gate, and the counts add up every time."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from include.intake.load import load_source
from include.intake.promote import promote_batch
from include.landing.land import land_source
from include.quality import gate
from include.quality.errors import ReplayError
from include.quality.gate import check_batch
from include.quality.policy import load_quality_policy
from include.quality.replay import reopen_asked, reopen_held_back, reopen_records
from include.warehouse.connect import connect
from tests.quality_inputs import batch_row

FIRST, SECOND = date(2026, 11, 22), date(2026, 11, 23)
ASK = {"asked_by": "steward", "reason": "the patients have come"}


def observation(name: str, person: str, **body) -> dict:
    return {
        "resourceType": "Observation", "id": name, "status": "final", "subject": {"reference": f"Patient/{person}"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}, "effectiveDateTime": "2026-03-01",
        "valueQuantity": {"value": 6.1, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
    } | body  # fmt: skip


def patient(name: str) -> dict:
    return {"resourceType": "Patient", "id": name, "gender": "female", "birthDate": "1980-05-10"}


@pytest.fixture
def hospital(fresh_hot, tmp_path):
    """A hospital's export folder, and settings that know it."""
    (tmp_path / "export").mkdir()
    (tmp_path / "sources.yml").write_text("sources:\n  - {name: north, kind: fhir_bulk, path: export}\n")
    return replace(fresh_hot, sources_file=tmp_path / "sources.yml"), tmp_path / "export"


def write(folder, name: str, resources: list) -> None:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in resources]
    (folder / name).write_text("\n".join(lines) + "\n")


def run_night(settings, night: date) -> dict[str, str]:
    """Land, load, check and promote. Returns batch id -> what the gate said."""
    land_source("north", night, settings)
    told = {batch_id: check_batch(batch_id, settings) for batch_id in load_source("north", night, settings)}
    for batch_id in told:
        promote_batch(batch_id, settings)
    return told


def raw_count(settings) -> int:
    with connect("postgres", "hot", settings) as books:
        return books.execute("select count(*) from raw.resource").fetchone()[0]


def quarantined(settings, batch_id: str) -> list:
    with connect("checker", "hot", settings) as books:
        rows = books.execute(
            "select place, reason_code, state from quality.quarantine where batch_id = %s order by place", [batch_id]
        )
        return rows.fetchall()


def require_sums(settings, batch_id: str) -> dict:
    row = batch_row(settings, batch_id)
    assert row["received"] == row["loaded"] + row["duplicate"] + row["quarantined"]
    with connect("checker", "hot", settings) as books:
        sums = books.execute(
            "select sum(received), sum(loaded), sum(duplicate), sum(quarantined) from lifecycle.batch_object where batch_id = %s",
            [batch_id],
        ).fetchone()
        kept = books.execute(
            "select coalesce(sum(records), 0) from quality.quarantine where batch_id = %s", [batch_id]
        ).fetchone()[0]
    assert tuple(map(int, sums)) == (row["received"], row["loaded"], row["duplicate"], row["quarantined"])
    assert kept == row["quarantined"]
    return row


def test_records_that_waited_for_their_patient_come_back_and_nothing_else_does(hospital):
    settings, folder = hospital
    clean = [observation(f"o{number}", "ann") for number in range(60)]
    faults = [
        observation("early", "bob"),
        '{"resourceType": "Obs',
        observation("wrong", "ann", effectiveDateTime="2031"),
    ]
    write(folder, "Patient.ndjson", [patient("ann")])
    write(folder, "Observation.ndjson", clean + faults)
    (first,) = run_night(settings, FIRST)
    assert [reason for _, reason, _ in quarantined(settings, first)] == [
        "subject_unknown",
        "malformed_json",
        "date_in_future",
    ]
    require_sums(settings, first)

    write(folder, "Patient.2.ndjson", [patient("bob")])
    asked = reopen_records("north", reason_code="subject_unknown", settings=settings, **ASK)
    assert (asked.objects, asked.records) == (1, 1)
    told = run_night(settings, SECOND)
    replayed = next(batch_id for batch_id in told if batch_id.rpartition("__")[2].startswith("r"))
    row = require_sums(settings, replayed)
    assert (row["received"], row["loaded"], row["duplicate"], row["quarantined"]) == (63, 1, 62, 0)
    assert raw_count(settings) == 63  # two patients, sixty clean ones, and the one that waited
    assert [state for _, reason, state in quarantined(settings, first) if reason == "subject_unknown"] == ["replayed"]
    assert run_night(settings, SECOND) == {}, "a request was answered twice"


def test_a_record_that_is_refused_again_waits_in_its_new_batch(hospital):
    settings, folder = hospital
    write(folder, "Patient.ndjson", [patient("ann")])
    write(
        folder, "Observation.ndjson", [observation(f"o{n}", "ann") for n in range(60)] + [observation("early", "bob")]
    )
    run_night(settings, FIRST)
    reopen_records("north", settings=settings, **ASK)
    ((replayed, told),) = run_night(settings, SECOND).items()
    row = require_sums(settings, replayed)
    assert (told, row["loaded"], row["duplicate"], row["quarantined"]) == ("passed", 0, 60, 1)
    assert quarantined(settings, replayed) == [("line 61", "subject_unknown", "open")]


def test_a_held_back_batch_is_judged_again_under_a_new_policy(hospital, monkeypatch):
    settings, folder = hospital
    write(folder, "Patient.ndjson", [patient("ann")])
    write(
        folder,
        "Observation.ndjson",
        [observation(f"o{n}", "ann", **({"status": None} if n < 9 else {})) for n in range(20)],
    )
    ((first, told),) = run_night(settings, FIRST).items()
    assert told == "held_back" and raw_count(settings) == 0
    require_sums(settings, first)
    assert run_night(settings, FIRST) == {}, "a held-back batch came back by itself"

    lenient = replace(
        load_quality_policy(), class_thresholds=dict.fromkeys(load_quality_policy().class_thresholds, 0.5)
    )
    monkeypatch.setattr(gate, "load_quality_policy", lambda: lenient)
    assert reopen_held_back("north", settings=settings, asked_by="steward", reason="reviewed").batches == 1
    ((again, told),) = run_night(settings, FIRST).items()
    row = require_sums(settings, again)
    assert (again, told) == (first, "passed")
    assert (row["received"], row["loaded"], row["quarantined"]) == (21, 12, 9)
    assert raw_count(settings) == 12


def test_a_request_of_the_dag_that_matches_nothing_says_where_to_look(fresh_hot):
    asked = {"source": "north", "what": "records", "reason_code": None, "asked_by": "steward", "reason": "new contract"}
    with pytest.raises(ReplayError, match="no open quarantined record of source north.*look at governance.quarantine"):
        reopen_asked(asked, fresh_hot)
    assert reopen_asked({**asked, "what": "held_back"}, fresh_hot).batches == 0
