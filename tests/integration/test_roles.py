"""Every role can do its own step and nothing else: what the grants say, and what Postgres does when one tries."""

import psycopg
import pytest

from include.warehouse.connect import DATABASES, ROLES, connect
from include.warehouse.migrate import ensure_role

PEOPLE_OUTSIDE_HOT = ("analyst", "reader", "sealer")


@pytest.mark.parametrize("role", PEOPLE_OUTSIDE_HOT)
def test_readers_of_marts_and_the_sealing_code_cannot_even_connect_to_hot(stack, role):
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect(role, "hot", stack)


@pytest.mark.parametrize("role", [role for role in ROLES if role != "sealer"])
def test_only_the_sealing_code_can_connect_to_the_keys(stack, role):
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect(role, "keys", stack)


@pytest.mark.parametrize("role", ["loader", "checker", "transformer", "leak_scanner", "lifecycle", "sealer"])
def test_who_works_in_hot_has_no_way_into_warm(stack, role):
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect(role, "warm", stack)


def test_no_role_can_write_the_audit_trail_but_through_its_function(stack):
    with connect("postgres", "hot", stack) as hot:
        able = hot.execute(
            """select r, p from unnest(%s::text[]) r, unnest(array['insert', 'update', 'delete', 'truncate']) p
               where has_table_privilege(r, 'audit.entry', p)""",
            [list(ROLES)],
        ).fetchall()
    assert able == []


def test_not_even_the_owner_can_change_what_is_in_the_audit_trail(stack):
    with connect("plumbline_owner", "hot", stack, autocommit=True) as owner:
        owner.execute("select audit.append('test.entry')")
        for statement in (
            "update audit.entry set action = 'x'",
            "delete from audit.entry",
            "truncate audit.entry",
        ):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                owner.execute(statement)


def test_sealed_columns_are_closed_to_dbt_and_to_the_checker(stack):
    with connect("postgres", "hot", stack) as hot:
        sealed = hot.execute(
            """select attrelid::regclass::text from pg_attribute a join pg_class c on c.oid = attrelid
               where attname = 'sealed' and relkind in ('r', 'p')"""
        ).fetchall()
        assert ("raw.resource",) in sealed
        open_to = hot.execute(
            """select r, attrelid::regclass::text
               from unnest(array['transformer', 'checker', 'loader', 'publisher']) r, pg_attribute a
               join pg_class c on c.oid = a.attrelid
               where attname = 'sealed' and relkind in ('r', 'p') and relnamespace = 'raw'::regnamespace
                 and has_column_privilege(r, attrelid, attnum, 'select')"""
        ).fetchall()
    assert open_to == []


FORBIDDEN = {
    "loader": ["delete from raw.resource", "update raw.resource set body = null", "select body from raw.resource",
               "delete from lifecycle.record", "select * from restricted.person_link", "drop table raw.resource"],
    "checker": ["select body from raw.resource", "insert into raw.resource (record_id) values (gen_random_uuid())",
                "delete from lifecycle.batch", "insert into lifecycle.record (record_id) values (gen_random_uuid())"],
    "transformer": ["select sealed from raw.resource", "select * from raw.resource", "delete from raw.resource",
                    "select * from audit.entry", "update lifecycle.batch set received = 0",
                    "select * from lifecycle.landing_object"],
    "leak_scanner": ["update restricted.person_link set person_key = person_key", "delete from quality.build_result",
                     "select body from raw.resource", "create table candidate_clinical.mine (n int)"],
    "publisher": ["select record_id from raw.resource", "select * from restricted.person_link",
                  "create table candidate_clinical.mine (n int)", "delete from lifecycle.night"],
    "lifecycle": ["delete from raw.resource", "drop table raw.resource", "delete from lifecycle.record",
                  "insert into raw.resource (record_id) values (gen_random_uuid())"],
    "privacy_officer": ["delete from raw.resource", "update quality.quarantine set state = 'dismissed'",
                        "select * from candidate_clinical.persons"],
    "api": ["select record_id from raw.resource", "select * from audit.entry"],
}  # fmt: skip


@pytest.mark.parametrize(("role", "statement"), [(r, s) for r, tried in FORBIDDEN.items() for s in tried])
def test_a_role_is_refused_what_is_not_its_step(stack, role, statement):
    with (
        connect(role, "hot", stack) as connection,
        pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable)) as refused,
    ):
        connection.execute(statement)
    if isinstance(refused.value, psycopg.errors.UndefinedTable):
        assert "candidate_" in statement


@pytest.mark.parametrize("role", ["analyst", "reader", "api"])
@pytest.mark.parametrize(
    "statement",
    [
        "update governance.published_version set version = 0",
        "delete from governance.nights",
        "create table clinical.mine (n int)",
        "create table governance.mine (n int)",
    ],
)
def test_who_reads_warm_cannot_change_what_is_published(stack, role, statement):
    with connect(role, "warm", stack) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_only_analysts_have_a_workspace_of_their_own(stack):
    with connect("analyst", "warm", stack) as analyst:
        analyst.execute("create table workspace.mine (n int)")
        analyst.rollback()
    with connect("reader", "warm", stack) as reader, pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("create table workspace.mine (n int)")


def test_no_role_gets_into_a_database_that_is_not_its_own(stack):
    with connect("postgres", "postgres", stack) as server:
        open_to = server.execute(
            """select r, d from unnest(%s::text[]) r, unnest(array['postgres', 'template1', 'airflow']) d
               where has_database_privilege(r, d, 'connect') or has_database_privilege(r, d, 'temporary')""",
            [list(ROLES)],
        ).fetchall()
    assert open_to == []
    # It may read all data of the databases that it can connect to: Airflow's connections must not be among them.
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect("backup", "airflow", stack)


HAS_AN_OWNER_S_DOOR = ("loader", "checker", "transformer", "leak_scanner", "publisher", "lifecycle")


@pytest.mark.parametrize("role", HAS_AN_OWNER_S_DOOR)
def test_a_function_of_the_owner_s_runs_nothing_that_its_caller_made(stack, role):
    with connect(role, "hot", stack) as caller:
        caller.execute("create temporary table ran_as (who text)")
        caller.execute(
            "create function pg_temp.note() returns boolean language plpgsql as "
            "'begin insert into pg_temp.ran_as values (current_user); return true; end'"
        )
        caller.execute("select pg_temp.note()")
        assert caller.execute("select who from ran_as").fetchall() == [(role,)], "the trap itself does not work"
        for name in ("timestamptz", "bytea"):
            caller.execute(f"create domain pg_temp.{name} as pg_catalog.{name} check (pg_temp.note())")
        caller.execute("select audit.append('test.entry')")
        assert {who for (who,) in caller.execute("select who from ran_as")} == {role}
        caller.rollback()


@pytest.mark.parametrize("database", DATABASES)
def test_every_function_that_runs_as_the_owner_looks_at_temporary_objects_last(stack, database):
    with connect("postgres", database, stack) as books:
        found = books.execute(
            """select p.oid::regprocedure::text, p.proconfig from pg_proc p join pg_namespace n on n.oid = p.pronamespace
               where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')"""
        ).fetchall()
    assert found
    assert [
        name
        for name, config in found
        if not any(c.startswith("search_path=") and c.endswith("pg_temp") for c in config or ())
    ] == []


def test_passwords_of_roles_never_stand_in_a_statement(stack):
    with (
        connect("postgres", "postgres", stack, autocommit=True) as server,
        connect("postgres", "postgres", stack, autocommit=True) as watching,
    ):
        server.prepare_threshold = None  # else psycopg's own housekeeping is the last that the server shows
        for role in ROLES:
            password = stack.secret(f"pg_{role}")
            ensure_role(server, role, password)
            (shown,) = watching.execute(
                "select query from pg_stat_activity where pid = %s", [server.info.backend_pid]
            ).fetchone()
            assert "SCRAM-SHA-256$" in shown
            assert password not in shown
    with connect("loader", "hot", stack) as loader:
        assert loader.execute("select current_user").fetchone() == ("loader",)
