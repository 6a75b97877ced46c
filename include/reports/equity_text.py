"""A measure and its gaps for a terminal: aligned columns, a dot with its interval for every group, and how gaps went."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import Any

from include.equity.shown import DimensionView, Gap, GroupLine, MeasureView
from include.reports.dot_plot import nice_scale
from include.reports.findings import TREND_WORDS, Finding, dimension_name, format_gap, format_rate
from include.reports.summary_names import SUMMARY_NAMES, format_summary

PLOT_CELLS = 40
WIDTH = 118


def lines_of(view: MeasureView, findings: Sequence[Finding], night: Any, only: str | None = None) -> Iterator[str]:
    """The measure as lines of text, for every dimension or ``only`` one."""
    measure = view.measure
    state = "closed" if view.is_closed else "still running"
    yield f"{measure.title}, {view.period} ({state})"
    yield f"published in the night of {night}, read as the role reader; {measure.favourable_direction} is better"
    yield from wrap(measure.definition, WIDTH)
    if view.rounded_to > 1:
        yield f"Counts of this running period are rounded to {view.rounded_to}."
    yield ""
    yield f"All people  {rate_text(view.overall, view.is_share)}"
    for dimension in view.dimensions:
        if only in (None, dimension.name):
            yield ""
            yield from _dimension(dimension, view)
    told = [each for each in findings if only in (None, each.dimension)]
    yield ""
    yield "Findings"
    yield from _findings(told)


def rate_text(row: Any, is_share: bool) -> str:
    """A published rate with its interval and counts, or why it is not shown."""
    if row.rate is None:
        return row.note or row.status
    of = f"of {row.denominator:,g}" if is_share else f"in {row.denominator:,g} person-years"
    low, high = (format_rate(limit, is_share) for limit in (row.rate_lower, row.rate_upper))
    return f"{format_rate(row.rate, is_share)}  ({low} to {high}), {row.numerator:,} {of}"


def _dimension(dimension: DimensionView, view: MeasureView) -> Iterator[str]:
    yield f"By {dimension_name(dimension.name)}"
    if dimension.reference is None:
        yield "  no group is large enough to be compared with"
    else:
        yield f"  gaps are to {dimension.reference} ({dimension.reference_rule})"
    top, step = nice_scale(max((line.row.rate_upper or 0 for line in dimension.lines), default=0))
    names = max([len(line.row.subgroup) for line in dimension.lines] + [5])
    yield f"  {'group':<{names}} {'rate':>8} {'95% interval':>18} {'of':>8}  {_scale(top, step, view.is_share)}  gap to reference"
    for line in dimension.lines:
        yield "  " + _line(line, names, top, view.is_share)
    yield from _extremes(dimension)
    yield from _summaries(dimension, view.is_share)
    yield from _histories(dimension, view.is_share)


def _line(line: GroupLine, names: int, top: float, is_share: bool) -> str:
    row = line.row
    people = "" if row.denominator is None else f"{row.denominator:,.0f}"
    if row.rate is None:
        return f"{row.subgroup:<{names}} {'–':>8} {row.status:>18} {people:>8}"
    low, high = (format_rate(limit, is_share) for limit in (row.rate_lower, row.rate_upper))
    plot = interval_bar(row.rate, row.rate_lower, row.rate_upper, top)
    text = (
        f"{row.subgroup:<{names}} {format_rate(row.rate, is_share):>8} {f'{low} to {high}':>18} {people:>8}  {plot}  "
    )
    return (text + ("reference" if line.is_reference else _gap_text(line, is_share))).rstrip()


def _gap_text(line: GroupLine, is_share: bool) -> str:
    if line.gap is None:
        return ""
    small = "  (fewer people than it takes to compare)" if line.is_small else ""
    low, high = (format_gap(limit, is_share, unit=False) for limit in (line.gap.lower, line.gap.upper))
    return f"{format_gap(line.gap.estimate, is_share, unit=False)} ({low} to {high}){small}"


def interval_bar(rate: float, lower: float, upper: float, top: float, cells: int = PLOT_CELLS) -> str:
    """A dot at the rate and a line over its interval, on a scale from 0 to ``top`` of so many characters."""

    def at(value: float) -> int:
        return min(cells - 1, max(0, round(value / top * (cells - 1)))) if top > 0 else 0

    drawn = [" "] * cells
    for place in range(at(lower), at(upper) + 1):
        drawn[place] = "─"
    drawn[at(rate)] = "●"
    return "".join(drawn)


def _scale(top: float, step: float, is_share: bool, cells: int = PLOT_CELLS) -> str:
    drawn = [" "] * (cells + 6)
    for n in range(round(top / step) + 1):
        text = f"{100 * step * n:g}%" if is_share else f"{step * n:,g}"
        start = round(step * n / top * (cells - 1))
        start = max(0, min(start, cells - len(text)))
        if all(drawn[place] == " " for place in range(max(0, start - 1), start + len(text) + 1)):
            drawn[start : start + len(text)] = text
    return "".join(drawn[:cells])


def _extremes(dimension: DimensionView) -> Iterator[str]:
    if dimension.best and dimension.worst:
        yield f"  best {dimension.best}, worst {dimension.worst}: by rates drawn towards that of all, among groups large enough"
    if dimension.left_out:
        yield f"  {dimension.left_out} group(s) are hidden and in none of the summaries"
    if dimension.unknown_share >= 0.005:
        yield f"  unknown or declined: {100 * dimension.unknown_share:.0f}% of the people shown"


def _summaries(dimension: DimensionView, is_share: bool) -> Iterator[str]:
    if not dimension.summaries:
        return
    yield ""
    names = max(len(SUMMARY_NAMES[each.measure]) for each in dimension.summaries)
    for each in dimension.summaries:
        estimate, interval = format_summary(each, is_share)
        note = "near none: too high on average" if "from none" in each.note else ""
        yield f"  {SUMMARY_NAMES[each.measure]:<{names}} {estimate:>11} {interval:>24}  {note}".rstrip()


def _histories(dimension: DimensionView, is_share: bool) -> Iterator[str]:
    told = [line for line in dimension.lines if line.history and line.row.is_known_group and not line.is_small]
    if not told:
        return
    yield ""
    yield f"  the gap to {dimension.reference} over the last {max(len(line.history) for line in told)} period(s)"
    names = max(len(line.row.subgroup) for line in told)
    for line in told:
        ends = line.history if len(line.history) <= 3 else (line.history[0], *line.history[-2:])
        shown = "  ".join(_point(gap, is_share) for gap in ends)
        yield f"  {line.row.subgroup:<{names}}  {trail(line.history)}  {shown}"
        if line.trend:
            yield f"  {'':<{names}}  {_trend_text(line, is_share)}"


def _point(gap: Gap, is_share: bool) -> str:
    low, high = (format_gap(limit, is_share, unit=False) for limit in (gap.lower, gap.upper))
    mark = "" if gap.is_closed else "*"
    return f"{gap.period}{mark} {format_gap(gap.estimate, is_share, unit=False)} ({low} to {high})"


def trail(history: Sequence[Gap]) -> str:
    """The gaps as a row of bars, the highest the widest gap."""
    widest = max((abs(gap.estimate) for gap in history), default=0)
    if not widest > 0:
        return "▁" * len(history)
    return "".join("▁▂▃▄▅▆▇█"[min(7, math.floor(8 * abs(gap.estimate) / widest))] for gap in history)


def _trend_text(line: GroupLine, is_share: bool) -> str:
    trend = line.trend
    text = TREND_WORDS[trend.direction]
    if trend.monotone is None or trend.slope is None:
        return f"{text} ({trend.periods})"
    slope = "/".join(format_gap(value, is_share, unit=False) for value in (trend.slope.lower, trend.slope.upper))
    return f"{text} (Mann–Kendall p = {trend.monotone.p:.3f}; Theil–Sen {format_gap(trend.slope.estimate, is_share)} a period, {slope})"


def _findings(findings: Iterable[Finding]) -> Iterator[str]:
    found = False
    for each in findings:
        found = True
        kind = "worse" if each.is_worse else "better"
        text = f"{kind}: {each.sentence}. {each.course}; {TREND_WORDS[each.trend]}. Next: {each.next_step}."
        yield from wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
    if not found:
        yield "  no gap between groups is surely different from none"
