"""Plain sentences from the numbers: which gap, for whom, how large, how sure, since when, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from include.equity.findings_policy import FindingsPolicy
from include.equity.shown import UNKNOWN, gaps_over_time, has_run, told_periods, unknown_dimensions
from include.equity.trends import judge

DIMENSIONS = {
    "race_ethnicity": "race and ethnicity",
    "sex": "sex",
    "gender_identity": "gender identity",
    "age_band": "age",
    "language": "language",
    "payer": "payer",
    "disability": "disability",
    "rurality": "rurality",
    "zip3": "ZIP3",
    "state": "state",
    "svi_quartile": "area deprivation quartile (CDC SVI)",
    "stratum": "the measure's own age strata",
    "all": "all people",
}
_LANGUAGES = {
    "ar": "Arabic", "de": "German", "en": "English", "es": "Spanish", "fa": "Persian", "fr": "French", "hi": "Hindi",
    "hmn": "Hmong", "ht": "Haitian Creole", "hy": "Armenian", "it": "Italian", "ja": "Japanese", "km": "Khmer", "ko": "Korean",
    "pl": "Polish", "pt": "Portuguese", "ru": "Russian", "so": "Somali", "tl": "Tagalog", "uk": "Ukrainian", "ur": "Urdu",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
# What would make a dimension known of which nothing is.
_HOW_KNOWN = {
    "rurality": "give USDA's continuum codes in the folder that PLUMBLINE_GEOGRAPHY names",
    "svi_quartile": "give CDC's SVI by county in the folder that PLUMBLINE_GEOGRAPHY names",
    "disability": "record the six questions of the American Community Survey (LOINC 69855-5)",
    "gender_identity": "record gender identity (US Core's extension of Patient)",
}
# Illness and care differ by age for reasons that are no inequity; the plots still show them.
NOT_AN_INEQUITY = frozenset({"age_band", "stratum"})
TREND_WORDS = {
    "improving": "the gap is closing",
    "worsening": "the gap grows",
    "no clear change": "no clear change over the closed periods",
    "too few periods": "too few closed periods to tell a trend",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A gap between two groups that is told: how large, how sure, since when, where it tends, and what to do next."""

    measure_id: str
    title: str
    dimension: str
    period: str
    sentence: str
    is_worse: bool
    ratio: float
    since: str
    course: str
    trend: str
    next_step: str
    is_running: bool = False


def find_gaps(facts: Any, *, most: int = 12, policy: FindingsPolicy | None = None) -> list[Finding]:
    """The gaps that are told, the largest ratio first; one for each measure and dimension.

    Looked at are the told period of each measure and, when the policy's share of it has passed, the period that still runs.
    Told is a gap whose interval excludes none and that Benjamini and Hochberg's procedure keeps at the policy's false
    discovery rate, over all gaps of the night that could have been told. Groups that are too small, not known or hidden
    could not.
    """
    policy = policy or FindingsPolicy.load()
    measures = {row.measure_id: row for row in facts.measures}
    periods = _periods_looked_at(facts, policy)
    rates = {(r.measure_id, r.period, r.dimension, r.subgroup): r for r in facts.results}
    by_dimension: dict[tuple[str, str], list[Any]] = {}
    for row in facts.results:
        by_dimension.setdefault((row.measure_id, row.dimension), []).append(row)
    candidates = [
        row
        for row in facts.disparities
        if row.statistic == "rate_difference"
        and (row.measure_id, str(row.period)) in periods
        and row.measure_id in measures
        and _can_be_told(row)
    ]
    gaps = [
        _word(row, measures[row.measure_id], rates, by_dimension[row.measure_id, row.dimension], policy)
        for row in kept_at_rate(candidates, policy.false_discovery_rate)
    ]
    ranked = sorted(
        (gap for gap in gaps if gap is not None),
        key=lambda gap: (not gap.is_worse, -gap.ratio, gap.is_running, gap.measure_id, gap.dimension),
    )
    seen: set[tuple[str, str]] = set()
    return [
        gap
        for gap in ranked
        if not ((gap.measure_id, gap.dimension) in seen or seen.add((gap.measure_id, gap.dimension)))
    ][:most]


def _periods_looked_at(facts: Any, policy: FindingsPolicy) -> set[tuple[str, str]]:
    night = getattr(facts.night, "night", facts.night)
    told = set(told_periods(facts.results).items())
    running = {
        (row.measure_id, str(row.period))
        for row in facts.results
        if row.dimension == "all"
        and not row.is_period_closed
        and row.rate is not None
        and has_run(row.period_kind, str(row.period), night) >= policy.running_period_from
    }
    return told | running


def kept_at_rate(rows: Sequence[Any], rate: float) -> list[Any]:
    """Rows whose gap is kept when at most a share ``rate`` of those kept may be chance (Benjamini and Hochberg 1995)."""
    ranked = sorted(rows, key=_chance)
    kept = max((n for n, row in enumerate(ranked, start=1) if _chance(row) <= rate * n / len(ranked)), default=0)
    return [row for row in ranked[:kept] if row.lower_limit > 0 or row.upper_limit < 0]


def _chance(row: Any) -> float:
    """Two-sided probability of a gap as far from none, by its standard error."""
    if not row.standard_error:
        return 0.0 if row.estimate else 1.0
    return 2 * NormalDist().cdf(-abs(row.estimate) / row.standard_error)


def _can_be_told(row: Any) -> bool:
    if NOT_AN_INEQUITY.intersection(row.dimension.split("*")) or row.is_suppressed:
        return False
    if None in (row.estimate, row.standard_error, row.lower_limit, row.upper_limit):
        return False
    note = row.note or ""
    return "fewer than" not in note and "not known" not in note


def _word(row: Any, measure: Any, rates: dict, of_dimension: Sequence[Any], policy: FindingsPolicy) -> Finding | None:
    own = rates.get((row.measure_id, row.period, row.dimension, row.comparison_group))
    reference = rates.get((row.measure_id, row.period, row.dimension, row.reference_group))
    if own is None or reference is None or own.rate is None or not reference.rate:
        return None
    is_share = measure.rate_per == 1
    is_worse = (row.estimate > 0) == (measure.favourable_direction == "lower")
    ratio = own.rate / reference.rate
    ratio = max(ratio, 1 / ratio if ratio else 99)
    trend, since, course = _course(row, measure, of_dimension, policy)
    unknown = _unknown_share([each for each in of_dimension if each.period == row.period])
    unit = "people" if is_share else "person-years"
    near, far = sorted((abs(row.lower_limit), abs(row.upper_limit)))
    sentence = (
        f"{measure.title}, {row.period}{'' if own.is_period_closed else ' so far'}, by {dimension_name(row.dimension)}: "
        f"{group_name(row.dimension, row.comparison_group)} {format_rate(own.rate, is_share)} ({own.denominator:,.0f} {unit}) against "
        f"{group_name(row.dimension, row.reference_group)} {format_rate(reference.rate, is_share)} "
        f"({reference.denominator:,.0f} {unit}, the {row.reference_rule}): {format_size(abs(row.estimate), is_share)} "
        f"{'higher' if row.estimate > 0 else 'lower'} "
        f"(95% interval {format_size(near, is_share, unit=False)} to {format_size(far, is_share, unit=False)})"
    )
    return Finding(
        measure_id=row.measure_id,
        title=measure.title,
        dimension=row.dimension,
        period=str(row.period),
        sentence=sentence,
        is_worse=is_worse,
        ratio=ratio,
        since=since,
        course=course,
        trend=trend,
        next_step=policy.advice(
            ratio=ratio, trend=trend, is_worse=is_worse, unknown_share=unknown, group=row.comparison_group
        ),
        is_running=not own.is_period_closed,
    )


def _course(row: Any, measure: Any, of_dimension: Sequence[Any], policy: FindingsPolicy) -> tuple[str, str, str]:
    """Where a gap tends, by the stated rule; the first of the unbroken periods up to now in which it was as sure; that in words."""
    sign = 1 if measure.favourable_direction == "lower" else -1
    counted = [each for each in of_dimension if each.is_period_closed or each.period == row.period]
    history = gaps_over_time(row.comparison_group, row.reference_group, counted)
    closed = [sign * gap.estimate for gap in history if gap.is_closed]
    trend = judge(closed, fewest_periods=policy.trend_fewest_periods, significance=policy.trend_significance)
    since = str(row.period)
    for gap in reversed([each for each in history if each.period <= since]):
        if not (gap.lower > 0 if row.estimate > 0 else gap.upper < 0):
            break
        since = gap.period
    if since != str(row.period):
        return trend.direction, since, f"Clear in every period shown since {since}"
    has_before = any(gap.period < since for gap in history)
    return (
        trend.direction,
        since,
        "Not clear in the period before" if has_before else "No earlier period to compare with",
    )


def _unknown_share(rows: Sequence[Any]) -> float:
    everybody = sum(row.people or 0 for row in rows)
    return sum(row.people or 0 for row in rows if row.subgroup in UNKNOWN) / everybody if everybody else 0.0


def dimension_name(dimension: str) -> str:
    """``race_ethnicity`` as people say it."""
    return " and ".join(DIMENSIONS.get(part, part.replace("_", " ")) for part in dimension.split("*"))


def group_name(dimension: str, subgroup: str) -> str:
    """A group as people say it: languages by name."""
    if dimension == "language":
        return _LANGUAGES.get(subgroup, subgroup)
    return subgroup


def not_known(results: Sequence[Any]) -> list[str]:
    """A sentence for each dimension of which nobody's group is known, with what would make it known."""
    return [
        f"By {dimension_name(name)} nothing can be told, since nobody's group is known: "
        f"{_HOW_KNOWN.get(name, 'have the sources send it')}."
        for name in unknown_dimensions(results)
    ]


def format_rate(rate: float | None, is_share: bool) -> str:
    """A rate in its own unit: percent for shares, else a plain number."""
    if rate is None:
        return "–"
    return f"{rate * 100:.1f}%" if is_share else f"{rate:,.1f}"


def format_size(size: float, is_share: bool, *, unit: bool = True) -> str:
    """How large a difference of rates is, without a sign: percentage points for shares."""
    text = f"{size * 100:.1f}" if is_share else f"{size:,.1f}"
    return f"{text} points" if is_share and unit else text


def format_gap(gap: float, is_share: bool, *, unit: bool = True) -> str:
    """A difference of rates, with its sign: percentage points for shares."""
    text = f"{gap * 100:+.1f}" if is_share else f"{gap:+,.1f}"
    return f"{text} points" if is_share and unit else text
