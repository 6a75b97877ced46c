"""All rows that a night leaves, in a form in which two nights of the same input are equal.

Random person keys are renamed to the smallest token of the person, other keys made from them and nonces are left out,
clock times and sequence numbers too. Everything else has to be the same, row by row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

import psycopg
from psycopg import sql

from include.settings import Settings
from include.warehouse.connect import connect

_LEFT_OUT = {
    "batch_seq", "sealed", "file_id", "landed_at", "created_at", "judged_at", "opened_at", "loaded_at", "checked_at",
    "promoted_at", "state_changed_at", "name_sealed", "bytes_stored", "linked_at", "intake_table", "delivered_at",
}  # fmt: skip
_BOOKS = ("landing_object", "source_state", "batch", "batch_object", "record")


def read_rows(settings: Settings) -> dict[str, Counter]:
    """Every table that a night fills, as a bag of rows."""
    with connect("postgres", "hot", settings) as hot, connect("postgres", "warm", settings) as warm:
        people = _person_names(hot)
        tables = {f"lifecycle.{name}": _bag(hot, "lifecycle", name, {}) for name in _BOOKS}
        for name in ("quarantine", "gate_result", "check_result", "score"):
            tables[f"quality.{name}"] = _bag(hot, "quality", name, {})
        for (name,) in hot.execute(
            """select relname from pg_class where relnamespace = 'raw'::regnamespace and relkind in ('r', 'p')
               and not relispartition order by 1"""
        ).fetchall():
            tables[f"raw.{name}"] = _bag(hot, "raw", name, {})
        tables["persons"] = Counter(people.values())
        for (relation,) in warm.execute("select relation from governance.published_version order by 1").fetchall():
            tables[relation] = _bag(warm, *relation.split("."), people)
        return tables


def differences(one: Mapping[str, Counter], other: Mapping[str, Counter]) -> dict[str, int]:
    """How many rows of each table are not in both; empty where two nights are equal."""
    counts = {
        name: sum(((one.get(name) or Counter()) - (other.get(name) or Counter())).values())
        + sum(((other.get(name) or Counter()) - (one.get(name) or Counter())).values())
        for name in one.keys() | other.keys()
    }
    return {name: count for name, count in counts.items() if count}


def _person_names(hot: psycopg.Connection) -> dict[UUID, str]:
    rows = hot.execute("select person_key, min(person_token::text) from restricted.person_link group by 1").fetchall()
    return dict(rows)


def _bag(connection: psycopg.Connection, schema: str, table: str, people: Mapping[UUID, str]) -> Counter:
    columns = connection.execute(
        """select attname, format_type(atttypid, null) from pg_attribute
           where attrelid = format('%%I.%%I', %s::text, %s::text)::regclass and attnum > 0 and not attisdropped order by attnum""",
        [schema, table],
    ).fetchall()
    # A key other than the person's is made from it, so it is renamed with it.
    kept = [
        name
        for name, kind in columns
        if name not in _LEFT_OUT and (not people or name == "person_key" or kind != "uuid")
    ]
    query = sql.SQL("select {} from {}").format(
        sql.SQL(", ").join(
            sql.Identifier(name) if name == "person_key" else sql.SQL("{}::text").format(sql.Identifier(name))
            for name in kept
        ),
        sql.Identifier(schema, table),
    )
    rows = connection.execute(query).fetchall()
    return Counter(tuple(people.get(cell, cell) for cell in row) for row in rows)
