"""Exact numbers of a closed period are released once: what came later changes nothing until a new edition is named."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest
from psycopg import sql

from include.warehouse.connect import connect
from include.warehouse.released import RATE_COLUMNS, record_release
from tests.rendered_models import fetch, fill, fill_from, render_model

FIRST, SECOND = date(2026, 11, 22), date(2026, 11, 23)
RATES = "intermediate/measures/int_measures__rates.sql"
TYPES = {
    "subgroup_order": "integer", "rate_per": "integer", "rounded_to": "integer", "is_known_group": "boolean",
    "is_people_hidden": "boolean", "is_suppressed": "boolean", "people": "bigint", "numerator": "bigint",
    **dict.fromkeys(("denominator", "rate", "standard_error", "rate_lower", "rate_upper"), "double precision"),
}  # fmt: skip
SHAPE = {name: TYPES.get(name, "text") for name in RATE_COLUMNS}
PERIODS = {"period_kind": "text", "period": "text", "is_closed": "boolean"}


@pytest.fixture
def hot(fresh_hot):
    with connect("transformer", "hot", fresh_hot, autocommit=True) as connection:
        catalogue = {"measure_id": "text", "period_kind": "text"}
        fill(connection, "measure_catalogue", catalogue, [("m", "calendar year"), ("lacking", "calendar year")])
        fill(
            connection,
            "int_measures__periods",
            PERIODS,
            [("calendar year", "2025", True), ("calendar year", "2026", False)],
        )
        yield connection


def _rate(
    measure: str, period: str, dimension: str, subgroup: str, people: int, numerator: int, *, hidden: bool = False
) -> tuple:
    return (measure, "calendar year", period, dimension, subgroup, None, True, hidden, hidden, "proportion", "higher", 1,
            1 if period == "2025" else 5, people, numerator, float(people), numerator / people, 0.1, 0.0, 1.0, "Wilson")  # fmt: skip


def _night(hot: psycopg.Connection, people: int) -> None:
    """What dbt leaves behind for a night on which so many people are known."""
    rows = [
        _rate("m", "2025", "all", "All people", people, 40),
        _rate("m", "2025", "sex", "female", people - 30, 25),
        _rate("m", "2025", "sex", "male", 30, 15, hidden=True),
        _rate("m", "2026", "all", "All people", 60, 20),
        _rate("m", "2026", "sex", "female", 60, 20),
        _rate("lacking", "2025", "all", "All people", people, 40),
    ]
    fill(hot, "rates", SHAPE, rows)
    fill_from(hot, "int_measures__rates_tonight", "select * from pg_temp.rates")
    _fill_released(hot)
    for table, query in (
        ("intermediate.int_measures__rates_tonight", "select * from pg_temp.rates"),
        ("intermediate.int_measures__rates", render_model(RATES)),
        ("candidate_measures.results_by_group",
         """select measure_id, period_kind, period, period = '2025' as is_period_closed, dimension, subgroup,
            case when not is_people_hidden then people end as people, case when not is_suppressed then numerator end as numerator,
            case measure_id when 'lacking' then 'value set missing' else 'shown' end as status from pg_temp.rates"""),
    ):  # fmt: skip
        name = sql.Identifier(*table.split("."))
        hot.execute(sql.SQL("drop table if exists {}").format(name))
        hot.execute(sql.SQL("create table {} as ").format(name) + sql.SQL(query))


def _fill_released(hot: psycopg.Connection) -> None:
    fill_from(hot, "released_rate", "select * from quality.released_rate")


def _people(hot: psycopg.Connection, **policies) -> dict[tuple[str, str, str], int]:
    _fill_released(hot)
    rows = fetch(hot, render_model(RATES, **policies))
    return {(row["measure_id"], row["period"], row["subgroup"]): row["people"] for row in rows}


def test_what_came_after_the_first_release_changes_no_closed_period_but_is_counted(hot, fresh_hot) -> None:
    _night(hot, 100)
    assert record_release(FIRST, fresh_hot) == {"periods_released": 1, "periods_late": 0}
    _night(hot, 101)
    assert record_release(SECOND, fresh_hot) == {"periods_released": 0, "periods_late": 1}
    assert _people(hot)["m", "2025", "All people"] == 100
    assert _people(hot)["m", "2025", "female"] == 70
    assert _people(hot)["m", "2026", "All people"] == 60


def test_a_measure_that_could_not_be_computed_is_released_when_it_can(hot, fresh_hot) -> None:
    _night(hot, 100)
    record_release(FIRST, fresh_hot)
    _night(hot, 101)
    assert _people(hot)["lacking", "2025", "All people"] == 101


def test_a_new_edition_releases_anew_what_changed_by_more_than_a_few_people(hot, fresh_hot) -> None:
    _night(hot, 100)
    record_release(FIRST, fresh_hot)
    _night(hot, 101)
    assert _people(hot, disclosure_edition=3)["m", "2025", "All people"] == 100, "one person could be subtracted"
    _night(hot, 150)
    assert _people(hot, disclosure_edition=3)["m", "2025", "All people"] == 150
    assert _people(hot, disclosure_edition=3)["m", "2025", "female"] == 120


def test_since_when_a_running_count_was_shown_is_kept(hot, fresh_hot) -> None:
    for night in (FIRST, SECOND):
        _night(hot, 100)
        record_release(night, fresh_hot)
    assert hot.execute(
        "select subgroup, people_shown_since, numerator_shown_since from quality.released_group"
    ).fetchall() == [("female", FIRST, FIRST)]
