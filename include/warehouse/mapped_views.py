"""``mapped.<entity>``: what tables of every source mean, in columns that dbt can rely on, made from the contracts' maps.

A view is the union of every map to its entity, of contracts in force and of earlier ones whose rows are still there. An
entity nobody maps to has an empty view. No view reads a sealed column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from include.sources.contracts import SEEN_VERSION, Column, EntityMap, Table
from include.sources.entities import ENTITIES, LEADING_COLUMNS, OWN_ID, PARTS, REQUIRED_FIELDS, columns_of

_IS_DELETED = list(LEADING_COLUMNS).index("is_deleted")
_READERS = ("transformer",)
_NUMBER = r"^\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?\s*$"


@dataclass(frozen=True, slots=True)
class DeclaredTable:
    """A table of a contract with the name it has in schema raw and its source's time zone."""

    raw_table: str
    source: str
    timezone: str
    table: Table


def replace_views(hot: psycopg.Connection, declared: Sequence[DeclaredTable]) -> None:
    """Make every mapped view anew in the caller's transaction. Their columns never change, so what depends on them stays."""
    for entity in ENTITIES:
        view = sql.Identifier("mapped", entity)
        hot.execute(sql.SQL("create or replace view {} as {}").format(view, view_query(entity, declared)))
        readers = sql.SQL(", ").join(map(sql.Identifier, _READERS))
        hot.execute(sql.SQL("grant select on {} to {}").format(view, readers))
        text = f"One row per version of a row that a contract maps to {entity}; identifiers are sealed elsewhere."
        hot.execute(sql.SQL("comment on view {} is {}").format(view, sql.Literal(text)))


def show_nothing_of(hot: psycopg.Connection, declared: DeclaredTable) -> None:
    """Empty the views that read a table, so that its columns can change type; ``replace_views`` follows."""
    for entity in {each.to for each in declared.table.maps}:
        hot.execute(
            sql.SQL("create or replace view {} as {}").format(sql.Identifier("mapped", entity), view_query(entity, []))
        )


def views_are_whole(hot: psycopg.Connection) -> bool:
    """True where every mapped view is there with the columns it should have."""
    rows = hot.execute(
        """select c.relname, array_agg(a.attname::text order by a.attnum)
           from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'mapped'
           join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 where c.relkind = 'v' group by 1"""
    )
    return dict(rows.fetchall()) == {entity: list(columns_of(entity)) for entity in ENTITIES}


def view_query(entity: str, declared: Sequence[DeclaredTable]) -> sql.Composable:
    """The SELECT of a mapped view: always the same columns in the same order."""
    parts = [
        _select(each, entity_map)
        for each in sorted(declared, key=lambda each: each.raw_table)
        for entity_map in each.table.maps
        if entity_map.to == entity
    ]
    return sql.SQL(" union all ").join(parts) if parts else _empty(entity)


def _empty(entity: str) -> sql.Composable:
    columns = [
        sql.SQL("null::{} as {}").format(sql.SQL(kind), sql.Identifier(name))
        for name, kind in columns_of(entity).items()
    ]
    return sql.SQL("select {} where false").format(sql.SQL(", ").join(columns))


def _select(declared: DeclaredTable, entity_map: EntityMap) -> sql.Composable:
    leading = [sql.SQL("t.{}").format(sql.Identifier(name)) for name in LEADING_COLUMNS]
    own = [
        sql.SQL("{} as {}").format(_value(declared, entity_map, name, kind), sql.Identifier(name))
        for name, kind in ENTITIES[entity_map.to].items()
    ]
    conditions = sql.SQL(" and ").join([*_conditions(declared.table, entity_map)] or [sql.SQL("true")])
    if declared.table.origin:
        # A row that was of this entity and is so no more is gone from it; which one it was, its version number cannot tell.
        leading[_IS_DELETED] = sql.SQL("(t.is_deleted or not coalesce({}, false)) as is_deleted").format(conditions)
        conditions = sql.SQL("({} or t.is_deleted or t.{} > 1)").format(conditions, sql.Identifier(SEEN_VERSION))
    return sql.SQL("select {}, {} as last_updated from {} t where {}").format(
        sql.SQL(", ").join([*leading, *own]),
        _updated_at(declared),
        sql.Identifier("raw", declared.raw_table),
        conditions,
    )


def _updated_at(declared: DeclaredTable) -> sql.Composable:
    """When a version was made, where the contract says which column tells."""
    if declared.table.updated_at is None:
        return sql.SQL("null::timestamptz")
    column = declared.table.columns[declared.table.position(declared.table.updated_at)]
    return cast(
        sql.SQL("t.{}").format(sql.Identifier(column.name)), column.postgres_type, "timestamptz", declared.timezone
    )


def _value(declared: DeclaredTable, entity_map: EntityMap, name: str, kind: str) -> sql.Composable:
    if name == OWN_ID.get(entity_map.to):
        return _own_id(declared, entity_map, name)
    return _field(declared, entity_map, name, kind)


def _own_id(declared: DeclaredTable, entity_map: EntityMap, name: str) -> sql.Composable:
    """The entity's id: as mapped, else the row's own; apart for each of several maps, by code where that is constant."""
    own: sql.Composable = sql.SQL("t.resource_id")
    if name in entity_map.fields:
        own = _field(declared, entity_map, name, "text")
    siblings = [each for each in declared.table.maps if each.to == entity_map.to]
    if entity_map.to not in PARTS or len(siblings) == 1:
        return own
    constants = entity_map.constants
    mark = (
        f"{constants.get('system', '')}|{constants['code']}" if "code" in constants else str(siblings.index(entity_map))
    )
    return sql.SQL("md5({} || {})::uuid::text").format(own, sql.Literal(f"|{mark}"))


def _field(declared: DeclaredTable, entity_map: EntityMap, name: str, kind: str) -> sql.Composable:
    if name in entity_map.constants:
        return sql.SQL("{}::{}").format(sql.Literal(entity_map.constants[name]), sql.SQL(kind))
    if name not in entity_map.fields:
        return sql.SQL("null::{}").format(sql.SQL(kind))
    column = declared.table.columns[declared.table.position(entity_map.fields[name])]
    value: sql.Composable = sql.SQL("t.{}").format(sql.Identifier(column.name))
    words = entity_map.values.get(name)
    if words:
        return cast(translate(value, words), "text", kind, declared.timezone)
    return cast(value, column.postgres_type, kind, declared.timezone)


def translate(value: sql.Composable, words: Mapping[str, str | None]) -> sql.Composable:
    """Translated values; '*' says what becomes of unlisted ones, which otherwise pass. Null stays null."""
    listed = [(old, new) for old, new in words.items() if old != "*"]
    cases = [
        sql.SQL("when {}::text = {} then {}").format(value, sql.Literal(old), sql.Literal(new)) for old, new in listed
    ]
    rest = sql.Literal(words["*"]) if "*" in words else sql.SQL("{}::text").format(value)
    return sql.SQL("(case when {} is null then null {} else {} end)").format(value, sql.SQL(" ").join(cases), rest)


def cast(value: sql.Composable, found: str, wanted: str, timezone: str) -> sql.Composable:
    """A value of one Postgres type as another; a text that is none of the wanted type becomes null, never an error."""
    if found == wanted:
        return value
    if found == "text" and wanted in ("numeric", "bigint", "integer"):
        number = sql.SQL("case when {v} ~ {p} then {v}::numeric end").format(v=value, p=sql.Literal(_NUMBER))
        return number if wanted == "numeric" else sql.SQL("(({}))::{}").format(number, sql.SQL(wanted))
    if found == "text" and wanted in ("date", "timestamptz"):
        return sql.SQL("case when pg_input_is_valid({v}, {w}) then {v}::{t} end").format(
            v=value, w=sql.Literal(wanted), t=sql.SQL(wanted)
        )
    if found == "date" and wanted == "timestamptz":
        return sql.SQL("({}::timestamp at time zone 'UTC')").format(value)
    if found == "timestamptz" and wanted == "date":
        return sql.SQL("({} at time zone {})::date").format(value, sql.Literal(timezone))
    return sql.SQL("{}::{}").format(value, sql.SQL(wanted))


def _conditions(table: Table, entity_map: EntityMap) -> Iterator[sql.Composable]:
    clear: dict[str, Column] = {column.name: column for column in table.clear_columns}
    for name, allowed in entity_map.where.items():
        values = sql.SQL(", ").join(map(sql.Literal, allowed))
        yield sql.SQL("t.{}::text in ({})").format(sql.Identifier(name), values)
    for one_of in REQUIRED_FIELDS.get(entity_map.to, ()):
        named = [entity_map.fields[field] for field in one_of if entity_map.fields.get(field) in clear]
        if named and not any(field in entity_map.constants for field in one_of):
            given = [sql.SQL("t.{} is not null").format(sql.Identifier(name)) for name in named]
            yield sql.SQL("({} or t.is_deleted)").format(sql.SQL(" or ").join(given))
