"""Spatial statistics on grids whose answer is known, and on the places of real ZIP3s."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import box, mapping

from include.equity.groups import GroupsError
from include.equity.places import middles_of, read_shapes, zip3_middles
from include.equity.spatial import kept_at_rate, nearest_weights, queen_weights, spatial_pattern

GRID = {f"{column}-{row}": box(column, row, column + 1, row + 1) for column in range(6) for row in range(6)}


def _moran_by_definition(values: dict[str, float], neighbours: dict[str, list[str]]) -> float:
    mean = np.mean(list(values.values()))
    away = {area: value - mean for area, value in values.items()}
    lag = {area: np.mean([away[other] for other in neighbours[area]]) for area in values}
    return sum(away[area] * lag[area] for area in values) / sum(each**2 for each in away.values())


def test_queen_weights_are_borders_and_corners() -> None:
    weights = queen_weights(GRID)
    assert sorted(weights.neighbors["0-0"]) == ["0-1", "1-0", "1-1"]
    assert len(weights.neighbors["2-2"]) == 8


def test_morans_i_is_that_of_its_definition_and_a_block_of_high_rates_is_found() -> None:
    rates = {area: 0.6 if int(area[0]) < 3 and int(area[2]) < 3 else 0.2 + 0.001 * int(area[0]) for area in GRID}
    found = spatial_pattern(rates, queen_weights(GRID), name="queen")
    assert found.moran == pytest.approx(_moran_by_definition(rates, dict(queen_weights(GRID).neighbors)))
    assert found.p < 0.01
    high = {each.area for each in found.areas if each.is_kept and each.kind == "high among high"}
    assert {"0-0", "1-1"} <= high
    assert not any(int(area[0]) > 3 for area in high)


def test_noise_is_no_pattern_and_the_same_input_gives_the_same_result() -> None:
    rng = np.random.default_rng(4)
    rates = dict(zip(GRID, rng.random(len(GRID)), strict=True))
    found = spatial_pattern(rates, queen_weights(GRID), name="queen")
    assert found.p > 0.05
    assert sum(each.is_kept for each in found.areas) == 0
    assert spatial_pattern(rates, queen_weights(GRID), name="queen") == found


def test_nearest_neighbours_are_measured_on_the_globe() -> None:
    points = {"a": (179.9, 0.0), "b": (-179.9, 0.0), "c": (170.0, 0.0), "d": (-100.0, 10.0)}
    assert nearest_weights(points, 1).neighbors["a"] == ["b"]


def test_too_few_areas_equal_rates_and_islands_are_refused() -> None:
    few = dict(list(GRID.items())[:4])
    with pytest.raises(GroupsError, match="4 areas"):
        spatial_pattern(dict.fromkeys(few, 0.1), queen_weights(few), name="queen")
    with pytest.raises(GroupsError, match="one and the same rate"):
        spatial_pattern(dict.fromkeys(GRID, 0.1), queen_weights(GRID), name="queen")
    island = {**GRID, "away": box(90, 90, 91, 91)}
    rates = {area: float(place) for place, area in enumerate(island)}
    with pytest.raises(GroupsError, match="1 area"):
        spatial_pattern(rates, queen_weights(island), name="queen")


def test_false_discoveries_are_bounded_by_the_step_up_rule() -> None:
    # Benjamini and Hochberg (1995), their worked example of 15 p-values: four are kept at 0.05.
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
    assert kept_at_rate(p, 0.05).sum() == 4


def test_zip3s_lie_where_they_are() -> None:
    middles = zip3_middles()
    assert len(middles) > 800
    assert middles["021"] == pytest.approx((-71.1, 42.35), abs=0.2)
    assert set(middles_of(["021", "000", "unknown"])) == {"021"}


def test_shapes_come_from_geojson_and_a_wrong_file_is_told_so(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.geojson", tmp_path / "bad.geojson"
    good.write_text(json.dumps({"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"ZIP3": "021"}, "geometry": mapping(box(0, 0, 1, 1))}]}))  # fmt: skip
    assert read_shapes(good)["021"].area == 1
    bad.write_text('{"features": [{"properties": {}, "geometry": null}]}')
    with pytest.raises(GroupsError, match="not a GeoJSON"):
        read_shapes(bad)
    with pytest.raises(GroupsError, match="no file"):
        read_shapes(tmp_path / "none.geojson")
