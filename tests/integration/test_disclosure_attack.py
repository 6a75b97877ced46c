"""Random tables through the model that hides counts, then a reader's attack on what is left to see."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import psycopg
import pytest

from include.privacy.disclosure import OVERLAPPING_DIMENSIONS, Released, attack
from include.warehouse.connect import connect
from tests.rendered_models import fetch, fill, render_model

MINIMUM = 11
DISCLOSURE = "intermediate/measures/int_measures__disclosure.sql"
COUNT_COLUMNS = {
    "measure_id": "text", "period_kind": "text", "period": "text", "dimension": "text", "subgroup": "text",
    "subgroup_order": "integer", "is_known_group": "boolean", "people": "bigint", "people_in_numerator": "bigint",
    "events": "bigint", "person_days": "bigint", "events_squared": "bigint", "events_times_days": "bigint",
    "days_squared": "bigint",
}  # fmt: skip
TABLES = 120
ATTACKED = 30  # linear programs take their time


@pytest.fixture
def hot(settings):
    with connect("transformer", "hot", settings) as connection:
        fill(
            connection,
            "measure_catalogue",
            {"measure_id": "text", "kind": "text"},
            [("m", "proportion"), ("v", "event rate")],
        )
        _fill_periods(connection, [(str(n), True) for n in range(TABLES)] + [("2026", True), ("running", False)])
        yield connection


def _fill_periods(connection: psycopg.Connection, periods: list[tuple[str, bool]]) -> None:
    fill(
        connection,
        "int_measures__periods",
        {"period_kind": "text", "period": "text", "is_closed": "boolean"},
        [("calendar year", *each) for each in periods],
    )


def _random_counts(rng: np.random.Generator, period: str) -> list[tuple]:
    """One measure and period: people with several traits each, counted along dimensions of different sizes."""
    people = int(rng.integers(5, 900))
    has_it = rng.random(people) < rng.choice([0.02, 0.1, 0.5, 0.9, 0.98])
    rows = [_count("all", "All people", period, np.ones(people, dtype=bool), has_it)]
    for dimension, size in (("sex", 2), ("zip3", int(rng.integers(2, 25))), ("payer", 6)):
        group = rng.choice(size, people, p=rng.dirichlet(np.full(size, 0.6)))
        rows += [
            _count(dimension, f"g{place}", period, group == place, has_it)
            for place in range(size)
            if (group == place).any()
        ]
    races = rng.random((people, 6)) < rng.dirichlet(np.full(6, 0.7)) + 0.02
    rows += [_count("race_ethnicity", f"r{r}", period, races[:, r], has_it) for r in range(6) if races[:, r].any()]
    nobody = ~races.any(axis=1)
    if nobody.any():
        rows.append(_count("race_ethnicity", "unknown", period, nobody, has_it))
    return rows


def _count(dimension: str, subgroup: str, period: str, members: np.ndarray, has_it: np.ndarray) -> tuple:
    numerator = int((members & has_it).sum())
    return (
        "m",
        "calendar year",
        period,
        dimension,
        subgroup,
        None,
        True,
        int(members.sum()),
        numerator,
        numerator,
        0,
        0,
        0,
        0,
    )


def _released(rows: list[dict]) -> dict[str, list[Released]]:
    by_period: dict[str, list[Released]] = defaultdict(list)
    for row in rows:
        by_period[row["period"]].append(
            Released(
                row["dimension"],
                row["subgroup"],
                None if row["is_people_hidden"] else row["people"],
                None if row["is_suppressed"] else row["people_in_numerator"],
            )  # fmt: skip
        )
    return by_period


@pytest.fixture
def decided(hot: psycopg.Connection) -> list[dict]:
    rng = np.random.default_rng(20261123)
    fill(
        hot,
        "int_measures__group_counts",
        COUNT_COLUMNS,
        [row for n in range(TABLES) for row in _random_counts(rng, str(n))],
    )
    rows = fetch(hot, render_model(DISCLOSURE))
    assert sum(row["is_suppressed"] for row in rows) > TABLES, "without hidden counts there is nothing to attack"
    assert sum(not row["is_suppressed"] for row in rows) > TABLES, "hiding everything protects, but publishes nothing"
    return rows


def test_no_small_count_is_shown_on_either_side(decided: list[dict]) -> None:
    for row in decided:
        if not row["is_people_hidden"]:
            assert row["people"] >= MINIMUM
        if not row["is_suppressed"]:
            assert not row["is_people_hidden"]
            assert row["people_in_numerator"] >= MINIMUM
            assert row["people"] - row["people_in_numerator"] >= MINIMUM


def test_a_reader_with_linear_programming_finds_no_hidden_count(decided: list[dict]) -> None:
    hidden = 0
    for released in list(_released(decided).values())[:ATTACKED]:
        for bounds in attack(released):
            hidden += 1
            assert not bounds.is_determined, (bounds.dimension, bounds.quantity)
    assert hidden > ATTACKED


def test_what_is_left_over_after_subtraction_is_never_small(decided: list[dict]) -> None:
    for released in _released(decided).values():
        total = next(row for row in released if row.dimension == "all")
        for dimension in {row.dimension for row in released} - {"all"}:
            groups = [row for row in released if row.dimension == dimension]
            for quantity in ("people", "numerator"):
                shown = [getattr(row, quantity) for row in groups if getattr(row, quantity) is not None]
                if getattr(total, quantity) is None or len(shown) == len(groups):
                    continue
                left_over = getattr(total, quantity) - sum(shown)
                assert left_over >= MINIMUM or (dimension in OVERLAPPING_DIMENSIONS and left_over <= 0)


def test_without_the_second_step_the_attack_succeeds(decided: list[dict]) -> None:
    naive = [{**row, "is_people_hidden": row["people"] < MINIMUM,
              "is_suppressed": row["people"] < MINIMUM or row["people_in_numerator"] < MINIMUM} for row in decided]  # fmt: skip
    assert any(
        bounds.is_determined for released in list(_released(naive).values())[:ATTACKED] for bounds in attack(released)
    )


def _decide(
    hot: psycopg.Connection, measure: str, counts: dict[str, tuple[int, int]], period: str = "2026"
) -> dict[str, tuple[bool, bool]]:
    people, numerator = (sum(pair[place] for pair in counts.values()) for place in (0, 1))
    rows = [(measure, "calendar year", period, dimension, group, None, True, p, n, n, 0, 0, 0, 0)
            for dimension, group, p, n in [("all", "All people", people, numerator), *(("sex", g, p, n) for g, (p, n) in counts.items())]]  # fmt: skip
    fill(hot, "int_measures__group_counts", COUNT_COLUMNS, rows)
    return {
        row["subgroup"]: (row["is_people_hidden"], row["is_suppressed"]) for row in fetch(hot, render_model(DISCLOSURE))
    }


def test_eleven_is_shown_and_ten_is_hidden_with_the_smallest_other(hot: psycopg.Connection) -> None:
    shown = _decide(hot, "m", {"a": (50, 11), "b": (60, 30), "c": (70, 40)})
    assert not any(suppressed for _, suppressed in shown.values())
    hidden = _decide(hot, "m", {"a": (50, 10), "b": (60, 30), "c": (70, 40)})
    assert [group for group, (_, suppressed) in hidden.items() if suppressed] == ["a", "b"]
    assert not any(people for people, _ in hidden.values())


def test_what_a_running_period_shows_is_not_small_after_rounding_either(hot: psycopg.Connection) -> None:
    counts = {"a": (50, 15), "b": (60, 30), "c": (70, 40)}
    assert not any(suppressed for _, suppressed in _decide(hot, "m", counts).values())
    running = _decide(hot, "m", counts, "running")
    assert [group for group, (_, suppressed) in running.items() if suppressed] == ["a", "b"]


def test_ten_who_lack_it_are_hidden_like_ten_who_have_it(hot: psycopg.Connection) -> None:
    found = _decide(hot, "m", {"a": (50, 40), "b": (60, 30), "c": (70, 40)})
    assert [group for group, (_, suppressed) in found.items() if suppressed] == ["a", "b"]


def test_events_have_no_other_side(hot: psycopg.Connection) -> None:
    found = _decide(hot, "v", {"a": (50, 45), "b": (60, 30)})
    assert not any(suppressed for _, suppressed in found.values())


def test_small_groups_that_together_are_still_small_take_a_larger_one_with_them(hot: psycopg.Connection) -> None:
    found = _decide(hot, "m", {"a": (40, 3), "b": (40, 4), "c": (50, 20), "d": (90, 50)})
    assert [group for group, (_, suppressed) in found.items() if suppressed] == ["a", "b", "c"]


def test_a_total_too_small_to_show_hides_every_group(hot: psycopg.Connection) -> None:
    found = _decide(hot, "m", {"a": (4, 1), "b": (5, 2)})
    assert all(people and suppressed for people, suppressed in found.values())
