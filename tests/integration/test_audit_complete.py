"""Each act that the trail must tell of leaves its entry: done one after the other on the real database, and looked for."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import psycopg
import pytest

from include.audit.access import note_changes, review_access
from include.audit.anchor import verify_trail
from include.errors import PlumblineError
from include.lifecycle.approvals import ApprovalError, approve_destruction, due_for_approval
from include.lifecycle.erase import ErasureError, erase_person
from include.lifecycle.history import ask_history
from include.lifecycle.holds import HoldError, lift_hold, set_hold
from include.lifecycle.move import apply_plan
from include.lifecycle.plan import plan_night
from include.lifecycle.policy import load_retention
from include.lifecycle.rehydrate import rehydrate
from include.lifecycle.retrieve import RetrieveError, retrieve_with
from include.lifecycle.work import open_work
from include.privacy.consent import record_opt_out
from include.privacy.sealing import seal, unseal
from include.settings import Settings
from include.warehouse.connect import OWNER, connect
from tests.months import person, store_month

LABS = load_retention().rule("lab_results")
RECEIVED = date(2015, 1, 10)
TWO = {"reason": "litigation", "requested_by": "A. Manager", "approved_by": "B. Officer"}
ASKED = {"purpose": "a dispute", "actor": "C. Clerk"}


@pytest.fixture
def trail(fresh_hot):
    """Call it for the entries since the last call: action, outcome and detail, in their order."""
    last = 0

    def since():
        nonlocal last
        with connect("privacy_officer", settings=fresh_hot) as hot:
            query = "select entry_no, action, outcome, purpose, actor, detail from audit.entry where entry_no > %s order by entry_no"
            rows = hot.execute(query, [last]).fetchall()
        last = rows[-1][0] if rows else last
        return [row[1:] for row in rows]

    return since


def acts(entries):
    return [(action, outcome) for action, outcome, *_ in entries]


def test_moves_reads_holds_approvals_and_erasures_leave_their_entries(fresh_hot, trail):
    stored = store_month(fresh_hot, RECEIVED, records=8, people=4, event_years=(2010,))
    leaving, over = LABS.leaves_hot_on(RECEIVED.replace(day=1)), LABS.ends_after(2010)
    trail()
    plan_night(leaving)
    apply_plan(leaving)
    assert ("partition.moved", "success") in acts(trail())
    with open_work(leaving, fresh_hot) as work:
        list(retrieve_with(work, [stored[0].record_id], **ASKED))
        assert acts(trail()) == [("record.read", "attempt"), ("record.read", "success")]
        ask_history(work, "Observation", "select count(*) from history", **ASKED)
        assert acts(trail()) == [("history.read", "success")]
        rehydrate(work, raw_table="resource", received_month=RECEIVED.replace(day=1), until=leaving, **ASKED)
        assert acts(trail()) == [("file.lent", "success")]
        hold = set_hold(leaving, person_token=person(1), settings=fresh_hot, **TWO)
        lift_hold(hold, leaving, settings=fresh_hot, **TWO)
        assert acts(trail()) == [("hold.set", "success"), ("hold.lifted", "success")]
        erase_person(work, person(1), **TWO)
        assert {"erasure.begun", "erasure.keys_gone", "person.erased"} <= {action for action, *_ in trail()}
    record_opt_out(person(2), "research", by="C. Clerk", settings=fresh_hot)
    assert acts(trail()) == [("opt_out.recorded", "success")]
    day = max(over, leaving).replace(year=max(over, leaving).year + 1)
    plan_night(day)
    apply_plan(day)
    plan_night(day)
    trail()
    keys = due_for_approval(day, fresh_hot).object_keys
    assert approve_destruction(day, object_keys=keys, settings=fresh_hot, **TWO) == len(keys) > 0
    assert acts(trail()) == [("destruction.approved", "success")] * len(keys)
    plan_night(day)
    apply_plan(day)
    assert ("file.destroyed", "success") in acts(trail())
    assert verify_trail(fresh_hot).holds


def _refusals(work, hold: int, settings: Settings):
    """Whom it refuses, as what it must be told, and the attempt: each lacks something."""
    night, one_name = work.night, TWO | {"approved_by": "a. manager "}
    loan = {"raw_table": "resource", "received_month": date(1999, 1, 1), "until": night}
    return (
        (HoldError, "hold.refused", lambda: set_hold(night, source="clinic", settings=settings, **one_name)),
        (HoldError, "hold.lift_refused", lambda: lift_hold(hold, night, settings=settings, **one_name)),
        (HoldError, "hold.lift_refused", lambda: lift_hold(999, night, settings=settings, **TWO)),
        (
            ApprovalError,
            "destruction.approval_refused",
            lambda: approve_destruction(night, object_keys=["x"], settings=settings, **TWO),
        ),
        (ErasureError, "erasure.refused", lambda: erase_person(work, person(0), **TWO)),
        (RetrieveError, "record.read", lambda: list(retrieve_with(work, [uuid4()], purpose="", actor="me"))),
        (
            RetrieveError,
            "history.refused",
            lambda: ask_history(work, "Observation", "select 1", purpose="x", actor=""),
        ),
        (PlumblineError, "file.lending_refused", lambda: rehydrate(work, **loan, **ASKED)),
        (PlumblineError, "opt_out.refused", lambda: record_opt_out(person(0), "fun", by="me", settings=settings)),
    )


def test_each_refused_attempt_leaves_who_asked_what_for_and_which_error(fresh_hot, trail):
    store_month(fresh_hot, RECEIVED, records=2, people=1)
    with open_work(date(2016, 1, 1), fresh_hot) as work:
        hold = set_hold(work.night, person_token=person(0), settings=fresh_hot, **TWO)
        trail()
        for error, action, attempt in _refusals(work, hold, fresh_hot):
            with pytest.raises(error) as refused:
                attempt()
            ((told, outcome, _, _, detail),) = trail()
            assert (told, outcome, detail["error"]) == (action, "failure", type(refused.value).__name__)
    with pytest.raises(HoldError):
        set_hold(date(2016, 1, 1), **TWO | {"reason": ""}, settings=fresh_hot)
    ((_, _, purpose, actor, detail),) = trail()
    assert (purpose, actor) == (None, "privacy_officer")
    names = {"requested_by": "A. Manager", "approved_by": "B. Officer"}
    assert detail == {"error": "HoldError", **names}, "names and no text"


def test_what_fails_after_it_began_is_told_as_attempt_and_as_failure(fresh_hot, trail):
    record = store_month(fresh_hot, RECEIVED, records=2, people=1)[0]
    trail()
    with open_work(date(2016, 1, 1), fresh_hot) as work, pytest.raises(RetrieveError):
        list(retrieve_with(work, [uuid4()], **ASKED))
    assert acts(trail()) == [("record.read", "attempt"), ("record.read", "failure")]
    sealed = seal(b"k" * 32, record.record_id, b"{}")
    with pytest.raises(PlumblineError):
        unseal(record.record_id, sealed, person(0), purpose="a dispute", settings=fresh_hot)
    assert acts(trail()) == [("record.unsealed", "attempt"), ("record.unsealed", "failure")]


def test_a_grant_of_a_superuser_is_told_at_once_and_by_its_effect_at_the_next_look(fresh_hot, trail):
    note_changes(fresh_hot)
    trail()
    with connect("postgres", settings=fresh_hot) as hot:
        hot.execute("grant select on restricted.person_link to analyst")
        hot.execute("revoke select on restricted.person_link from analyst")
    told = trail()
    assert [(action, detail) for action, _, _, _, detail in told] == [
        ("grant.changed", {"tag": "GRANT", "statement": "grant select on restricted.person_link to analyst"}),
        ("grant.changed", {"tag": "REVOKE", "statement": "revoke select on restricted.person_link from analyst"}),
    ]
    assert {actor for _, _, _, actor, _ in told} == {"postgres"}
    assert note_changes(fresh_hot)["grants"] == 0, "given and taken between two looks: only the first told of it"
    with connect("transformer", settings=fresh_hot) as hot:
        hot.execute(
            "create schema if not exists staging; create table staging.of_tonight (a int); grant select on staging.of_tonight to publisher"
        )
    assert trail() == [], "what a night's step makes anew each night is nobody's doing"
    with connect(OWNER, settings=fresh_hot) as hot:
        hot.execute("grant select on restricted.person to checker; grant usage on schema restricted to checker")
    assert trail() == [], "a migration is told by its effect"
    note_changes(fresh_hot)
    assert [(action, detail["first"]) for action, _, _, _, detail in trail()] == [
        ("grant.given", ["select restricted.person"])
    ]


def test_a_role_that_nobody_here_made_and_a_power_that_was_given_are_told_and_reviewed(fresh_hot, trail):
    note_changes(fresh_hot)
    trail()
    with connect("postgres", settings=fresh_hot) as server:
        server.execute("create role visitor login; grant usage on schema restricted to visitor")
        server.execute("grant select on restricted.person to visitor; grant pg_read_all_data to reader")
    try:
        assert note_changes(fresh_hot)["grants"] > 3
        given = {
            role: detail
            for action, _, _, _, detail in trail()
            if action == "grant.given"
            for role in [detail["database"]]
        }
        assert set(given) == {"hot", "warm", "keys", "server"}, "who may read all data may read keys, too, if let in"
        assert ("visitor", "restricted") in {(each.role, each.schema) for each in review_access(fresh_hot)}
        with connect("privacy_officer", settings=fresh_hot) as hot:
            query = "select relation, privilege from audit.grant_seen where role = %s and database = %s order by 1"
            assert hot.execute(query, ["visitor", "server"]).fetchall() == [("role login", "holds")]
            assert ("role pg_read_all_data", "belongs to") in hot.execute(query, ["reader", "server"]).fetchall()
    finally:
        with connect("postgres", settings=fresh_hot) as server:
            server.execute("revoke pg_read_all_data from reader; drop owned by visitor; drop role visitor")


def test_logins_that_postgres_refused_are_counted_by_role_and_unknown_names_are_not_quoted(fresh_hot, trail):
    note_changes(fresh_hot)
    trail()
    for _ in range(2):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connect("analyst", "keys", fresh_hot)
    for role in ("loader", "Secret123"):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(host=fresh_hot.pg_host, port=fresh_hot.pg_port, user=role, dbname="hot", password="wrong")
    assert note_changes(fresh_hot)["logins_refused"] == 4
    told = [(action, outcome, detail) for action, outcome, _, _, detail in trail() if action == "login.refused"]
    assert sorted(told, key=lambda entry: entry[2]["why"] + entry[2]["database"]) == [
        ("login.refused", "failure", {"times": 2, "why": "no right to the database", "database": "keys"}),
        ("login.refused", "failure", {"times": 1, "why": "wrong password", "database": "hot"}),
        ("login.refused", "failure", {"times": 1, "why": "wrong password", "database": "not told"}),
    ]
    assert note_changes(fresh_hot)["logins_refused"] == 0
    with connect("privacy_officer", settings=fresh_hot) as hot:
        assert hot.execute(
            "select count(*) from audit.entry where row(entry.*)::text like '%Secret123%'"
        ).fetchone() == (0,)
