"""Corrections and deletions of pulled sources end in the same marts in whatever order their batches come in."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import yaml

from include.identity.resolve import resolve_persons
from include.settings import Settings
from tests.dbt.test_build import dbt, rows
from tests.fhir_server import MisbehavingServer, serve
from tests.integration.test_database_source import CONTRACT, TABLES
from tests.integration.test_fhir_api_source import PATIENT, visit
from tests.source_systems import NIGHT, Feed, SqliteSystem

LAST = NIGHT + timedelta(days=2)
SHOWN = """
    select 'encounter ' || (to_jsonb(e) - 'encounter_key' - 'person_key' - 'part_of_encounter_key')::text from candidate_clinical.encounters e
    union all
    select 'person ' || (to_jsonb(p) - 'person_key')::text from candidate_clinical.persons p
    order by 1
"""


def two_sources(settings: Settings, folder: Path, server: MisbehavingServer, system: SqliteSystem) -> list[Feed]:
    """A FHIR server and a database in one sources.yml."""
    (folder / "east.yml").write_text(CONTRACT)
    feed = Feed.of(
        settings, folder, "database", {"east_url": system.url}, url_secret="east_url", contract="east.yml", tries=1
    )
    entries = yaml.safe_load((folder / "sources.yml").read_text())["sources"]
    entries.append(
        {"name": "north", "kind": "fhir_api", "url": server.url, "types": ["Patient", "Encounter"], "deletions": True}
    )
    (folder / "sources.yml").write_text(yaml.safe_dump({"sources": entries}))
    return [feed, Feed(feed.settings, "north")]


def change(server: MisbehavingServer, system: SqliteSystem) -> None:
    """What a first day of corrections says; the next day's contradict it."""
    at = {"versionId": "2", "lastUpdated": "2026-11-22T05:00:00Z"}
    server.resources["Patient"][0] = PATIENT | {"birthDate": "1985-01-01", "meta": at}
    server.resources["Encounter"][:2] = [
        visit(1, 2, status="cancelled", meta=at),
        visit(2, 2, status="planned", meta=at),
    ]
    server.resources["Encounter"].pop()
    server.deleted["Encounter"] = [("e4", "2026-11-22T06:00:00Z")]
    system(
        "update visits set kind = 'HH', changed = '2026-11-22 09:00:00' where id = 'v1'",
        "delete from visits where id = 'v2'",
        "update visits set state = 'cancelled', changed = '2026-11-22 09:00:00' where id = 'v3'",
        "update patients set sex = 'F' where id = 'p2'",
    )


def change_again(server: MisbehavingServer, system: SqliteSystem) -> None:
    """The next day: corrected again, deleted, and back."""
    at = {"versionId": "3", "lastUpdated": "2026-11-23T05:00:00Z"}
    server.resources["Patient"][0] = PATIENT | {"birthDate": "1990-01-01", "meta": at}
    server.resources["Encounter"] = [visit(1, 3, status="in-progress", meta=at), visit(3), visit(4, 3, meta=at)]
    server.deleted["Encounter"] = [("e2", "2026-11-23T06:00:00Z")]
    system(
        "update visits set kind = 'IMP', changed = '2026-11-23 09:00:00' where id = 'v1'",
        "insert into visits values ('v2', 'p1', 'VR', 'finished', '2026-10-02 10:00:00', '2026-11-23 09:00:00')",
        "delete from visits where id = 'v3'",
        "update patients set sex = 'M', born = '1951-01-01' where id = 'p2'",
    )


def bring_in(settings: Settings, folder: Path, is_late: bool) -> list[tuple]:
    """Three nights of both sources; the second night's batches enter before or after the third's. The marts they end in."""
    folder.mkdir()
    system = SqliteSystem(folder)
    system(*TABLES)
    with serve(MisbehavingServer({"Patient": [PATIENT], "Encounter": [visit(n) for n in range(1, 5)]})) as server:
        feeds = two_sources(settings, folder, server, system)
        for feed in feeds:
            feed.night()
        change(server, system)
        first = [_load(feed, NIGHT + timedelta(days=1), []) for feed in feeds]
        change_again(server, system)
        second = [_load(feed, LAST, before) for feed, before in zip(feeds, first, strict=True)]
        for batches in (second, first) if is_late else (first, second):
            for feed, waiting in zip(feeds, batches, strict=True):
                feed.enter(waiting)
    resolve_persons(LAST, settings)
    only = ["--resource-type", "seed", "--resource-type", "model"]
    dbt(settings, "build", "--select", "+encounters", "+persons", *only, night=LAST)
    assert rows(settings, "select count(*)::int from lifecycle.batch where state <> 'promoted'") == [(0,)]
    return rows(settings, SHOWN)


def _load(feed: Feed, night: date, known: list[str]) -> list[str]:
    feed.land(night)
    return [batch for batch in feed.load(night) if batch not in known]


def test_batches_in_order_and_out_of_order_end_in_the_same_marts(renew_hot, tmp_path):
    usual = bring_in(renew_hot(), tmp_path / "usual", is_late=False)
    late = bring_in(renew_hot(), tmp_path / "late", is_late=True)
    assert late == usual
    told = [
        (json.loads(row[10:])["class_code"], json.loads(row[10:])["status"])
        for (row,) in usual
        if row.startswith("encounter ")
    ]
    assert sorted(told) == [
        ("AMB", "finished"),
        ("AMB", "finished"),
        ("AMB", "in-progress"),
        ("IMP", "finished"),
        ("VR", "finished"),
    ]
    people = [json.loads(row[7:]) for (row,) in usual if row.startswith("person ")]
    assert sorted(person["birth_year"] for person in people) == [1951, 1980, 1990]
