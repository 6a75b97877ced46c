"""Plain sentences from the numbers: which gap, for whom, how large, how sure. Chooses and words; computes no statistic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

DIMENSIONS = {
    "race_ethnicity": "race and ethnicity",
    "sex": "sex",
    "gender_identity": "gender identity",
    "age_band": "age",
    "language": "language",
    "payer": "payer",
    "zip3": "ZIP3",
    "all": "all people",
}
# Illness and care differ by age for reasons that are no inequity; the plots still show them.
NOT_AN_INEQUITY = frozenset({"age_band"})


@dataclass(frozen=True, slots=True)
class Finding:
    """A gap between two groups whose interval excludes none, in the measure's own unit."""

    measure_id: str
    title: str
    dimension: str
    period: str
    sentence: str
    is_worse: bool
    ratio: float


def told_periods(facts: Any) -> dict[str, str]:
    """The period told of each measure: the newest closed one with people in it, else the newest.

    An open period is still filling up: a screening not yet due would read as one missed.
    """
    told: dict[str, tuple[bool, bool, str]] = {}
    for row in facts.results:
        if row.dimension == "all":
            rank = (bool(row.denominator), row.is_period_closed, str(row.period))
            told[row.measure_id] = max(told.get(row.measure_id, rank), rank)
    return {measure_id: period for measure_id, (_, _, period) in told.items()}


def find_gaps(facts: Any, *, most: int = 12) -> list[Finding]:
    """The gaps that are surely not zero, the largest ratio first; one for each measure and dimension.

    Groups that are too small, overlapping the reference by definition or not known carry a note and are left out.
    """
    measures = {row.measure_id: row for row in facts.measures}
    periods = told_periods(facts)
    rates = {(r.measure_id, r.period, r.dimension, r.subgroup): r for r in facts.results}
    gaps = [
        finding
        for row in facts.disparities
        if row.statistic == "rate_difference"
        and str(row.period) == periods.get(row.measure_id)
        and row.measure_id in measures
        and _is_sure(row)
        if (finding := _word(row, measures[row.measure_id], rates)) is not None
    ]
    gaps.sort(key=lambda gap: (not gap.is_worse, -gap.ratio, gap.measure_id, gap.dimension))
    seen: set[tuple[str, str]] = set()
    return [
        gap
        for gap in gaps
        if not ((gap.measure_id, gap.dimension) in seen or seen.add((gap.measure_id, gap.dimension)))
    ][:most]


def _is_sure(row: Any) -> bool:
    if row.dimension in NOT_AN_INEQUITY or row.is_suppressed or None in (row.lower_limit, row.upper_limit):
        return False
    note = row.note or ""
    return (row.lower_limit > 0 or row.upper_limit < 0) and "fewer than" not in note and "not known" not in note


def _word(row: Any, measure: Any, rates: dict) -> Finding | None:
    own = rates.get((row.measure_id, row.period, row.dimension, row.comparison_group))
    reference = rates.get((row.measure_id, row.period, row.dimension, row.reference_group))
    if own is None or reference is None or own.rate is None or not reference.rate:
        return None
    is_share = measure.rate_per == 1
    is_worse = (row.estimate > 0) == (measure.favourable_direction == "lower")
    ratio = own.rate / reference.rate
    sentence = (
        f"{measure.title}, {row.period}, by {dimension_name(row.dimension)}: {row.comparison_group} "
        f"{format_rate(own.rate, is_share)} against {format_rate(reference.rate, is_share)} for {row.reference_group} "
        f"({row.reference_rule}): {format_gap(row.estimate, is_share)} "
        f"(95% interval {format_gap(row.lower_limit, is_share, unit=False)} to {format_gap(row.upper_limit, is_share, unit=False)}, "
        f"{own.denominator:,g} and {reference.denominator:,g} {'people' if is_share else 'person-years'})"
    )
    return Finding(
        row.measure_id,
        measure.title,
        row.dimension,
        str(row.period),
        sentence,
        is_worse,
        max(ratio, 1 / ratio if ratio else 99),
    )


def dimension_name(dimension: str) -> str:
    """``race_ethnicity`` as people say it."""
    return DIMENSIONS.get(dimension, dimension.replace("_", " "))


def format_rate(rate: float | None, is_share: bool) -> str:
    """A rate in its own unit: percent for shares, else a plain number."""
    if rate is None:
        return "–"
    return f"{rate * 100:.1f}%" if is_share else f"{rate:,.1f}"


def format_gap(gap: float, is_share: bool, *, unit: bool = True) -> str:
    """A difference of rates, with its sign: percentage points for shares."""
    text = f"{gap * 100:+.1f}" if is_share else f"{gap:+,.1f}"
    return f"{text} points" if is_share and unit else text


def count_sure_gaps(rows: Iterable[Any]) -> int:
    """How many comparisons have an interval that excludes no difference."""
    return sum(row.statistic == "rate_difference" and _is_sure(row) for row in rows)
