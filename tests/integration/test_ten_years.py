"""Ten years and more, two nights a year: records arrive late, holds come and go, people are erased, policies change, stores fail.

At every step each record is in exactly one place, and at the end each is where its own rules say.
"""

from __future__ import annotations

import os
import random
from dataclasses import replace
from datetime import date, timedelta

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from include.audit.anchor import verify_trail
from include.lifecycle import store
from include.lifecycle.approvals import approve_destruction
from include.lifecycle.erase import ErasureError, erase_person
from include.lifecycle.holds import lift_hold, set_hold
from include.lifecycle.ledger import save_plan
from include.lifecycle.move import apply_with
from include.lifecycle.plan import plan_moves
from include.lifecycle.policy import load_retention
from include.lifecycle.reconcile import LOSSES, check_places, deep_check
from include.lifecycle.retrieve import retrieve_with
from include.lifecycle.units import read_state
from include.lifecycle.work import open_work
from include.warehouse.connect import connect
from tests.months import person, store_month

FIRST = date(2010, 1, 10)
POLICY = load_retention()
TWO = {"requested_by": "A. Manager", "approved_by": "B. Officer"}


def shorter():
    """A policy of the fifth year: laboratory results leave hot a year earlier. Nothing that is locked may end sooner."""
    labs = POLICY.rule("lab_results")
    return replace(
        POLICY, rules={**POLICY.rules, "lab_results": replace(labs, hot_days=365)}, sha256="of the fifth year"
    )


def night_of(settings, day, policy):
    """One night's tiering under a policy; failures of the store make it wait, never lose."""
    with open_work(day, settings, policy) as work:
        state = read_state(work.hot, policy, day)
        save_plan(work.hot, day, policy.sha256, plan_moves(state.units, policy, state.holds, today=day))
        counts = apply_with(work)
    assert counts["failed"] == 0, (day, counts)
    return counts


def placed(settings):
    """Tier by record id, after checking that every record is in one place."""
    assert [found for found in check_places(settings) if found.kind in LOSSES] == []
    with connect("lifecycle", settings=settings) as hot:
        return dict(hot.execute("select record_id, tier from lifecycle.record").fetchall())


class FailingStore:
    """A store that on some calls does what stores do: time out, answer 503, take half, find its disk full."""

    def __init__(self, chance: random.Random, monkeypatch) -> None:
        self.chance, self.calls, self.failed = chance, 0, 0
        for name in ("put_file", "get_file", "remove_all_versions", "look"):
            monkeypatch.setattr(store, name, self._failing(getattr(store, name)))

    def _failing(self, real):
        def failing(s3, bucket, *arguments, **named):
            self.calls += 1
            if self.chance.random() < 0.15:
                self.failed += 1
                raise self.chance.choice(self._troubles())
            answer = real(s3, bucket, *arguments, **named)
            if self.chance.random() < 0.05:  # it did it, and its answer was lost on the way
                self.failed += 1
                raise ReadTimeoutError(endpoint_url="store")
            return answer

        return failing

    def _troubles(self):
        return (
            EndpointConnectionError(endpoint_url="store"),
            ReadTimeoutError(endpoint_url="store"),
            ClientError({"Error": {"Code": "503"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "PutObject"),
            ClientError({"Error": {"Code": "InternalError"}}, "GetObject"),
            OSError(28, "No space left on device"),
        )


def approve_all(settings, day):
    with connect("privacy_officer", settings=settings) as hot:
        rows = hot.execute(
            """select unit from lifecycle.plan_line where stopped_by = 'waits for approval'
               and plan_id = (select max(plan_id) from lifecycle.plan where night = %s)""",
            [day],
        ).fetchall()
    if rows:
        approve_destruction(day, object_keys=[row[0] for row in rows], reason="over", settings=settings, **TWO)


@pytest.mark.parametrize("seed", range(int(os.environ.get("PLUMBLINE_TEN_YEARS", "1"))))
def test_ten_years_of_arrivals_holds_erasures_new_policies_and_failing_stores(fresh_hot, monkeypatch, seed):
    chance = random.Random(seed)
    stored, policy, hold, erased = [], POLICY, None, set()
    nights = [date(FIRST.year + quarter // 2, 1 + 6 * (quarter % 2), 10) for quarter in range(36)]
    with monkeypatch.context() as failing:
        stores = FailingStore(chance, failing)
        for number, day in enumerate(nights):
            if day.year < FIRST.year + 14:  # with some that come years after what they tell of
                late = chance.choice((0, 0, 1, 3))
                stored += store_month(
                    fresh_hot,
                    day,
                    records=3 if erased else 4,
                    people=6,
                    event_years=(day.year - late, day.year),
                    label=f"{seed} {number}",
                )
            if day == date(2014, 1, 10):
                policy = shorter()
            if day == date(2013, 7, 10):
                hold = set_hold(day, person_token=person(2), reason="litigation", settings=fresh_hot, **TWO)
            if day == date(2018, 7, 10):
                lift_hold(hold, day, reason="settled", settings=fresh_hot, **TWO)
            if day in (date(2015, 1, 10), date(2020, 1, 10)):
                _erase(fresh_hot, day, person(3), erased, stores)
            if day == date(2016, 1, 10):
                with open_work(day, fresh_hot) as work, pytest.raises(ErasureError, match="litigation"):
                    erase_person(work, person(2), reason="request", **TWO)
            night_of(fresh_hot, day, policy)
            approve_all(fresh_hot, day)
            tiers = placed(fresh_hot)
            assert len(tiers) == len(stored)
        assert stores.failed > 5, "a store that never failed proves nothing"
    for day in (nights[-1] + timedelta(days=1), nights[-1] + timedelta(days=2)):  # two quiet nights
        night_of(fresh_hot, day, policy)
        approve_all(fresh_hot, day)
    _everything_is_where_the_rules_say(fresh_hot, stored, erased, day, policy)


def _erase(settings, day, who, erased, stores):
    """An erasure may meet the failing store, and is taken up again by the nights that follow."""
    with open_work(day, settings) as work:
        try:
            erase_person(work, who, reason="request", **TWO)
        except (ClientError, OSError, EndpointConnectionError, ReadTimeoutError):
            stores.failed += 1
    erased.add(who)


def _everything_is_where_the_rules_say(settings, stored, erased, day, policy):
    night_of(settings, day + timedelta(days=1), policy)
    tiers = placed(settings)
    assert check_places(settings) == deep_check(settings) == []
    labs = policy.rule("lab_results")
    with connect("lifecycle", settings=settings) as hot:
        years = dict(hot.execute("select record_id, event_year from lifecycle.record").fetchall())
    for record in stored:
        over = day > labs.ends_after(years[record.record_id])
        expected = (
            {"destroyed", "erased"}
            if over
            else {"erased"}
            if record.person_token in erased
            else {"hot", "cold", "archive"}
        )
        assert tiers[record.record_id] in expected, (years[record.record_id], over)
    alive = [record for record in stored if tiers[record.record_id] in ("hot", "cold", "archive")]
    assert {"destroyed", "archive", "erased"} <= set(tiers.values())
    with open_work(day, settings) as work:
        found = retrieve_with(work, [record.record_id for record in alive], purpose="test", actor="test")
        assert {r.place.record_id: r.content for r in found} == {r.record_id: r.content for r in alive}
    _what_ended_has_its_certificate_and_no_key(settings)
    assert verify_trail(settings).holds


def _what_ended_has_its_certificate_and_no_key(settings):
    with connect("lifecycle", settings=settings) as hot:
        ended = hot.execute("select object_key, key_id from lifecycle.cold_file where tier = 'destroyed'").fetchall()
        certified = {row[0] for row in hot.execute("select content ->> 'object' from lifecycle.certificate").fetchall()}
        open_moves = hot.execute(
            "select count(*) from lifecycle.move where state not in ('done', 'given_up')"
        ).fetchone()[0]
    assert {row[0] for row in ended} == certified
    assert open_moves == 0
    with connect("sealer", "keys", settings) as books:
        alive = books.execute(
            "select count(*) from keys.data_key where key_id = any(%s) and wrapped is not null",
            [[row[1] for row in ended]],
        ).fetchone()[0]
    assert alive == 0
