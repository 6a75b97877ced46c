"""Promotion on the real Postgres: all of a judged batch at once, in order, however often it is tried."""

from __future__ import annotations

import subprocess
import sys
import threading

import psycopg
import pytest
from psycopg import sql

from include.intake.promote import PromotionError, promote_batch
from include.warehouse.connect import connect
from tests.deliveries import Delivery, ndjson, observation, patient

KILLED = """
import os, signal
from include.intake import promote, batches
def die(*a, **k): os.kill(os.getpid(), signal.SIGKILL)
{module}.{name} = die
promote.promote_batch({batch!r})
"""


@pytest.fixture
def source(settings, tmp_path) -> Delivery:
    return (
        Delivery.of(settings, tmp_path)
        .put("Patient.ndjson", ndjson(patient(1), patient(2)))
        .put("Observation.ndjson", ndjson(observation(1)))
    )


def test_a_judged_batch_is_in_raw_with_where_each_record_lives(source: Delivery) -> None:
    (batch,) = source.load()
    assert promote_batch(source.pass_gate(batch), source.settings).promoted == 3
    rows = source.rows("resource", "raw")
    assert {(row["source"], row["batch_id"], row["received_at"].isoformat()) for row in rows} == {
        (source.name, batch, "2026-11-22T00:00:00+00:00")
    }
    known = {
        (row["record_id"], row["dataset"], row["tier"], row["batch_seq"]) for row in source.rows("record", "lifecycle")
    }
    assert known == {(row["record_id"], row["resource_type"], "hot", row["batch_seq"]) for row in rows}
    years = {row["dataset"]: row["event_year"] for row in source.rows("record", "lifecycle")}
    assert years == {"Patient": None, "Observation": 2026}
    assert source.counts(batch)[0] == "promoted"
    assert [entry["subject"] for entry in source.trail("batch.promoted")] == [batch]


def test_promoting_again_changes_nothing(source: Delivery) -> None:
    (batch,) = source.load()
    first = promote_batch(source.pass_gate(batch), source.settings)
    before = source.rows("resource", "raw")
    assert promote_batch(batch, source.settings) == first
    assert source.rows("resource", "raw") == before


def test_nothing_of_a_batch_is_in_raw_before_it_passed_the_gate(source: Delivery) -> None:
    (batch,) = source.load()
    with pytest.raises(PromotionError, match="is loaded; expected a batch the gate let pass"):
        promote_batch(batch, source.settings)
    assert source.rows("resource", "raw") == []


def test_an_unknown_batch_is_said_to_be_unknown(source: Delivery) -> None:
    with pytest.raises(PromotionError, match="no batch nowhere"):
        promote_batch("nowhere", source.settings)


def test_a_batch_held_back_stays_out_and_its_rows_are_dropped(source: Delivery) -> None:
    (batch,) = source.load()
    with connect("postgres", "hot", source.settings) as books:
        books.execute(
            "update lifecycle.batch set state = 'held_back', quarantined = loaded, loaded = 0 where batch_id = %s",
            [batch],
        )
    assert promote_batch(batch, source.settings).promoted == 0
    assert source.rows("resource", "raw") == [] and not source.exists(batch)


def test_rows_lost_before_promotion_are_noticed(source: Delivery) -> None:
    (batch,) = source.load()
    with connect("loader", "hot", source.settings) as books:
        books.execute(
            sql.SQL("delete from {} where resource_type = 'Observation'").format(sql.Identifier("intake", batch))
        )
    with pytest.raises(PromotionError, match="does not hold its 3 rows"):
        promote_batch(source.pass_gate(batch), source.settings)
    assert source.rows("resource", "raw") == []


def test_what_came_in_two_batches_is_promoted_once(source: Delivery) -> None:
    (first,) = source.load()
    source.put("Patient.001.ndjson", ndjson(patient(2), patient(3)))
    second = source.load()[-1]
    assert source.counts(second) == ("loaded", 2, 2, 0, 0), "nothing of it is promoted yet"
    for batch in (first, second):
        promote_batch(source.pass_gate(batch), source.settings)
    assert source.counts(second) == ("promoted", 2, 1, 1, 0)
    assert len(source.rows("resource", "raw")) == 4
    sequence = {row["batch_id"]: row["batch_seq"] for row in source.rows("batch", "lifecycle")}
    assert sequence[first] < sequence[second]


def test_many_who_promote_at_once_promote_once(source: Delivery) -> None:
    (batch,) = source.load()
    source.pass_gate(batch)
    results: list = []
    threads = [threading.Thread(target=lambda: results.append(promote_batch(batch, source.settings))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.promoted for result in results] == [3] * 4 and len(source.rows("resource", "raw")) == 3


@pytest.mark.parametrize(
    ("module", "name"), [("promote.settling", "remove_known"), ("promote", "_insert"), ("batches", "drop_table")]
)
def test_a_promotion_killed_anywhere_is_finished_by_the_next(source: Delivery, module: str, name: str) -> None:
    (batch,) = source.load()
    source.pass_gate(batch)
    code = KILLED.format(module=module, name=name, batch=batch)
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr.decode()
    assert len(source.rows("resource", "raw")) in (0, 3), "all or nothing"
    assert promote_batch(batch, source.settings).promoted == 3
    assert len(source.rows("resource", "raw")) == 3 and not source.exists(batch)


def test_what_was_promoted_has_statistics_for_the_steps_after_it(source: Delivery) -> None:
    (batch,) = source.load()
    promote_batch(source.pass_gate(batch), source.settings)
    with connect("postgres", "hot", source.settings) as books:
        leaf = books.execute(
            "select relname from raw.resource r join pg_class on pg_class.oid = r.tableoid where source = %s limit 1",
            [source.name],
        ).fetchone()[0]
    with connect("loader", "hot", source.settings) as books:
        assert books.execute("select raw.gather_statistics(%s, 0)", [leaf]).fetchone()[0] is False
        assert books.execute("select raw.gather_statistics(%s, 1000000000)", [leaf]).fetchone()[0] is True
    with connect("postgres", "hot", source.settings) as books:
        known = {
            row[0]
            for row in books.execute("select attname from pg_stats where schemaname = 'raw' and tablename = %s", [leaf])
        }
    assert {"record_id", "person_token", "resource_type", "batch_seq"} <= known and not known & {"body", "sealed"}


def test_statistics_are_gathered_of_partitions_of_raw_alone(source: Delivery) -> None:
    with connect("loader", "hot", source.settings) as books, pytest.raises(psycopg.errors.RaiseException):
        books.execute("select raw.gather_statistics('pg_authid', 1)")
