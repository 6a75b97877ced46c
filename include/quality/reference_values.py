"""Reviewed tables that rules refer to: value sets of FHIR R4 and the ranges a measured value can possibly lie in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from include.yaml_text import parse_yaml

VALUE_SETS = "value_sets.yml"
PLAUSIBLE_RANGES = "plausible_ranges.yml"
_VALUE_SET_WORDS = {"source", "values"}
_RANGE_WORDS = {"code", "name", "units", "why"}


@dataclass(frozen=True, slots=True)
class PlausibleRange:
    """The lowest and the highest value of a LOINC code that, in this unit, a living person can have. Both included."""

    code: str
    unit: str
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class ReferenceValues:
    """Value sets by name, and plausible ranges by (LOINC code, UCUM unit)."""

    value_sets: Mapping[str, tuple[str, ...]]
    ranges: Mapping[tuple[str, str], PlausibleRange]


def read_reference_values(folder: Path, problems: list[str]) -> ReferenceValues:
    """Read both tables of a folder of suites. What is wrong is added to ``problems``, all of it, and left out."""
    sets = _read(folder / VALUE_SETS, problems).get("value_sets") or {}
    ranges = _read(folder / PLAUSIBLE_RANGES, problems).get("ranges") or []
    return ReferenceValues(
        value_sets=dict(_value_sets(sets, problems)),
        ranges={(each.code, each.unit): each for each in _ranges(ranges, problems)},
    )


def _read(file: Path, problems: list[str]) -> Mapping[str, Any]:
    if not file.is_file():
        problems.append(f"{file.name} is missing")
        return {}
    content = parse_yaml(file.read_text()) or {}
    problems += [f"{file.name} does not say its owner"] if not content.get("owner") else []
    unknown = set(content) - {"owner", "reviewed", "source", "value_sets", "ranges"}
    problems += [f"{file.name}: unknown word {word}" for word in sorted(unknown)]
    return content


def _value_sets(sets: Mapping[str, Any], problems: list[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, said in sets.items():
        if not isinstance(said, dict) or set(said) != _VALUE_SET_WORDS or not said["values"]:
            problems.append(f"{VALUE_SETS}: {name} needs exactly {', '.join(sorted(_VALUE_SET_WORDS))}")
            continue
        if not all(isinstance(value, str) for value in said["values"]):
            problems.append(f"{VALUE_SETS}: {name} holds something that is not text; quote it")
            continue
        yield name, tuple(said["values"])


def _ranges(ranges: list[Any], problems: list[str]) -> Iterator[PlausibleRange]:
    seen: set[tuple[str, str]] = set()
    for said in ranges:
        if not isinstance(said, dict) or set(said) != _RANGE_WORDS or not isinstance(said["code"], str):
            problems.append(
                f"{PLAUSIBLE_RANGES}: a range needs exactly {', '.join(sorted(_RANGE_WORDS))}, code as text"
            )
            continue
        for unit, bounds in said["units"].items():
            if (said["code"], unit) in seen:
                problems.append(f"{PLAUSIBLE_RANGES}: {said['code']} in {unit} is listed twice")
            elif not _is_interval(bounds):
                problems.append(f"{PLAUSIBLE_RANGES}: {said['code']} in {unit} is not [low, high] with low below high")
            else:
                seen.add((said["code"], unit))
                yield PlausibleRange(said["code"], unit, Decimal(str(bounds[0])), Decimal(str(bounds[1])))


def _is_interval(bounds: Any) -> bool:
    numbers = isinstance(bounds, list) and len(bounds) == 2 and all(isinstance(each, int | float) for each in bounds)
    return numbers and bounds[0] < bounds[1]
