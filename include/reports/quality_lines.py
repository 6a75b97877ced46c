"""Where the points of quality over time stand: overall scores of a source and data class by night, as numbers for an SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import groupby
from typing import Any

WIDTH, HEIGHT = 300.0, 80.0


def quality_lines(history: Iterable[Any]) -> list[Mapping[str, Any]]:
    """One plot a source and data class, from rows ordered by both and by night. Scores of 0 to 1; nights keep their distance.

    A single night is in the table of scores and no course.
    """
    plots = []
    for (source, data_class), rows in groupby(history, key=lambda row: (row.source, row.data_class)):
        scored = [row for row in rows if row.overall is not None]
        if len(scored) > 1:
            plots.append({"source": source, "data_class": data_class, **_lay_out(scored)})
    return plots


def _lay_out(rows: list[Any]) -> Mapping[str, Any]:
    lowest = min(float(row.overall if row.overall_low is None else row.overall_low) for row in rows)
    bottom = max(0.0, min(0.9, int(lowest * 10) / 10))
    first, last = rows[0].night, rows[-1].night
    points = [
        {"x": _x(row.night, first, last), "y": _y(row.overall, bottom), "night": row.night, "value": row.overall}
        for row in rows
    ]
    banded = [row for row in rows if row.overall_low is not None and row.overall_high is not None]
    edges = [(_x(row.night, first, last), _y(row.overall_high, bottom)) for row in banded]
    edges += [(_x(row.night, first, last), _y(row.overall_low, bottom)) for row in reversed(banded)]
    return {
        "points": points,
        "band": " ".join(f"{x},{y}" for x, y in edges) if len(banded) > 1 else "",
        "ticks": [(_y(value, bottom), f"{value:.2f}") for value in (bottom, (1 + bottom) / 2, 1.0)],
        "latest": rows[-1].overall,
        "change": None if rows[-1].change is None else float(rows[-1].change),
    }


def _x(night: date, first: date, last: date) -> float:
    days = (last - first).days
    return round(WIDTH * (night - first).days / days, 1)


def _y(value: Any, bottom: float) -> float:
    return round(HEIGHT * (1 - (float(value) - bottom) / (1 - bottom)), 1)
