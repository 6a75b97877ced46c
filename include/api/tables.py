"""Population health and equity as plain tables, JSON or CSV: what a dashboard or a spreadsheet takes in without FHIR."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import sql

from include.api.questions import Asked, words
from include.reports.findings import find_gaps
from include.reports.published import read_from


@dataclass(frozen=True, slots=True)
class Table:
    """A published table that is served: where it stands, by what it is filtered and in what order."""

    relation: str
    filters: tuple[str, ...]
    order: str


TABLES = {
    "population-health/measures": Table("measures.catalogue", ("measure_id", "kind"), "measure_id"),
    "population-health/results": Table(
        "measures.results_by_group",
        ("measure_id", "period", "dimension", "subgroup", "status"),
        "measure_id, period desc, dimension <> 'all', dimension, subgroup_order, subgroup",
    ),
    "equity/disparities": Table(
        "equity.disparities",
        ("measure_id", "period", "dimension", "statistic", "comparison_group"),
        "measure_id, period desc, dimension, statistic, comparison_group",
    ),
}
FINDING_FILTERS = ("measure_id", "dimension")
Json = dict[str, Any]


def read_table(warm: psycopg.Connection, table: Table, said: Asked, offset: int, size: int) -> tuple[list[Json], int]:
    """A page of the table's rows under the filters that were asked for, and how many rows there are."""
    parts: list[sql.Composable] = [sql.SQL("true")]
    values: dict[str, Any] = {}
    for name in table.filters:
        for number, wanted in enumerate(words(said, name)):
            values[f"{name}{number}"] = sorted(wanted)
            parts.append(sql.SQL("{} = any({})").format(sql.Identifier(name), sql.Placeholder(f"{name}{number}")))
    source = sql.SQL("from {} where {}").format(
        sql.Identifier(*table.relation.split(".")), sql.SQL(" and ").join(parts)
    )
    total = warm.execute(sql.SQL("select count(*) as n {}").format(source), values).fetchone().n
    rows = warm.execute(
        sql.SQL("select * {} order by {} offset %(_offset)s limit %(_size)s").format(source, sql.SQL(table.order)),
        {**values, "_offset": offset, "_size": size},
    ).fetchall()
    return [row._asdict() for row in rows], total


def read_findings(warm: psycopg.Connection, said: Asked, offset: int, size: int) -> tuple[list[Json], int]:
    """A page of the gaps that the night's report tells, in words: what, for whom, how much, how sure, since when, what to do."""
    rows = [asdict(each) for each in find_gaps(read_from(warm), most=1_000)]
    for name in FINDING_FILTERS:
        for wanted in words(said, name):
            rows = [row for row in rows if row[name] in wanted]
    return rows[offset : offset + size], len(rows)


def as_csv(rows: Sequence[Json]) -> str:
    """Rows with their names above; nothing where there are none. A text that a spreadsheet would run as a formula gets a quote."""
    if not rows:
        return ""
    written = io.StringIO()
    out = csv.writer(written, lineterminator="\r\n")
    out.writerow(rows[0])
    out.writerows([_inert(value) for value in row.values()] for row in rows)
    return written.getvalue()


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
