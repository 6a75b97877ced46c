"""The night as OpenLineage events: what came from where, and which assertions of quality it met.

Every run has a START and one of COMPLETE, FAIL and ABORT, at the times of the night's own books, and the night as its parent:
a source's check with the delivery as its input, the check of the marts, publication, and dbt's models and tests
(lineage_dbt.py). Inputs that were checked carry DataQualityAssertions (every check that applied) and DataQualityMetrics
(rows, nulls). Events go to one file a night, and to a server where OPENLINEAGE_URL names one (OPENLINEAGE_API_KEY). A
night told again has the same run ids. Names of sources, tables, columns and checks only: everything is read as ``reader``
or from what dbt compiled without values.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from include.quality.catalogue.check_types import read_check_types
from include.quality.lineage_dbt import runs_of_dbt
from include.quality.lineage_runs import Night, Run, Span, assertion, dataset_facets, events_of, input_of, output_of
from include.settings import Settings
from include.warehouse.connect import connect

log = logging.getLogger(__name__)


def lineage_path(settings: Settings, night: date) -> Path:
    """Where a night's events are: one JSON object a line."""
    return settings.home / "lineage" / f"{night.isoformat()}.ndjson"


def write_lineage(night: date, settings: Settings | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """Write the night's events, whole or not at all, and send them where a server is named. A server that does not answer is told and no more."""
    from openlineage.client.serde import Serde

    settings = settings or Settings.from_environment()
    path = lineage_path(settings, night)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = list(events(night, settings))
    unfinished = path.with_suffix(".ndjson.part")
    unfinished.write_text("".join(Serde.to_json(event) + "\n" for event in made))
    unfinished.replace(path)
    if environment.get("OPENLINEAGE_URL"):
        _send(made, environment)
    return path


def _send(made: Iterable[Any], environment: Mapping[str, str]) -> None:
    from openlineage.client import OpenLineageClient
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

    key = environment.get("OPENLINEAGE_API_KEY")
    auth = {"auth": ApiKeyTokenProvider({"apiKey": key})} if key else {}
    client = OpenLineageClient(
        transport=HttpTransport(HttpConfig(url=environment["OPENLINEAGE_URL"], timeout=10, **auth))
    )
    try:
        for event in made:
            client.emit(event)
    except Exception as problem:
        log.warning("the lineage server took no events: %s; they are in the night's file", type(problem).__name__)


def events(night: date, settings: Settings) -> Iterator[Any]:
    """Every event of the night: its own, sources' checks, the marts' and publication, then dbt's models and tests."""
    with connect("reader", "warm", settings) as warm:
        warm.row_factory = namedtuple_row
        row = warm.execute(
            "select attempt, started_at, finished_at, verdict, published from governance.nights where night = %s",
            [night],
        ).fetchone()
        if row is None:
            return
        books = Night(night, row.attempt, Span(row.started_at, row.finished_at or row.started_at))
        steps = _steps(warm, books)
        runs = [
            Run("nightly", books.span, state="FAIL" if row.verdict == "red" else "COMPLETE", parent=None),
            *_of_sources(warm, books, steps),
            *_of_marts(warm, books, steps),
            *_of_publication(warm, books, steps, is_published=row.published),
        ]
        rows = _published_rows(warm)
    if ("build", None) in steps:
        runs += runs_of_dbt(settings.home / "dbt" / "target", steps["build", None].span, rows)
    for run in runs:
        yield from events_of(run, books)


class Step:
    """How a step of the night ended, all its tries together: when, in which state of a run, and its error's class."""

    def __init__(self, tries: list[Any], night: Night) -> None:
        last = tries[-1]
        self.span = Span(min(each.started_at for each in tries), last.finished_at or night.span.ended)
        killed = last.state == "running" or last.error_code == "Killed"
        self.state = "COMPLETE" if last.state == "done" else "ABORT" if killed else "FAIL"
        self.error = last.error_code if last.state != "done" else None


def _steps(warm: psycopg.Connection, night: Night) -> dict[tuple[str, str | None], Step]:
    rows = warm.execute(
        """select step, source, state, started_at, finished_at, error_code from governance.steps
           where (night, attempt) = (%s, %s) order by step_id""",
        [night.night, night.attempt],
    ).fetchall()
    tries: dict[tuple[str, str | None], list[Any]] = {}
    for row in rows:
        tries.setdefault((row.step, row.source), []).append(row)
    return {key: Step(each, night) for key, each in tries.items()}


def _of_sources(warm: psycopg.Connection, night: Night, steps: Mapping) -> Iterator[Run]:
    batches = warm.execute(
        """select source, sum(received)::bigint received, array_agg(distinct dataset order by dataset) datasets,
                  bool_or(state = 'promoted') is_in from governance.batches where night = %s group by source order by source""",
        [night.night],
    ).fetchall()
    for source in batches:
        checks = _checks(warm, night.night, source.source, ("delivery", "resolved"))
        own = [steps[name, source.source] for name in ("assess", "check") if (name, source.source) in steps]
        raw = [output_of(f"raw.{source.source}.{dataset}") for dataset in source.datasets] if source.is_in else []
        yield Run(
            f"check.{source.source}", _whole(own, night), _worst(own),
            [input_of(f"landing.{source.source}", _facets(checks, source.received))], raw, error=_error(own),
        )  # fmt: skip


def _of_marts(warm: psycopg.Connection, night: Night, steps: Mapping) -> Iterator[Run]:
    """The checks between build and publication: one run, every mart an input with its own assertions."""
    by_mart: dict[str, list[Any]] = {}
    for each in _checks(warm, night.night, "marts", ("mart",)):
        by_mart.setdefault(each.subject, []).append(each)
    own = [steps["assess", None]] if ("assess", None) in steps else []
    if not by_mart and not own:
        return
    inputs = [
        input_of(_relation(subject), _facets(checks, _rows(checks))) for subject, checks in sorted(by_mart.items())
    ]
    yield Run("check.marts", _whole(own, night), _worst(own), inputs, error=_error(own))


def _relation(subject: str) -> str:
    from include.quality.catalogue.marts import read_marts

    relations = {mart.subject.name: f"candidate_{mart.relation}" for mart in read_marts()}
    return relations.get(subject, subject)


def _of_publication(warm: psycopg.Connection, night: Night, steps: Mapping, *, is_published: bool) -> Iterator[Run]:
    if ("publish", None) not in steps:
        return
    own = [steps["publish", None]]
    tables = warm.execute("select relation, rows from governance.published_version order by 1").fetchall()
    yield Run(
        "publish", _whole(own, night), _worst(own), [input_of(f"candidate_{table.relation}") for table in tables],
        [output_of(table.relation, rows=table.rows) for table in tables] if is_published else [], error=_error(own),
    )  # fmt: skip


def _published_rows(warm: psycopg.Connection) -> dict[str, int]:
    rows = warm.execute("select relation, rows from governance.published_version").fetchall()
    return {f"candidate_{row.relation}": row.rows for row in rows}


def _checks(warm: psycopg.Connection, night: date, source: str, stages: tuple[str, ...]) -> list[Any]:
    return warm.execute(
        """select * from governance.check_results where (night, source) = (%s, %s) and stage = any(%s)
             and status <> 'not_applicable' order by stage, instance""",
        [night, source, list(stages)],
    ).fetchall()


def _whole(own: list[Step], night: Night) -> Span:
    if not own:
        return night.span
    return Span(min(each.span.began for each in own), max(each.span.ended for each in own))


def _worst(own: list[Step]) -> str:
    return max((each.state for each in own), key=("COMPLETE", "ABORT", "FAIL").index, default="COMPLETE")


def _error(own: list[Step]) -> str | None:
    return next((each.error for each in own if each.error), None)


def _rows(checks: Iterable[Any]) -> int:
    """Rows of a mart: what a check without a condition tested."""
    whole = [each.tested for each in checks if each.check_name in _OF_EVERY_ROW and "[" not in each.instance]
    return max(filter(None, whole), default=0)


_OF_EVERY_ROW = ("isRequired", "measureValueCompleteness")


def _facets(checks: Iterable[Any], rows: int) -> dict[str, Any]:
    checks = list(checks)
    # An error is never a success.
    said = [
        assertion(each.check_name, each.status == "passed", column=_column(each), name=each.instance, expected=each.threshold,
                  actual=None if not each.tested else each.failed / each.tested)
        for each in checks
    ]  # fmt: skip
    nulls = {
        f"{each.subject}.{_column(each)}": (each.failed, each.tested)
        for each in checks
        if each.check_name in _OF_EVERY_ROW and each.tested and "[" not in each.instance
    }
    return dataset_facets(said, rows, nulls)


def _column(each: Any) -> str | None:
    """The column that a check's name ends with: after the kind of record (or mart and table) and the check. Checks of codes end with
    the code."""
    kind = read_check_types().get(each.check_name)
    if kind is not None and kind.counted == "concepts":
        return None
    rest = each.instance.partition(f"{each.check_name}.")[2]
    return rest.split("[")[0] or None
