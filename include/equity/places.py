"""Where areas are: ZIP3 middles from the ``zipcodes`` package, and shapes from a user's GeoJSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from include.equity.groups import GroupsError

AREA_PROPERTIES = ("zip3", "state", "area")


@cache
def zip3_middles() -> Mapping[str, tuple[float, float]]:
    """(longitude, latitude) of every ZIP3: the middle of its active standard ZIP codes, unweighted."""
    import zipcodes

    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for each in zipcodes.list_all():
        if each["active"] and each["zip_code_type"] == "STANDARD" and each["lat"] and each["long"]:
            found[each["zip_code"][:3]].append((float(each["long"]), float(each["lat"])))
    return {
        zip3: (sum(x for x, _ in places) / len(places), sum(y for _, y in places) / len(places))
        for zip3, places in sorted(found.items())
    }


def middles_of(areas: Iterable[str]) -> dict[str, tuple[float, float]]:
    """The middles of those of ``areas`` that are ZIP3s with a known place."""
    known = zip3_middles()
    return {area: known[area] for area in areas if area in known}


def read_shapes(file: Path) -> dict[str, Any]:
    """Shapely geometries by area of a GeoJSON FeatureCollection. Raises GroupsError saying what the file lacks."""
    from shapely.geometry import shape

    try:
        features = json.loads(file.read_text(encoding="utf-8"))["features"]
        shapes = {_area_of(each["properties"]): shape(each["geometry"]) for each in features}
    except FileNotFoundError as error:
        raise GroupsError(
            found=f"no file {file.name} with shapes", expected="GeoJSON", action="give SHAPES=path/to/areas.geojson"
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise GroupsError(
            found=f"{file.name} is not a GeoJSON FeatureCollection of areas",
            expected=f"features with a geometry and a property {' or '.join(AREA_PROPERTIES)}",
            action="convert it (longitude and latitude, WGS 84)",
        ) from error
    if not shapes:
        raise GroupsError(found=f"{file.name} has no area", expected="one feature an area", action="check the file")
    return shapes


def _area_of(properties: Mapping[str, Any]) -> str:
    lowered = {str(name).lower(): value for name, value in properties.items()}
    return str(next(lowered[name] for name in AREA_PROPERTIES if name in lowered))
