"""How often intervals hold the true value, by simulation. Long: not part of ``make test``; run with ``make coverage-test``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from include.equity import dispersion, impact, ordered, pairwise, rates
from include.equity.groups import Groups, Summary

pytestmark = pytest.mark.slow

DRAWS = 4000
TRUE_SHARES = np.array([0.22, 0.31, 0.40, 0.52, 0.66])
PEOPLE = np.array([1500, 2500, 3000, 2200, 1800])
MEASURES: dict[str, Callable[[Groups], Summary]] = {
    "d": pairwise.difference,
    "r": pairwise.ratio,
    "aci": ordered.absolute_concentration_index,
    "rci": ordered.relative_concentration_index,
    "sii": lambda groups: ordered.slope_index(ordered.fit_line(groups)),
    "rii": lambda groups: ordered.relative_index(ordered.fit_line(groups)),
    "rii_pamuk": ordered.pamuk_index,
    "bgv": dispersion.between_group_variance,
    "bgsd": dispersion.between_group_deviation,
    "cov": dispersion.coefficient_of_variation,
    "mdmu": lambda groups: dispersion.mean_difference_from_mean(groups, weighted=False),
    "mdmw": lambda groups: dispersion.mean_difference_from_mean(groups, weighted=True),
    "mdbu": lambda groups: dispersion.mean_difference_from_best(groups, weighted=False),
    "mdbw": lambda groups: dispersion.mean_difference_from_best(groups, weighted=True),
    "idisu": lambda groups: dispersion.index_of_disparity(groups, weighted=False),
    "idisw": lambda groups: dispersion.index_of_disparity(groups, weighted=True),
    "ti": dispersion.theil_index,
    "mld": dispersion.mean_log_deviation,
    "gini": dispersion.gini_index,
    "par": lambda groups: impact.population_attributable_risk(groups, errors="delta"),
    "paf": lambda groups: impact.population_attributable_fraction(groups, errors="delta"),
}


def _groups(shares: np.ndarray, people: np.ndarray) -> Groups:
    # Ordered and with the last group best, so that both kinds of measures have a true value that stays the same group's.
    return Groups(
        tuple("abcde"), shares, np.sqrt(shares * (1 - shares) / people), people.astype(float), True,
        order=np.arange(1.0, 6.0), reference=4,
    )  # fmt: skip


def _coverage(truth: np.ndarray, seed: int, draws: int = DRAWS) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    true_values = {name: measure(_groups(truth, PEOPLE)).estimate for name, measure in MEASURES.items()}
    held: Counter[str] = Counter()
    for _ in range(draws):
        drawn = _groups(rng.binomial(PEOPLE, truth) / PEOPLE, PEOPLE)
        for name, measure in MEASURES.items():
            found = measure(drawn)
            held[name] += found.lower <= true_values[name] <= found.upper
    return {name: held[name] / draws for name in MEASURES}


def test_intervals_hold_the_truth_as_often_as_they_claim_where_groups_differ() -> None:
    coverage = _coverage(TRUE_SHARES, seed=5)
    print({name: round(share, 3) for name, share in coverage.items()})
    assert {name: share for name, share in coverage.items() if not 0.93 <= share <= 0.97} == {}


def test_near_equality_indices_that_cannot_be_negative_miss_and_the_others_do_not() -> None:
    coverage = _coverage(np.full(5, 0.4), seed=6)
    print({name: round(share, 3) for name, share in coverage.items()})
    for name in ("d", "r", "aci", "rci", "sii", "rii", "rii_pamuk"):
        assert 0.93 <= coverage[name] <= 0.97, name
    assert min(coverage[name] for name in ("mdmw", "idisw", "gini")) < 0.93, "the policy's warning would be for nothing"


def test_walters_error_of_the_fraction_holds_when_group_sizes_are_drawn_too() -> None:
    rng = np.random.default_rng(7)
    mix = PEOPLE / PEOPLE.sum()
    truth = impact.population_attributable_fraction(_groups(TRUE_SHARES, PEOPLE)).estimate
    held = 0
    for _ in range(DRAWS):
        people = rng.multinomial(PEOPLE.sum(), mix)
        found = impact.population_attributable_fraction(_groups(rng.binomial(people, TRUE_SHARES) / people, people))
        held += found.lower <= truth <= found.upper
    assert 0.93 <= held / DRAWS <= 0.97


def test_wilson_and_poisson_hold_the_truth_as_often_as_they_claim() -> None:
    rng = np.random.default_rng(8)
    wilson, poisson = [], []
    for _ in range(DRAWS):
        share, mean = rng.uniform(0.05, 0.95), rng.uniform(11, 200)
        interval = rates.wilson(int(rng.binomial(120, share)), 120)
        wilson.append(interval.lower <= share <= interval.upper)
        exact = rates.poisson(int(rng.poisson(mean)), 1.0)
        poisson.append(exact.lower <= mean <= exact.upper)
    assert 0.93 <= np.mean(wilson) <= 0.97
    assert np.mean(poisson) >= 0.95, "exact means never less than claimed"


@pytest.mark.parametrize("shares", [(0.3, 0.5), (0.12, 0.10), (0.8, 0.5)])
def test_newcombes_difference_holds_the_truth_as_often_as_it_claims(shares: tuple[float, float]) -> None:
    rng = np.random.default_rng(9)
    held = 0
    for _ in range(DRAWS):
        found = rates.newcombe_difference(
            *((int(rng.binomial(n, p)), n) for n, p in zip((90, 400), shares, strict=True))
        )
        held += found.lower <= shares[0] - shares[1] <= found.upper
    assert 0.93 <= held / DRAWS <= 0.97
