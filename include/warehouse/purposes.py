"""Marts by purpose in warm: views over the published tables without those who opted out of the purpose."""

from __future__ import annotations

from datetime import date

import psycopg
from psycopg import sql

PURPOSES = ("research", "public_health")  # schema and role; quality is honoured inside the measures
_READERS = {"research": "researcher", "public_health": "public_health"}
SMALLEST_SHOWN = 11


def publish_opt_outs(hot: psycopg.Connection, warm: psycopg.Connection, night: date) -> int:
    """Bring opt-outs to warm and have a view a purpose for every published row-level table. Returns opt-outs in force.

    ``warm`` is in autocommit mode. A view shows nobody who opted out, in whatever version and year; the moment of the one
    transaction decides.
    """
    rows = hot.execute("select person_key::text, purpose from restricted.opted_out").fetchall()
    counted = hot.execute("select purpose, because, count(*) from restricted.opted_out group by 1, 2").fetchall()
    with warm.transaction():
        warm.execute("delete from purposes.opted_out")
        with warm.cursor() as cursor, cursor.copy("copy purposes.opted_out (person_key, purpose) from stdin") as copy:
            for row in rows:
                copy.write_row(row)
        warm.execute("delete from governance.opt_outs where night = %s", [night])
        for purpose, because, people in counted:
            shown = people if people >= SMALLEST_SHOWN else 0
            warm.execute("insert into governance.opt_outs values (%s, %s, %s, %s)", [night, purpose, because, shown])
    for purpose in PURPOSES:
        for table in _row_level_tables(warm):
            _ensure_view(warm, purpose, table)
    return len(rows)


def _row_level_tables(warm: psycopg.Connection) -> list[str]:
    rows = warm.execute(
        """select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'clinical'
           join pg_attribute a on a.attrelid = c.oid and a.attname = 'person_key' and not a.attisdropped
           where c.relkind = 'v' order by 1"""
    )
    return [row[0] for row in rows.fetchall()]


def _ensure_view(warm: psycopg.Connection, purpose: str, table: str) -> None:
    source, view = sql.Identifier("clinical", table), sql.Identifier(purpose, table)
    columns = warm.execute(
        """select attname from pg_attribute where attrelid = format('clinical.%%I', %s::text)::regclass
           and attnum > 0 and not attisdropped order by attnum""",
        [table],
    ).fetchall()
    listed = sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(row[0])) for row in columns)
    warm.execute(
        sql.SQL(
            """create or replace view {} as select {} from {} t where not exists (
                   select from purposes.opted_out o where o.purpose = {} and o.person_key = t.person_key::text)"""
        ).format(view, listed, source, sql.Literal(purpose))
    )
    said = f"One row per row of clinical.{table}, without people who opted out of {purpose.replace('_', ' ')}."
    warm.execute(sql.SQL("comment on view {} is {}").format(view, sql.Literal(said)))
    warm.execute(sql.SQL("grant select on {} to {}").format(view, sql.Identifier(_READERS[purpose])))
