"""What readers may see of measures, as last published: read from warm as the role ``reader``, who has no row about a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from include.reports.facts import ReportError, Row
from include.settings import Settings
from include.warehouse.connect import connect


@dataclass(frozen=True, slots=True)
class Published:
    """The published measures, results and disparities, and the night they were last changed in."""

    night: Any
    measures: list[Row]
    results: list[Row]
    disparities: list[Row]


def read_published(settings: Settings, measure_id: str | None = None) -> Published:
    """Read one measure, or all. Raises ReportError where nothing is published or the measure is not known."""
    try:
        with connect("reader", "warm", settings) as warm:
            warm.row_factory = namedtuple_row
            warm.execute("set transaction isolation level repeatable read, read only")
            return read_from(warm, measure_id)
    except psycopg.errors.UndefinedTable as error:
        raise ReportError(
            found="no measure has been published yet",
            expected="a night that was published, green or amber",
            action="run 'make nightly'",
        ) from error
    except psycopg.OperationalError as error:
        raise ReportError(
            found="the warm database does not answer",
            expected="the stack to run",
            action="start it with 'make stack' (PLUMBLINE_HOME says which)",
        ) from error


_RESULTS = """
    select * from measures.results_by_group where %(measure)s::text is null or measure_id = %(measure)s"""
_DISPARITIES = """
    select * from equity.disparities where %(measure)s::text is null or measure_id = %(measure)s"""


def read_from(warm: psycopg.Connection, measure_id: str | None = None) -> Published:
    """The same from a connection that gives named tuples, in its snapshot. Raises ReportError where the measure is not known."""
    measures = warm.execute("select * from measures.catalogue order by measure_id").fetchall()
    if measure_id is not None and measure_id not in {row.measure_id for row in measures}:
        raise ReportError(
            found=f"there is no measure {measure_id!r}",
            expected=f"one of {', '.join(row.measure_id for row in measures)}",
            action="give MEASURE= one of these",
        )
    only = {"measure": measure_id}
    return Published(
        night=warm.execute(
            "select max(night) from governance.published_version where relation = 'measures.results_by_group'"
        ).fetchone()[0],
        measures=[row for row in measures if measure_id in (None, row.measure_id)],
        results=warm.execute(_RESULTS, only).fetchall(),
        disparities=warm.execute(_DISPARITIES, only).fetchall(),
    )
