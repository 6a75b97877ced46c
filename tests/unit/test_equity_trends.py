"""Trends of gaps: tests against tables and against counting all orders, and the rule that names a trend."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest

from include.equity.groups import GroupsError
from include.equity.trends import cochran_armitage, judge, mann_kendall, theil_sen


@pytest.mark.parametrize("n", [4, 5, 6])
def test_the_exact_p_is_the_share_of_orders_that_go_as_far(n: int) -> None:
    scores = [
        sum(int(np.sign(later - earlier)) for earlier, later in combinations(order, 2))
        for order in permutations(range(n))
    ]
    for order in list(permutations(range(n)))[:: 7 if n > 4 else 1]:
        found = mann_kendall(order)
        assert found.p == pytest.approx(min(1.0, np.mean([abs(s) >= abs(found.score) for s in scores])))


def test_mann_kendall_gives_kendalls_tabulated_probability() -> None:
    # Kendall (1975), table 1: for n = 10, S of 23 or more has a one-sided probability of 0.023.
    found = mann_kendall([4, 3, 2, 1, 0, 5, 6, 7, 9, 8])
    assert found.score == 23
    assert round(found.p / 2, 3) == 0.023


def test_ties_make_a_trend_less_sure_and_a_constant_series_has_none() -> None:
    assert mann_kendall([3.0] * 8).p == 1
    assert mann_kendall([1, 1, 2, 2, 3, 3]).p > mann_kendall([1, 2, 3, 4, 5, 6]).p


def test_one_wild_period_does_not_move_the_slope_much() -> None:
    calm = theil_sen(range(9), [2.0 * t for t in range(9)])
    wild = theil_sen(range(9), [2.0 * t if t != 4 else 500.0 for t in range(9)])
    assert calm.estimate == pytest.approx(2)
    assert wild.estimate == pytest.approx(2, abs=0.3)
    with pytest.raises(GroupsError, match="fewer than three"):
        theil_sen([1, 2], [1.0, 2.0])


def test_cochran_armitage_equals_the_chi_squared_trend_of_its_definition() -> None:
    # z² / N is the squared correlation of score and outcome, person by person (Agresti, Categorical Data Analysis, 3.4.5).
    successes, trials = [10, 18, 30, 33], [60, 70, 80, 75]
    outcome = np.concatenate([np.r_[np.ones(s), np.zeros(n - s)] for s, n in zip(successes, trials, strict=True)])
    score = np.repeat([1, 2, 3, 4], trials)
    z, p = cochran_armitage(successes, trials)
    assert z**2 == pytest.approx(sum(trials) * np.corrcoef(score, outcome)[0, 1] ** 2)
    assert 0 < p < 0.001
    assert cochran_armitage([0, 0, 0], [5, 5, 5]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("gaps", "direction"),
    [
        ([0.30, 0.27, 0.25, 0.22, 0.18, 0.15], "improving"),
        ([-0.30, -0.27, -0.25, -0.22, -0.18, -0.15], "improving"),
        ([0.10, 0.13, 0.14, 0.18, 0.22, 0.25], "worsening"),
        ([-0.10, -0.13, -0.14, -0.18, -0.22, -0.25], "worsening"),
        ([0.30, 0.10, 0.29, 0.12, 0.31, 0.11], "no clear change"),
        ([0.30, 0.20, 0.10, 0.05], "too few periods"),
    ],
)
def test_the_rule_names_the_trend(gaps: list[float], direction: str) -> None:
    assert judge(gaps).direction == direction


def test_two_far_points_alone_name_nothing() -> None:
    assert judge([0.40, 0.30, 0.32, 0.29, 0.33, 0.31, 0.30, 0.01]).direction == "no clear change"


def test_noise_is_named_a_trend_no_more_often_than_the_rule_says() -> None:
    rng = np.random.default_rng(3)
    named = [judge(rng.normal(0.2, 0.05, 8)).direction in ("improving", "worsening") for _ in range(1500)]
    assert np.mean(named) <= 0.06
