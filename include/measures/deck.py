"""Reading a deck of test cases: folders of FHIR resources, each with the MeasureReport that is expected of it.

A deck is a folder with ``cases/`` (one folder or bundle file a case) and its value sets beside it, or a folder of case folders.
A case that cannot be used says why and does not stop the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from include.errors import PlumblineError
from include.terminology.value_sets import read_bytes

MEASURES = ("cms122", "cms125", "cms130", "cms165")
POPULATIONS = ("initial-population", "denominator", "denominator-exclusion", "denominator-exception", "numerator")
_NOT_OF_A_PATIENT = {"MeasureReport", "Measure", "Library", "ValueSet", "CodeSystem", "Parameters", "Bundle"}
_CMS = re.compile(r"CMS[-_ ]?0*(\d{2,4})", re.IGNORECASE)
_JSON = (".json", ".json.gz")


class DeckError(PlumblineError):
    """There is no deck where one was said to be."""


@dataclass(slots=True)
class Case:
    """One patient of a deck. ``problem`` says why it cannot be evaluated; ``expected`` has the counts its report names."""

    deck: str
    name: str
    title: str = ""
    measure: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    expected: dict[str, int] = field(default_factory=dict)
    resources: list[bytes] = field(default_factory=list)
    problem: str | None = None

    @property
    def period(self) -> str:
        """The period as the models name it."""
        return f"{self.first_day} to {self.last_day}"


@dataclass(frozen=True, slots=True)
class Deck:
    """A folder of cases and the files that may hold its value sets."""

    folder: Path
    case_paths: tuple[Path, ...]

    @property
    def terminology_files(self) -> list[Path]:
        """Files beside the cases whose names speak of value sets, and folders of them."""
        beside = [each for each in self.folder.iterdir() if each not in self.case_paths and each.name != "cases"]
        words = ("valueset", "value_set", "value-set", "vocabulary", "terminology")
        return sorted(each for each in beside if any(word in each.name.lower() for word in words))


def find_decks(path: Path) -> list[Deck]:
    """The decks in a folder: itself, or several below it. Raises DeckError where there is none."""
    if not path.exists():
        raise DeckError(
            found=f"there is nothing at {path}",
            expected="a deck: a folder with cases/, or of case folders with a MeasureReport in each",
            action="give DECK=path/to/deck",
        )
    decks = [
        Deck(folder.parent, tuple(_cases_in(folder)))
        for folder in ([path] if path.name == "cases" else sorted(path.rglob("cases")))
        if folder.is_dir()
    ] or _decks_by_report(path)
    decks = [deck for deck in decks if deck.case_paths]
    if not decks:
        raise DeckError(
            found=f"{path.name} holds no case",
            expected="a folder or bundle a case, with a MeasureReport in it",
            action="give DECK=path/to/deck",
        )
    return decks


def _cases_in(folder: Path) -> list[Path]:
    return sorted(
        each for each in folder.iterdir() if not each.name.startswith(".") and (each.is_dir() or _is_json(each))
    )


def _decks_by_report(path: Path) -> list[Deck]:
    """Without ``cases/``: whatever folder holds a MeasureReport is a case (also in a folder of that type's own)."""
    folders = {
        report.parent.parent if report.parent.name.lower() == "measurereport" else report.parent
        for report in path.rglob("*")
        if report.name.lower().startswith("measurereport") and _is_json(report) and report.is_file()
    }
    if not folders:
        children = [each for each in path.iterdir() if each.is_dir() and any(map(_is_json, each.iterdir()))]
        return [Deck(path, tuple(sorted(children)))]
    parents = sorted({folder.parent if folder != path else folder for folder in folders})
    return [
        Deck(parent, tuple(sorted(each for each in folders if parent in (each, each.parent)))) for parent in parents
    ]


def _is_json(path: Path) -> bool:
    return path.name.lower().endswith(_JSON)


def read_case(deck: Deck, path: Path) -> Case:
    """Read one case. Whatever is wrong with it is in ``problem``."""
    case = Case(deck=deck.folder.name, name=path.name.removesuffix(".gz").removesuffix(".json"))
    found: dict[tuple[str, str], bytes] = {}
    reports: list[dict[str, Any]] = []
    files = sorted(file for file in path.rglob("*") if _is_json(file)) if path.is_dir() else [path]
    # Resources on their own come before those of a bundle, which usually repeats them.
    unread = 0
    told: list[dict[str, Any]] = []
    for file in files:
        try:
            resource = orjson.loads(read_bytes(file))
            told += [resource] if isinstance(resource, dict) else []
            unread += not isinstance(resource, dict)
        except (OSError, EOFError, ValueError):
            unread += 1
    for resource in sorted(told, key=lambda each: each.get("resourceType") == "Bundle"):
        if resource.get("resourceType") == "Bundle" and not case.title:
            case.title = str(resource.get("id") or "")[:200]
        for each in _unbundled(resource):
            kind, own = each.get("resourceType"), each.get("id")
            if kind == "MeasureReport":
                reports.append(each)
            elif isinstance(kind, str) and isinstance(own, str) and kind not in _NOT_OF_A_PATIENT:
                found.setdefault((kind, own), orjson.dumps(each))
    case.resources = list(found.values())
    if unread:
        case.problem = f"{unread} of its files cannot be read as JSON"
    elif not reports:
        case.problem = "it has no MeasureReport, so nothing is expected of it"
    elif sum(kind == "Patient" for kind, _ in found) != 1:
        case.problem = f"it has {sum(kind == 'Patient' for kind, _ in found)} patients; expected one"
    if reports:
        _read_report(case, reports[0], deck)
    return case


def _unbundled(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if resource.get("resourceType") != "Bundle":
        yield resource
        return
    entries = resource.get("entry")
    for entry in entries if isinstance(entries, list) else []:
        inner = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(inner, dict):
            yield from _unbundled(inner)


def _read_report(case: Case, report: dict[str, Any], deck: Deck) -> None:
    case.measure = _measure_of(str(report.get("measure") or ""), deck.folder.name)
    case.title = case.title or _description(report)
    if case.measure is None:
        case.problem = case.problem or f"its measure is none of {', '.join(each.upper() for each in MEASURES)}"
    try:
        period = report["period"]
        case.first_day, case.last_day = (date.fromisoformat(period[end][:10]) for end in ("start", "end"))
    except (KeyError, TypeError, ValueError):
        case.problem = case.problem or "its MeasureReport has no period with a first and a last day"
    try:
        case.expected = _expected(report)
    except (KeyError, TypeError, ValueError, IndexError):
        case.problem = case.problem or "its MeasureReport does not count populations"


def _measure_of(*told: str) -> str | None:
    for text in told:
        for number in _CMS.findall(text):
            if f"cms{number}" in MEASURES:
                return f"cms{number}"
    return None


def _description(report: dict[str, Any]) -> str:
    for extension in report.get("extension") or []:
        if isinstance(extension, dict) and str(extension.get("url", "")).endswith("testCaseDescription"):
            return str(extension.get("valueMarkdown") or extension.get("valueString") or "")[:200]
    return ""


def _expected(report: dict[str, Any]) -> dict[str, int]:
    counts = {
        coding["code"]: int(population["count"])
        for population in report["group"][0]["population"]
        for coding in population["code"]["coding"]
    }
    if "initial-population" not in counts:
        raise ValueError
    return counts
