"""Tiering killed with SIGKILL at every boundary: at once nothing is lost, and the next run ends where an undisturbed one does."""

from __future__ import annotations

import importlib
import os
import random
import signal
import time
from datetime import date, timedelta

import pytest

from include.lifecycle import store
from include.lifecycle.approvals import approve_destruction
from include.lifecycle.move import apply_plan
from include.lifecycle.plan import plan_night
from include.lifecycle.policy import load_retention
from include.lifecycle.reconcile import check_places, deep_check
from include.lifecycle.retrieve import retrieve_with
from include.lifecycle.work import open_work
from include.warehouse.connect import connect
from tests.months import store_month

LABS = load_retention().rule("lab_results")
LEAVING = (
    # function, before or after it, at which call
    ("ledger.begin", "after", 1),
    ("ledger.stage_file", "before", 1),
    ("ledger.stage_file", "after", 1),
    ("store.put_file", "after", 1),
    ("store.get_file", "after", 1),
    ("store.put_file", "after", 2),
    ("ledger.advance", "before", 1),  # every file proven
    ("ledger.advance", "after", 1),
    ("ledger.advance", "before", 2),  # inside the one transaction: records point at files, month detached
    ("ledger.advance", "after", 2),
    ("tier_out.finish", "before", 1),  # catalogued, not dropped
    ("ledger.advance", "before", 3),  # dropped
    ("ledger.mark_outcome", "before", 1),
)
ARCHIVING = (
    ("store.put_file", "before", 1),
    ("store.put_file", "after", 1),
    ("archive._catalogue", "after", 1),
    ("store.remove_all_versions", "after", 1),
)
ENDING = (
    ("destroy._catalogue", "before", 1),
    ("destroy._catalogue", "after", 1),
    ("data_keys.StoredDataKeys.destroy", "after", 1),
    ("store.remove_all_versions", "after", 1),
    ("destroy._certify", "after", 1),
    ("ledger.advance", "after", 2),
)


def killed_at(boundary, night):
    """Apply the plan in a process of its own that is killed at the boundary. Asserts that it was."""
    pid = os.fork()
    if pid == 0:
        try:
            _kill_at(boundary)
            apply_plan(night)
        finally:
            os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL, f"{boundary} was never reached"


def _kill_at(boundary):
    path, when, call = boundary
    module, *names = path.split(".")
    holder = importlib.import_module(f"include.lifecycle.{module}")
    for name in names[:-1]:
        holder = getattr(holder, name)
    real, calls = getattr(holder, names[-1]), []

    def mortal(*arguments, **named):
        calls.append(1)
        if len(calls) == call and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **named)
        if len(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(holder, names[-1], mortal)


def month(number):
    return date(2015 + number // 12, number % 12 + 1, 3)


def tiers_of(settings, stored):
    ids = [record.record_id for record in stored]
    with connect("lifecycle", settings=settings) as hot:
        query = "select tier, count(*) from lifecycle.record where record_id = any(%s) group by 1"
        return dict(hot.execute(query, [ids]).fetchall())


def contents(settings, stored, night):
    with open_work(night, settings) as work:
        found = retrieve_with(work, [record.record_id for record in stored], purpose="test", actor="test")
        return {record.place.record_id: record.content for record in found}


def expected(stored):
    return {record.record_id: record.content for record in stored}


def test_killed_on_the_way_out_of_hot_every_record_stays_and_the_next_run_finishes(fresh_hot):
    for number, boundary in enumerate(LEAVING):
        received = month(number)
        stored = store_month(fresh_hot, received, records=6, event_years=(2013, 2014), label=str(number))
        night = LABS.leaves_hot_on(received.replace(day=1))
        plan_night(night)
        killed_at(boundary, night)
        assert check_places(fresh_hot) == [], f"just after being killed {boundary}"
        assert contents(fresh_hot, stored, night) == expected(stored), f"just after being killed {boundary}"
        counts = apply_plan(night)
        assert counts["done"] == 1, f"{boundary}: {counts}"
        assert tiers_of(fresh_hot, stored) == {"cold": 6}
        assert check_places(fresh_hot) == deep_check(fresh_hot) == [], f"after the run that followed {boundary}"
        assert contents(fresh_hot, stored, night) == expected(stored)
    with connect("lifecycle", settings=fresh_hot) as hot:
        assert hot.execute("select distinct state from lifecycle.move").fetchall() == [("done",)]


def test_killed_on_the_way_to_the_archive_and_to_the_end_nothing_is_lost_or_left(fresh_hot):
    stored = {}
    for number in range(max(len(ARCHIVING), len(ENDING))):
        stored[number] = store_month(fresh_hot, month(number), records=4, event_years=(2017,), label=str(number))
    night = LABS.leaves_hot_on(month(len(stored)).replace(day=1))
    plan_night(night)
    apply_plan(night)
    for number, boundary in enumerate(ARCHIVING):
        night = LABS.leaves_cold_on(month(number).replace(day=1))
        plan_night(night)
        killed_at(boundary, night)
        assert check_places(fresh_hot) == [], f"just after being killed {boundary}"
        assert contents(fresh_hot, stored[number], night) == expected(stored[number])
        assert apply_plan(night)["done"] == 1
        assert tiers_of(fresh_hot, stored[number]) == {"archive": 4}
        assert check_places(fresh_hot) == deep_check(fresh_hot) == []
    _end_one_by_one(fresh_hot, stored)


def _end_one_by_one(settings, stored):
    night = LABS.ends_after(2017) + timedelta(days=1)
    for boundary in ENDING:
        plan_night(night)
        with connect("privacy_officer", settings=settings) as hot:
            (key,) = hot.execute(
                "select object_key from lifecycle.cold_file where tier in ('cold', 'archive') order by file_id limit 1"
            ).fetchone()
        names = {"requested_by": "A", "approved_by": "B", "reason": "over"}
        approve_destruction(night, object_keys=[key], settings=settings, **names)
        plan_night(night)
        killed_at(boundary, night)
        assert check_places(settings) == [], f"just after being killed {boundary}"
        assert apply_plan(night)["failed"] == 0
        assert check_places(settings) == []
    with connect("lifecycle", settings=settings) as hot:
        assert hot.execute("select distinct tier, count(*) from lifecycle.record group by 1").fetchall() == [
            ("destroyed", 24)
        ]
        assert hot.execute("select count(*), count(distinct move_id) from lifecycle.certificate").fetchone() == (6, 6)
        assert hot.execute("select count(*) from lifecycle.move where state <> 'done'").fetchone() == (0,)


def finish_late(settings, key):
    """What a store does that completes an upload after the sender was killed and its copy thrown away."""
    s3 = store.open_store(settings)
    s3.put_object(Bucket=settings.bucket_cold, Key=key, Body=b"late")
    assert key in store.list_keys(s3, settings.bucket_cold)


def abandoned_keys(settings):
    with connect("lifecycle", settings=settings) as hot:
        query = "select object_key, stays_gone from lifecycle.cold_file where tier = 'abandoned' order by file_id"
        return dict(hot.execute(query).fetchall())


def test_an_upload_that_the_store_finishes_late_is_named_and_removed_until_it_stays_gone(fresh_hot):
    stored = store_month(fresh_hot, month(0), records=6, event_years=(2013,))
    night = LABS.leaves_hot_on(month(0).replace(day=1))
    plan_night(night)
    killed_at(("store.put_file", "before", 1), night)
    assert apply_plan(night)["done"] == 1
    ((key, stays_gone),) = abandoned_keys(fresh_hot).items()
    assert not stays_gone, "a store may still finish what it was sent a moment ago"
    for _ in range(2):  # it may do so more than once, and on a night with nothing else to do
        finish_late(fresh_hot, key)
        assert [(found.kind, found.subject) for found in check_places(fresh_hot)] == [("late_copy", key)]
        plan_night(night)
        assert apply_plan(night)["late_copies_removed"] == 1
        assert check_places(fresh_hot) == []
    with connect("lifecycle", settings=fresh_hot) as hot:
        hot.execute(
            "update lifecycle.cold_file set abandoned_at = abandoned_at - interval '2 days' where tier = 'abandoned'"
        )
    assert apply_plan(night)["late_copies_removed"] == 0
    assert abandoned_keys(fresh_hot) == {key: True}
    assert tiers_of(fresh_hot, stored) == {"cold": 6}


def sweep_until_settled(settings, night, *, seconds=60):
    """Objects that the store finishes late are the one thing allowed after a random kill, and each apply removes them."""
    deadline = time.monotonic() + seconds
    while findings := check_places(settings):
        assert {found.kind for found in findings} == {"late_copy"}, findings
        assert time.monotonic() < deadline, "late copies keep coming back"
        apply_plan(night)


@pytest.mark.parametrize("seed", range(int(os.environ.get("PLUMBLINE_RANDOM_KILLS", "4"))))
def test_killed_at_a_random_moment_every_record_is_in_one_place(fresh_hot, seed):
    chance = random.Random(seed)
    stored = store_month(fresh_hot, month(0), records=200, people=40, event_years=(2012, 2013, 2014))
    night = LABS.leaves_hot_on(month(0).replace(day=1))
    plan_night(night)
    pid = os.fork()
    if pid == 0:
        try:
            apply_plan(night)
        finally:
            os._exit(0)
    time.sleep(chance.uniform(0.02, 0.8))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert check_places(fresh_hot) == []
    apply_plan(night)
    assert tiers_of(fresh_hot, stored) == {"cold": 200}
    sweep_until_settled(fresh_hot, night)
    assert deep_check(fresh_hot) == []
    assert contents(fresh_hot, stored, night) == expected(stored)
