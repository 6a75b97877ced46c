"""The policy on findings: how sure a gap must be to be told, and what is recommended about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from include.equity.policy import EquityPolicyError
from include.sources.declared import Complaints

POLICY_FILE = Path(__file__).parents[1] / "policies" / "findings.yml"
DIRECTIONS = ("improving", "worsening", "no clear change", "too few periods")
WORDS = frozenset({
    "owner", "false_discovery_rate", "running_period_from", "trend_fewest_periods", "trend_significance", "next_steps"
})  # fmt: skip
CONDITIONS = frozenset({"ratio_at_least", "trend", "is_worse", "unknown_share_at_least", "group_is"})


@dataclass(frozen=True, slots=True)
class Step:
    """A recommendation and the conditions under which it is given; None where it does not matter."""

    say: str
    ratio_at_least: float | None = None
    trend: str | None = None
    is_worse: bool | None = None
    unknown_share_at_least: float | None = None
    group_is: tuple[str, ...] | None = None

    def fits(self, *, ratio: float, trend: str, is_worse: bool, unknown_share: float, group: str) -> bool:
        """True where every condition holds."""
        return (
            (self.ratio_at_least is None or ratio >= self.ratio_at_least)
            and self.trend in (None, trend)
            and self.is_worse in (None, is_worse)
            and (self.group_is is None or any(part in self.group_is for part in group.split(", ")))
            and (self.unknown_share_at_least is None or unknown_share >= self.unknown_share_at_least)
        )


@dataclass(frozen=True, slots=True)
class FindingsPolicy:
    """Which gaps are told and what is said to do: ``include/policies/findings.yml``."""

    owner: str
    false_discovery_rate: float
    running_period_from: float
    trend_fewest_periods: int
    trend_significance: float
    next_steps: tuple[Step, ...]

    @classmethod
    def load(cls, file: Path = POLICY_FILE) -> Self:
        """Read the policy. Raises EquityPolicyError naming all that is unknown, missing or impossible."""
        said: dict[str, Any] = yaml.safe_load(file.read_text()) or {}
        complaints = Complaints(file)
        complaints.refuse_unknown("the file", said, set(WORDS))
        for word in sorted(WORDS - said.keys()):
            complaints.add(f"'{word}' is missing")
        _judge_numbers(said, complaints)
        steps = said.get("next_steps") or ()
        for place, step in enumerate(steps, start=1):
            _judge_step(f"next_steps {place}", step, complaints)
        if steps and isinstance(steps[-1], Mapping) and steps[-1].get("when"):
            complaints.add("the last of next_steps has conditions, so that some findings would get no advice")
        complaints.raise_any(EquityPolicyError, expected="the words and numbers that its comments explain")
        return cls(**{**said, "next_steps": tuple(Step(step["say"], **(step["when"] or {})) for step in steps)})

    def advice(self, *, ratio: float, trend: str, is_worse: bool, unknown_share: float, group: str = "") -> str:
        """What is recommended about a gap: the first step that fits."""
        told = {"ratio": ratio, "trend": trend, "is_worse": is_worse, "unknown_share": unknown_share, "group": group}
        return next((step.say for step in self.next_steps if step.fits(**told)), "")


def _judge_numbers(said: Mapping[str, Any], complaints: Complaints) -> None:
    for word in ("false_discovery_rate", "running_period_from", "trend_significance"):
        if not _is_number(said.get(word)) or not 0 < said[word] < 1:
            complaints.add(f"{word} is not a number between 0 and 1")
    fewest = said.get("trend_fewest_periods")
    if not isinstance(fewest, int) or isinstance(fewest, bool) or fewest < 5:
        complaints.add("trend_fewest_periods is not a whole number of 5 or more")


def _judge_step(where: str, step: Any, complaints: Complaints) -> None:
    if not isinstance(step, Mapping) or set(step) != {"when", "say"} or not isinstance(step.get("say"), str):
        complaints.add(f"{where} is not made of 'when' and 'say'")
        return
    conditions = step["when"] or {}
    complaints.refuse_unknown(where, conditions, set(CONDITIONS))
    if "trend" in conditions:
        complaints.choice(f"{where}: trend", conditions["trend"], DIRECTIONS)
    for word in ("ratio_at_least", "unknown_share_at_least"):
        if word in conditions and not _is_number(conditions[word]):
            complaints.add(f"{where}: {word} is not a number")
    groups = conditions.get("group_is", ["any"])
    if not isinstance(groups, list) or not groups or not all(isinstance(each, str) for each in groups):
        complaints.add(f"{where}: group_is is not a list of groups")
    if not isinstance(conditions.get("is_worse", True), bool):
        complaints.add(f"{where}: is_worse is neither true nor false")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
