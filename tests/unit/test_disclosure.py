"""The attack on released counts: it must find what is given away, or finding nothing means nothing."""

from __future__ import annotations

import pytest

from include.privacy.containment_attack import ContradictoryCountsError, Count, attack_together
from include.privacy.disclosure_attack import Released, attack

TOTAL = Released("all", "All people", 100, 40)


def _bounds(rows: list[Released], subgroup: str, quantity: str, **more):
    return next(b for b in attack(rows, **more) if (b.subgroup, b.quantity) == (subgroup, quantity))


def test_one_hidden_group_is_worked_out_from_the_total() -> None:
    rows = [TOTAL, Released("sex", "female", 95, 38), Released("sex", "male", None, None)]
    found = _bounds(rows, "male", "numerator")
    assert found.is_determined
    assert (found.lowest, found.highest) == pytest.approx((2, 2))


def test_two_hidden_groups_that_add_up_to_enough_are_not_worked_out() -> None:
    rows = [
        TOTAL,
        Released("zip3", "021", 60, 25),
        Released("zip3", "022", 25, None),
        Released("zip3", "023", 15, None),
    ]
    found = attack(rows)
    assert len(found) == 2
    assert not any(bounds.is_determined for bounds in found)
    assert all(bounds.highest - bounds.lowest >= 11 for bounds in found)


def test_two_hidden_groups_that_add_up_to_nothing_are_worked_out() -> None:
    rows = [
        TOTAL,
        Released("zip3", "021", 60, 40),
        Released("zip3", "022", 25, None),
        Released("zip3", "023", 15, None),
    ]
    assert _bounds(rows, "022", "numerator").is_determined


def test_hidden_counts_at_their_denominators_are_worked_out() -> None:
    rows = [
        TOTAL,
        Released("zip3", "021", 75, 15),
        Released("zip3", "022", 13, None),
        Released("zip3", "023", 12, None),
    ]
    assert _bounds(rows, "022", "numerator").is_determined


def test_a_numerator_of_events_may_exceed_its_people() -> None:
    rows = [
        TOTAL,
        Released("zip3", "021", 75, 15),
        Released("zip3", "022", 13, None),
        Released("zip3", "023", 12, None),
    ]
    assert not _bounds(rows, "022", "numerator", is_proportion=False).is_determined


def test_overlapping_groups_are_only_bounded_from_below_by_the_total() -> None:
    rows = [
        TOTAL,
        Released("race_ethnicity", "Asian", 40, 20),
        Released("race_ethnicity", "White", 50, 18),
        Released("race_ethnicity", "unknown", None, None),
    ]
    found = _bounds(rows, "unknown", "people")
    assert found.lowest == pytest.approx(10)
    assert not found.is_determined


def test_nothing_hidden_gives_nothing_to_find() -> None:
    assert attack([TOTAL, Released("sex", "female", 60, 25), Released("sex", "male", 40, 15)]) == ()


WITHIN = {("assessed", "with diabetes")}
TWO_MEASURES = [
    Count("with diabetes", "all", "All people", 100),
    Count("with diabetes", "sex", "female", 52),
    Count("with diabetes", "sex", "male", 48),
    Count("assessed", "all", "All people", 80),
]


def test_two_measures_that_show_a_group_tell_who_is_between_them() -> None:
    counts = [*TWO_MEASURES, Count("assessed", "sex", "female", 49), Count("assessed", "sex", "male", None)]
    (found,) = attack_together(counts, WITHIN, [("with diabetes", "assessed", "sex", "female")])
    assert (found.lowest, found.highest) == pytest.approx((3, 3))


def test_two_hidden_groups_leave_those_between_two_measures_open() -> None:
    counts = [*TWO_MEASURES, Count("assessed", "sex", "female", None), Count("assessed", "sex", "male", None)]
    (found,) = attack_together(counts, WITHIN, [("with diabetes", "assessed", "sex", "female")])
    assert (found.lowest, found.highest) == pytest.approx((0, 20))


def test_counts_that_nobody_can_have_are_no_proof_of_anything() -> None:
    counts = [*TWO_MEASURES, Count("assessed", "sex", "female", 60), Count("assessed", "sex", "male", 20)]
    with pytest.raises(ContradictoryCountsError, match="linear program"):
        attack_together(counts, WITHIN, [("with diabetes", "assessed", "sex", "female")])
