"""What is known of the county behind a ZIP code: social vulnerability and rurality, from files the hospital provides.

ZIP codes meet counties through the ``zipcodes`` package (one county a ZIP: most of its people, not all). Files, in one folder:
CDC/ATSDR's Social Vulnerability Index by county (columns FIPS, LOCATION, RPL_THEMES; -999 is missing) and USDA's Rural-Urban
Continuum Codes (FIPS or FIPS_Code, State, County_Name, RUCC_…; 1 to 3 are metropolitan). Both are public domain.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from include.errors import PlumblineError

_KINDS = re.compile(
    r"\s+(county|parish|borough|census area|city and borough|municipality|municipio|island|planning region)$"
)


class GeographyError(PlumblineError):
    """A file on areas cannot be read as what it is."""


@dataclass(frozen=True, slots=True)
class ZipArea:
    """One ZIP code with what is known of its county; None where nothing is."""

    zip_code: str
    svi_quartile: int | None  # 1 least, 4 most vulnerable of the nation's counties
    rurality: str | None


@dataclass(slots=True)
class _Counties:
    quartiles: dict[tuple[str, str], int] = field(default_factory=dict)
    ruralities: dict[tuple[str, str], str] = field(default_factory=dict)


def read_areas(folder: Path) -> list[ZipArea]:
    """Every ZIP code of whose county one of the folder's files tells something. Raises GeographyError naming the file."""
    counties = _Counties()
    files = sorted(folder.glob("*.csv"))
    read = [_read_file(file, counties) for file in files]
    if not any(read):
        raise GeographyError(
            found=f"{len(files)} CSV file(s) in the geography folder, none of them one that is known",
            expected="CDC's SVI by county (FIPS, LOCATION, RPL_THEMES) or USDA's continuum codes (State, County_Name, RUCC_…)",
            action="put one of them there, or leave PLUMBLINE_GEOGRAPHY unset: people's areas are then unknown",
        )
    return [area for area in _by_zip(counties) if area.svi_quartile or area.rurality]


def _read_file(file: Path, counties: _Counties) -> bool:
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        reader = csv.DictReader(lines)
        names = set(reader.fieldnames or ())
        rucc = next((name for name in names if name.upper().startswith("RUCC")), None)
        if {"LOCATION", "RPL_THEMES"} <= names:
            counties.quartiles |= dict(_quartiles(file, reader))
        elif rucc and {"State", "County_Name"} <= names:
            counties.ruralities |= dict(_ruralities(reader, rucc))
        else:
            return False
    return True


def _quartiles(file: Path, rows: Iterable[Mapping[str, str]]) -> Iterator[tuple[tuple[str, str], int]]:
    for line, row in enumerate(rows, start=2):
        county, _, state = (row["LOCATION"] or "").rpartition(",")
        try:
            rank = float(row["RPL_THEMES"])
        except (TypeError, ValueError) as error:
            raise GeographyError(
                found=f"{file.name} line {line} has no number in RPL_THEMES",
                expected="a rank from 0 to 1, or -999 where it is missing",
                action=f"have {file.name} from CDC/ATSDR as it is",
            ) from error
        if 0 <= rank <= 1 and (code := _STATE_CODES.get(state.strip().lower())):
            yield (code, county_key(county)), max(1, ceil(4 * rank))


def _ruralities(rows: Iterable[Mapping[str, str]], column: str) -> Iterator[tuple[tuple[str, str], str]]:
    for row in rows:
        code = (row[column] or "").strip().split(".")[0]
        if code.isdigit() and 1 <= int(code) <= 9:
            word = "metropolitan" if int(code) <= 3 else "nonmetropolitan"
            yield (row["State"].strip().upper(), county_key(row["County_Name"])), word


def county_key(name: str) -> str:
    """A county's name without its kind, spaces and points: 'St. Mary Parish' is 'stmary'; 'Baltimore city' keeps its city."""
    return re.sub(r"[^a-z0-9]", "", _KINDS.sub("", " ".join(name.lower().split())))


def _by_zip(counties: _Counties) -> Iterator[ZipArea]:
    import zipcodes

    seen: set[str] = set()
    for each in zipcodes.list_all():
        if each["zip_code"] in seen or not each["county"]:
            continue
        seen.add(each["zip_code"])
        key = (each["state"], county_key(each["county"]))
        yield ZipArea(each["zip_code"], counties.quartiles.get(key), counties.ruralities.get(key))


def _read_state_codes() -> dict[str, str]:
    file = Path(__file__).parents[2] / "dbt_project" / "seeds" / "us_states.csv"
    with file.open(newline="", encoding="utf-8") as lines:
        return {row["name"].lower(): row["code"] for row in csv.DictReader(lines)}


_STATE_CODES = _read_state_codes()
