"""Whether a batch may pass: decided from counts alone, so that a policy can be tried on a night that is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from include.quality.policy import QualityPolicy

PASSED, HELD_BACK = "passed", "held_back"


@dataclass(frozen=True, slots=True)
class ClassShare:
    """Rows of one class of data (or of several small ones) and how many of them fail a critical rule."""

    data_classes: tuple[str, ...]
    rows: int
    failing: int
    threshold: float

    @property
    def share(self) -> float:
        """The share of rows that pass every critical rule; 1 where there are none."""
        return 1.0 if self.rows == 0 else (self.rows - self.failing) / self.rows


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a batch. ``share`` is over all its rows; ``reason`` is a text without values."""

    outcome: str
    share: float
    threshold: float
    reason: str | None = None


def decide(
    rows: Mapping[str, int], failing: Mapping[str, int], policy: QualityPolicy, *, source: str, night: date
) -> Verdict:
    """Judge every class of data by its threshold, small ones together. One class below it holds the whole batch back."""
    shares = _shares(rows, failing, policy, source, night)
    count, bad = sum(rows.values()), sum(failing.values())
    overall = 1.0 if count == 0 else (count - bad) / count
    strictest = max((each.threshold for each in shares), default=0.0)
    below = [each for each in shares if each.share < each.threshold]
    if not below:
        return Verdict(PASSED, overall, strictest)
    texts = [
        f"{each.share:.2%} of {each.rows} rows of {' and '.join(each.data_classes)} pass every critical rule, "
        f"at least {each.threshold:.2%} must"
        for each in below
    ]
    return Verdict(HELD_BACK, overall, strictest, "; ".join(texts))


def _shares(
    rows: Mapping[str, int], failing: Mapping[str, int], policy: QualityPolicy, source: str, night: date
) -> list[ClassShare]:
    """A share a group. Each group's strictest threshold counts, but small classes that join a large one bring none."""
    shares = []
    for large, small in _groups(rows, policy.judge_alone_from):
        named = (*large, *small)
        threshold = max(policy.threshold(source, name, night) for name in large or small)
        bad = sum(failing.get(name, 0) for name in named)
        shares.append(ClassShare(named, sum(rows[name] for name in named), bad, threshold))
    return shares


def _groups(rows: Mapping[str, int], judge_alone_from: int) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Classes that are judged together, as (large, small): small ones among themselves, or with the largest if too few."""
    large = [name for name in sorted(rows) if rows[name] >= judge_alone_from]
    small = tuple(name for name in sorted(rows) if rows[name] < judge_alone_from)
    if not small:
        return [((name,), ()) for name in large]
    if not large or sum(rows[name] for name in small) >= judge_alone_from:
        return [*(((name,), ()) for name in large), ((), small)]
    largest = max(large, key=lambda name: (rows[name], name))
    return [((name,), small if name == largest else ()) for name in large]
