"""A measure as the pages show it: dot plots of rates, gaps over time, a map, and tables, as numbers for SVG and HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.equity.shown import DimensionView, Gap, GroupLine, MeasureView
from include.reports.dot_plot import DotPlot, lay_out, nice_scale
from include.reports.findings import TREND_WORDS, dimension_name, format_gap, format_rate, group_name
from include.reports.summary_names import SUMMARY_NAMES, format_summary

MOST_GROUPS = 14
MOST_TRACES = 8
DIMENSION_ORDER = (
    "race_ethnicity", "sex", "gender_identity", "age_band", "language", "payer", "disability", "rurality",
    "svi_quartile", "state", "zip3", "stratum",
)  # fmt: skip
TRACE_WIDTH, TRACE_HEIGHT = 168.0, 84.0


@dataclass(frozen=True, slots=True)
class TracePoint:
    """A period's gap as SVG positions."""

    x: float
    y: float
    y_lower: float
    y_upper: float
    is_closed: bool
    text: str


@dataclass(frozen=True, slots=True)
class Trace:
    """One group's gap over time: its points, where none lies, the ends of the scale in words, and the trend in words."""

    label: str
    points: tuple[TracePoint, ...]
    zero_y: float
    top_text: str
    bottom_text: str
    first: str
    last: str
    trend: str
    described: str


@dataclass(frozen=True, slots=True)
class DimensionBlock:
    """A dimension of a measure: its plot, its traces, its table rows and its summaries in words."""

    name: str
    title: str
    plot: DotPlot
    described: str
    reference: str
    extremes: str
    traces: tuple[Trace, ...]
    rows: tuple[Mapping[str, str], ...]
    summaries: tuple[tuple[str, str, str, str], ...]
    not_drawn: int

    @property
    def has_marks(self) -> bool:
        """False where every group is hidden: then there is nothing to draw."""
        return any(mark.x is not None for mark in self.plot.marks)


@dataclass(frozen=True, slots=True)
class MeasureBlock:
    """Everything a page says of one measure."""

    view: MeasureView
    overall_text: str
    dimensions: tuple[DimensionBlock, ...]

    @property
    def slug(self) -> str:
        """Name of its place on the page."""
        return f"measure-{self.view.measure.measure_id}"

    @property
    def is_computed(self) -> bool:
        """False where there is no rate even of all people."""
        return self.view.overall.rate is not None

    @property
    def lacking(self) -> list[str]:
        """Value sets without a code, by name."""
        missing = self.view.measure.missing_value_sets
        return [each.strip() for each in missing.split(";")] if missing else []


def measure_block(view: MeasureView) -> MeasureBlock:
    """The measure for a page."""
    known = {name: place for place, name in enumerate(DIMENSION_ORDER)}
    ranked = sorted(view.dimensions, key=lambda each: (known.get(each.name, len(known)), each.name))
    return MeasureBlock(view, rate_text(view.overall, view.is_share), tuple(_dimension(each, view) for each in ranked))


def rate_text(row: Any, is_share: bool) -> str:
    """A published rate with its interval and its counts, or its status where it is not shown."""
    if row.rate is None:
        return row.status
    of = f"of {row.denominator:,g}" if is_share else f"in {row.denominator:,g} person-years"
    low, high = format_rate(row.rate_lower, is_share), format_rate(row.rate_upper, is_share)
    return f"{format_rate(row.rate, is_share)} ({low} to {high}), {row.numerator:,} {of}"


def _dimension(dimension: DimensionView, view: MeasureView) -> DimensionBlock:
    # Of two dimensions together most parts are often hidden: only what is shown is drawn, the rest is in the table.
    to_draw = [line for line in dimension.lines if line.row.rate is not None or "*" not in dimension.name]
    drawn = sorted(to_draw, key=lambda line: -(line.row.denominator or 0))[:MOST_GROUPS]
    in_order = [line for line in dimension.lines if line in drawn]
    plot = lay_out(
        [
            (
                _label(dimension.name, r.subgroup),
                r.rate,
                r.rate_lower,
                r.rate_upper,
                rate_text(r, view.is_share),
                r.note or "",
            )
            for r in (line.row for line in in_order)
        ],
        overall=view.overall.rate,
        is_share=view.is_share,
    )
    title = dimension_name(dimension.name)
    shown = [line for line in in_order if line.row.rate is not None]
    return DimensionBlock(
        name=dimension.name,
        title=title,
        plot=plot,
        described=_described(view, title, shown, len(in_order) - len(shown)),
        reference=_reference(dimension),
        extremes=_extremes(dimension),
        traces=tuple(_traces(dimension, view.is_share)),
        rows=tuple(_table_row(line, view.is_share) for line in dimension.lines),
        summaries=tuple(_summary(each, view.is_share) for each in dimension.summaries),
        not_drawn=len(dimension.lines) - len(in_order),
    )


def _label(dimension: str, subgroup: str, longest: int = 33) -> str:
    """A group's name beside its dot; of two together the second stays whole, since it tells neighbours apart."""
    if "*" not in dimension or len(subgroup) <= longest:
        return group_name(dimension, subgroup)
    first, second = subgroup.split(", ")
    return f"{first[: max(4, longest - len(second) - 3)].rstrip()}…, {second}"


def _described(view: MeasureView, title: str, shown: Sequence[GroupLine], hidden: int) -> str:
    """What a plot shows, in words, for those who do not see it."""
    if not shown:
        return f"{view.measure.title} by {title}: every group's count is hidden."
    ranked = sorted(shown, key=lambda line: line.row.rate)
    ends = [f"{line.row.subgroup} {format_rate(line.row.rate, view.is_share)}" for line in (ranked[0], ranked[-1])]
    return (
        f"{view.measure.title} by {title}: dots with 95% intervals for {len(shown)} groups, from {ends[0]} to {ends[1]}; "
        f"everybody {format_rate(view.overall.rate, view.is_share)}. {hidden} hidden. The table below has every number."
    )


def _reference(dimension: DimensionView) -> str:
    if sum(line.row.rate is not None for line in dimension.lines) < 2:
        return "Only one group's rate is shown: there is nothing to compare it with."
    if dimension.reference is None:
        return "No group is large enough to be compared with."
    return f"Gaps are to {group_name(dimension.name, dimension.reference)} ({dimension.reference_rule})."


def _extremes(dimension: DimensionView) -> str:
    parts = []
    if dimension.best and dimension.worst:
        parts.append(f"Best {dimension.best}, worst {dimension.worst}, by shrunken rates of groups large enough.")
    if dimension.left_out:
        parts.append(f"Hidden and in no summary: {dimension.left_out}.")
    if dimension.unknown_share >= 0.005:
        parts.append(f"Unknown or declined: {100 * dimension.unknown_share:.0f}% of the people shown.")
    return " ".join(parts)


def _table_row(line: GroupLine, is_share: bool) -> Mapping[str, str]:
    row = line.row
    gap = line.gap
    return {
        "group": row.subgroup,
        "numerator": "–" if row.numerator is None else f"{row.numerator:,}",
        "denominator": "–" if row.denominator is None else f"{row.denominator:,g}",
        "rate": format_rate(row.rate, is_share),
        "interval": "–" if row.rate is None else
        f"{format_rate(row.rate_lower, is_share)} to {format_rate(row.rate_upper, is_share)}",
        "gap": "reference" if line.is_reference else "–" if gap is None else format_gap(gap.estimate, is_share),
        "gap_interval": "" if gap is None else f"{format_gap(gap.lower, is_share, unit=False)} to "
        f"{format_gap(gap.upper, is_share, unit=False)}",
        "note": row.note or ("fewer people than it takes to compare" if line.is_small and not line.is_reference else ""),
    }  # fmt: skip


def _summary(summary: Any, is_share: bool) -> tuple[str, str, str, str]:
    return (SUMMARY_NAMES[summary.measure], *format_summary(summary, is_share), summary.note)


def _traces(dimension: DimensionView, is_share: bool) -> Iterable[Trace]:
    told = [line for line in dimension.lines if len(line.history) > 1 and line.row.is_known_group and not line.is_small]
    told.sort(key=lambda line: -(line.row.denominator or 0))
    told = told[:MOST_TRACES]
    limits = [limit for line in told for gap in line.history for limit in (gap.lower, gap.upper)]
    if not limits:
        return
    widest = max(abs(limit) for limit in limits)
    top, _ = nice_scale(widest)
    for line in told:
        yield _trace(line, top, is_share)


def _trace(line: GroupLine, top: float, is_share: bool) -> Trace:
    step = TRACE_WIDTH / max(1, len(line.history) - 1) if len(line.history) > 1 else 0.0
    points = tuple(_point(place * step, gap, top, is_share) for place, gap in enumerate(line.history))
    trend = TREND_WORDS[line.trend.direction] if line.trend else ""
    if line.trend and line.trend.monotone:
        trend += f" (p = {line.trend.monotone.p:.3f})"
    first, last = line.history[0], line.history[-1]
    return Trace(
        label=line.row.subgroup,
        points=points,
        zero_y=TRACE_HEIGHT / 2,
        top_text=format_gap(top, is_share, unit=False),
        bottom_text=format_gap(-top, is_share, unit=False),
        first=first.period,
        last=last.period,
        trend=trend,
        described=f"Gap of {line.row.subgroup} from {first.period}, {format_gap(first.estimate, is_share)}, "
        f"to {last.period}, {format_gap(last.estimate, is_share)}: {trend}.",
    )


def _point(x: float, gap: Gap, top: float, is_share: bool) -> TracePoint:
    def y(value: float) -> float:
        return round(TRACE_HEIGHT / 2 * (1 - max(-1.0, min(1.0, value / top))), 1)

    low, high = (format_gap(limit, is_share, unit=False) for limit in (gap.lower, gap.upper))
    text = f"{gap.period}: {format_gap(gap.estimate, is_share)} ({low} to {high}){'' if gap.is_closed else ', running'}"
    return TracePoint(round(x, 1), y(gap.estimate), y(gap.lower), y(gap.upper), gap.is_closed, text)
