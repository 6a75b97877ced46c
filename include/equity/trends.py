"""Is a gap closing? Trends over periods, and the rule that names them; never by comparing two points.

Sources: Mann (1945) Econometrica 13:245 and Kendall (1975) Rank Correlation Methods (test of monotone trend; the exact
distribution without ties, else the normal approximation with ties counted and continuity corrected); Sen (1968) J Am Stat
Assoc 63:1379 (slope and its interval, by SciPy); Cochran (1954) and Armitage (1955) Biometrics 11:375 (trend of proportions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import factorial, sqrt
from statistics import NormalDist

import numpy as np

from include.equity.groups import GroupsError

MOST_PERIODS = 12
EXACT_UP_TO = 20  # periods for which all orders are counted


@dataclass(frozen=True, slots=True)
class Monotone:
    """Mann–Kendall's test: ``score`` is pairs that rise less pairs that fall, ``p`` is two-sided."""

    score: int
    p: float


@dataclass(frozen=True, slots=True)
class Slope:
    """Theil–Sen's slope with its interval, in units of the series per step of time."""

    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Trend:
    """What a gap did over its closed periods: 'improving', 'worsening', 'no clear change' or 'too few periods'."""

    direction: str
    periods: int
    monotone: Monotone | None = None
    slope: Slope | None = None


def mann_kendall(values: Sequence[float]) -> Monotone:
    """Test whether a series, in order of time, only tends one way. Fewer than three values give p = 1."""
    score = sum(int(np.sign(later - earlier)) for earlier, later in combinations(values, 2))
    n = len(values)
    if n < 3:
        return Monotone(score, 1.0)
    if len(set(values)) == n <= EXACT_UP_TO:
        return Monotone(score, _exact_p(n, abs(score)))
    ties = _ties(values)
    variance = (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    if variance <= 0 or score == 0:
        return Monotone(score, 1.0)
    return Monotone(score, 2 * NormalDist().cdf(-(abs(score) - 1) / sqrt(variance)))


def _ties(values: Sequence[float]) -> list[int]:
    return [int(count) for count in np.unique(np.asarray(values), return_counts=True)[1]]


@cache
def _orders_by_inversions(n: int) -> tuple[int, ...]:
    """How many of the n! orders have 0, 1, 2, … pairs that fall (Mahonian numbers)."""
    counts = [1]
    for size in range(2, n + 1):
        longer = [0] * (len(counts) + size - 1)
        for falls, orders in enumerate(counts):
            for more in range(size):
                longer[falls + more] += orders
        counts = longer
    return tuple(counts)


def _exact_p(n: int, score: int) -> float:
    pairs = n * (n - 1) // 2
    as_far = sum(_orders_by_inversions(n)[: (pairs - score) // 2 + 1])
    return min(1.0, 2 * as_far / factorial(n))


def theil_sen(times: Sequence[float], values: Sequence[float], confidence: float = 0.95) -> Slope:
    """Median slope of all pairs with Sen's interval. Raises GroupsError on fewer than three values."""
    from scipy.stats import theilslopes

    if len(values) < 3:
        raise GroupsError(found="fewer than three values", expected="three or more", action="wait for more periods")
    found = theilslopes(np.asarray(values, float), np.asarray(times, float), confidence)
    return Slope(float(found.slope), float(found.low_slope), float(found.high_slope))


def cochran_armitage(
    successes: Sequence[int], trials: Sequence[int], scores: Sequence[float] | None = None
) -> tuple[float, float]:
    """(z, two-sided p) of a linear trend of proportions over ``scores`` (1, 2, 3, … unless given); above 0 is rising."""
    s, n = np.asarray(successes, float), np.asarray(trials, float)
    x = np.arange(1.0, len(s) + 1) if scores is None else np.asarray(scores, float)
    overall = s.sum() / n.sum()
    variance = overall * (1 - overall) * (np.sum(n * x**2) - np.sum(n * x) ** 2 / n.sum())
    if not variance > 0:
        return 0.0, 1.0
    z = float(np.sum(x * (s - n * overall)) / np.sqrt(variance))
    return z, 2 * NormalDist().cdf(-abs(z))


def judge(
    gaps: Sequence[float], *, fewest_periods: int = 5, significance: float = 0.05, confidence: float = 0.95
) -> Trend:
    """Name what a gap did over closed periods in order of time, ``gaps`` above 0 where the compared group is worse off.

    Improving or worsening: at least ``fewest_periods`` periods (five is the fewest that can be significant), Mann–Kendall's
    two-sided p below ``significance``, and a Theil–Sen interval that excludes no change. It improves where the slope leads
    towards none as seen from the median gap, and worsens where it leads away.
    """
    if len(gaps) < fewest_periods:
        return Trend("too few periods", len(gaps))
    values = [float(gap) for gap in gaps]
    monotone, slope = mann_kendall(values), theil_sen(range(len(values)), values, confidence)
    is_clear = monotone.p < significance and (slope.lower > 0 or slope.upper < 0)
    if not is_clear:
        return Trend("no clear change", len(values), monotone, slope)
    leads_away = (slope.estimate > 0) == (float(np.median(values)) > 0)
    return Trend("worsening" if leads_away else "improving", len(values), monotone, slope)
