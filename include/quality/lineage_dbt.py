"""dbt's part of the night's lineage, from its own artifacts: a run a model, and a run of each model's tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from include.quality.lineage_runs import Run, Span, assertion, dataset_facets, input_of, output_of

_STATES = {"success": "COMPLETE", "pass": "COMPLETE", "warn": "COMPLETE", "skipped": "ABORT"}
_APART = timedelta(minutes=1)  # the clocks of dbt's machine and of the database's


def runs_of_dbt(target: Path, build: Span, rows: Mapping[str, int]) -> Iterator[Run]:
    """Runs of the build that ran within ``build``; none where the marts still stood and dbt did nothing.

    ``rows``: published tables by ``schema.name``.
    """
    manifest, told = _read(target / "manifest.json"), _read(target / "run_results.json")
    if not told or not build.began - _APART <= _moment(told["metadata"]["generated_at"]) <= build.ended + _APART:
        return
    nodes = {**manifest.get("nodes", {}), **manifest.get("sources", {})}
    results = {each["unique_id"]: each for each in told.get("results", ())}
    tests = [node for node in nodes.values() if node.get("resource_type") == "test" and node["unique_id"] in results]
    for name, node in sorted(nodes.items()):
        if node.get("resource_type") != "model" or name not in results:
            continue
        yield Run(
            f"dbt.{node['name']}", _span([results[name]], build), _STATES.get(results[name]["status"], "FAIL"),
            [input_of(_relation(parent)) for parent in _read_by(node, nodes)], [output_of(_relation(node), rows=rows.get(_relation(node)))],
        )  # fmt: skip
        own = [test for test in tests if name in test["depends_on"]["nodes"]]
        if own:
            yield _tests_of(node, own, [results[test["unique_id"]] for test in own], build, rows)


def _read_by(node: Mapping, nodes: Mapping[str, Mapping]) -> list[Mapping]:
    """What a model reads in the database: its parents and, where one is ephemeral and so no table, what that one reads."""
    waiting, found = list(node["depends_on"]["nodes"]), {}
    for name in waiting:
        parent = nodes.get(name, {})
        if parent.get("config", {}).get("materialized") == "ephemeral":
            waiting += parent["depends_on"]["nodes"]
        elif parent:
            found[name] = parent
    return list(found.values())


def _tests_of(node: Mapping, tests: list[Mapping], results: list[Mapping], build: Span, rows: Mapping[str, int]) -> Run:
    said = [
        assertion(_kind(test), result["status"] in ("pass", "warn"), column=test.get("column_name"), name=test["name"],
                  severity=test["config"].get("severity", "error").lower())
        for test, result in zip(tests, results, strict=True)
    ]  # fmt: skip
    relation = _relation(node)
    states = {_STATES.get(result["status"], "FAIL") for result in results}
    state = next(each for each in ("FAIL", "ABORT", "COMPLETE") if each in states)
    facets = dataset_facets(said, rows.get(relation), {})
    return Run(f"dbt.{node['name']}.tests", _span(results, build), state, [input_of(relation, facets)])


def _kind(test: Mapping) -> str:
    """The generic test's name (not_null, unique, …), or that it is SQL of its own."""
    return (test.get("test_metadata") or {}).get("name") or "custom_sql"


def _span(results: Iterable[Mapping], build: Span) -> Span:
    """From the first to the last moment that dbt worked on these; what it skipped was skipped at the build's end."""
    timed = [each for result in results for each in result.get("timing", ()) if each.get("completed_at")]
    if not timed:
        return Span(build.ended, build.ended)
    return Span(
        min(_moment(each["started_at"]) for each in timed), max(_moment(each["completed_at"]) for each in timed)
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _relation(node: Mapping) -> str:
    return f"{node['schema']}.{node.get('alias') or node.get('identifier') or node['name']}"


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
