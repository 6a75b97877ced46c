"""Kinds of checks, read strictly from ``check_types.yml``, and one use of a kind: an instance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from include.quality.errors import SuiteError
from include.quality.rules import DIMENSIONS
from include.yaml_text import parse_yaml

FOLDER = Path(__file__).parent
CONTEXTS = ("verification", "validation")
CATEGORIES = ("conformance", "completeness", "plausibility")
SUBCATEGORIES = (None, "value", "relational", "computational", "atemporal", "temporal", "uniqueness")
COUNTERS = ("concepts", "relations", "reader", "custom")
PIECES = ("column", "other", "values", "low", "high", "regex", "days", "length", "latest")
_WORDS = {
    "asks",
    "kahn",
    "dimension",
    "applies",
    "fails",
    "tested",
    "failed",
    "counted",
    "threshold",
    "action",
    "whole",
}


@dataclass(frozen=True, slots=True)
class CheckType:
    """One kind of check. ``applies`` and ``fails`` are SQL over a row, ``tested`` and ``failed`` SQL over all rows.

    ``threshold`` is the share of tested records that may fail, 0 to 1. ``counted`` names who counts a kind that has no SQL here.
    """

    name: str
    asks: str
    context: str
    category: str
    subcategory: str | None
    dimension: str
    threshold: float
    action: str
    applies: str | None = None
    fails: str | None = None
    tested: str | None = None
    failed: str | None = None
    counted: str | None = None
    whole: bool = False

    @property
    def is_of_rows(self) -> bool:
        """Whether single records pass or fail, so that failing ones have keys."""
        return self.fails is not None


@dataclass(frozen=True, slots=True)
class Instance:
    """One check: a kind applied to a column of a subject, with what it needs. ``name`` is the same every night."""

    name: str
    check: CheckType
    subject: str
    column: str | None
    threshold: float
    arguments: Mapping[str, Any] = field(default_factory=dict)
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    only: str | None = None


@lru_cache(maxsize=4)
def read_check_types(file: Path = FOLDER / "check_types.yml") -> Mapping[str, CheckType]:
    """Check types by name. Raises SuiteError naming everything that is wrong at once."""
    said = parse_yaml(file.read_text())
    problems: list[str] = []
    found = {name: check_type(name, words, problems) for name, words in (said.get("types") or {}).items()}
    refuse(problems, file.name)
    return {name: each for name, each in found.items() if each}


def check_type(name: str, words: Any, problems: list[str]) -> CheckType | None:
    """A check type from its words, or None with what is wrong added to ``problems``."""
    wrong = list(_problems(words)) if isinstance(words, dict) else ["is not a mapping"]
    problems += [f"{name}: {problem}" for problem in wrong]
    if wrong:
        return None
    context, category, subcategory = words["kahn"]
    rest = {
        word: words[word]
        for word in ("asks", "dimension", "action", "applies", "fails", "tested", "failed", "counted", "whole")
        if word in words
    }
    return CheckType(
        name=name,
        context=context,
        category=category,
        subcategory=subcategory,
        threshold=float(words["threshold"]),
        **rest,
    )


def _problems(words: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"unknown word {word}" for word in sorted(set(words) - _WORDS))
    yield from (
        f"does not say {word}" for word in ("asks", "kahn", "dimension", "threshold", "action") if word not in words
    )
    kahn = words.get("kahn")
    if not isinstance(kahn, list) or len(kahn) != 3 or kahn[0] not in CONTEXTS or kahn[1] not in CATEGORIES:
        yield f"kahn is [{'|'.join(CONTEXTS)}, {'|'.join(CATEGORIES)}, subcategory or null]"
    elif kahn[2] not in SUBCATEGORIES:
        yield f"subcategory is one of {', '.join(map(str, SUBCATEGORIES))}"
    if words.get("dimension") not in DIMENSIONS:
        yield f"dimension is one of {', '.join(DIMENSIONS)}"
    if not is_share(words.get("threshold")):
        yield "threshold is a share from 0 to 1"
    ways = [{"applies", "fails"} <= set(words), {"tested", "failed"} <= set(words), words.get("counted") in COUNTERS]
    if sum(ways) != 1:
        yield f"says exactly one of: applies and fails, tested and failed, counted ({', '.join(COUNTERS)})"


def is_share(value: Any) -> bool:
    """Whether a threshold is a number from 0 to 1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def refuse(problems: list[str], where: str) -> None:
    """Raise SuiteError with every problem, where there is one."""
    if problems:
        raise SuiteError(
            found=f"{len(problems)} problem(s) in {where}: {'; '.join(problems)}",
            expected="the words that the head of include/quality/catalogue/check_types.yml and its README list",
            action="correct the YAML; nothing is judged by checks that are only partly understood",
        )
