"""Raw tables of tabular sources, shaped from their contracts by the owner of the databases.

A contract may grow: new tables, new columns, wider types. What would lose or open data is refused: a column whose
values stand in clear is never silently sealed, retyped to something narrower, or dropped. A column that the contract no
longer names stays, empty in new rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import psycopg
from psycopg import sql

from include.errors import PlumblineError
from include.settings import Settings
from include.sources.contracts import Column, EntityMap, Origin, Table, raw_table_name
from include.sources.registry import Source
from include.warehouse.connect import OWNER, connect
from include.warehouse.mapped_views import DeclaredTable, replace_views, show_nothing_of, views_are_whole

# Columns of every raw table before the contract's own; ``sealed`` comes after them.
LEADING = {
    "record_id": "uuid not null",
    "source": "text not null",
    "batch_id": "text not null",
    "batch_seq": "bigint not null",
    "data_class": "text not null",
    "resource_id": "text not null",
    "is_deleted": "boolean not null default false",
    "person_token": "uuid",
    "event_at": "timestamptz",
    "received_at": "timestamptz not null",
    "content_sha256": "bytea not null",
    "match_tokens": "text[]",
}
_KEYS = ("record_id", "source", "batch_id", "batch_seq", "data_class", "resource_id", "person_token", "received_at")
# Role -> columns of LEADING that it may read besides; the transformer reads all but sealed.
_READS = {
    "loader": _KEYS,
    "checker": ("record_id", "source", "resource_id", "person_token", "is_deleted", "batch_seq"),
    "leak_scanner": (
        "record_id",
        "source",
        "batch_id",
        "batch_seq",
        "resource_id",
        "is_deleted",
        "person_token",
        "sealed",
    ),
}
_WIDER = {("bigint", "numeric"), ("bigint", "text"), ("numeric", "text"), ("boolean", "text"), ("date", "text")}
# Of the views and tables one waits for a reader at most so long, then tries again with the next step.
_LOCK_TIMEOUT = "20s"


class TablesError(PlumblineError):
    """A contract changed in a way that the data already loaded does not allow."""


def ensure_tables(sources: Iterable[Source], settings: Settings) -> int:
    """Bring raw tables and mapped views to what the sources' contracts say. Returns how many tables were made or changed.

    Does nothing where nothing changed. Raises TablesError for a change that would lose or open data.
    """
    declared = [_declare(source, table) for source in sources if source.contract for table in source.contract.tables]
    with connect("loader", "hot", settings) as hot:
        if not _changed(hot, declared):
            return 0
    with connect(OWNER, "hot", settings) as hot:
        hot.execute("select pg_advisory_xact_lock(hashtext('plumbline.tables'))")
        changed = _changed(hot, declared)  # another step may have done it while this one waited
        if changed:
            hot.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(_LOCK_TIMEOUT)))
            _apply(hot, changed)
        return len(changed)


def ensure_views(settings: Settings) -> bool:
    """Have every mapped view exist with its columns, so that dbt always compiles. Returns whether anything was made."""
    with connect(OWNER, "hot", settings) as hot:
        if views_are_whole(hot):
            return False
        hot.execute("select pg_advisory_xact_lock(hashtext('plumbline.tables'))")
        replace_views(hot, _known(hot))
        return True


def _declare(source: Source, table: Table) -> DeclaredTable:
    return DeclaredTable(raw_table_name(source.name, table.name), source.name, source.timezone, table)


def _written(declared: DeclaredTable) -> str:
    return json.dumps({"timezone": declared.timezone, "table": asdict(declared.table)}, sort_keys=True)


def _fingerprint(declared: DeclaredTable) -> str:
    return hashlib.sha256(_written(declared).encode()).hexdigest()


def _changed(hot: psycopg.Connection, declared: list[DeclaredTable]) -> list[DeclaredTable]:
    known = dict(hot.execute("select raw_table, fingerprint from lifecycle.declared_table").fetchall())
    return [each for each in declared if known.get(each.raw_table) != _fingerprint(each)]


def _known(hot: psycopg.Connection) -> list[DeclaredTable]:
    rows = hot.execute("select raw_table, source, declared from lifecycle.declared_table order by raw_table").fetchall()
    return [DeclaredTable(name, source, said["timezone"], _read_table(said["table"])) for name, source, said in rows]


def _read_table(said: dict[str, Any]) -> Table:
    """The Table that ``asdict`` took apart."""
    columns = tuple(Column(**column) for column in said["columns"])
    maps = tuple(
        EntityMap(**{**each, "where": {name: tuple(values) for name, values in each["where"].items()}})
        for each in said["maps"]
    )
    rest = {word: tuple(said[word]) for word in ("files", "key", "checks")}
    origin = Origin(**said["origin"]) if said.get("origin") else None
    return Table(**{**said, **rest, "columns": columns, "maps": maps, "origin": origin})


def _apply(hot: psycopg.Connection, changed: list[DeclaredTable]) -> None:
    before = {each.raw_table: each for each in _known(hot)}
    for each in changed:
        if each.raw_table in before:
            _alter(hot, before[each.raw_table], each)
        else:
            _create(hot, each)
        _grant(hot, each)
        _describe(hot, each)
        _write_down(hot, each)
    hot.execute("select audit.tell_reads()")
    replace_views(hot, _known(hot))


def _create(hot: psycopg.Connection, declared: DeclaredTable) -> None:
    leading = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in LEADING.items()]
    own = [_column_definition(column) for column in declared.table.clear_columns]
    name = sql.Identifier("raw", declared.raw_table)
    hot.execute(
        sql.SQL("create table {} ({}, sealed bytea) partition by range (received_at)").format(
            name, sql.SQL(", ").join([*leading, *own])
        )
    )
    hot.execute(sql.SQL("create index on {} (batch_seq)").format(name))


def _column_definition(column: Column) -> sql.Composed:
    return sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.postgres_type))


def _alter(hot: psycopg.Connection, before: DeclaredTable, now: DeclaredTable) -> None:
    types = _types_of(hot, now.raw_table)
    _refuse_sealing(now, types)
    name = sql.Identifier("raw", now.raw_table)
    retyped = [
        column
        for column in now.table.clear_columns
        if types.get(column.name, column.postgres_type) != column.postgres_type
    ]
    if retyped:
        _refuse_narrowing(now, retyped, types)
        show_nothing_of(hot, before)
    for column in now.table.clear_columns:
        if column.name not in types:
            hot.execute(sql.SQL("alter table {} add column {}").format(name, _column_definition(column)))
        elif column in retyped:
            hot.execute(
                sql.SQL("alter table {} alter column {c} type {t} using {c}::{t}").format(
                    name, c=sql.Identifier(column.name), t=sql.SQL(column.postgres_type)
                )
            )


def _types_of(hot: psycopg.Connection, raw_table: str) -> dict[str, str]:
    rows = hot.execute(
        """select attname, case format_type(atttypid, atttypmod) when 'timestamp with time zone' then 'timestamptz'
               else format_type(atttypid, atttypmod) end
           from pg_attribute where attrelid = to_regclass(format('raw.%%I', %s::text)) and attnum > 0 and not attisdropped""",
        [raw_table],
    )
    return dict(rows.fetchall())


def _refuse_sealing(now: DeclaredTable, types: dict[str, str]) -> None:
    opened = [column.name for column in now.table.columns if column.is_sealed and column.name in types]
    if opened:
        raise TablesError(
            found=f"{now.raw_table} holds {', '.join(opened)} in clear, and the contract now seals it",
            expected="a sealed column that raw never held in clear",
            action="have the privacy officer drop the column from raw as plumbline_owner (landing can replay it), then run again",
        )


def _refuse_narrowing(now: DeclaredTable, retyped: list[Column], types: dict[str, str]) -> None:
    refused = [
        f"{column.name} from {types[column.name]} to {column.postgres_type}"
        for column in retyped
        if (types[column.name], column.postgres_type) not in _WIDER
    ]
    if refused:
        raise TablesError(
            found=f"the contract retypes columns of {now.raw_table}: {', '.join(refused)}",
            expected="types that hold every value already loaded (integer to decimal, anything but ids to text)",
            action="declare the column under a new name with 'header' naming the file's column, and map that",
        )


def _grant(hot: psycopg.Connection, declared: DeclaredTable) -> None:
    name = sql.Identifier("raw", declared.raw_table)
    clear = [*LEADING, *(column.name for column in declared.table.clear_columns)]
    grants = {**_READS, "transformer": tuple(clear)}
    for role, columns in grants.items():
        listed = sql.SQL(", ").join(map(sql.Identifier, columns))
        hot.execute(sql.SQL("grant select ({}) on {} to {}").format(listed, name, sql.Identifier(role)))
    hot.execute(sql.SQL("grant insert on {} to loader").format(name))
    hot.execute(sql.SQL("grant select on {} to lifecycle, privacy_officer").format(name))


def _describe(hot: psycopg.Connection, declared: DeclaredTable) -> None:
    name = sql.Identifier("raw", declared.raw_table)
    text = f"One row per row of {declared.table.name} received from {declared.source}. Identifiers and free text are sealed."
    hot.execute(sql.SQL("comment on table {} is {}").format(name, sql.Literal(text)))
    for column in declared.table.clear_columns:
        text = f"{column.data_class}: {column.header} as the source sends it"
        if column.data_class == "source_id":
            text = f"source_id: token of the source's id of a {column.of}"
        hot.execute(
            sql.SQL("comment on column {} is {}").format(
                sql.Identifier("raw", declared.raw_table, column.name), sql.Literal(text)
            )
        )


def _write_down(hot: psycopg.Connection, declared: DeclaredTable) -> None:
    hot.execute(
        """insert into lifecycle.declared_table (raw_table, source, table_name, declared, fingerprint)
           values (%s, %s, %s, %s, %s)
           on conflict (raw_table) do update set declared = excluded.declared, fingerprint = excluded.fingerprint,
               changed_at = clock_timestamp()""",
        [declared.raw_table, declared.source, declared.table.name, _written(declared), _fingerprint(declared)],
    )
