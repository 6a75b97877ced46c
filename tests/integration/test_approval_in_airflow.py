"""Destruction approved by a person's answer in Airflow: what was shown, by somebody else, or not at all."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from include.lifecycle.approvals import ApprovalError, approve_answer, planned_for_approval
from include.lifecycle.holds import HoldError
from include.lifecycle.move import apply_plan
from include.lifecycle.plan import plan_night
from include.lifecycle.policy import load_retention
from include.warehouse.connect import connect
from tests.months import store_month

LABS = load_retention().rule("lab_results")
OVER = LABS.ends_after(2015) + timedelta(days=1)


def answered(files, option="Approve", by="B. Officer", reason="retention is over"):
    """What HITLOperator.execute_complete returns."""
    return {
        "chosen_options": [option], "params_input": {"reason": reason, "files": files}, "responded_at": None,
        "responded_by_user": {"id": "2", "name": by},
    }  # fmt: skip


def tiers(settings):
    with connect("lifecycle", settings=settings) as hot:
        return dict(hot.execute("select tier, count(*) from lifecycle.record group by 1").fetchall())


def test_what_a_person_approved_is_destroyed_and_nothing_else(fresh_hot):
    for label, received in (("a", date(2018, 1, 10)), ("b", date(2018, 2, 10))):
        store_month(fresh_hot, received, records=4, event_years=(2015,), label=label)
    night = LABS.leaves_hot_on(date(2018, 2, 1))
    assert planned_for_approval(night, fresh_hot) is None
    apply_plan(night)
    due = planned_for_approval(OVER, fresh_hot)
    first, second = due["files"].split()
    assert "2 file(s) with 8 record(s)" in due["text"] and first in due["text"]
    assert approve_answer(OVER, answered(due["files"], option="Reject"), "A. Manager", fresh_hot) == 0
    with pytest.raises(HoldError, match="a second person"):
        approve_answer(OVER, answered(first, by="A. Manager"), "A. Manager", fresh_hot)
    with pytest.raises(HoldError, match="reason"):
        approve_answer(OVER, answered(first, reason=" "), "A. Manager", fresh_hot)
    with pytest.raises(ApprovalError, match="1 of 1 files are not due"):
        approve_answer(OVER, answered("another.parquet"), "A. Manager", fresh_hot)
    assert approve_answer(OVER, answered(first), "A. Manager", fresh_hot) == 1
    plan_night(OVER)
    apply_plan(OVER)
    assert tiers(fresh_hot) == {"destroyed": 4, "cold": 4}
    assert planned_for_approval(OVER, fresh_hot)["files"] == second
