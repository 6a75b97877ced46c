"""Thresholds of single checks, read from ``include/policies/check_thresholds.yml``: each with an owner, a reason and an end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from include.quality.catalogue.check_types import is_share
from include.quality.errors import QualityPolicyError
from include.quality.suites import read_yaml

POLICY_FILE = Path(__file__).parents[2] / "policies" / "check_thresholds.yml"
EVERY = "every"
_NEEDED = {"check", "source", "threshold", "owner", "reason", "expires"}


@dataclass(frozen=True, slots=True)
class Override:
    """A threshold in force for checks and sources that fit, up to and with ``expires``."""

    check: str
    source: str
    threshold: float
    owner: str
    reason: str
    expires: date
    instance: str = "*"

    def fits(self, source: str, check: str, instance: str, night: date) -> bool:
        """Whether it counts for this check of this source on this night."""
        return night <= self.expires and self.source in (EVERY, source) and self.names(check, instance)

    def names(self, check: str, instance: str) -> bool:
        """Whether it is about this check. Names have brackets of their own: only * and ? stand for others."""
        return fnmatchcase(check, self.check) and fnmatchcase(instance, self.instance.replace("[", "[[]"))


@dataclass(frozen=True, slots=True)
class Thresholds:
    """All overrides, in the order of the file."""

    overrides: tuple[Override, ...] = ()

    def of(self, source: str, check: str, instance: str, night: date, *, default: float) -> float:
        """The share of tested records that may fail."""
        return next((each.threshold for each in self.overrides if each.fits(source, check, instance, night)), default)

    def expired(self, night: date) -> tuple[Override, ...]:
        """Overrides that no longer count: to be decided anew, or taken out."""
        return tuple(each for each in self.overrides if each.expires < night)


@lru_cache(maxsize=4)
def load_thresholds(file: Path = POLICY_FILE) -> Thresholds:
    """Read the policy. Raises QualityPolicyError naming everything that is wrong at once."""
    problems: list[str] = []
    said = read_yaml(file, problems)
    problems += _problems(said) if said else []
    if problems:
        raise QualityPolicyError(
            found=f"{file.name}: {'; '.join(problems)}",
            expected="thresholds with the words that the head of the file lists",
            action="correct the policy; nothing is judged by one that is only partly understood",
        )
    return Thresholds(tuple(Override(**each) for each in said["thresholds"] or []))


def _problems(said: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"unknown word {word}" for word in sorted(set(said) - {"owner", "reviewed", "thresholds"}))
    yield from (f"does not say {word}" for word in ("owner", "thresholds") if word not in said)
    if not isinstance(said.get("thresholds") or [], list):
        yield "thresholds is a list: one line a threshold, each beginning with a dash"
        return
    for number, each in enumerate(said.get("thresholds") or [], start=1):
        if not isinstance(each, dict):
            yield f"threshold {number} is not a mapping of words"
            continue
        wrong = [f"does not say {word}" for word in sorted(_NEEDED - set(each))]
        wrong += [f"unknown word {word}" for word in sorted(map(str, set(each) - _NEEDED - {"instance"}))]
        yield from (f"threshold {number}: {problem}" for problem in wrong)
        if wrong:
            continue
        if not is_share(each["threshold"]):
            yield f"threshold {number}: threshold is a share from 0 to 1"
        if type(each["expires"]) is not date:
            yield f"threshold {number}: expires is a day, YYYY-MM-DD"
        yield from (
            f"threshold {number}: {word} is empty" for word in ("owner", "reason") if not str(each[word] or "").strip()
        )
