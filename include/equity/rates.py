"""Intervals for a single rate: proportions, events per person-time, age-standardised rates, and shrinkage of small areas.

Sources: Wilson (1927); Clopper and Pearson (1934); Garwood (1936); Fay and Feuer (1997) Stat Med 16:791; Marshall (1991)
Appl Stat 40:283; Newcombe (1998) Stat Med 17:873; US standard population of 2000: Klein and Schoenborn (2001), NCHS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from include.equity.groups import GroupsError, Numbers, normal_quantile

# Share of the 2000 US standard population in 0, 1-4, 5-14, 15-24, 25-34, 35-44, 45-54, 55-64, 65-74, 75-84, 85+ years.
US_STANDARD_2000 = np.array([
    0.013818, 0.055317, 0.145565, 0.138646, 0.135573, 0.162613, 0.134834, 0.087247, 0.066037, 0.044842, 0.015508
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Interval:
    """A rate with its limits, in the units of the rate; nan where there is nothing to divide by."""

    estimate: float
    lower: float
    upper: float


_NOTHING = Interval(float("nan"), float("nan"), float("nan"))


def wilson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval for a proportion. ``trials`` of 0 gives nan. Raises GroupsError if successes exceed trials."""
    _require_part(successes, trials)
    if trials == 0:
        return _NOTHING
    z2 = normal_quantile(confidence) ** 2
    reach = np.sqrt(z2 * (successes * (trials - successes) / trials + z2 / 4))
    centre = successes + z2 / 2
    lower, upper = (centre - reach) / (trials + z2), (centre + reach) / (trials + z2)
    return Interval(successes / trials, max(0.0, float(lower)), min(1.0, float(upper)))


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """The exact interval for a proportion, never narrower than it claims. ``trials`` of 0 gives nan."""
    _require_part(successes, trials)
    if trials == 0:
        return _NOTHING
    tail = (1 - confidence) / 2
    lower = stats.beta.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    upper = stats.beta.ppf(1 - tail, successes + 1, trials - successes) if successes < trials else 1.0
    return Interval(successes / trials, float(lower), float(upper))


def poisson(events: int, person_time: float, confidence: float = 0.95) -> Interval:
    """Garwood's exact interval for events per person-time, in events per unit of it. No person-time gives nan."""
    if person_time <= 0:
        return _NOTHING
    tail = (1 - confidence) / 2
    lower = stats.gamma.ppf(tail, events) if events else 0.0
    upper = stats.gamma.ppf(1 - tail, events + 1)
    return Interval(events / person_time, float(lower) / person_time, float(upper) / person_time)


def newcombe_difference(first: tuple[int, int], second: tuple[int, int], confidence: float = 0.95) -> Interval:
    """Difference of two proportions, given as (successes, trials): Newcombe's method 10, from two Wilson intervals."""
    one, two = wilson(*first, confidence), wilson(*second, confidence)
    apart = one.estimate - two.estimate
    lower = apart - float(np.hypot(one.estimate - one.lower, two.upper - two.estimate))
    upper = apart + float(np.hypot(one.upper - one.estimate, two.estimate - two.lower))
    return Interval(apart, lower, upper)


def standardised_rate(
    events: Numbers, person_time: Numbers, standard: Numbers = US_STANDARD_2000, confidence: float = 0.95
) -> Interval:
    """Directly standardised rate with Fay and Feuer's gamma interval, per unit of person-time.

    One entry an age group in all three; ``standard`` is scaled to add up to 1. Raises GroupsError on differing lengths or
    an age group without person-time that the standard gives weight to.
    """
    if not len(events) == len(person_time) == len(standard) or np.any((person_time <= 0) & (standard > 0)):
        raise GroupsError(
            found="age groups that do not match the standard population, or one without person-time",
            expected=f"events and person-time for each of the {len(standard)} age groups",
            action="give every age group, or join those that are empty with a neighbour in both tables",
        )
    weights = standard / standard.sum() / person_time
    rate, variance, largest = float(weights @ events), float(weights**2 @ events), float(weights.max())
    tail = (1 - confidence) / 2
    lower = stats.gamma.ppf(tail, rate**2 / variance, scale=variance / rate) if rate > 0 else 0.0
    raised, widened = rate + largest, variance + largest**2
    upper = stats.gamma.ppf(1 - tail, raised**2 / widened, scale=widened / raised)
    return Interval(rate, float(lower), float(upper))


def shrunken_rates(events: Numbers, person_time: Numbers) -> Numbers:
    """Rates of small areas drawn towards the rate of all, by how little each tells (Marshall's empirical Bayes)."""
    rates = events / person_time
    overall, average_time = events.sum() / person_time.sum(), person_time.mean()
    spread = float(person_time @ (rates - overall) ** 2 / person_time.sum()) - overall / average_time
    if spread <= 0:
        return np.full(len(rates), overall)
    weight = spread / (spread + overall / person_time)
    return overall + weight * (rates - overall)


def _require_part(successes: int, trials: int) -> None:
    if not 0 <= successes <= trials:
        raise GroupsError(
            found="more successes than trials, or fewer than none",
            expected="0 <= successes <= trials",
            action="check which column is the denominator",
        )
