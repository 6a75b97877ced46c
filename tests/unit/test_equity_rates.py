"""Intervals of single rates against worked examples of the papers they come from."""

from __future__ import annotations

import math

import numpy as np
import pytest

from include.equity import rates
from include.equity.groups import GroupsError


def test_wilson_gives_newcombes_worked_example() -> None:
    # Newcombe (1998) Stat Med 17:857, table I: 81 of 263.
    found = rates.wilson(81, 263)
    assert (round(found.lower, 4), round(found.upper, 4)) == (0.2553, 0.3662)


def test_clopper_pearson_gives_newcombes_worked_example() -> None:
    found = rates.clopper_pearson(81, 263)
    assert (round(found.lower, 4), round(found.upper, 4)) == (0.2527, 0.3676)


@pytest.mark.parametrize(("successes", "trials"), [(0, 20), (20, 20)])
def test_limits_of_a_proportion_stay_between_zero_and_one(successes: int, trials: int) -> None:
    for interval in (rates.wilson(successes, trials), rates.clopper_pearson(successes, trials)):
        assert 0 <= interval.lower <= interval.estimate <= interval.upper <= 1


def test_difference_gives_newcombes_worked_example() -> None:
    # Newcombe (1998) Stat Med 17:873, table II, method 10: 56/70 - 48/80.
    found = rates.newcombe_difference((56, 70), (48, 80))
    assert (round(found.lower, 4), round(found.upper, 4)) == (0.0524, 0.3339)


def test_poisson_gives_the_tabulated_limits_of_ten_events() -> None:
    found = rates.poisson(10, 1.0)
    assert (round(found.lower, 4), round(found.upper, 4)) == (4.7954, 18.3904)


def test_no_events_have_a_lower_limit_of_zero_and_an_upper_one_of_three_point_seven() -> None:
    found = rates.poisson(0, 1.0)
    assert found.lower == 0.0
    assert found.upper == pytest.approx(-math.log(0.025))


def test_nothing_to_divide_by_gives_nan_not_zero() -> None:
    assert math.isnan(rates.wilson(0, 0).estimate)
    assert math.isnan(rates.poisson(0, 0.0).estimate)


def test_more_successes_than_trials_are_refused() -> None:
    with pytest.raises(GroupsError, match="more successes than trials"):
        rates.wilson(5, 4)


def test_standardised_rate_of_one_age_group_is_the_exact_poisson_interval() -> None:
    found = rates.standardised_rate(np.array([7.0]), np.array([1000.0]), np.array([1.0]))
    exact = rates.poisson(7, 1000.0)
    assert (found.estimate, found.lower, found.upper) == pytest.approx((exact.estimate, exact.lower, exact.upper))


def test_standardising_gives_the_common_rate_when_all_ages_share_it() -> None:
    years = np.linspace(900, 5000, 11)
    assert rates.standardised_rate(0.02 * years, years).estimate == pytest.approx(0.02)


def test_the_standard_population_adds_up_to_one() -> None:
    assert rates.US_STANDARD_2000.sum() == pytest.approx(1.0, abs=1e-6)


def test_an_age_group_without_person_time_is_refused() -> None:
    with pytest.raises(GroupsError, match="one without person-time"):
        rates.standardised_rate(np.zeros(11), np.zeros(11))


def test_shrinkage_moves_small_areas_more_than_large_ones_and_never_past_the_mean() -> None:
    events, years = np.array([2.0, 300.0, 900.0]), np.array([10.0, 1000.0, 9000.0])
    shrunken, raw, overall = rates.shrunken_rates(events, years), events / years, events.sum() / years.sum()
    moved = np.abs(shrunken - raw) / np.abs(raw - overall)
    assert moved[0] > moved[1]
    assert np.all((shrunken - overall) * (raw - overall) >= 0)
