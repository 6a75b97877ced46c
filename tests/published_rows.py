"""Rows as measures.results_by_group, measures.catalogue and equity.disparities publish them, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any

from include.equity.rates import newcombe_difference, wilson
from include.reports.published import Published

NIGHT = date(2026, 11, 25)
Counts = Mapping[str, tuple[int, int] | None]


def catalogue(measure_id: str = "controlled", favourable: str = "higher") -> SimpleNamespace:
    """A measure of shares of people."""
    return SimpleNamespace(
        measure_id=measure_id, title=f"Title of {measure_id}", definition="Of those counted, those with it.",
        kind="proportion", rate_per=1, favourable_direction=favourable, unit="share of people",
        missing_value_sets=None, unseen_value_sets=None, period_kind="calendar year",
    )  # fmt: skip


def result(
    dimension: str, subgroup: str, counts: tuple[int, int] | None, period: str = "2025", **more: Any
) -> SimpleNamespace:
    """A group's row; ``counts`` are (numerator, people), None where hidden."""
    row = {
        "measure_id": "controlled", "period_kind": "calendar year", "period": period, "is_period_closed": period != "2026",
        "dimension": dimension, "subgroup": subgroup, "subgroup_order": None, "is_known_group": subgroup not in ("unknown", "declined"),
        "rate_per": 1, "rounded_to": 1, "status": "shown", "note": None, "favourable_direction": "higher", "people": None, "numerator": None,
        "denominator": None, "rate": None, "standard_error": None, "rate_lower": None, "rate_upper": None,
    }  # fmt: skip
    if counts is None:
        row |= {"status": "suppressed", "note": "hidden so that no count below 11 can be read or worked out"}
    else:
        numerator, people = counts
        interval, rate = wilson(numerator, people), numerator / people
        row |= {
            "people": people, "numerator": numerator, "denominator": float(people), "rate": rate, "rate_lower": interval.lower,
            "rate_upper": interval.upper, "standard_error": (rate * (1 - rate) / people) ** 0.5,
        }  # fmt: skip
    return SimpleNamespace(**{**row, **more})


def difference(group: Any, reference: Any) -> SimpleNamespace:
    """The published difference of two shown groups."""
    found = newcombe_difference((group.numerator, group.people), (reference.numerator, reference.people))
    return SimpleNamespace(
        measure_id=group.measure_id, period=group.period, dimension=group.dimension, statistic="rate_difference",
        comparison_group=group.subgroup, reference_group=reference.subgroup, reference_rule="largest group",
        estimate=found.estimate, lower_limit=found.lower, upper_limit=found.upper,
        standard_error=(group.standard_error**2 + reference.standard_error**2) ** 0.5, is_suppressed=False,
        note=None if group.is_known_group else "people whose group is not known",
    )  # fmt: skip


def published(periods: Mapping[str, Counts], dimension: str = "payer", reference: str = "private") -> Published:
    """One measure by one dimension in several periods, with the gaps of every shown group to ``reference``."""
    results: list[SimpleNamespace] = []
    gaps: list[SimpleNamespace] = []
    for period, groups in periods.items():
        known = [counts for counts in groups.values() if counts]
        results.append(result("all", "All people", (sum(n for n, _ in known), sum(p for _, p in known)), period))
        rows = {name: result(dimension, name, counts, period) for name, counts in groups.items()}
        results += rows.values()
        gaps += [
            difference(row, rows[reference])
            for row in rows.values()
            if row.rate is not None and row.subgroup != reference
        ]
    return Published(NIGHT, [catalogue()], results, gaps)


def closing_gap(years: Sequence[int] = range(2018, 2026)) -> Published:
    """A gap that closes by two points a year, beside one that stays and a hidden group."""
    return published({
        str(year): {
            "private": (560, 800), "medicaid": (180 + 8 * place, 400), "medicare": (300, 430), "self pay": None,
            "unknown": (20, 40),
        }
        for place, year in enumerate(years)
    })  # fmt: skip
