"""One measure as readers may see it: rates by group, gaps to the reference, summaries and trends, from published rows alone.

Rows are those of measures.results_by_group, measures.catalogue and equity.disparities, as named tuples. Nothing here can say
more than those tables do: a hidden group stays hidden.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from include.equity.findings_policy import FindingsPolicy
from include.equity.groups import Groups, Summary
from include.equity.policy import EquityPolicy
from include.equity.rates import newcombe_difference, shrunken_rates
from include.equity.summaries import summarise
from include.equity.trends import MOST_PERIODS, Trend, judge

# Told of every dimension; the rest is in `make equity TABLE=`.
TOLD_UNORDERED = ("d", "r", "bgv", "cov", "mdmw", "mdbw", "mdrw", "idisw", "ti", "mld", "gini", "par", "paf")
TOLD_ORDERED = ("d", "r", "aci", "rci", "sii", "rii", "par", "paf")
ORDERED_DIMENSIONS = frozenset({"svi_quartile"})
UNKNOWN = ("unknown", "declined")


@dataclass(frozen=True, slots=True)
class Gap:
    """A group's rate less the reference's, with its interval, in the unit of the rate; nan where it cannot be told."""

    period: str
    is_closed: bool
    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class GroupLine:
    """One group of a dimension: its published row, its gap now and over time, and its shrunken rate (nan where hidden)."""

    row: Any
    is_reference: bool
    is_small: bool
    shrunken: float
    gap: Gap | None
    history: tuple[Gap, ...]
    trend: Trend | None


@dataclass(frozen=True, slots=True)
class DimensionView:
    """A measure by one dimension in the period that is told."""

    name: str
    reference: str | None
    reference_rule: str
    best: str | None
    worst: str | None
    unknown_share: float
    lines: tuple[GroupLine, ...]
    summaries: tuple[Summary, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class MeasureView:
    """A measure in the period that is told: the newest closed one with people in it, else the newest."""

    measure: Any
    period: str
    is_closed: bool
    rounded_to: int
    overall: Any
    dimensions: tuple[DimensionView, ...]

    @property
    def is_share(self) -> bool:
        """True where rates are shares of people, between 0 and 1."""
        return self.measure.rate_per == 1


def told_periods(results: Iterable[Any]) -> dict[str, str]:
    """The period told of each measure: the newest closed one with people in it, else the newest.

    An open period is still filling up: a screening not yet due would read as one missed.
    """
    told: dict[str, tuple[bool, bool, str]] = {}
    for row in results:
        if row.dimension == "all":
            rank = (bool(row.denominator), row.is_period_closed, str(row.period))
            told[row.measure_id] = max(told.get(row.measure_id, rank), rank)
    return {measure_id: period for measure_id, (_, _, period) in told.items()}


def unknown_dimensions(results: Iterable[Any]) -> list[str]:
    """Dimensions of which nobody's group is known in any measure."""
    known: dict[str, bool] = {}
    for row in results:
        if row.dimension != "all" and "*" not in row.dimension:
            known[row.dimension] = known.get(row.dimension, False) or row.is_known_group
    return sorted(name for name, is_known in known.items() if not is_known)


def has_run(period_kind: str, period: str, night: date) -> float:
    """The share of a calendar year, or of an influenza season (August to March), that has passed by a night."""
    first = int(period[:4])
    is_season = period_kind == "influenza season"
    start = date(first, 8, 1) if is_season else date(first, 1, 1)
    end = date(first + 1, 4, 1) if is_season else date(first + 1, 1, 1)
    return min(1.0, max(0.0, ((night - start).days + 1) / (end - start).days))


def view_measure(
    measure: Any,
    results: Sequence[Any],
    disparities: Sequence[Any],
    equity: EquityPolicy | None = None,
    findings: FindingsPolicy | None = None,
) -> MeasureView | None:
    """The measure from its published rows; None where nothing was ever computed of it."""
    equity, findings = equity or EquityPolicy.load(), findings or FindingsPolicy.load()
    own = [row for row in results if row.measure_id == measure.measure_id]
    period = told_periods(own).get(measure.measure_id)
    if period is None:
        return None
    now = [row for row in own if str(row.period) == period]
    overall = next(row for row in now if row.dimension == "all")
    references = {
        row.dimension: (row.reference_group, row.reference_rule)
        for row in disparities
        if row.measure_id == measure.measure_id and str(row.period) == period and row.statistic == "rate_difference"
    }
    # A dimension of which nobody's group is known says nothing but that.
    names = sorted({row.dimension for row in now if row.is_known_group} - {"all"})
    return MeasureView(
        measure=measure,
        period=period,
        is_closed=overall.is_period_closed,
        rounded_to=overall.rounded_to,
        overall=overall,
        dimensions=tuple(
            _view_dimension(name, measure, own, now, references.get(name, (None, "")), equity, findings)
            for name in names
        ),
    )


def _view_dimension(
    name: str, measure: Any, own: Sequence[Any], now: Sequence[Any], reference: tuple[str | None, str],
    equity: EquityPolicy, findings: FindingsPolicy,
) -> DimensionView:  # fmt: skip
    rows = sorted((row for row in now if row.dimension == name), key=_place)
    shown = [row for row in rows if row.rate is not None]
    shrunken = dict(zip((row.subgroup for row in shown), _shrunk(shown), strict=True))
    large = [row for row in shown if row.is_known_group and (row.people or 0) >= equity.minimum_people]
    ranked = sorted(large, key=lambda row: shrunken[row.subgroup], reverse=measure.favourable_direction == "higher")
    # Where the groups differ no more than their own errors make them, all are drawn to one rate: none is best or worst.
    can_rank = len(ranked) > 1 and not math.isclose(shrunken[ranked[0].subgroup], shrunken[ranked[-1].subgroup])
    left_out = sum(row.is_known_group and row.rate is None for row in rows)
    everybody = sum(row.people or 0 for row in rows)
    unknown = sum(row.people or 0 for row in rows if row.subgroup in UNKNOWN)
    every_period = [row for row in own if row.dimension == name]
    return DimensionView(
        name=name,
        reference=reference[0],
        reference_rule=reference[1] or "",
        best=ranked[0].subgroup if can_rank else None,
        worst=ranked[-1].subgroup if can_rank else None,
        unknown_share=unknown / everybody if everybody else 0.0,
        lines=tuple(
            _line(row, reference[0], shrunken.get(row.subgroup, math.nan), every_period, measure, equity, findings)
            for row in rows
        ),
        summaries=tuple(_summaries(name, shown, left_out, reference[0], measure)),
        left_out=left_out,
    )


def _place(row: Any) -> tuple:
    return (not row.is_known_group, row.subgroup_order or 0, row.subgroup)


def _shrunk(rows: Sequence[Any]) -> Sequence[float]:
    if len(rows) < 2:
        return [row.rate for row in rows]
    events = np.array([float(row.numerator) for row in rows])
    return shrunken_rates(events, np.array([float(row.denominator) for row in rows])) * rows[0].rate_per


def _line(
    row: Any, reference: str | None, shrunken: float, every_period: Sequence[Any], measure: Any, equity: EquityPolicy,
    findings: FindingsPolicy,
) -> GroupLine:  # fmt: skip
    history: tuple[Gap, ...] = ()
    if reference is not None and row.subgroup != reference:
        history = tuple(gaps_over_time(row.subgroup, reference, every_period))
    now = next((gap for gap in history if gap.period == str(row.period)), None)
    sign = 1 if measure.favourable_direction == "lower" else -1
    closed = [sign * gap.estimate for gap in history if gap.is_closed]
    trend = judge(
        closed, fewest_periods=findings.trend_fewest_periods, significance=findings.trend_significance
    ) if history else None  # fmt: skip
    is_small = row.people is None or row.people < equity.minimum_people
    return GroupLine(row, row.subgroup == reference, is_small, shrunken, now, history, trend)


def gaps_over_time(group: str, reference: str, rows: Iterable[Any], most: int = MOST_PERIODS) -> list[Gap]:
    """The gap of ``group`` to ``reference`` in each period in which both are shown, oldest first, the last ``most``."""
    by_period: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.subgroup in (group, reference) and row.rate is not None:
            by_period.setdefault(str(row.period), {})[row.subgroup] = row
    pairs = [(period, pair) for period, pair in sorted(by_period.items()) if len(pair) == 2]
    return [_gap(period, pair[group], pair[reference]) for period, pair in pairs[-most:]]


def _gap(period: str, one: Any, other: Any) -> Gap:
    """Newcombe's interval for shares of people, the sum of both variances for event rates."""
    if one.rate_per == 1:
        found = newcombe_difference(
            (int(one.numerator), int(one.denominator)), (int(other.numerator), int(other.denominator))
        )
        return Gap(period, one.is_period_closed, found.estimate, found.lower, found.upper)
    apart, reach = one.rate - other.rate, 1.959963984540054 * math.hypot(one.standard_error, other.standard_error)
    return Gap(period, one.is_period_closed, apart, apart - reach, apart + reach)


def _summaries(
    name: str, shown: Sequence[Any], left_out: int, reference: str | None, measure: Any
) -> Iterable[Summary]:
    known = [row for row in shown if row.is_known_group and row.denominator]
    is_ordered = name in ORDERED_DIMENSIONS and all(row.subgroup_order for row in known)
    is_whole = not (is_ordered and left_out)  # measures of order need every group
    if len(known) < 2 or not is_whole:
        return ()
    groups = Groups(
        names=tuple(row.subgroup for row in known),
        estimate=np.array([row.rate for row in known], float),
        se=np.array([math.nan if row.standard_error is None else row.standard_error for row in known], float),
        population=np.array([row.denominator for row in known], float),
        is_favourable=measure.favourable_direction == "higher",
        order=np.array([row.subgroup_order for row in known], float) if is_ordered else None,
        reference=next((place for place, row in enumerate(known) if row.subgroup == reference), None),
        scale=float(measure.rate_per),
    )
    with np.errstate(all="ignore"):
        found = {each.measure: each for each in summarise(groups)}
    told = TOLD_ORDERED if is_ordered else TOLD_UNORDERED
    return tuple(found[measure] for measure in told if measure in found)
