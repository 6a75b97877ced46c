"""The night's page: one static HTML file that needs no network, for a newcomer to read top to bottom."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from include.equity.shown import told_periods
from include.reports.dot_plot import DotPlot, lay_out
from include.reports.facts import Facts, read_facts
from include.reports.findings import TREND_WORDS, dimension_name, find_gaps, format_rate
from include.settings import Settings

TEMPLATES = Path(__file__).parent / "templates"
MOST_GROUPS = 14
_DIMENSION_ORDER = ("race_ethnicity", "sex", "age_band", "language", "payer", "zip3")


def report_path(settings: Settings, night: date) -> Path:
    """Where the page of a night is."""
    return settings.home / "reports" / f"{night.isoformat()}.html"


def write_report(night: date, settings: Settings | None = None) -> Path:
    """Write the page of a closed night, whole or not at all, and return where it is."""
    settings = settings or Settings.from_environment(os.environ)
    path = report_path(settings, night)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".html.part")
    unfinished.write_text(render(read_facts(night, settings)), encoding="utf-8")
    unfinished.replace(path)
    return path


def render(facts: Facts) -> str:
    """The page as text. Everything that came from data is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: "–" if value is None else f"{value:,}"
    environment.filters["score"] = lambda value: "–" if value is None else f"{value:.3f}"
    return environment.get_template("night.html.j2").render(
        facts=facts,
        gaps=find_gaps(facts),
        trend_words=TREND_WORDS,
        plots=list(measure_plots(facts)),
        steps=list(step_bars(facts.steps)),
        tiers=tier_table(facts.tiers),
        dimension_name=dimension_name,
    )


def measure_plots(facts: Facts) -> Iterable[Mapping[str, Any]]:
    """One block a measure: its overall rate in words and a small plot for each dimension, in the period that is told."""
    periods = told_periods(facts.results)
    for measure in facts.measures:
        rows = [row for row in facts.results if row.measure_id == measure.measure_id]
        shown = periods.get(measure.measure_id)
        if shown is None:
            continue
        rows = [row for row in rows if str(row.period) == shown]
        overall = next((row for row in rows if row.dimension == "all"), None)
        is_share = measure.rate_per == 1
        yield {
            "measure": measure,
            "period": shown,
            "overall": overall,
            "overall_text": _rate_text(overall, is_share) if overall else "no result",
            "plots": [(name, _plot(rows, name, overall, is_share)) for name in _dimensions(rows)],
            "rows": sorted(rows, key=lambda r: (r.dimension != "all", r.dimension, r.subgroup_order or 0, r.subgroup)),
            "is_share": is_share,
        }


def _dimensions(rows: list[Any]) -> list[str]:
    present = {row.dimension for row in rows} - {"all"}
    return [name for name in _DIMENSION_ORDER if name in present] + sorted(present - set(_DIMENSION_ORDER))


def _plot(rows: list[Any], dimension: str, overall: Any, is_share: bool) -> DotPlot:
    of_dimension = [row for row in rows if row.dimension == dimension]
    if len(of_dimension) > MOST_GROUPS:
        of_dimension = sorted(of_dimension, key=lambda row: -(row.denominator or 0))[:MOST_GROUPS]
    of_dimension.sort(key=lambda row: (not row.is_known_group, row.subgroup_order or 0, row.subgroup))
    return lay_out(
        [(r.subgroup, r.rate, r.rate_lower, r.rate_upper, _rate_text(r, is_share), r.note or "") for r in of_dimension],
        overall=overall.rate if overall else None,
        is_share=is_share,
    )


def _rate_text(row: Any, is_share: bool) -> str:
    if row.rate is None:
        return row.status
    of = f"of {row.denominator:,g}" if is_share else f"in {row.denominator:,g} person-years"
    return (
        f"{format_rate(row.rate, is_share)} ({format_rate(row.rate_lower, is_share)} to {format_rate(row.rate_upper, is_share)}), "
        f"{row.numerator:,} {of}"
    )


def step_bars(steps: Iterable[Any]) -> Iterable[Mapping[str, Any]]:
    """Steps with their share of the longest one, for bars."""
    timed = [(s, (s.finished_at - s.started_at).total_seconds() if s.finished_at else None) for s in steps]
    longest = max((seconds for _, seconds in timed if seconds), default=1.0) or 1.0
    for step, seconds in timed:
        yield {
            "step": step,
            "seconds": seconds,
            "width": round(100 * (seconds or 0) / longest, 1),
            "counts": ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in step.counts.items()),
        }


def tier_table(tiers: Iterable[Any]) -> Mapping[str, Mapping[str, int]]:
    """Records by data class and tier."""
    table: dict[str, dict[str, int]] = {}
    for row in tiers:
        table.setdefault(row.data_class, {})[row.tier] = row.records
    return table
