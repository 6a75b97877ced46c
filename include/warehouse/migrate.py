"""Brings the databases to the shape of the files in ``migrations/``; each file runs once, in order of its name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql

from include.errors import DataPlaneError
from include.settings import Settings
from include.warehouse.connect import DATABASES, OF_THE_NIGHT, OWNER, ROLES, connect
from include.warehouse.mapped_views import replace_views
from include.warehouse.tables import ensure_views

MIGRATIONS = Path(__file__).parent / "migrations"
AIRFLOW = "airflow"
_EXTENSIONS = {"hot": ("pg_trgm",), "warm": (), "keys": ()}
# Databases in which no role of ours but their owner has any business: Postgres lets everybody into a new one.
_NOT_OURS = ("postgres", "template1", AIRFLOW)


def migrate(settings: Settings) -> int:
    """Create roles and databases where missing and apply new migration files. Returns how many were applied."""
    with connect("postgres", "postgres", settings, autocommit=True) as server:
        ensure_roles(server, settings)
        for database in DATABASES:
            _ensure_database(server, database, OWNER)
        _ensure_database(server, AIRFLOW, AIRFLOW)
        for database in _NOT_OURS:
            _close_to_public(server, database)
    applied = sum(_apply_files(database, settings) for database in DATABASES)
    for database in DATABASES:
        _close_search_paths(database, settings)
    ensure_views(settings)
    return applied


def ensure_roles(server: psycopg.Connection, settings: Settings) -> None:
    """Make every role that a server of Plumbline's needs, with its password, and what it may do on all of it."""
    for role in (OWNER, AIRFLOW, *ROLES):
        ensure_role(server, role, settings.secret(f"pg_{role}"))
    # The owner sets default privileges for what dbt and the publisher create.
    server.execute(sql.SQL("grant transformer, publisher to {}").format(sql.Identifier(OWNER)))
    # For governance.oldest_snapshot(): which old versions may go.
    server.execute(sql.SQL("grant pg_read_all_stats to {}").format(sql.Identifier(OWNER)))
    # Backups are whole; the role can connect to hot and warm only, and write nowhere.
    server.execute("grant pg_read_all_data to backup")
    # Reads by anybody else are told, by row security (hot/0702_reads_told.sql), of which these feel nothing.
    for role in OF_THE_NIGHT:
        server.execute(sql.SQL("alter role {} bypassrls").format(sql.Identifier(role)))


@contextmanager
def scratch_database(settings: Settings) -> Iterator[str]:
    """A new database of the shape of hot that nobody else uses, for as long as the caller needs it. Yields its name."""
    name = f"scratch_{uuid4().hex[:12]}"
    with connect("postgres", "postgres", settings, autocommit=True) as server:
        _ensure_database(server, name, OWNER)
        try:
            grants = sql.SQL("grant connect, create, temporary on database {} to transformer, loader")
            server.execute(grants.format(sql.Identifier(name)))
            server.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(name)))
            _apply_files(name, settings, like="hot")
            _close_search_paths(name, settings)
            with connect(OWNER, name, settings) as scratch:
                replace_views(scratch, [])
            yield name
        finally:
            server.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def ensure_role(server: psycopg.Connection, role: str, password: str) -> None:
    """Make a role that can log in, or give it this password again."""
    known = server.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
    verb = "alter role {} login password {}" if known else "create role {} login password {}"
    # As the server stores it: a server of one's own may log statements, and whoever reads its log must not find passwords.
    verifier = server.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    server.execute(sql.SQL(verb).format(sql.Identifier(role), sql.Literal(verifier)))


def _ensure_database(server: psycopg.Connection, name: str, owner: str) -> None:
    if not server.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
        statement = "create database {} owner {} template template0 encoding 'UTF8' locale 'C.UTF-8'"
        server.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(owner)))


def _close_to_public(server: psycopg.Connection, database: str) -> None:
    server.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(database)))


# Unless its search path names pg_temp, Postgres looks for types and tables there first: whoever may make a temporary one
# could have a function that runs as the owner run code of theirs.
_PUT_TEMPORARY_LAST = """
    do $$
    declare
        open_one record;
    begin
        for open_one in
            select p.oid::regprocedure as name,
                   coalesce((select substr(c, length('search_path=') + 1) from unnest(p.proconfig) c
                             where starts_with(c, 'search_path=')), 'pg_catalog') as path
            from pg_proc p
            where p.prosecdef and p.proowner = current_user::regrole
              and not exists (select from unnest(p.proconfig) c where c ~ '^search_path=.*pg_temp$')
        loop
            execute format('alter function %s set search_path = %s, pg_temp', open_one.name, open_one.path);
        end loop;
    end $$
"""


def _close_search_paths(database: str, settings: Settings) -> None:
    """Let no temporary object of a caller come before Postgres' own in functions that run as the owner."""
    with connect(OWNER, database, settings) as connection:
        connection.execute(_PUT_TEMPORARY_LAST)


def _apply_files(database: str, settings: Settings, like: str | None = None) -> int:
    with connect("postgres", database, settings) as as_superuser:
        for extension in _EXTENSIONS[like or database]:
            as_superuser.execute(sql.SQL("create extension if not exists {}").format(sql.Identifier(extension)))
    with connect(OWNER, database, settings) as connection:
        connection.execute("select pg_advisory_xact_lock(hashtext('plumbline.migrate'))")
        connection.execute("create schema if not exists migrations")
        connection.execute(
            "create table if not exists migrations.applied (name text primary key, sha256 text not null)"
        )
        applied = dict(connection.execute("select name, sha256 from migrations.applied").fetchall())
        files = sorted((MIGRATIONS / (like or database)).glob("*.sql"))
        done = sum(_apply(connection, file, applied) for file in files)
        if (like or database) == "hot":
            connection.execute("select audit.tell_reads()")
    if (like or database) == "hot":
        _watch(database, settings)
    return done


# Only a superuser may make an event trigger; the functions they call are the owner's (hot/0746_watched_more.sql, 0702_reads_told.sql).
_TRIGGERS = {
    "grants_told": """create event trigger grants_told on ddl_command_end
                      when tag in ('GRANT', 'REVOKE', 'ALTER DEFAULT PRIVILEGES') execute function audit.note_grant()""",
    "sessions_told": "create event trigger sessions_told on login execute function audit.note_session()",
}


# What tells of reads and logins (include/audit/server_log.py), where the server collects its log in files: only a superuser's
# functions can read those. Of the log's folder and of nothing else; for the role that takes it up into the trail.
_SERVER_LOG = """
    create function audit.server_log_files() returns table (name text, size bigint)
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    begin
        if current_setting('logging_collector') = 'on' then
            return query select f.name, f.size from pg_ls_logdir() f where f.name like '%.log';
        end if;
    end $$;
    create function audit.read_server_log(of_file text, from_byte bigint, bytes bigint) returns bytea
    language sql security definer set search_path = pg_catalog, pg_temp as $$
        select pg_read_binary_file(current_setting('log_directory') || '/' || f.name, from_byte, bytes)
        from audit.server_log_files() f where f.name = of_file
    $$;
    revoke execute on function audit.server_log_files, audit.read_server_log from public;
    grant execute on function audit.server_log_files, audit.read_server_log to privacy_officer;
"""


def _watch(database: str, settings: Settings) -> None:
    """Have grants, logins and reads of hot told."""
    with connect("postgres", database, settings) as as_superuser:
        # Once: the trail tells of each grant that a superuser makes.
        if as_superuser.execute("select to_regproc('audit.read_server_log')").fetchone() == (None,):
            as_superuser.execute(_SERVER_LOG)
        known = {row[0] for row in as_superuser.execute("select evtname from pg_event_trigger").fetchall()}
        for name in _TRIGGERS.keys() - known:
            as_superuser.execute(_TRIGGERS[name])


def _apply(connection: psycopg.Connection, file: Path, applied: dict[str, str]) -> int:
    text = file.read_bytes()
    digest = hashlib.sha256(text).hexdigest()
    if file.name in applied:
        _refuse_rewritten(file.name, applied[file.name], digest)
        return 0
    connection.execute(text)
    connection.execute("insert into migrations.applied values (%s, %s)", [file.name, digest])
    return 1


def _refuse_rewritten(name: str, then: str, now: str) -> None:
    if then != now:
        raise DataPlaneError(
            found=f"migration {name} was changed after it had been applied to this database",
            expected="applied migrations to stay as they were",
            action="undo the change and put it into a new file (or, on a trial stack, run 'make clean' and start again)",
        )
