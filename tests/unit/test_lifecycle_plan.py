"""What is due: decided from plain values, on the boundary days."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from include.lifecycle.holds import Hold
from include.lifecycle.plan import count_moves, plan_moves, show_difference, show_plan
from include.lifecycle.policy import PolicyError, load_retention
from include.lifecycle.units import Unit

POLICY = load_retention()
LABS = POLICY.rule("lab_results")
MONTH = date(2024, 1, 1)
PARTITION = Unit(
    "resource__lab_results__202401", "partition", "hot", ("lab_results",), MONTH, 10, 1000, ("clinic",), "resource",
    first_event=date(2020, 1, 5), last_event=date(2023, 12, 30),
)  # fmt: skip
FILE = Unit(
    "data_class=lab_results/event_year=2020/x.parquet", "file", "cold", ("lab_results",), MONTH, 10, 1000, ("clinic",), "resource",
    file_id=1, event_year=2020, first_event=date(2020, 1, 5), last_event=date(2020, 12, 30), approved=True,
)  # fmt: skip
LANDED = Unit("landing/clinic/2024-01-15", "landing", "landing", (), date(2024, 1, 15), 3, 1000, ("clinic",))


def due(unit, today, holds=()):
    return plan_moves([unit], POLICY, holds, today=today)[0]


def test_a_month_stays_hot_to_its_last_day_and_leaves_on_the_next():
    leaves = LABS.leaves_hot_on(MONTH)
    assert leaves == date(2024, 1, 31) + timedelta(days=LABS.hot_days + 1)
    assert due(PARTITION, leaves - timedelta(days=1)).action == "stay"
    move = due(PARTITION, leaves)
    assert (move.action, move.due_tier, move.happens) == ("tier_out", "cold", True)


def test_a_month_of_two_classes_leaves_with_the_slower_one():
    both = replace(PARTITION, data_classes=("clinical_notes", "lab_results"))
    assert due(both, POLICY.rule("clinical_notes").leaves_hot_on(MONTH)).action == "stay"
    assert due(both, LABS.leaves_hot_on(MONTH)).action == "tier_out"


def test_a_file_leaves_cold_for_the_archive_on_its_day():
    kept = replace(FILE, event_year=2024)
    leaves = LABS.leaves_cold_on(MONTH)
    assert due(kept, leaves - timedelta(days=1)).action == "stay"
    assert due(kept, leaves).action == "archive"
    assert due(replace(kept, tier="archive"), leaves).action == "stay"


def test_records_of_a_minor_are_kept_until_they_are_of_the_age_that_the_rule_says():
    born = date(2016, 5, 3)
    ends = LABS.ends_after(2020)
    young = replace(FILE, youngest_born=born)
    until = date(2037, 5, 3)
    assert until > ends
    assert due(young, ends + timedelta(days=1)).action == due(young, until).action == "stay"
    assert "kept to 2037-05-03 for a person under 21" in due(young, until).rule
    assert due(young, until + timedelta(days=1)).action == "destroy"
    assert due(replace(FILE, youngest_born=date(1950, 2, 28)), ends + timedelta(days=1)).action == "destroy"


def with_rule(**words):
    return replace(POLICY, rules={**POLICY.rules, "lab_results": replace(LABS, **words)})


def test_a_priority_class_stays_hot_until_its_retention_ends():
    policy = with_rule(priority=True)
    ends = LABS.ends_after(2024)
    assert plan_moves([PARTITION], policy, [], today=ends)[0].action == "stay"
    assert plan_moves([PARTITION], policy, [], today=ends + timedelta(days=1))[0].action == "tier_out"


def test_a_file_that_is_read_stays_in_cold():
    policy, leaves = with_rule(keep_cold_if_read_days=90), LABS.leaves_cold_on(MONTH)
    read = replace(FILE, event_year=2024, last_read=leaves - timedelta(days=89))
    assert plan_moves([read], policy, [], today=leaves)[0].action == "stay"
    assert plan_moves([read], policy, [], today=leaves + timedelta(days=1))[0].action == "archive"
    assert due(read, leaves).action == "archive"


def test_another_policy_shows_what_it_would_change_before_it_is_in_force():
    today = LABS.leaves_hot_on(MONTH)
    now = plan_moves([PARTITION, LANDED], POLICY, [], today=today)
    then = plan_moves([PARTITION, LANDED], with_rule(hot_days=LABS.hot_days + 1), [], today=today)
    shown = show_difference(now, then, today=today)
    assert "1 of 2 units" in shown
    assert "now:  tier_out" in shown and "then: stay" in shown
    assert "0 of 2 units" in show_difference(now, now, today=today)


def test_a_plan_says_what_each_tier_costs_now_and_after():
    move = due(replace(PARTITION, bytes=int(1e12)), LABS.leaves_hot_on(MONTH))
    shown = show_plan([move], today=LABS.leaves_hot_on(MONTH))
    assert "hot           80.00 USD a month now,       0.00 after" in shown
    assert "cold           0.00 USD a month now,      12.50 after" in shown


def test_a_file_ends_the_day_after_its_retention_whichever_tier_it_is_in():
    ends = LABS.ends_after(2020)
    for tier in ("cold", "archive"):
        assert due(replace(FILE, tier=tier), ends).action != "destroy"
        assert due(replace(FILE, tier=tier), ends + timedelta(days=1)).action == "destroy"


def test_destruction_waits_for_approval_where_the_class_asks_for_it():
    after = LABS.ends_after(2020) + timedelta(days=1)
    move = due(replace(FILE, approved=False), after)
    assert (move.action, move.stopped_by, move.happens) == ("destroy", "waits for approval", False)
    counts = replace(FILE, data_classes=("population_metrics",), approved=False)
    assert due(counts, after).happens


def test_what_tells_who_a_person_is_ends_only_with_the_persons_other_records():
    after = LABS.ends_after(2020) + timedelta(days=1)
    assert due(replace(FILE, with_person=True, person_lives=True), after).action == "stay"
    assert due(replace(FILE, with_person=True, person_lives=False), after).action == "destroy"


@pytest.mark.parametrize(
    ("hold", "stops"),
    [
        (Hold(7, data_class="lab_results"), True),
        (Hold(7, data_class="imaging"), False),
        (Hold(7, source="clinic"), True),
        (Hold(7, source="other"), False),
        (Hold(7, event_from=date(2023, 12, 30)), True),
        (Hold(7, event_from=date(2023, 12, 31)), False),
        (Hold(7, event_to=date(2020, 1, 5)), True),
        (Hold(7, event_to=date(2020, 1, 4)), False),
        (Hold(7, data_class="lab_results", source="other"), False),
    ],
)
def test_a_hold_stops_what_every_criterion_matches(hold, stops):
    move = due(PARTITION, date(2040, 1, 1), [hold])
    assert (move.stopped_by == "hold 7") is stops


def test_a_hold_on_a_person_stops_the_unit_that_has_a_record_of_theirs():
    from uuid import uuid4

    hold = Hold(3, person_token=uuid4())
    assert due(PARTITION, date(2040, 1, 1), [hold]).happens
    assert due(replace(PARTITION, held_people=frozenset({3})), date(2040, 1, 1), [hold]).stopped_by == "hold 3"


def test_a_legal_hold_stops_every_move_and_wins_over_approval():
    hold = Hold(1, source="clinic")
    for unit, today in (
        (PARTITION, date(2040, 1, 1)),
        (FILE, date(2040, 1, 1)),
        (replace(FILE, event_year=2039), date(2040, 1, 1)),
        (LANDED, date(2040, 1, 1)),
    ):
        move = due(unit, today, [hold])
        assert move.action != "stay"
        assert move.stopped_by == "hold 1"


def test_landing_ends_after_its_days_and_later_where_refused_records_wait():
    last = date(2024, 1, 15) + timedelta(days=POLICY.landing_days)
    assert due(LANDED, last).action == "stay"
    assert due(LANDED, last + timedelta(days=1)).action == "expire_landing"
    assert due(replace(LANDED, unfinished=True), date(2040, 1, 1)).action == "stay"
    refused = replace(LANDED, refused_waiting=True)
    longer = date(2024, 1, 15) + timedelta(days=POLICY.rule("quarantine").retention_days)
    assert due(refused, longer).action == "stay"
    assert due(refused, longer + timedelta(days=1)).action == "expire_landing"


def test_a_loan_is_returned_the_day_after_its_last_and_stops_the_file_from_ending():
    lent = replace(PARTITION, loan_until=date(2030, 5, 1))
    assert due(lent, date(2030, 5, 1)).action == "stay"
    assert due(lent, date(2030, 5, 2), [Hold(1, source="clinic")]).happens
    assert due(replace(FILE, loan_until=date(2040, 5, 1)), date(2040, 1, 1)).action == "stay"


def test_locked_bytes_of_a_destroyed_file_are_removed_after_the_lock():
    remains = replace(FILE, tier="destroyed", bytes_remain_until=date(2030, 1, 1))
    assert due(remains, date(2030, 1, 1)).action == "stay"
    assert due(remains, date(2030, 1, 2)).action == "remove_bytes"


def test_a_class_without_a_rule_stops_the_plan():
    with pytest.raises(PolicyError, match="data class 'unheard_of' has no rule"):
        plan_moves([replace(PARTITION, data_classes=("unheard_of",))], POLICY, (), today=date(2030, 1, 1))


def test_the_same_state_gives_the_same_plan_in_any_order():
    units = [FILE, PARTITION, LANDED]
    today = date(2040, 1, 1)
    assert plan_moves(units, POLICY, (), today=today) == plan_moves(units[::-1], POLICY, (), today=today)


def test_the_printed_plan_tells_each_unit_its_rule_and_what_would_be_destroyed():
    today = date(2040, 1, 1)
    moves = plan_moves(
        [replace(FILE, approved=False), PARTITION],
        POLICY,
        [Hold(9, source="clinic", data_class="imaging")],
        today=today,
    )
    text = show_plan(moves, today=today)
    assert "resource__lab_results__202401" in text
    assert "waits for approval" in text
    assert "lab_results: retention_days 2555 after 2020 ended 2027-12-30" in text
    assert "0 file(s) with 0 record(s) would be destroyed" in text
    assert count_moves(moves)["waiting_for_approval"] == 1
    approved = plan_moves([FILE], POLICY, (), today=today)
    assert "1 file(s) with 10 record(s) would be destroyed" in show_plan(approved, today=today)
