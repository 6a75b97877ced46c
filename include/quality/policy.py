"""What a batch must reach, read from ``include/policies/quality.yml`` and the class thresholds of ``retention.yml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from include.lifecycle.policy import Retention, load_retention
from include.quality.errors import QualityPolicyError
from include.quality.rules import DIMENSIONS
from include.yaml_text import parse_yaml

POLICY_FILE = Path(__file__).parents[1] / "policies" / "quality.yml"
EVERY = "every"
_WORDS = {"owner", "reviewed", "judge_alone_from", "exceptions", "weights", "levels", "volume", "drift"}
_EXCEPTION_WORDS = {"source", "data_class", "threshold", "owner", "reason", "expires"}
_VOLUME_WORDS = {"nights_needed", "nights_compared", "low", "high", "reason"}
_DRIFT_WORDS = {"false_alarms", "nights_needed", "nights_compared", "reason"}
LEVELS = ("excellent", "good", "acceptable")
POOR = "poor"


@dataclass(frozen=True, slots=True)
class ThresholdException:
    """A source's own threshold for a class of data (or EVERY), in force up to and with ``expires``."""

    source: str
    data_class: str
    threshold: float
    owner: str
    reason: str
    expires: date


@dataclass(frozen=True, slots=True)
class Volume:
    """When a night's rows are unlike the source's own: outside ``low`` to ``high`` times the median of its nights."""

    nights_needed: int
    nights_compared: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Drift:
    """How drift is told: ``false_alarms`` is the share of a source's nights that may give an alarm though nothing changed."""

    false_alarms: float
    nights_needed: int
    nights_compared: int


@dataclass(frozen=True, slots=True)
class QualityPolicy:
    """Thresholds, weights and levels. ``weights`` sum to 1; shares and scores lie between 0 and 1."""

    class_thresholds: Mapping[str, float]
    exceptions: tuple[ThresholdException, ...]
    judge_alone_from: int
    weights: Mapping[str, float]
    levels: Mapping[str, float]
    volume: Volume
    drift: Drift

    def threshold(self, source: str, data_class: str, night: date) -> float:
        """The share that must pass. Raises QualityPolicyError for a class no policy names: it must not be guessed."""
        for each in self.exceptions:
            if each.source == source and each.data_class in (data_class, EVERY) and night <= each.expires:
                return each.threshold
        if data_class not in self.class_thresholds:
            raise QualityPolicyError(
                found=f"no quality threshold for data class {data_class}",
                expected="every class of data to have one in retention.yml",
                action="add the class there, or correct the class of the table in its contract",
            )
        return self.class_thresholds[data_class]

    def level(self, overall: float) -> str:
        """The word for an overall score."""
        return next((level for level in LEVELS if overall >= self.levels[level]), POOR)


@lru_cache(maxsize=4)
def load_quality_policy(file: Path = POLICY_FILE) -> QualityPolicy:
    """Read the policy. Raises QualityPolicyError naming everything that is wrong at once."""
    said = parse_yaml(file.read_text()) or {}
    problems = list(_problems(said))
    if problems:
        raise QualityPolicyError(
            found=f"{file.name}: {'; '.join(problems)}",
            expected="an owner, reasons, and the words that the head of the file lists",
            action="correct the policy; nothing is judged by one that is only partly understood",
        )
    volume = {word: said["volume"][word] for word in _VOLUME_WORDS - {"reason"}}
    return QualityPolicy(
        class_thresholds=_class_thresholds(load_retention()),
        exceptions=tuple(ThresholdException(**each) for each in said["exceptions"]),
        judge_alone_from=said["judge_alone_from"]["rows"],
        weights={dimension: float(said["weights"][dimension]) for dimension in DIMENSIONS},
        levels={level: float(said["levels"][level]) for level in LEVELS},
        volume=Volume(**volume),
        drift=Drift(**{word: said["drift"][word] for word in _DRIFT_WORDS - {"reason"}}),
    )


def _class_thresholds(retention: Retention) -> dict[str, float]:
    return {data_class: rule.quality_threshold for data_class, rule in retention.rules.items()}


def _problems(said: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"unknown word {word}" for word in sorted(set(said) - _WORDS))
    missing = sorted(_WORDS - set(said))
    yield from (f"does not say {word}" for word in missing)
    if missing:
        return
    rows = said["judge_alone_from"]
    if not isinstance(rows, dict) or set(rows) != {"rows", "reason"} or not isinstance(rows["rows"], int):
        yield "judge_alone_from needs rows (a whole number) and reason"
    for number, each in enumerate(said["exceptions"] or [], start=1):
        yield from (f"exception {number}: {problem}" for problem in _exception_problems(each))
    yield from _weight_problems(said["weights"])
    yield from _level_problems(said["levels"])
    if set(said["volume"]) != _VOLUME_WORDS:
        yield f"volume needs exactly {', '.join(sorted(_VOLUME_WORDS))}"
    if not isinstance(said["drift"], dict) or set(said["drift"]) != _DRIFT_WORDS:
        yield f"drift needs exactly {', '.join(sorted(_DRIFT_WORDS))}"
    elif not 0 < said["drift"]["false_alarms"] < 0.5:
        yield "drift: false_alarms is a share between 0 and 0.5"


def _exception_problems(each: Any) -> Iterator[str]:
    if not isinstance(each, dict) or set(each) != _EXCEPTION_WORDS:
        yield f"needs exactly {', '.join(sorted(_EXCEPTION_WORDS))}"
        return
    if not isinstance(each["threshold"], int | float) or not 0 <= each["threshold"] <= 1:
        yield "threshold is a share from 0 to 1"
    if not isinstance(each["expires"], date):
        yield "expires is a day, YYYY-MM-DD"


def _weight_problems(weights: Mapping[str, Any]) -> Iterator[str]:
    if set(weights) != {*DIMENSIONS, "reason"}:
        yield f"weights needs exactly {', '.join(DIMENSIONS)} and reason"
    elif abs(sum(weights[dimension] for dimension in DIMENSIONS) - 1) > 1e-9:
        yield "weights do not sum to 1"


def _level_problems(levels: Mapping[str, Any]) -> Iterator[str]:
    if set(levels) != {*LEVELS, "reason"}:
        yield f"levels needs exactly {', '.join(LEVELS)} and reason"
    elif not 1 >= levels["excellent"] > levels["good"] > levels["acceptable"] >= 0:
        yield "levels do not fall from excellent to acceptable"
