"""Where the marks of a dot plot stand: rates by group with their intervals, as numbers for an SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PLOT_WIDTH = 300.0
ROW_HEIGHT = 20.0


@dataclass(frozen=True, slots=True)
class Mark:
    """One group's row: x positions in SVG units, or None where nothing may be shown."""

    label: str
    y: float
    x: float | None
    x_lower: float | None
    x_upper: float | None
    text: str
    note: str


@dataclass(frozen=True, slots=True)
class DotPlot:
    """A measure by the groups of one dimension on a common scale from zero."""

    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    height: float
    reference_x: float | None


def lay_out(
    rows: Sequence[tuple[str, float | None, float | None, float | None, str, str]],
    *,
    overall: float | None,
    is_share: bool,
) -> DotPlot:
    """Place rows of ``(label, estimate, lower, upper, text, note)``; ``overall`` draws a line.

    ``is_share`` formats the scale in percent. A row without an estimate keeps its place and says why in its note.
    """
    largest = max((high for _, estimate, _, high, *_ in rows if estimate is not None and high is not None), default=0.0)
    top, step = nice_scale(max(largest, overall or 0.0))
    marks = tuple(
        Mark(
            label=label,
            y=ROW_HEIGHT * (position + 0.5),
            x=_x(estimate, top),
            x_lower=_x(low, top) if estimate is not None else None,
            x_upper=_x(high, top) if estimate is not None else None,
            text=text,
            note=note,
        )
        for position, (label, estimate, low, high, text, note) in enumerate(rows)
    )
    count = round(top / step)
    ticks = tuple((_x(step * n, top) or 0.0, _tick(step * n, is_share)) for n in range(count + 1))
    return DotPlot(marks, ticks, ROW_HEIGHT * len(rows), _x(overall, top))


def nice_scale(largest: float, most_ticks: int = 5) -> tuple[float, float]:
    """The end of a scale from zero and its step, both round numbers: ``0.37`` gives ``(0.4, 0.1)``."""
    if largest <= 0:
        return 1.0, 0.5
    rough = largest / most_ticks
    magnitude = 10 ** math.floor(math.log10(rough))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= rough)
    return step * math.ceil(largest / step - 1e-9), step


def _x(value: float | None, top: float) -> float | None:
    return None if value is None else round(PLOT_WIDTH * min(max(value, 0.0), top) / top, 1)


def _tick(value: float, is_share: bool) -> str:
    return f"{value * 100:g}%" if is_share else f"{value:g}"
