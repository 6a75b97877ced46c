"""What every summary measure must do whatever the numbers are."""

from __future__ import annotations

import numpy as np
import pytest

from include.equity import dispersion, impact, ordered, pairwise
from include.equity.groups import Groups, GroupsError
from include.equity.summaries import summarise

ZERO_WHEN_EQUAL = ("d", "aci", "rci", "sii", "bgv", "bgsd", "cov", "mdmu", "mdmw", "mdbu", "mdbw", "mdru", "mdrw",
                   "idisu", "idisw", "ti", "mld", "gini", "par", "paf")  # fmt: skip


def _groups(estimate: list[float], *, favourable: bool = True, in_order: bool = False, **more) -> Groups:
    count = len(estimate)
    return Groups(
        names=tuple("abcdefgh"[:count]),
        estimate=np.array(estimate),
        se=np.full(count, 0.5),
        population=more.pop("population", np.arange(1.0, count + 1) * 100),
        is_favourable=favourable,
        order=np.arange(1.0, count + 1) if in_order else None,
        scale=100.0,
        **more,
    )


@pytest.mark.parametrize("in_order", [True, False])
def test_equal_groups_have_no_inequality(in_order: bool) -> None:
    reference = None if in_order else 1
    found = {s.measure: s for s in summarise(_groups([40.0] * 4, in_order=in_order, reference=reference))}
    for measure in ZERO_WHEN_EQUAL:
        if measure in found:
            assert found[measure].estimate == pytest.approx(0, abs=1e-9), measure
    assert found["r"].estimate == pytest.approx(1)


def test_error_and_limits_change_units_together_with_the_estimate() -> None:
    percent = _groups([30.0, 40.0, 60.0, 50.0])
    share = Groups(percent.names, percent.estimate / 100, percent.se / 100, percent.population, True, scale=1.0)
    for in_percent, in_share in zip(summarise(percent), summarise(share), strict=True):
        factor = {"bgv": 1e4, "cov": 1, "r": 1, "ti": 1, "mld": 1, "gini": 1, "paf": 1}.get(
            in_percent.measure.removesuffix("_corrected").removesuffix("_walter"), 100
        )
        if in_percent.measure.startswith(("idis", "max_rate_ratio", "summary_rate_ratio")):
            factor = 1
        expected = [in_share.estimate * factor, in_share.se * factor, in_share.lower * factor, in_share.upper * factor]
        found = [in_percent.estimate, in_percent.se, in_percent.lower, in_percent.upper]
        assert found == pytest.approx(expected, rel=1e-9, nan_ok=True), in_percent.measure


@pytest.mark.parametrize(
    ("favourable", "first", "second"), [(True, "d", "a"), (False, "a", "d")], ids=["favourable", "adverse"]
)
def test_ordered_groups_compare_the_ends_of_the_order_by_the_indicators_direction(favourable, first, second) -> None:
    found = pairwise.difference(_groups([10.0, 90.0, 5.0, 40.0], favourable=favourable, in_order=True))
    assert found.note == f"{first} minus {second}"


def test_a_reference_group_is_compared_with_the_worst() -> None:
    assert pairwise.difference(_groups([10.0, 90.0, 50.0], reference=2)).note == "c minus a"
    assert pairwise.difference(_groups([10.0, 90.0, 50.0], reference=2, favourable=False)).note == "b minus c"


def test_attributable_risk_is_zero_when_the_reference_does_no_better() -> None:
    found = impact.population_attributable_risk(_groups([50.0, 40.0, 30.0], in_order=True))
    assert found.estimate == 0
    assert "nothing to gain" in found.note


def test_theil_splits_into_between_and_within_and_they_add_up() -> None:
    groups = _groups([10.0, 20.0, 60.0, 50.0])
    between, within = dispersion.theil_decomposition(groups, ("x", "x", "y", "y"))
    assert between + within == pytest.approx(dispersion.theil_index(groups).estimate)
    assert between > within > 0


def test_a_group_at_zero_leaves_theil_defined_and_mean_log_deviation_not() -> None:
    groups = _groups([0.0, 20.0, 60.0])
    assert dispersion.theil_index(groups).estimate > 0
    assert np.isnan(dispersion.mean_log_deviation(groups).estimate)


def test_gini_of_all_in_one_of_two_equal_groups_is_a_half() -> None:
    groups = _groups([0.0, 80.0], population=np.array([50.0, 50.0]))
    assert dispersion.gini_index(groups).estimate == pytest.approx(0.5)


def test_measures_of_order_refuse_groups_without_one() -> None:
    with pytest.raises(GroupsError, match="groups without an order"):
        ordered.absolute_concentration_index(_groups([1.0, 2.0, 3.0]))


def test_the_order_of_rows_does_not_matter() -> None:
    forwards = _groups([10.0, 40.0, 55.0], in_order=True)
    backwards = Groups(
        forwards.names[::-1], forwards.estimate[::-1], forwards.se[::-1], forwards.population[::-1], True,
        forwards.order[::-1], scale=100.0,
    )  # fmt: skip
    for one, other in zip(summarise(forwards), summarise(backwards), strict=True):
        assert (one.measure, one.note) == (other.measure, other.note)
        assert [one.estimate, one.se] == pytest.approx([other.estimate, other.se], nan_ok=True)


def test_one_group_alone_is_refused() -> None:
    with pytest.raises(GroupsError, match="two groups or more"):
        Groups(("a",), np.array([1.0]), np.array([0.1]), np.array([10.0]), True)


def test_the_logistic_line_refuses_an_estimate_above_its_scale() -> None:
    with pytest.raises(GroupsError, match="above the indicator's scale"):
        ordered.fit_logistic(_groups([10.0, 40.0, 155.0], in_order=True))
