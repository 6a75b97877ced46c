"""Where SQL and Python compute the same statistic, they give the same numbers."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest

from include.equity import dispersion, impact, rates
from include.equity.groups import Groups, Summary
from include.warehouse.connect import connect
from tests.rendered_models import fetch, fill, fill_from, render_model

RATES = "intermediate/measures/int_measures__rates_tonight.sql"
DISPARITIES = "equity/disparities.sql"
CATALOGUE = {"measure_id": "text", "kind": "text", "rate_per": "integer", "favourable_direction": "text"}
PERIODS = {"period_kind": "text", "period": "text", "is_closed": "boolean"}
COUNTS = {
    "measure_id": "text", "period_kind": "text", "period": "text", "dimension": "text", "subgroup": "text",
    "subgroup_order": "integer", "is_known_group": "boolean", "is_people_hidden": "boolean", "is_suppressed": "boolean",
    "people": "bigint", "people_in_numerator": "bigint", "events": "bigint", "person_days": "bigint",
    "events_squared": "bigint", "events_times_days": "bigint", "days_squared": "bigint",
}  # fmt: skip
GROUPS = ("a", "b", "c", "d", "e")
PEOPLE = (120, 300, 80, 45, 900)
FULFIL = (30, 110, 41, 20, 260)


@pytest.fixture
def hot(settings):
    with connect("transformer", "hot", settings) as connection:
        fill(
            connection,
            "measure_catalogue",
            CATALOGUE,
            [
                ("up", "proportion", 1, "higher"),
                ("down", "proportion", 1, "lower"),
                ("visits", "event rate", 1000, "lower"),
            ],
        )
        fill(
            connection,
            "int_measures__periods",
            PERIODS,
            [("calendar year", "2026", True), ("calendar year", "open", False)],
        )
        yield connection


def _row(measure: str, subgroup: str, people: int, fulfil: int, *, days: int = 0, period: str = "2026",
         hidden: bool = False, known: bool = True) -> tuple:  # fmt: skip
    return (measure, "calendar year", period, "payer", subgroup, None, known, hidden, hidden, people, fulfil, fulfil, days,
            fulfil, fulfil * (days // people), days**2 // people)  # fmt: skip


def _build(hot: psycopg.Connection, rows: list[tuple], **policies) -> None:
    fill(hot, "int_measures__disclosure", COUNTS, rows)
    fill(hot, "int_measures__pair_disclosure", COUNTS, [])
    fill_from(hot, "int_measures__rates", render_model(RATES, **policies))


@pytest.fixture(params=["up", "down"])
def proportions(hot: psycopg.Connection, request) -> tuple[psycopg.Connection, Groups]:
    _build(hot, [_row(request.param, *each) for each in zip(GROUPS, PEOPLE, FULFIL, strict=True)])
    share = np.array(FULFIL) / np.array(PEOPLE)
    groups = Groups(GROUPS, share, np.sqrt(share * (1 - share) / np.array(PEOPLE)), np.array(PEOPLE, dtype=float),
                    is_favourable=request.param == "up")  # fmt: skip
    return hot, groups


def _summary(rows: list[dict], statistic: str) -> list[float]:
    row = next(row for row in rows if row["statistic"] == statistic)
    return [row["estimate"], row["standard_error"], row["lower_limit"], row["upper_limit"]]


def _numbers(summary: Summary) -> list[float]:
    return [summary.estimate, summary.se, summary.lower, summary.upper]


def test_summaries_of_proportions_agree(proportions) -> None:
    hot, groups = proportions
    rows = fetch(hot, render_model(DISPARITIES))
    for statistic, ours in {
        "theil_index": dispersion.theil_index(groups),
        "mean_log_deviation": dispersion.mean_log_deviation(groups),
        "between_group_variance": dispersion.between_group_variance(groups),
        "population_attributable_risk": impact.population_attributable_risk(groups, errors="delta"),
        "population_attributable_fraction": impact.population_attributable_fraction(groups, errors="delta"),
    }.items():
        assert _summary(rows, statistic) == pytest.approx(_numbers(ours), rel=1e-9), statistic


def test_differences_of_proportions_are_newcombes_and_ratios_are_katzs(proportions) -> None:
    hot, groups = proportions
    rows = fetch(hot, render_model(DISPARITIES))
    for place, name in enumerate(GROUPS[:4]):
        pair = [row for row in rows if row["comparison_group"] == name]
        assert {row["reference_group"] for row in pair} == {"e"}
        expected = rates.newcombe_difference((FULFIL[place], PEOPLE[place]), (FULFIL[4], PEOPLE[4]))
        difference = next(row for row in pair if row["statistic"] == "rate_difference")
        assert [difference["estimate"], difference["lower_limit"], difference["upper_limit"]] == pytest.approx(
            [expected.estimate, expected.lower, expected.upper], rel=1e-9
        )
        ratio = next(row for row in pair if row["statistic"] == "rate_ratio")
        log_error = np.hypot(*(groups.se[[place, 4]] / groups.estimate[[place, 4]]))
        middle = groups.estimate[place] / groups.estimate[4]
        assert [
            ratio["estimate"],
            ratio["standard_error"],
            ratio["lower_limit"],
            ratio["upper_limit"],
        ] == pytest.approx(
            [middle, middle * log_error, *(middle * np.exp(side * 1.959963984540054 * log_error) for side in (-1, 1))],
            rel=1e-9,
        )


def test_intervals_of_rates_agree(hot: psycopg.Connection) -> None:
    _build(hot, [_row("up", "a", 263, 81), _row("visits", "a", 40, 57, days=40 * 300)])
    proportion, visits = sorted(
        fetch(hot, "select * from pg_temp.int_measures__rates"), key=lambda row: row["measure_id"]
    )
    wilson, poisson = rates.wilson(81, 263), rates.poisson(57, round(40 * 300 / 365.25, 1))
    assert [proportion["rate_lower"], proportion["rate_upper"]] == pytest.approx(
        [wilson.lower, wilson.upper], rel=1e-12
    )
    assert [visits["rate"], visits["rate_lower"], visits["rate_upper"]] == pytest.approx(
        [poisson.estimate * 1000, poisson.lower * 1000, poisson.upper * 1000], rel=1e-9
    )


def test_the_error_of_an_event_rate_allows_for_people_with_many_visits(hot: psycopg.Connection) -> None:
    alike = _row("visits", "alike", 40, 40, days=40 * 365)
    one_has_all = (*_row("visits", "one_has_all", 40, 40, days=40 * 365)[:13], 1600, 40 * 365, 40 * 365**2)
    _build(hot, [alike, one_has_all])
    rows = {row["subgroup"]: row["standard_error"] for row in fetch(hot, "select * from pg_temp.int_measures__rates")}
    poisson = 1000 * np.sqrt(40) / round(40 * 365 / 365.25, 1)
    assert rows["alike"] == pytest.approx(poisson)
    assert rows["one_has_all"] > 5 * poisson


def test_a_hidden_group_stays_hidden_and_is_counted_as_left_out(hot: psycopg.Connection) -> None:
    _build(hot, [_row("up", "a", 120, 30), _row("up", "b", 300, 110), _row("up", "c", 40, 9, hidden=True)])
    rows = fetch(hot, render_model(DISPARITIES))
    about_c = [row for row in rows if row["comparison_group"] == "c"]
    assert len(about_c) == 2
    for row in about_c:
        assert row["is_suppressed"]
        assert row["estimate"] is row["lower_limit"] is row["upper_limit"] is row["standard_error"] is None
    theil = next(row for row in rows if row["statistic"] == "theil_index")
    assert (theil["groups_compared"], theil["groups_left_out"]) == (2, 1)


def test_nothing_about_disparities_depends_on_a_hidden_count(hot: psycopg.Connection) -> None:
    shown = [_row("up", "a", 120, 30), _row("up", "b", 300, 110)]
    _build(hot, [*shown, _row("up", "c", 40, 9, hidden=True), _row("up", "d", 15, 3, hidden=True)])
    one = fetch(hot, render_model(DISPARITIES))
    _build(hot, [*shown, _row("up", "c", 31, 2, hidden=True), _row("up", "d", 24, 10, hidden=True)])
    other = fetch(hot, render_model(DISPARITIES))
    assert one == other


def test_unknown_is_compared_but_is_never_the_reference_nor_part_of_a_summary(hot: psycopg.Connection) -> None:
    _build(hot, [_row("up", "a", 120, 30), _row("up", "b", 300, 110), _row("up", "unknown", 900, 500, known=False)])
    rows = fetch(hot, render_model(DISPARITIES))
    assert {row["reference_group"] for row in rows if row["reference_group"]} == {"b"}
    unknown = next(row for row in rows if row["comparison_group"] == "unknown")
    assert unknown["estimate"] is not None
    assert "not known" in unknown["note"]
    assert {row["groups_compared"] for row in rows if row["groups_compared"]} == {2}


def test_a_group_below_the_minimum_is_never_reference_nor_best(hot: psycopg.Connection) -> None:
    _build(hot, [_row("up", "small", 29, 18), _row("up", "a", 60, 20), _row("up", "b", 50, 24)])
    rows = fetch(hot, render_model(DISPARITIES))
    assert {row["reference_group"] for row in rows if row["reference_group"]} == {"a", "b"}
    assert next(r for r in rows if r["statistic"] == "population_attributable_risk")["reference_group"] == "b"


def test_without_a_group_large_enough_there_is_no_estimate_and_the_note_says_so(hot: psycopg.Connection) -> None:
    _build(hot, [_row("up", "a", 29, 12), _row("up", "b", 28, 14)])
    rows = fetch(hot, render_model(DISPARITIES))
    pairs = [row for row in rows if row["comparison_group"]]
    assert len(pairs) == 4
    for row in pairs:
        assert row["estimate"] is None
        assert "no group has the 30 people" in row["note"]


@pytest.mark.parametrize(
    ("policies", "reference"),
    [({}, "b"), ({"equity_reference_rule": "best"}, "a"), ({"equity_reference_groups": {"payer": "c"}}, "c")],
    ids=["largest", "best", "named"],
)
def test_the_reference_group_is_the_policys(hot: psycopg.Connection, policies: dict, reference: str) -> None:
    _build(hot, [_row("up", "a", 120, 60), _row("up", "b", 300, 110), _row("up", "c", 90, 30)])
    rows = fetch(hot, render_model(DISPARITIES, **policies))
    assert {row["reference_group"] for row in rows if row["statistic"] == "rate_difference"} == {reference}


def test_counts_of_a_running_period_are_rounded_where_the_policy_says_so(hot: psycopg.Connection) -> None:
    _build(hot, [_row("up", "a", 123, 31), _row("up", "a", 123, 31, period="open")], disclosure_round_open_periods_to=5)
    rows = {row["period"]: row for row in fetch(hot, "select * from pg_temp.int_measures__rates")}
    assert (rows["2026"]["numerator"], rows["2026"]["people"], rows["2026"]["rounded_to"]) == (31, 123, 1)
    assert (rows["open"]["numerator"], rows["open"]["people"], rows["open"]["rounded_to"]) == (30, 125, 5)
    assert rows["open"]["rate"] == pytest.approx(30 / 125)
