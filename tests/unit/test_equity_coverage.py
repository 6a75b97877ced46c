"""How often intervals hold the true value, by simulation. Long: not part of ``make test``; run with ``make coverage-test``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from include.equity import dispersion, impact, near_none, ordered, pairwise, rates
from include.equity.groups import Groups, Summary
from include.equity.summaries import summarise

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
    "sii_logit": lambda groups: ordered.slope_index(ordered.fit_logistic(groups)),
    "rii_logit": lambda groups: ordered.relative_index(ordered.fit_logistic(groups)),
    "rii_pamuk": ordered.pamuk_index,
    "bgv": dispersion.between_group_variance,
    "bgsd": dispersion.between_group_deviation,
    "cov": dispersion.coefficient_of_variation,
    "mdmu": lambda groups: dispersion.mean_difference_from_mean(groups, weighted=False),
    "mdmw": lambda groups: dispersion.mean_difference_from_mean(groups, weighted=True),
    "mdbu": lambda groups: dispersion.mean_difference_from_best(groups, weighted=False),
    "mdbw": lambda groups: dispersion.mean_difference_from_best(groups, weighted=True),
    "mdru": lambda groups: dispersion.mean_difference_from_reference(groups, weighted=False),
    "mdrw": lambda groups: dispersion.mean_difference_from_reference(groups, weighted=True),
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
    for name in ("d", "r", "aci", "rci", "sii", "rii", "rii_pamuk", "sii_logit", "rii_logit"):
        assert 0.93 <= coverage[name] <= 0.97, name
    assert min(coverage[name] for name in ("mdmw", "idisw", "gini")) < 0.93, "the policy's warning would be for nothing"


def _unordered_coverage(
    truth: np.ndarray, error: np.ndarray, people: np.ndarray, reference: int | None, seed: int, draws: int = DRAWS
) -> tuple[dict[str, float], dict[str, float]]:
    """Share of intervals that hold the truth and distance from none in standard errors, of all that a table gets.

    Estimates are drawn around ``truth`` with the table's own errors, whatever the populations: as a survey's are.
    """
    rng = np.random.default_rng(seed)

    def table(estimate: np.ndarray) -> Groups:
        return Groups(
            tuple(map(str, range(len(truth)))), estimate, error, people, True, reference=reference, scale=100.0
        )

    true = {each.measure: each for each in summarise(table(truth)) if each.se > 0}
    held: Counter[str] = Counter()
    for _ in range(draws):
        for found in summarise(table(truth + rng.normal(size=len(truth)) * error)):
            name = found.measure.removesuffix("_corrected")
            held[found.measure] += name in true and found.lower <= true[name].estimate + 1e-12 <= found.upper + 1e-9
    share = {name: held[name] / draws for name in held if name.removesuffix("_corrected") in true}
    return share, {name: each.estimate / each.se for name, each in true.items() if name != "r"}


def test_every_interval_of_a_table_holds_the_truth_when_the_errors_are_a_surveys() -> None:
    truth, people = np.array([30.0, 42.0, 55.0, 61.0, 70.0, 85.0]), np.array([300.0, 900, 500, 1200, 700, 400])
    share, distance = _unordered_coverage(truth, np.array([2.0, 1.5, 1.8, 1.2, 1.6, 1.4]), people, 5, seed=10)
    print({name: round(each, 3) for name, each in share.items()})
    assert min(distance.values()) > 5
    counted = {"par_walter", "paf_walter"}
    assert {name: each for name, each in share.items() if not 0.93 <= each <= 0.97 and name not in counted} == {}
    assert not 0.93 <= share["paf_walter"] <= 0.97, (
        "a survey's population is no count of people: why it is not the first"
    )


@pytest.mark.parametrize("many", near_none.NUMBERS_OF_GROUPS)
def test_the_coverage_told_of_near_none_is_the_measured_one(many: int) -> None:
    found: dict[str, float] = {}
    truth, error, people = np.full(many, 40.0), np.full(many, 1.5), np.full(many, 1000.0)
    truth[0] += 1e-9  # none is no distance, but a true value of zero has no standard error to tell that it is one
    for reference in (many - 1, None):
        share, _ = _unordered_coverage(truth, error, people, reference, seed=12, draws=DRAWS // 2)
        found |= {name: share[name] for name in share if reference is None or name not in ("d", "r")}
    print(many, {name: round(100 * each) for name, each in found.items()})
    told = {name: near_none.held_when_equal(name, many)[1] for name in near_none.HELD_WHEN_EQUAL}
    assert {name: found[name] for name in told if name in found and abs(100 * found[name] - told[name]) > 3} == {}
    for name in ("bgsd", "cov"):
        assert found[f"{name}_corrected"] >= 0.95, "why the corrected value is offered"


def test_walters_error_of_the_fraction_holds_when_group_sizes_are_drawn_too() -> None:
    rng = np.random.default_rng(7)
    mix = PEOPLE / PEOPLE.sum()
    truth = impact.population_attributable_fraction(_groups(TRUE_SHARES, PEOPLE), errors="walter").estimate
    held = 0
    for _ in range(DRAWS):
        people = rng.multinomial(PEOPLE.sum(), mix)
        drawn = _groups(rng.binomial(people, TRUE_SHARES) / people, people)
        found = impact.population_attributable_fraction(drawn, errors="walter")
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
