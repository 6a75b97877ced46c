"""Measure and MeasureReport as FHIR R4: read, search and $evaluate-measure, of what was published."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import psycopg

from include.api.outcomes import Refusal
from include.api.questions import Asked, bad, day, matches_period, words
from include.measures.fhir_reports import days_of, fhir_id, measure_resource, report_status, reports_of

MEASURE_SEARCH = ("_id", "url", "title", "title:contains", "status")
REPORT_SEARCH = ("_id", "measure", "period", "status", "stratifier")
EVALUATE = ("periodStart", "periodEnd", "reportType", "stratifier")
Json = dict[str, Any]


class Key(NamedTuple):
    """A report: what it is of and how far it is."""

    measure_id: str
    period_kind: str
    period: str
    status: str

    @property
    def id(self) -> str:
        """Its id as a resource."""
        return fhir_id(self.measure_id, self.period)

    @property
    def days(self) -> tuple[date, date]:
        """First and last day."""
        return days_of(self.period_kind, self.period)


def find_measures(warm: psycopg.Connection, said: Asked, base: str) -> list[Json]:
    """Every measure that the question names."""
    found = _measures(warm, base)
    for name in ("title", "title:contains"):
        for wanted in said.get(name, []):
            looks = str.startswith if name == "title" else str.__contains__
            found = [each for each in found if looks(each["title"].casefold(), wanted.casefold())]
    for name, element in (("_id", "id"), ("url", "url"), ("status", "status")):
        for wanted in words(said, name):
            found = [each for each in found if each[element] in wanted]
    return found


def read_measure(warm: psycopg.Connection, resource_id: str, base: str) -> Json:
    """One measure. Raises Refusal with 404."""
    for measure in _measures(warm, base):
        if measure["id"] == resource_id:
            return measure
    raise _unknown("Measure")


def _measures(warm: psycopg.Connection, base: str) -> list[Json]:
    rows = warm.execute("select * from measures.catalogue order by measure_id").fetchall()
    dimensions = warm.execute("select distinct measure_id, dimension from measures.results_by_group").fetchall()
    return [measure_resource(row, dimensions, base) for row in rows]


def find_reports(warm: psycopg.Connection, said: Asked) -> list[Key]:
    """Which reports the question names, by measure and period, the newest period first."""
    found = _keys(warm)
    for wanted in words(said, "_id"):
        found = [key for key in found if key.id in wanted]
    for wanted in words(said, "measure"):
        named = {fhir_id(re.split(r"[/:]", each.rstrip("/"))[-1].partition("|")[0]) for each in wanted}
        found = [key for key in found if fhir_id(key.measure_id) in named]
    for wanted in words(said, "status"):
        found = [key for key in found if key.status in wanted]
    return [key for key in found if matches_period(said.get("period", []), *key.days)]


def _keys(warm: psycopg.Connection) -> list[Key]:
    rows = warm.execute(
        """select measure_id, period_kind, period, status, is_period_closed from measures.results_by_group
           where dimension = 'all' order by period desc, measure_id"""
    ).fetchall()
    return [Key(row.measure_id, row.period_kind, row.period, report_status(row)) for row in rows]


def make_reports(warm: psycopg.Connection, keys: Sequence[Key], said: Asked, base: str, night: str) -> list[Json]:
    """The reports of these keys, in their order, with the strata that were asked for (all where none were)."""
    if not keys:
        return []
    dimensions = {dimension for wanted in words(said, "stratifier") for dimension in wanted}
    measures = warm.execute("select * from measures.catalogue").fetchall()
    rows = warm.execute(
        """select * from measures.results_by_group
           where (measure_id, period) in (select * from unnest(%s::text[], %s::text[]))
             and (dimension = 'all' or %s::text[] is null or dimension = any(%s))
           order by measure_id, period_kind, period, dimension <> 'all', dimension, subgroup_order, subgroup""",
        [[key.measure_id for key in keys], [key.period for key in keys], *[sorted(dimensions) or None] * 2],
    ).fetchall()
    _refuse_unknown_dimensions(dimensions, warm)
    made = {each["id"]: each for each in reports_of(measures, rows, base, date.fromisoformat(night))}
    return [made[key.id] for key in keys]


def _refuse_unknown_dimensions(dimensions: set[str], warm: psycopg.Connection) -> None:
    if not dimensions:
        return
    known = {
        row.dimension for row in warm.execute("select distinct dimension from measures.results_by_group").fetchall()
    }
    if dimensions - known:
        raise bad("a stratifier that is not published", f"some of {', '.join(sorted(known - {'all'}))}")


def read_report(warm: psycopg.Connection, resource_id: str, said: Asked, base: str, night: str) -> Json:
    """One report. Raises Refusal with 404."""
    keys = [key for key in _keys(warm) if key.id == resource_id]
    if not keys:
        raise _unknown("MeasureReport")
    return make_reports(warm, keys, said, base, night)[0]


def evaluate(warm: psycopg.Connection, measure: str, said: Asked, base: str, night: str) -> Json:
    """$evaluate-measure for a published period. Numbers are those that were released: nothing is computed for the asker, who
    could else work small counts out from periods a day apart. Raises Refusal."""
    if set(said.get("reportType", [])) - {"summary", "population"}:
        raise Refusal(
            422, "not-supported", found="a reportType about single people", expected="summary (or population)",
            action="ask for a summary; rows about people are in the marts, for analysts",
        )  # fmt: skip
    start, end = day(said, "periodStart"), day(said, "periodEnd")
    of_measure = [key for key in _keys(warm) if fhir_id(key.measure_id) == measure]
    if not of_measure:
        raise _unknown("Measure")
    for key in of_measure:
        if key.days == (start, end):
            return make_reports(warm, [key], said, base, night)[0]
    periods = ", ".join(f"{first} to {last}" for first, last in (key.days for key in of_measure))
    raise Refusal(
        404, "not-found", found=f"no published period from {start} to {end}", expected=f"one of {periods}",
        action="ask for one of these; others are made by the data team (measure_periods)",
    )  # fmt: skip


def _unknown(kind: str) -> Refusal:
    return Refusal(
        404, "not-found", found=f"no {kind} of that id", expected="an id that a search gives", action=f"search: GET /fhir/{kind}"
    )  # fmt: skip


def bundle(entries: Sequence[Json], total: int, links: list[dict[str, str]], base: str) -> Json:
    """A searchset of one page."""
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": total,
        "link": links,
        **({"entry": [_entry(each, base) for each in entries]} if entries else {}),
    }


def _entry(resource: Json, base: str) -> Json:
    return {
        "fullUrl": f"{base}/fhir/{resource['resourceType']}/{resource['id']}", "resource": resource, "search": {"mode": "match"},
    }  # fmt: skip
