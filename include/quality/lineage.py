"""The night as OpenLineage events: what came from where, and which assertions of quality it met.

A source's check is a run with the delivery as its input, carrying DataQualityAssertions (every check that applied) and
DataQualityMetrics (rows, nulls); dbt's build is a run a model, inputs and tests from its own artifacts. Events go to one file a
night, and to a server where OPENLINEAGE_URL names one (OPENLINEAGE_API_KEY). A night run again writes the same run ids.
Names of sources, tables, columns and checks only: everything is read as ``reader`` or from what dbt compiled without values.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import psycopg
from psycopg.rows import namedtuple_row

from include.settings import Settings
from include.warehouse.connect import connect

log = logging.getLogger(__name__)
NAMESPACE, PRODUCER = "plumbline", "urn:plumbline"


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
    """Every event of the night: sources' checks, then dbt's models."""
    with connect("reader", "warm", settings) as warm:
        warm.row_factory = namedtuple_row
        row = warm.execute("select attempt, finished_at from governance.nights where night = %s", [night]).fetchone()
        if row is None:
            return
        at = (row.finished_at or datetime.now(UTC)).isoformat()
        yield from _of_sources(warm, night, row.attempt, at)
    yield from _of_dbt(settings.home / "dbt" / "target", night, row.attempt, at)


def _of_sources(warm: psycopg.Connection, night: date, attempt: int, at: str) -> Iterator[Any]:
    from openlineage.client.event_v2 import InputDataset, OutputDataset

    batches = warm.execute(
        """select source, sum(received)::bigint received, array_agg(distinct dataset order by dataset) datasets,
                  bool_or(state = 'promoted') is_in from governance.batches where night = %s group by source order by source""",
        [night],
    ).fetchall()
    for source in batches:
        checks = warm.execute(
            """select * from governance.check_results where (night, source) = (%s, %s) and status <> 'not_applicable'
               order by instance""",
            [night, source.source],
        ).fetchall()
        delivery = InputDataset(NAMESPACE, f"landing.{source.source}", inputFacets=_facets(source.received, checks))
        raw = (
            [OutputDataset(NAMESPACE, f"raw.{source.source}.{dataset}") for dataset in source.datasets]
            if source.is_in
            else []
        )
        yield _event(night, attempt, at, f"check.{source.source}", [delivery], raw)


def _facets(rows: int, checks: Iterable[Any]) -> dict[str, Any]:
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as assertions
    from openlineage.client.facet_v2 import data_quality_metrics_input_dataset as metrics

    checks = list(checks)
    # An error is never a success.
    said = [
        assertions.Assertion(
            assertion=each.check_name, success=each.status == "passed", column=_column(each), name=each.instance
        )
        for each in checks
    ]
    nulls = {
        f"{each.subject}.{_column(each)}": metrics.ColumnMetrics(nullCount=each.failed, count=each.tested)
        for each in checks
        if each.check_name in ("isRequired", "measureValueCompleteness") and each.tested and "[" not in each.instance
    }
    return {
        "dataQualityAssertions": assertions.DataQualityAssertionsDatasetFacet(assertions=said, producer=PRODUCER),
        "dataQualityMetrics": metrics.DataQualityMetricsInputDatasetFacet(
            columnMetrics=nulls, rowCount=rows, producer=PRODUCER
        ),
    }


def _column(each: Any) -> str | None:
    parts = each.instance.split(".", 2)
    return parts[2].split("[")[0] if len(parts) == 3 else None


def _of_dbt(target: Path, night: date, attempt: int, at: str) -> Iterator[Any]:
    """A run for each model that the last build made, with its inputs and its tests, from dbt's artifacts."""
    from openlineage.client.event_v2 import InputDataset, OutputDataset

    manifest, results = _read(target / "manifest.json"), _read(target / "run_results.json")
    nodes = {**manifest.get("nodes", {}), **manifest.get("sources", {})}
    status = {each["unique_id"]: each["status"] for each in results.get("results", ())}
    tests = [node for node in nodes.values() if node.get("resource_type") in ("test", "unit_test")]
    for name, node in sorted(nodes.items()):
        if node.get("resource_type") != "model":
            continue
        parents = [nodes[each] for each in node["depends_on"]["nodes"] if each in nodes]
        own = [test for test in tests if name in test["depends_on"]["nodes"] and test["unique_id"] in status]
        inputs = [InputDataset(NAMESPACE, _relation(parent)) for parent in parents]
        output = OutputDataset(NAMESPACE, _relation(node), facets=_tests(own, status))
        yield _event(night, attempt, at, f"dbt.{node['name']}", inputs, [output], failed=status.get(name) == "error")


def _tests(tests: Iterable[Mapping], status: Mapping[str, str]) -> dict[str, Any]:
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as assertions

    said = [
        assertions.Assertion(
            assertion=test["name"], success=status[test["unique_id"]] == "pass", column=test.get("column_name")
        )
        for test in tests
    ]
    return (
        {"dataQualityAssertions": assertions.DataQualityAssertionsDatasetFacet(assertions=said, producer=PRODUCER)}
        if said
        else {}
    )


def _relation(node: Mapping) -> str:
    return f"{node['schema']}.{node.get('alias') or node.get('identifier') or node['name']}"


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}


def _event(night: date, attempt: int, at: str, job: str, inputs: list, outputs: list, *, failed: bool = False) -> Any:
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

    run = Run(str(uuid5(NAMESPACE_URL, f"{PRODUCER}|{night}|{attempt}|{job}")))
    state = RunState.FAIL if failed else RunState.COMPLETE
    return RunEvent(
        eventTime=at,
        producer=PRODUCER,
        run=run,
        job=Job(NAMESPACE, job),
        eventType=state,
        inputs=inputs,
        outputs=outputs,
    )
