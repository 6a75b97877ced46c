"""A map of published rates by area: shapes where the user has them, else a dot at the middle of each ZIP3."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.equity.groups import GroupsError
from include.equity.places import middles_of
from include.equity.shown import DimensionView, MeasureView
from include.equity.spatial import FEWEST_AREAS, SpatialPattern, nearest_weights, queen_weights, spatial_pattern
from include.reports.findings import dimension_name, format_rate

MAP_DIMENSIONS = ("zip3", "state")
WIDTH, HEIGHT, EDGE = 560.0, 340.0, 26.0
# From light to dark; each at least 3:1 against its neighbours' outline, which is drawn in the darkest.
CLASSES = ("#d6e6f4", "#abcfe5", "#6aaed6", "#3787c0", "#105ba4")


@dataclass(frozen=True, slots=True)
class MapArea:
    """One area: a path or a circle in SVG units, its class of rate (None where hidden), and its words."""

    name: str
    path: str
    x: float
    y: float
    radius: float
    colour: str | None
    text: str


@dataclass(frozen=True, slots=True)
class AreaMap:
    """A measure's map, its legend, what its pattern is in words, and what is not on it."""

    dimension: str
    areas: tuple[MapArea, ...]
    legend: tuple[tuple[str, str], ...]
    described: str
    pattern: str
    missing: str
    width: float
    height: float


def map_measure(view: MeasureView, shapes: Mapping[str, Any] | None = None) -> AreaMap | None:
    """The map of the first dimension of areas that can be drawn; None where none can."""
    for name in MAP_DIMENSIONS:
        dimension = next((each for each in view.dimensions if each.name == name), None)
        drawn = _draw(dimension, view, shapes) if dimension is not None else None
        if drawn is not None:
            return drawn
    return None


def _draw(dimension: DimensionView, view: MeasureView, shapes: Mapping[str, Any] | None) -> AreaMap | None:
    rows = {line.row.subgroup: line.row for line in dimension.lines if line.row.is_known_group}
    outlines = {area: shapes[area] for area in rows if area in shapes} if shapes else {}
    middles = {area: tuple(shape.representative_point().coords[0]) for area, shape in outlines.items()}
    if not outlines and dimension.name == "zip3":
        middles = middles_of(rows)
    rates = {area: rows[area].rate for area in middles if rows[area].rate is not None}
    if len(rates) < 2:
        return None
    limits = _limits(rates.values())
    place = _projection([*middles.values(), *_corners(outlines.values())])
    areas = tuple(
        _area(rows[area], middles[area], outlines.get(area), place, limits, view) for area in _by_size(middles, rows)
    )
    hidden = len(middles) - len(rates)
    unplaced = sorted(set(rows) - set(middles))
    kind = "areas" if outlines else "dots at the middle of each ZIP3, larger where more people are"
    return AreaMap(
        dimension=dimension.name,
        areas=areas,
        legend=tuple(
            (colour, f"{format_rate(low, view.is_share)} to {format_rate(high, view.is_share)}")
            for colour, low, high in zip(CLASSES, limits, limits[1:], strict=False)
        ),
        described=f"Map of {view.measure.title} by {dimension.name}: {kind}. {len(rates)} shown, {hidden} hidden.",
        pattern=describe_pattern(rates, outlines, middles),
        missing=f"Without a place on the map: {dimension_name(dimension.name)} {', '.join(unplaced)}."
        if unplaced
        else "",
        width=WIDTH,
        height=HEIGHT,
    )


def _by_size(middles: Mapping[str, Any], rows: Mapping[str, Any]) -> list[str]:
    return sorted(middles, key=lambda area: -(rows[area].denominator or 0))


def _limits(rates: Iterable[float]) -> list[float]:
    low, high = min(rates := list(rates)), max(rates)
    step = (high - low) / len(CLASSES)
    return [low + n * step for n in range(len(CLASSES) + 1)]


def _corners(shapes: Iterable[Any]) -> Iterable[tuple[float, float]]:
    for shape in shapes:
        west, south, east, north = shape.bounds
        yield from ((west, south), (east, north))


def _projection(points: Sequence[tuple[float, float]]) -> Any:
    """Longitude and latitude to SVG units: equirectangular, true to scale at the middle latitude."""
    west, east = min(x for x, _ in points), max(x for x, _ in points)
    south, north = min(y for _, y in points), max(y for _, y in points)
    squeeze = math.cos(math.radians((south + north) / 2))
    wide, high = max((east - west) * squeeze, 1e-9), max(north - south, 1e-9)
    scale = min((WIDTH - 2 * EDGE) / wide, (HEIGHT - 2 * EDGE) / high)
    left, top = (WIDTH - scale * wide) / 2, (HEIGHT - scale * high) / 2
    return lambda x, y: (round(left + (x - west) * squeeze * scale, 1), round(top + (north - y) * scale, 1))


def _area(row: Any, middle: tuple, shape: Any, place: Any, limits: Sequence[float], view: MeasureView) -> MapArea:
    x, y = place(*middle)
    colour = None if row.rate is None else CLASSES[_class_of(row.rate, limits)]
    told = row.status if row.rate is None else format_rate(row.rate, view.is_share)
    interval = "" if row.rate is None else (
        f" ({format_rate(row.rate_lower, view.is_share)} to {format_rate(row.rate_upper, view.is_share)})"
    )  # fmt: skip
    radius = round(max(5.0, min(16.0, 0.9 * math.sqrt(row.denominator or 0))), 1)
    return MapArea(row.subgroup, _path(shape, place), x, y, radius, colour, f"{row.subgroup}: {told}{interval}")


def _class_of(rate: float, limits: Sequence[float]) -> int:
    return min(len(CLASSES) - 1, sum(rate >= limit for limit in limits[1:-1]))


def _path(shape: Any, place: Any) -> str:
    if shape is None:
        return ""
    polygons = getattr(shape, "geoms", [shape])
    rings = [ring for polygon in polygons for ring in (polygon.exterior, *polygon.interiors)]
    return " ".join(
        "M" + " L".join(f"{x},{y}" for x, y in (place(*c[:2]) for c in ring.coords)) + " Z" for ring in rings
    )


def describe_pattern(
    rates: Mapping[str, float], outlines: Mapping[str, Any], middles: Mapping[str, tuple[float, float]]
) -> str:
    """Moran's I and the local clusters in words, over the areas whose rate is shown; or why there is none."""
    if len(rates) < FEWEST_AREAS:
        return f"Spatial pattern not tested: {len(rates)} areas are shown, and it takes {FEWEST_AREAS}."
    found: list[str] = []
    if outlines:
        found.append(
            _tested(rates, lambda: queen_weights({area: outlines[area] for area in rates}), "areas that share a border")
        )
    found.append(
        _tested(rates, lambda: nearest_weights({area: middles[area] for area in rates}), "the four nearest areas")
    )
    return " ".join(found)


def _tested(rates: Mapping[str, float], weigh: Any, name: str) -> str:
    try:
        pattern = spatial_pattern(rates, weigh(), name=name)
    except GroupsError as error:
        return f"Spatial pattern over {name} not tested: {error.found}."
    return _pattern_text(pattern)


def _pattern_text(pattern: SpatialPattern) -> str:
    sure = "neighbours resemble each other" if pattern.p < 0.05 else "no clear pattern"
    kept = [f"{each.area} ({each.kind})" for each in pattern.areas if each.is_kept]
    local = f"Local clusters (false discovery rate 5%): {', '.join(kept)}." if kept else "No local cluster is kept."
    return f"Over {pattern.weights}: Moran's I = {pattern.moran:.3f}, permutation p = {pattern.p:.3f}: {sure}. {local}"
