"""An archive that freezes: moto's S3 plays a store with GLACIER and RestoreObject, which the embedded one lacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from include.lifecycle import ledger, store
from include.lifecycle.move import apply_with
from include.lifecycle.plan import plan_moves
from include.lifecycle.policy import load_retention
from include.lifecycle.rehydrate import rehydrate
from include.lifecycle.retrieve import retrieve_with
from include.lifecycle.units import read_state
from include.lifecycle.work import open_work
from tests.months import store_month

LABS = load_retention().rule("lab_results")
RECEIVED = date(2031, 1, 10)
MONTH = date(2031, 1, 1)
ASKED = {"purpose": "test", "actor": "tester"}


@pytest.fixture(scope="module")
def frozen_store():
    """The address of a store that freezes what is in GLACIER."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def archived(fresh_hot, frozen_store):
    """Settings whose archive is the freezing store, and records that were moved into it."""
    settings = replace(fresh_hot, s3_endpoint=frozen_store)
    s3 = store.open_store(settings)
    s3.create_bucket(Bucket=settings.bucket_cold)
    s3.create_bucket(Bucket=settings.bucket_archive, ObjectLockEnabledForBucket=True)
    stored = store_month(settings, RECEIVED, records=6, event_years=(2031,))
    for night in (LABS.leaves_hot_on(MONTH), LABS.leaves_cold_on(MONTH)):
        with open_work(night, settings) as work:
            state = read_state(work.hot, work.retention, night)
            ledger.save_plan(
                work.hot,
                night,
                work.retention.sha256,
                plan_moves(state.units, work.retention, state.holds, today=night),
            )
            assert apply_with(work)["done"] == 1
    return settings, stored, night


def test_the_archive_is_frozen_locked_and_checked_without_being_read(archived):
    settings, _, _ = archived
    s3 = store.open_store(settings)
    (key,) = store.list_keys(s3, settings.bucket_archive)
    seen = store.look(s3, settings.bucket_archive, key)
    assert (seen.storage_class, seen.locked_until) == ("GLACIER", LABS.ends_after(2031))
    assert seen.sha256
    with pytest.raises(ClientError, match="InvalidObjectState"):
        s3.get_object(Bucket=settings.bucket_archive, Key=key)


def test_a_record_in_a_frozen_file_is_asked_for_once_polled_for_and_brought_back(archived, monkeypatch):
    settings, stored, night = archived
    asked, polled = [], []
    really_ask, readable = store._ask_to_restore, store._is_readable
    monkeypatch.setattr(store, "_ask_to_restore", lambda *a: (asked.append(a[2]), really_ask(*a))[1])
    # moto restores at once; a real store takes hours, so the first looks say 'not yet'.
    monkeypatch.setattr(store, "_is_readable", lambda *a: (polled.append(1), len(polled) > 3 and readable(*a))[1])
    monkeypatch.setattr(store.time, "sleep", lambda seconds: None)
    with open_work(night, settings) as work:
        found = list(retrieve_with(work, [stored[0].record_id], wait_seconds=60, **ASKED))
    assert found[0].content == stored[0].content
    assert (len(asked), len(polled)) == (1, 4)


def test_without_waiting_the_restore_is_begun_and_the_answer_says_what_to_expect(archived, monkeypatch):
    settings, stored, night = archived
    monkeypatch.setattr(store, "_is_readable", lambda *a: False)
    with open_work(night, settings) as work, pytest.raises(store.NotRestoredError, match="up to 5 hours from GLACIER"):
        list(retrieve_with(work, [stored[0].record_id], **ASKED))
    monkeypatch.undo()
    with open_work(night, settings) as work:  # the restore went on meanwhile
        assert next(iter(retrieve_with(work, [stored[0].record_id], **ASKED))).content == stored[0].content


def test_a_month_in_a_frozen_file_is_borrowed_back(archived):
    settings, _, night = archived
    with open_work(night, settings) as work:
        counts = rehydrate(work, raw_table="resource", received_month=MONTH, until=night + timedelta(days=2), **ASKED)
    assert counts == {"files": 1, "records": 6, "unreadable": 0}
