"""One laboratory result followed from the file it arrived in to the certificate of its end, simulated years later."""

from __future__ import annotations

import gzip
import json
import os
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from bench.one_night import run_night
from include.audit.anchor import anchor_trail, verify_trail
from include.lifecycle import store
from include.lifecycle.approvals import approve_destruction
from include.lifecycle.holds import lift_hold, set_hold
from include.lifecycle.move import apply_plan
from include.lifecycle.plan import plan_night
from include.lifecycle.policy import load_retention
from include.lifecycle.reconcile import check_places, deep_check
from include.lifecycle.retrieve import RetrieveError, retrieve
from include.lifecycle.units import read_state
from include.sample.make import Request, make_sample
from include.settings import Settings
from include.warehouse.connect import connect

NIGHT = date(2026, 11, 22)
LABS = load_retention().rule("lab_results")
LEAVES_HOT = LABS.leaves_hot_on(NIGHT.replace(day=1))
LEAVES_COLD = LABS.leaves_cold_on(NIGHT.replace(day=1))
TWO = {"requested_by": "R. Manager", "approved_by": "P. Officer"}


@pytest.fixture
def sample(tmp_path) -> Path:
    """The sample's sources of one night."""
    return make_sample(Request(tmp_path / "sample", 3, 120, NIGHT, 0))


@pytest.fixture
def settings(fresh_hot, sample, monkeypatch) -> Settings:
    monkeypatch.setenv("PLUMBLINE_SOURCES", str(sample))
    return Settings.from_environment(os.environ)


def resources(sample: Path, kind: str) -> dict[str, dict]:
    """What the FHIR hospital of the sample delivered of a type, by id, as it stands in its files; planted defects left out."""
    found: dict[str, list[dict]] = {}
    with gzip.open(sample.parent / "north" / "fhir_bulk" / f"{kind}.ndjson.gz") as file:
        for line in file:
            with suppress(ValueError, KeyError, RecursionError):
                resource = json.loads(line, parse_float=Decimal)
                found.setdefault(resource["id"], []).append(resource)
    return {key: versions[0] for key, versions in found.items() if len(versions) == 1}


def chosen(settings: Settings, sample: Path) -> tuple[UUID, dict, dict]:
    """A result of the night's own year that reached raw, as it was delivered, and its patient."""
    patients, results = resources(sample, "Patient"), resources(sample, "Observation")
    with connect("lifecycle", settings=settings) as hot:
        rows = hot.execute(
            """select record_id from raw.resource where source = 'north' and resource_type = 'Observation'
               and event_at between '2026-01-02' and '2026-11-30' and body ? 'valueQuantity' order by record_id limit 20"""
        ).fetchall()
    assert rows, "the sample has no result of this year to follow"
    for (record_id,) in rows:
        found = bring_back(settings, record_id, NIGHT).content
        patient = patients.get(found["subject"]["reference"].partition("/")[2])
        if found["id"] in results and patient:
            return record_id, results[found["id"]], patient
    raise AssertionError("no delivered result was found again in raw")


def bring_back(settings, record_id, night):
    return retrieve(record_id, purpose="journey", actor="test", night=night, settings=settings)


def tier(night) -> dict[str, int]:
    plan_night(night)
    return apply_plan(night)


def words_that_name(patient: dict) -> list[bytes]:
    """What must stand nowhere in clear: names, contacts and numbers of the patient, and the source's own id."""
    named = [patient["id"], *(name["family"] for name in patient["name"])]
    named += [contact["value"] for contact in patient.get("telecom", ())]
    named += [number["value"] for number in patient.get("identifier", ())]
    return [word.encode() for word in named if len(word) > 3]


def stands_in_clear(settings: Settings, words: list[bytes]) -> list[tuple[str, str]]:
    """Where any of the words stands in any object of any bucket."""
    s3 = store.open_store(settings)
    buckets = (settings.bucket_landing, settings.bucket_cold, settings.bucket_archive, settings.bucket_audit)
    found, seen = [], 0
    for bucket in buckets:
        for key in store.list_keys(s3, bucket):
            blob = s3.get_object(Bucket=bucket, Key=key)["Body"].read() + key.encode()
            found += [(bucket, key) for word in words if word in blob]
            seen += 1
    assert seen > 10, "hardly an object was read, so nothing was shown"
    return found


def test_one_record_from_source_to_grave(settings, sample):
    # It arrives, is checked, and reaches the marts without its person's name.
    run_night(NIGHT, settings)
    record_id, delivered, patient = chosen(settings, sample)
    words = words_that_name(patient)
    assert len(words) >= 4
    assert bring_back(settings, record_id, NIGHT).content == delivered
    assert stands_in_clear(settings, words) == []
    with connect("analyst", "warm", settings) as warm:
        observations = warm.execute("select count(*) from clinical.observations").fetchone()[0]
    assert observations > 0
    assert anchor_trail(NIGHT, settings) > 0

    # A dispute holds it in Postgres past its day; settled, it leaves for cold, sealed.
    hold = set_hold(LEAVES_HOT, reason="a dispute", data_class="lab_results", settings=settings, **TWO)
    tier(LEAVES_HOT)
    assert bring_back(settings, record_id, LEAVES_HOT).place.tier == "hot"
    lift_hold(hold, LEAVES_HOT, reason="settled", settings=settings, **TWO)
    assert tier(LEAVES_HOT)["failed"] == 0
    assert follow(settings, record_id, delivered, words, LEAVES_HOT) == "cold"

    # Years later it is frozen in the archive, and still comes back as it was delivered.
    assert tier(LEAVES_COLD)["failed"] == 0
    assert follow(settings, record_id, delivered, words, LEAVES_COLD) == "archive"

    # On the last day of its retention it is still there; the day after, two people let it go.
    last = last_day(settings, record_id)
    assert last >= LABS.ends_after(2026)
    tier(last)
    assert follow(settings, record_id, delivered, words, last) == "archive"
    over = last + timedelta(days=1)
    plan_night(over)
    assert bring_back(settings, record_id, over).place.tier == "archive", "a plan destroys nothing"
    certificate = _let_go(settings, record_id, over)
    assert certificate["approved_by"] == "P. Officer"
    assert certificate["event_year"] == 2026
    with pytest.raises(RetrieveError, match="a record was destroyed"):
        bring_back(settings, record_id, over)
    assert check_places(settings) == []
    assert stands_in_clear(settings, words) == []

    # The trail tells its whole life, and holds.
    assert verify_trail(settings).holds
    with connect("privacy_officer", settings=settings) as hot:
        told = {row[0] for row in hot.execute("select action from audit.entry").fetchall()}
    assert {
        "batch.promoted", "record.read", "hold.set", "hold.lifted", "partition.moved", "file.archived", "landing.expired",
        "destruction.approved", "file.destroyed",
    } <= told  # fmt: skip


def last_day(settings, record_id) -> date:
    """The last day of the record's file: its class's, or later where it has records of somebody who is a minor."""
    years_are_over = LABS.ends_after(2026)
    with connect("lifecycle", settings=settings) as hot:
        units = read_state(hot, load_retention(), years_are_over + timedelta(days=1)).units
        (file_id,) = hot.execute("select file_id from lifecycle.record where record_id = %s", [record_id]).fetchone()
    (born,) = [unit.youngest_born for unit in units if unit.file_id == file_id]
    return max(years_are_over, LABS.keeps_minor_until(born) if born else years_are_over)


def follow(settings, record_id, delivered, words, night) -> str:
    """The record is in one place, comes back as it was delivered, and names nobody where it lies. Returns its tier."""
    assert check_places(settings) == deep_check(settings) == []
    assert stands_in_clear(settings, words) == []
    found = bring_back(settings, record_id, night)
    assert found.content == delivered
    return found.place.tier


def _let_go(settings, record_id, over) -> dict:
    with connect("privacy_officer", settings=settings) as hot:
        waiting = hot.execute(
            """select unit from lifecycle.plan_line where stopped_by = 'waits for approval'
               and plan_id = (select max(plan_id) from lifecycle.plan where night = %s)""",
            [over],
        ).fetchall()
        (key,) = hot.execute(
            "select object_key from lifecycle.record join lifecycle.cold_file using (file_id) where record_id = %s",
            [record_id],
        ).fetchone()
    assert (key,) in waiting
    approve_destruction(
        over, object_keys=[unit for (unit,) in waiting], reason="retention is over", settings=settings, **TWO
    )
    assert tier(over)["failed"] == 0
    with connect("lifecycle", settings=settings) as hot:
        query = "select content from lifecycle.certificate where content ->> 'object' = %s"
        return hot.execute(query, [key]).fetchone()[0]
