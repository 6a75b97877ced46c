"""Questions over the whole history give what a database that never tiered would, at a cost told before."""

from __future__ import annotations

from datetime import date

import pytest

from include.lifecycle.erase import erase_person
from include.lifecycle.history import ask_history, cost_of
from include.lifecycle.move import apply_plan
from include.lifecycle.plan import plan_night
from include.lifecycle.policy import load_retention
from include.lifecycle.rehydrate import rehydrate
from include.lifecycle.retrieve import RetrieveError
from include.lifecycle.work import open_work
from include.warehouse.connect import connect
from tests.months import person, store_month, store_table_month

LABS = load_retention().rule("lab_results")
ASKED = {"purpose": "a ten-year rate", "actor": "A. Analyst"}
SELECT = "person_token, event_at, cast(json_extract(row, '$.body.valueQuantity.value') as double) as value"
QUERY = "select year(event_at), count(*), count(distinct person_token), round(avg(value), 6) from history group by 1 order by 1"
TWO = {"reason": "request", "requested_by": "A", "approved_by": "B"}


def test_hot_cold_and_archive_answer_together_as_if_nothing_had_ever_moved(fresh_hot):
    for number, received in enumerate((date(2018, 1, 10), date(2021, 1, 10), date(2023, 1, 10))):
        store_month(fresh_hot, received, records=30, people=5, event_years=(2016 + 3 * number,), label=str(number))
    night = LABS.leaves_hot_on(date(2021, 1, 1))
    with open_work(night, fresh_hot) as work:
        before = ask_history(work, "Observation", QUERY, select=SELECT, **ASKED)
        assert (before.read, len(before.rows)) == ({"hot": 90}, 3)
    for day in (LABS.leaves_hot_on(date(2018, 1, 1)), night):
        plan_night(day)
        apply_plan(day)
    with open_work(night, fresh_hot) as work:
        # What is on loan is a copy, and counts once.
        rehydrate(work, raw_table="resource", received_month=date(2021, 1, 1), until=date(2030, 1, 1), **ASKED)
        cost = cost_of(work, "Observation")
        after = ask_history(work, "Observation", QUERY, select=SELECT, **ASKED)
        assert after.read == cost.records == {"hot": 30, "cold": 30, "archive": 30}
        assert after.rows == before.rows
        assert cost.bytes["cold"] > 0 and "must" not in cost.told() and "1 file(s) in the archive" in cost.told()
        assert ask_history(work, "Observation", "select count(*) from history", source="nobody", **ASKED).rows == [(0,)]
        erase_person(work, person(1), **TWO)
        erased = ask_history(work, "Observation", QUERY, select=SELECT, **ASKED)
        assert (erased.unreadable, sum(row[1] for row in erased.rows)) == (12, 72)
    with connect("privacy_officer", settings=fresh_hot) as hot:
        told = hot.execute("select distinct purpose from audit.entry where action = 'history.read'").fetchall()
    assert told == [("a ten-year rate",)]


def test_tables_answer_too_and_no_sealed_part_is_shown(fresh_hot):
    store_table_month(fresh_hot, date(2018, 1, 10), records=6)
    night = load_retention().rule("patient_data").leaves_hot_on(date(2018, 1, 1))
    ask = "select sum(cast(json_extract(row, '$.amount') as decimal(9, 2))), max(row) from history"
    with open_work(night, fresh_hot) as work:
        before = ask_history(work, "visits", ask, select="row", **ASKED)
    plan_night(night)
    apply_plan(night)
    with open_work(night, fresh_hot) as work:
        after = ask_history(work, "visits", ask, select="row", **ASKED)
    assert (before.read, after.read) == ({"hot": 6}, {"cold": 6})
    assert after.rows[0][0] == before.rows[0][0]
    assert "sealed" not in after.rows[0][1] and "sealed" not in before.rows[0][1]


def test_a_question_without_a_purpose_or_outside_the_history_is_refused(fresh_hot):
    store_month(fresh_hot, date(2018, 1, 10), records=2)
    with open_work(date(2018, 2, 1), fresh_hot) as work:
        with pytest.raises(RetrieveError, match="without a purpose"):
            ask_history(work, "Observation", "select 1", purpose=" ", actor="x")
        for query in ("select nothing from history", "select * from '/etc/passwd'", "copy history to 'out.csv'"):
            with pytest.raises(RetrieveError, match="DuckDB refuses"):
                ask_history(work, "Observation", query, **ASKED)
