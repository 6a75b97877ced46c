"""Runs the SQL of a dbt model on tables of a test's own, without a dbt process: for tests that need it hundreds of times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from jinja2 import Environment
from psycopg import sql

from include.equity.policy import dbt_variables

DBT = Path(__file__).parents[1] / "dbt_project"
MACROS = (
    "intervals",
    "disclosure",
    "nearness",
    "membership_sums",
    "disparities_between_two",
    "disparities_between_all",
)


def render_model(path: str, *, night: str = "2026-11-23", **policies: Any) -> str:
    """The model's SQL; ``ref('x')`` and ``source('s', 'x')`` read the temporary table x, policies are those in force unless given."""
    macros = "".join((DBT / "macros" / f"{name}.sql").read_text() for name in MACROS)
    text = macros + (DBT / "models" / path).read_text()
    environment = Environment()
    environment.globals |= {
        "ref": lambda name: f"pg_temp.{name}",
        "source": lambda schema, name: f"pg_temp.{name}",
        "config": lambda **_: "",
        "night": lambda: f"date '{night}'",
        "policy": lambda name: {**dbt_variables(), **policies}[name],
    }
    return environment.from_string(text).render()


def fill(connection: psycopg.Connection, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
    """Make the temporary table ``table`` hold exactly these rows; ``columns`` gives each column's SQL type."""
    name = sql.Identifier("pg_temp", table)
    shape = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(c), sql.SQL(t)) for c, t in columns.items())
    connection.execute(sql.SQL("drop table if exists {}").format(name))
    connection.execute(sql.SQL("create temporary table {} ({})").format(sql.Identifier(table), shape))
    with connection.cursor() as cursor, cursor.copy(sql.SQL("copy {} from stdin").format(name)) as copy:
        for row in rows:
            copy.write_row(row)


def fill_from(connection: psycopg.Connection, table: str, model: str) -> None:
    """Make the temporary table ``table`` hold what this rendered model gives."""
    connection.execute(sql.SQL("drop table if exists {}").format(sql.Identifier("pg_temp", table)))
    connection.execute(sql.SQL("create temporary table {} as ").format(sql.Identifier(table)) + sql.SQL(model))
    connection.execute(sql.SQL("analyze {}").format(sql.Identifier(table)))


def fetch(connection: psycopg.Connection, query: str) -> list[dict[str, Any]]:
    """Rows of a rendered query as dictionaries."""
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(query).fetchall()
