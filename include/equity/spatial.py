"""Do neighbouring areas resemble each other? Moran's I and its local form, by PySAL, on real spatial weights.

Sources: Moran (1950) Biometrika 37:17; Anselin (1995) Geographical Analysis 27:93 (local indicators); Benjamini and Hochberg
(1995) (false discoveries); Caldas de Castro and Singer (2006) (why local indicators need it). Permutation p-values, one seed.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from include.equity.groups import GroupsError

PERMUTATIONS = 999
SEED = 20000
FEWEST_AREAS = 8
QUADRANTS = {1: "high among high", 2: "low among high", 3: "low among low", 4: "high among low"}


@dataclass(frozen=True, slots=True)
class LocalArea:
    """One area's local Moran: which kind of place it is, and whether that is kept at the false discovery rate."""

    area: str
    statistic: float
    p: float
    kind: str
    is_kept: bool


@dataclass(frozen=True, slots=True)
class SpatialPattern:
    """Moran's I of all areas with its permutation p (one-sided, as PySAL's), and every area's own."""

    weights: str
    moran: float
    expected: float
    p: float
    areas: tuple[LocalArea, ...]


def queen_weights(shapes: Mapping[str, Any]) -> Any:
    """Weights of areas that share a border or a corner; ``shapes`` are shapely polygons by area."""
    import geopandas
    from libpysal.weights import Queen

    frame = geopandas.GeoDataFrame({"area": list(shapes)}, geometry=list(shapes.values()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # islands are told of by spatial_pattern
        return Queen.from_dataframe(frame, ids="area", use_index=False, silence_warnings=True)


def nearest_weights(points: Mapping[str, tuple[float, float]], neighbours: int = 4) -> Any:
    """Weights of each area's nearest others by great-circle distance; ``points`` are (longitude, latitude) in degrees."""
    from libpysal.weights import KNN

    place = np.radians(np.array(list(points.values()), float))
    globe = np.column_stack([
        np.cos(place[:, 1]) * np.cos(place[:, 0]), np.cos(place[:, 1]) * np.sin(place[:, 0]), np.sin(place[:, 1])
    ])  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return KNN.from_array(globe, k=min(neighbours, len(points) - 1), ids=list(points), silence_warnings=True)


def spatial_pattern(
    rates: Mapping[str, float],
    weights: Any,
    *,
    name: str,
    false_discovery_rate: float = 0.05,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
) -> SpatialPattern:
    """Moran's I and local indicators of ``rates`` over ``weights`` of the same areas. The same input gives the same result.

    Raises GroupsError where there are fewer than eight areas, all rates are equal, or an area has no neighbour.
    """
    from esda import Moran, Moran_Local

    _require_areas(rates, weights)
    order = list(weights.id_order)
    values = np.array([rates[area] for area in order], float)
    weights.transform = "r"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.random.seed(seed)
        everywhere = Moran(values, weights, permutations=permutations)
        local = Moran_Local(values, weights, permutations=permutations, seed=seed, n_jobs=1)
    kept = kept_at_rate(local.p_sim, false_discovery_rate)
    return SpatialPattern(
        weights=name,
        moran=float(everywhere.I),
        expected=float(everywhere.EI),
        p=float(everywhere.p_sim),
        areas=tuple(
            LocalArea(area, float(statistic), float(p), QUADRANTS[int(quadrant)], bool(keep))
            for area, statistic, p, quadrant, keep in zip(order, local.Is, local.p_sim, local.q, kept, strict=True)
        ),
    )


def kept_at_rate(p_values: Sequence[float], rate: float) -> np.ndarray:
    """True where a p-value is kept at this false discovery rate (Benjamini and Hochberg's step-up procedure)."""
    p = np.asarray(p_values, float)
    ranked = np.sort(p)
    below = np.flatnonzero(ranked <= rate * np.arange(1, len(p) + 1) / len(p))
    return p <= ranked[below[-1]] if len(below) else np.zeros(len(p), bool)


def _require_areas(rates: Mapping[str, float], weights: Any) -> None:
    if len(rates) < FEWEST_AREAS or set(rates) != set(weights.id_order):
        raise GroupsError(
            found=f"{len(rates)} areas with a rate, {len(weights.id_order)} with neighbours",
            expected=f"the same {FEWEST_AREAS} areas or more in both",
            action="give shapes or points of the areas that have rates",
        )
    if len(set(rates.values())) < 2:
        raise GroupsError(
            found="areas with one and the same rate", expected="rates that differ", action="nothing to do"
        )
    if weights.islands:
        raise GroupsError(
            found=f"{len(weights.islands)} area(s) without a neighbour",
            expected="a neighbour for every area",
            action="use the nearest areas instead of those that share a border",
        )
