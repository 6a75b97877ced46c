"""What looks wrong in the measures although nothing failed is on the night's page, and makes the night amber."""

from __future__ import annotations

from datetime import date

from include.nights import open_night, step
from include.reports.night import write_report
from include.verdict import NEEDED_STEPS, close_night
from include.warehouse.build import _keep_alarms
from include.warehouse.connect import connect

NIGHT = date(2026, 11, 22)
EMPTY = 'nobody is in the denominator of "Breast cancer screening" in 2026, though people were the year before'
VANISHED = "north has told of no encounter of class EMER in its newest 30 days; about 12 were likely"


def test_an_empty_denominator_and_a_vanished_encounter_type_are_seen_in_the_report(fresh_hot) -> None:
    open_night(NIGHT, fresh_hot)
    with connect("transformer", "hot", fresh_hot) as hot:
        hot.execute("create table intermediate.int_measures__alarms (alarm text, subject text, said text)")
        with hot.cursor() as cursor:
            cursor.executemany(
                "insert into intermediate.int_measures__alarms values (%s, %s, %s)",
                [("empty denominator", "cms125", EMPTY), ("vanished encounters", "north EMER", VANISHED)],
            )
    _keep_alarms(NIGHT, fresh_hot)
    for name in NEEDED_STEPS:
        with step(NIGHT, name, role="transformer", settings=fresh_hot):
            pass
    assert close_night(NIGHT, fresh_hot) == "amber"
    page = write_report(NIGHT, fresh_hot).read_text()
    assert EMPTY.replace('"', "&#34;") in page
    assert VANISHED in page
