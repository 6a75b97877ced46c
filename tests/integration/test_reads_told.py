"""Who reads raw and restricted tables with a program of their own is told by the trail, whatever they do to leave no trace."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import psycopg
import pytest

from include.audit.access import note_changes
from include.audit.anchor import verify_trail
from include.backups.drill import scratch_server
from include.local_stack import postgres
from include.local_stack.containers import _POSTGRES_INSIDE
from include.privacy.consent import record_opt_out
from include.warehouse.connect import OF_THE_NIGHT, connect
from include.warehouse.migrate import migrate
from tests.months import person, store_month

RECEIVED = date(2015, 1, 10)


@pytest.fixture
def by_hand(fresh_hot):
    """Call it with a role for a session as somebody opens one with a program of their own; ``purpose`` is what they say first."""

    def session(role, purpose=None, **more):
        where = (
            {"host": fresh_hot.pg_host, "port": fresh_hot.pg_port, "dbname": "hot"}
            | {"application_name": "psql"}
            | more
        )
        hand = psycopg.connect(**where, user=role, password=fresh_hot.secret(f"pg_{role}"), autocommit=True)
        if purpose:
            hand.execute("select set_config('plumbline.purpose', %s, false)", [purpose])
        return hand

    note_changes(fresh_hot)
    return session


def told_of(settings, action):
    """Subject, actor, purpose, outcome and times of such acts that the next look at the server's log adds to the trail."""
    query = """select subject, actor, purpose, outcome, (detail ->> 'times')::int from audit.entry
               where action = %s and entry_no > %s order by 1, 3"""
    with connect("privacy_officer", settings=settings, autocommit=True) as hot:
        (last,) = hot.execute("select max(entry_no) from audit.entry").fetchone()
        note_changes(settings)
        return hot.execute(query, [action, last]).fetchall()


def test_a_select_typed_by_a_person_is_told_whatever_becomes_of_its_transaction(fresh_hot, by_hand):
    record = store_month(fresh_hot, RECEIVED, records=2, people=1)[0]
    record_opt_out(person(2), "research", by="C. Clerk", settings=fresh_hot)
    told_of(fresh_hot, "table.read")
    with by_hand("privacy_officer", "request  12\nof 2026") as hand:
        with hand.transaction(force_rollback=True):
            assert hand.execute("select count(*) from raw.resource").fetchone() == (2,)
        with hand.transaction():
            hand.execute("set transaction read only")
            query = "select record_id from raw.resource where record_id = %s"
            assert hand.execute(query, [record.record_id]).fetchall() == [(record.record_id,)]
        with hand.cursor().copy("copy (select person_token from restricted.opt_out) to stdout") as copied:
            assert len(list(copied.rows())) == 1
    with (
        by_hand("privacy_officer") as hand,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="needs a purpose") as refused,
    ):
        hand.execute("select person_token from restricted.opt_out")
    assert "set plumbline.purpose = 'request 12 of 2026'" in refused.value.diag.message_hint
    officer = "privacy_officer privacy_officer"
    assert told_of(fresh_hot, "table.read") == [
        ("raw.resource", officer, "request 12 of 2026", "success", 2),
        ("restricted.opt_out", officer, "request 12 of 2026", "success", 1),
        ("restricted.opt_out", officer, None, "failure", 1),
    ]
    assert told_of(fresh_hot, "table.read") == [], "each line is taken up once"
    assert verify_trail(fresh_hot).holds


def test_what_a_caller_writes_to_the_log_makes_nobody_else_a_reader_and_hides_no_read(fresh_hot, by_hand):
    store_month(fresh_hot, RECEIVED, records=2, people=1)
    line = "2026-11-25 09:00:00.123 UTC [1] loader@hot psql LOG:  plumbline read {}"
    with by_hand("privacy_officer", f"x\n{line}", application_name='LOG:  plumbline read {"of": "nothing"}') as hand:
        hand.execute(f"do $$ begin raise log E'told\n{line}'; end $$")
        hand.execute("select count(*) from raw.resource")
        for setting in ("log_min_messages", "log_error_verbosity", "log_min_error_statement"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                hand.execute(f"set {setting} = 'panic'")
    told = told_of(fresh_hot, "table.read")
    assert {actor for _, actor, *_ in told} == {"privacy_officer privacy_officer"}
    assert [times for subject, _, _, outcome, times in told if (subject, outcome) == ("raw.resource", "success")] == [1]


def test_the_night_s_own_roles_are_told_as_sessions_where_somebody_uses_them_by_hand(fresh_hot, by_hand):
    store_month(fresh_hot, RECEIVED, records=2, people=1)
    told_of(fresh_hot, "session.started")
    with connect("lifecycle", settings=fresh_hot) as hot:
        assert hot.execute("select count(*) from raw.resource").fetchone() == (2,)
    for role in ("lifecycle", "lifecycle", "postgres"):
        with by_hand(role) as hand:
            hand.execute("select count(*) from raw.resource")
    assert told_of(fresh_hot, "session.started") == [
        ("lifecycle", "privacy_officer lifecycle", None, "success", 2),
        ("postgres", "privacy_officer postgres", None, "success", 1),
    ]


def test_a_role_that_somebody_made_and_let_in_reads_nothing_untold(fresh_hot, by_hand):
    store_month(fresh_hot, RECEIVED, records=2, people=1)
    with connect("postgres", settings=fresh_hot) as server:
        server.execute(
            "create role visitor; grant usage on schema raw to visitor; grant select on raw.resource to visitor"
        )
        server.execute("grant visitor to privacy_officer")
    try:
        with by_hand("privacy_officer", "a favour") as hand:
            hand.execute("set role visitor")
            assert hand.execute("select count(*) from raw.resource").fetchone() == (2,)
        assert told_of(fresh_hot, "table.read") == [
            ("raw.resource", "privacy_officer privacy_officer", "a favour", "success", 1)
        ]
    finally:
        with connect("postgres", settings=fresh_hot) as server:
            server.execute("drop owned by visitor; drop role visitor")


def test_every_raw_and_restricted_table_is_watched(stack):
    with connect("postgres", settings=stack) as hot:
        watched = dict(
            hot.execute(
                """select c.oid::regclass::text, relrowsecurity and exists (select from pg_policy where polrelid = c.oid)
                   from pg_class c where relnamespace in ('raw'::regnamespace, 'restricted'::regnamespace)
                     and relkind in ('r', 'p') and not relispartition"""
            ).fetchall()
        )
        freed = {
            row[0] for row in hot.execute("select rolname from pg_roles where rolbypassrls and not rolsuper").fetchall()
        }
    assert {"raw.resource", "restricted.person", "restricted.opt_out"} <= watched.keys()
    assert [name for name, is_watched in watched.items() if not is_watched] == []
    assert freed == set(OF_THE_NIGHT)


def test_a_server_that_collects_its_log_in_files_is_read_through_the_database(stack, tmp_path, monkeypatch):
    for name, value in _POSTGRES_INSIDE.items():
        if name != "listen_addresses":
            monkeypatch.setitem(postgres.SERVER_SETTINGS, name, value)
    with scratch_server(stack) as scratch:
        elsewhere = replace(scratch, home=tmp_path)
        migrate(elsewhere)
        note_changes(elsewhere)
        record_opt_out(person(2), "research", by="C. Clerk", settings=elsewhere)
        for _ in range(2):
            with connect("privacy_officer", settings=elsewhere, purpose="a dispute") as hot:
                hot.execute("select person_token from restricted.opt_out")
        told = told_of(elsewhere, "table.read")
        assert ("restricted.opt_out", "privacy_officer privacy_officer", "a dispute", "success", 2) in told
        assert told_of(elsewhere, "table.read") == []
        with connect("privacy_officer", settings=elsewhere) as hot:
            ((log, position),) = hot.execute("select log, position from audit.log_seen").fetchall()
            assert (log.startswith("postgres-20"), position > 0) == (True, True)
            for outside in ("../postgresql.conf", "../../postgresql.conf", "nothing"):
                assert hot.execute("select audit.read_server_log(%s, 0, 10)", [outside]).fetchone() == (None,)
        with connect("lifecycle", settings=elsewhere) as hot, pytest.raises(psycopg.errors.InsufficientPrivilege):
            hot.execute("select * from audit.server_log_files()")
