"""The reviewed policy of critical results, ``include/policies/critical_results.yml``, read whole or refused whole.

Limits are decimals and stay exact: 6.2 is 6.2, and a unit that is a tenth of another is compared with ten times the limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from include.errors import PlumblineError
from include.sources.declared import read_yaml

FILE = Path(__file__).resolve().parents[1] / "policies" / "critical_results.yml"


class CriticalPolicyError(PlumblineError):
    """The policy of critical results cannot be used as it stands."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One published line: what is critical, at which ages. A bound that is None does not exist; ages are whole days."""

    low: Decimal | None
    is_low_itself: bool
    high: Decimal | None
    is_high_itself: bool
    from_days: int
    under_days: int | None
    source: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit with its limits. ``factors``: how many of a unit of that name make one of this."""

    name: str
    factors: Mapping[str, Decimal]
    is_without_unit: bool
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """Coded and worded results that are critical, and that are not. Words are casefolded, with single blanks."""

    critical_codes: frozenset[tuple[str, str]]
    critical_words: frozenset[str]
    other_codes: frozenset[tuple[str, str]]
    other_words: frozenset[str]
    any_other_code_is_critical: bool


@dataclass(frozen=True, slots=True)
class Test:
    """A watched test: by which LOINC codes it is known and what makes its result critical."""

    name: str
    title: str
    codes: frozenset[str]
    units: tuple[Unit, ...]
    answers: Answers | None
    flag_codes: frozenset[str]
    flag_only: bool


@dataclass(frozen=True, slots=True)
class Step:
    """Through which channel somebody is told, and how long that may stay unacknowledged."""

    channel: str
    minutes: int


@dataclass(frozen=True, slots=True)
class Telling:
    """How alerts are told. Seconds and tries are of one delivery."""

    steps: tuple[Step, ...]
    rounds: int
    first_seconds: int
    most_seconds: int
    tries_before_next_step: int
    name_the_test: bool
    routes: Mapping[str, str]
    default_route: str

    def route(self, source: str, ward: str | None) -> str:
        """Whom an alert is for: a key that the policy names, never a word of the message."""
        return self.routes.get(f"{source}/{ward}") or self.routes.get(source) or self.default_route


@dataclass(frozen=True, slots=True)
class CriticalPolicy:
    """What is critical and how it is told."""

    version: str
    flag_codes: frozenset[str]
    flag_words: frozenset[str]
    tests: Mapping[str, Test]  # by LOINC code
    telling: Telling

    def title(self, rule: str, side: str) -> str:
        """What a reviewed message may call an alert: 'high potassium'."""
        named = next((test.title for test in self.tests.values() if test.name == rule), None)
        if named is None:
            return "critical by the laboratory's flag"
        return {"low": f"low {named}", "high": f"high {named}"}.get(side, named)


def load_critical_policy(file: Path = FILE) -> CriticalPolicy:
    """Read the policy. Raises CriticalPolicyError with everything that is wrong at once."""
    from include.critical.policy_reading import read_policy

    return read_policy(read_yaml(file, CriticalPolicyError), file)


def plain_words(text: str) -> str:
    """A worded result as the policy writes it: without case, with single blanks, without a full stop at its end."""
    return " ".join(text.casefold().split()).rstrip(".")
