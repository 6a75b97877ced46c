"""Measures and their results as FHIR R4: a Measure each, and a MeasureReport for each measure and period with all its strata.

Read from warm as ``reader``, so that nothing is told that the disclosure policy hides: a hidden count has no ``count`` but the
reason ``masked``, and a rate that was not computed is absent with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
from psycopg.rows import namedtuple_row

from include.settings import Settings
from include.warehouse.connect import connect

BASE = "urn:plumbline"
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_POPULATION = "http://terminology.hl7.org/CodeSystem/measure-population"
_SCORING = "http://terminology.hl7.org/CodeSystem/measure-scoring"
_NOTATION = "http://terminology.hl7.org/CodeSystem/measure-improvement-notation"
_POPULATIONS = ("initial-population", "denominator", "numerator")
_WHY_ABSENT = {
    "suppressed": "masked",
    "value set missing": "unsupported",
    "never recorded": "unknown",
    "no denominator": "not-applicable",
}

Row = Any
Json = dict[str, Any]


def write_reports(folder: Path, settings: Settings, base: str = BASE) -> dict[str, int]:
    """Write ``Measure.ndjson`` and ``MeasureReport.ndjson`` of the published night. Returns how many of each."""
    with connect("reader", "warm", settings) as warm:
        warm.row_factory = namedtuple_row
        measures = warm.execute("select * from measures.catalogue order by measure_id").fetchall()
        results = warm.execute(_RESULTS).fetchall()
        night = warm.execute("select max(night) as night from governance.nights where published").fetchone()
    folder.mkdir(parents=True, exist_ok=True)
    written = {
        "Measure": [measure_resource(each, results, base) for each in measures],
        "MeasureReport": list(reports_of(measures, results, base, night.night)),
    }
    for kind, resources in written.items():
        (folder / f"{kind}.ndjson").write_bytes(
            b"".join(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in resources)
        )
    return {kind: len(resources) for kind, resources in written.items()}


_RESULTS = """
    select * from measures.results_by_group
    order by measure_id, period_kind, period, dimension <> 'all', dimension, subgroup_order, subgroup
"""


def fhir_id(*parts: str) -> str:
    """An id FHIR allows, of words with blanks and underscores."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", "-".join(parts)).strip("-")[:64]


def measure_resource(measure: Row, results: Sequence[Row], base: str = BASE) -> Json:
    """One measure as a FHIR Measure, with the dimensions that its results are stratified by."""
    dimensions = sorted({each.dimension for each in results if each.measure_id == measure.measure_id} - {"all"})
    return {
        "resourceType": "Measure",
        "id": fhir_id(measure.measure_id),
        "url": _canonical(measure.measure_id, base),
        "name": re.sub(r"[^A-Za-z0-9_]", "", measure.measure_id.title().replace("_", "")),
        "title": measure.title,
        "status": "active",
        "description": measure.definition,
        "publisher": measure.steward,
        "purpose": measure.source,
        "scoring": _concept(_SCORING, "proportion" if measure.kind == "proportion" else "ratio"),
        "improvementNotation": _improvement(measure),
        "group": [
            {
                "population": [
                    {
                        "code": _concept(_POPULATION, population),
                        "criteria": {"language": "text/sql", "expression": f"int_{measure.measure_id}__{_step(population)}"},
                    }
                    for population in _POPULATIONS
                ],
                **({"stratifier": [_stratifier(each) for each in dimensions]} if dimensions else {}),
            }
        ],
    }  # fmt: skip


def _stratifier(dimension: str) -> Json:
    """One dimension by its own criteria; two together by a component each (R4, invariant mea-1)."""
    parts = [
        {"code": {"text": each}, "criteria": {"language": "text/sql", "expression": each}}
        for each in dimension.split("*")
    ]
    return parts[0] if len(parts) == 1 else {"component": parts}


def _step(population: str) -> str:
    return "numerator" if population == "numerator" else "initial_population"


def _canonical(measure_id: str, base: str) -> str:
    joint = ":" if base.startswith("urn:") else "/"
    return joint.join((base, "Measure", fhir_id(measure_id)))


def reports_of(measures: Sequence[Row], results: Sequence[Row], base: str, night: date | None) -> Iterator[Json]:
    """One summary MeasureReport per measure and period, with a stratum per group."""
    by_id = {each.measure_id: each for each in measures}
    for (measure_id, kind, period), rows in groupby(
        results, lambda each: (each.measure_id, each.period_kind, each.period)
    ):
        yield _report(by_id[measure_id], kind, period, list(rows), base, night)


def _report(measure: Row, kind: str, period: str, rows: list[Row], base: str, night: date | None) -> Json:
    whole = next(each for each in rows if each.dimension == "all")
    first, last = days_of(kind, period)
    group = {"population": _populations(whole), **_score(whole, measure)}
    strata = [
        {
            "code": [{"text": each} for each in dimension.split("*")],
            "stratum": [
                {**_stratum_of(dimension, each.subgroup), "population": _populations(each), **_score(each, measure)} for each in of_dimension
            ],
        }
        for dimension, of_dimension in groupby((each for each in rows if each.dimension != "all"), lambda each: each.dimension)
    ]  # fmt: skip
    return {
        "resourceType": "MeasureReport",
        "id": fhir_id(measure.measure_id, period),
        "status": report_status(whole),
        "type": "summary",
        "measure": _canonical(measure.measure_id, base),
        **({"date": night.isoformat()} if night else {}),
        "period": {"start": first.isoformat(), "end": last.isoformat()},
        "improvementNotation": _improvement(measure),
        "group": [{**group, **({"stratifier": strata} if strata else {})}],
    }


def report_status(whole: Row) -> str:
    """FHIR's status by the row of all people: what cannot be computed is no result; what still runs is not complete."""
    if whole.status == "value set missing":
        return "error"
    return "complete" if whole.is_period_closed else "pending"


def _stratum_of(dimension: str, subgroup: str) -> Json:
    """A group by its value; two together by a component each (R4, invariant mrp-2)."""
    names = dimension.split("*")
    if len(names) == 1:
        return {"value": {"text": subgroup}}
    values = subgroup.split(", ")
    return {"component": [{"code": {"text": n}, "value": {"text": v}} for n, v in zip(names, values, strict=True)]}


def _improvement(measure: Row) -> Json:
    return _concept(_NOTATION, "increase" if measure.favourable_direction == "higher" else "decrease")


def days_of(kind: str, period: str) -> tuple[date, date]:
    """First and last day of a period as the models name it: ``2026``, ``2026-27`` or ``2026-01-01 to 2026-12-31``."""
    if " to " in period:
        first, last = period.split(" to ")
        return date.fromisoformat(first), date.fromisoformat(last)
    year = int(period[:4])
    if kind == "influenza season":
        return date(year, 8, 1), date(year + 1, 3, 31)
    return date(year, 1, 1), date(year, 12, 31)


def _populations(row: Row) -> list[Json]:
    counts = {"denominator": row.people, "numerator": row.numerator}
    return [_counted(name, count, row.status) for name, count in counts.items()]


def _counted(name: str, count: int | None, status: str) -> Json:
    told: Json = {"code": _concept(_POPULATION, name)}
    if count is not None:
        return {**told, "count": count}
    return {**told, "_count": {"extension": [_absent(status)]}}


def _score(row: Row, measure: Row) -> Json:
    if row.rate is None:
        return {"measureScore": {"extension": [_absent(row.status)]}}
    unit = {} if measure.kind == "proportion" else {"unit": measure.unit}
    return {"measureScore": {"value": row.rate, **unit}}


def _absent(status: str) -> Json:
    return {"url": _ABSENT, "valueCode": _WHY_ABSENT.get(status, "masked")}


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}
