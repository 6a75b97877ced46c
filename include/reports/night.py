"""The night's page: one static HTML file that needs no network, for a newcomer to read top to bottom."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from include.equity.findings_policy import FindingsPolicy
from include.equity.policy import EquityPolicy
from include.equity.shown import view_measure
from include.reports.anonymity_part import threshold_text, trait_name, view_anonymity
from include.reports.facts import Facts, read_facts
from include.reports.findings import TREND_WORDS, dimension_name, find_gaps, not_known
from include.reports.measure_blocks import MeasureBlock, measure_block
from include.reports.page_templates import page_templates
from include.reports.quality_lines import quality_lines
from include.settings import Settings


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
    anonymity = view_anonymity(facts.anonymity, facts.anonymity_classes, facts.anonymity_attributes)
    return (
        page_templates()
        .get_template("night.html.j2")
        .render(
            facts=facts,
            gaps=find_gaps(facts),
            trend_words=TREND_WORDS,
            blocks=list(measure_blocks(facts)),
            quality_lines=quality_lines(facts.score_history),
            steps=list(step_bars(facts.steps)),
            tiers=tier_table(facts.tiers),
            dimension_name=dimension_name,
            not_known=not_known(facts.results),
            anonymity=anonymity,
            trait_name=trait_name,
            threshold_text=threshold_text(anonymity.whole) if anonymity else "",
        )
    )


def measure_blocks(facts: Facts) -> Iterable[MeasureBlock]:
    """One block a measure that has results: its rate, a small plot for each dimension, gaps over time and tables."""
    equity, findings = EquityPolicy.load(), FindingsPolicy.load()
    for measure in facts.measures:
        view = view_measure(measure, facts.results, facts.disparities, equity, findings)
        if view is not None:
            yield measure_block(view)


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
