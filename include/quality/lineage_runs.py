"""A run of the night as OpenLineage's own objects: its two events, its datasets and their facets of quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

NAMESPACE, PRODUCER = "plumbline", "urn:plumbline"
NIGHTLY = "nightly"


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, both with their zone."""

    began: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class Night:
    """The night that all runs are part of. ``attempt`` tells a repeat from what it repeats."""

    night: date
    attempt: int
    span: Span

    def run_id(self, job: str) -> str:
        """The same job of the same attempt always has the same id."""
        return str(uuid5(NAMESPACE_URL, f"{PRODUCER}|{self.night}|{self.attempt}|{job}"))


@dataclass(frozen=True, slots=True)
class Run:
    """One run: a job's name, when, how it ended (COMPLETE, FAIL, ABORT), what it read and wrote. ``error`` is a class, never a text."""

    job: str
    span: Span
    state: str
    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    error: str | None = None
    parent: str | None = NIGHTLY


def events_of(run: Run, night: Night) -> Iterator[Any]:
    """START, with the datasets' names, and the end, with all that is known by then."""
    yield _event(run, night, "START", run.span.began, _bare(run.inputs), _bare(run.outputs))
    yield _event(run, night, run.state, run.span.ended, run.inputs, run.outputs)


def _event(run: Run, night: Night, state: str, at: datetime, inputs: list, outputs: list) -> Any:
    from openlineage.client import event_v2 as events

    facets = _run_facets(run, night)
    if state == "START":
        facets.pop("errorMessage", None)
    return events.RunEvent(
        eventTime=at.isoformat(),
        producer=PRODUCER,
        run=events.Run(night.run_id(run.job), facets=facets),
        job=events.Job(NAMESPACE, run.job),
        eventType=events.RunState(state),
        inputs=inputs,
        outputs=outputs,
    )


def _run_facets(run: Run, night: Night) -> dict[str, Any]:
    from openlineage.client.facet_v2 import error_message_run, parent_run

    facets: dict[str, Any] = {}
    if run.parent:
        above = parent_run.Run(night.run_id(run.parent)), parent_run.Job(NAMESPACE, run.parent)
        facets["parent"] = parent_run.ParentRunFacet(*above, producer=PRODUCER)
    if run.error:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(run.error, "PYTHON", producer=PRODUCER)
    return facets


def _bare(datasets: list[Any]) -> list[Any]:
    return [type(each)(each.namespace, each.name) for each in datasets]


def input_of(name: str, facets: Mapping[str, Any] | None = None) -> Any:
    """A dataset that a run reads, with what was found in it."""
    from openlineage.client.event_v2 import InputDataset

    return InputDataset(NAMESPACE, name, inputFacets=dict(facets or {}))


def output_of(name: str, *, rows: int | None = None) -> Any:
    """A dataset that a run writes, with how many rows."""
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    if rows is None:
        return OutputDataset(NAMESPACE, name)
    told = statistics.OutputStatisticsOutputDatasetFacet(rowCount=rows, producer=PRODUCER)
    return OutputDataset(NAMESPACE, name, outputFacets={"outputStatistics": told})


def assertion(
    kind: str,
    success: bool,
    *,
    column: str | None = None,
    name: str | None = None,
    severity: str = "warn",
    expected: float | None = None,
    actual: float | None = None,
) -> Any:
    """One check: ``expected`` is the share that may fail, ``actual`` the share that did; ``severity`` error stops the night."""
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as assertions

    return assertions.Assertion(
        assertion=kind, success=success, column=column, name=name, severity=severity,
        expected=None if expected is None else f"{float(expected):g}", actual=None if actual is None else f"{actual:.6g}",
    )  # fmt: skip


def dataset_facets(said: list[Any], rows: int | None, nulls: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Assertions, and rows with nulls by column as (nulls, rows)."""
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as assertions
    from openlineage.client.facet_v2 import data_quality_metrics_input_dataset as metrics

    columns = {name: metrics.ColumnMetrics(nullCount=null, count=count) for name, (null, count) in nulls.items()}
    return {
        "dataQualityAssertions": assertions.DataQualityAssertionsDatasetFacet(assertions=said, producer=PRODUCER),
        "dataQualityMetrics": metrics.DataQualityMetricsInputDatasetFacet(
            columnMetrics=columns, rowCount=rows, producer=PRODUCER
        ),
    }
