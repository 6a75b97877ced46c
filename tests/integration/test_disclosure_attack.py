"""Random tables through the models that hide counts, then a reader's attack on everything that is left to see.

Attacked is what a reader can have: every dimension, ZIP3s beside their states, two dimensions together, and several nights of one
period, rounded while it ran and exact once it was closed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product

import numpy as np
import psycopg
import pytest

from include.privacy.disclosure import DisclosurePolicy
from include.privacy.disclosure_attack import OVERLAPPING_DIMENSIONS, Bounds, Released, attack
from include.settings import Settings
from include.warehouse.connect import connect
from tests.disclosure_models import RELEASED_RATE, decide, fill_populations
from tests.rendered_models import fill

MINIMUM = 11
NARROWEST = DisclosurePolicy.load().protection_interval
COUNTED = {
    "people": "bigint", "people_in_numerator": "bigint", "events": "bigint", "person_days": "bigint", "events_squared": "bigint",
    "events_times_days": "bigint", "days_squared": "bigint",
}  # fmt: skip
PLACE = {"measure_id": "text", "period_kind": "text", "period": "text", "dimension": "text"}
COUNT_COLUMNS = {
    **PLACE, "subgroup": "text", "subgroup_order": "integer", "is_known_group": "boolean", **COUNTED,
}  # fmt: skip
PAIR_COLUMNS = {**PLACE, "first_group": "text", "second_group": "text", **COUNTED}
SHOWN_COLUMNS = {
    **PLACE, "subgroup": "text", "people_shown_since": "date", "numerator_shown_since": "date",
}  # fmt: skip
STATES = ("MA", "NH", "VT", "RI")
PAIRS = (("race_ethnicity", "sex"), ("payer", "race_ethnicity"), ("sex", "state"))
TABLES = 40
ATTACKED = 4  # linear programs take their time


@pytest.fixture
def hot(settings):
    with _tables_of_our_own(settings) as connection:
        yield connection


@contextmanager
def _tables_of_our_own(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect("transformer", "hot", settings) as connection:
        fill(
            connection,
            "measure_catalogue",
            {"measure_id": "text", "kind": "text"},
            [("m", "proportion"), ("v", "event rate")],
        )
        _fill_periods(connection, [(str(n), True) for n in range(TABLES)] + [("2026", True), ("running", False)])
        fill(connection, "released_group", SHOWN_COLUMNS, [])
        fill(connection, "released_rate", RELEASED_RATE, [])
        roles = [(m, role, f"{role} of {m}", "") for m in "mv" for role in ("denominator", "numerator")]
        fill_populations(connection, roles)
        fill(connection, "int_persons__resolved", {"zip3": "text", "state": "text"}, list(_zip3_states().items()))
        yield connection


def _fill_periods(connection: psycopg.Connection, periods: list[tuple[str, bool]]) -> None:
    fill(
        connection,
        "int_measures__periods",
        {"period_kind": "text", "period": "text", "is_closed": "boolean"},
        [("calendar year", *each) for each in periods],
    )


def _zip3_states() -> dict[str, str]:
    return {f"z{n}": STATES[n % len(STATES)] for n in range(25)}


class Cohort:
    """People with several traits each; ``groups`` says who is in which group of which dimension."""

    def __init__(self, rng: np.random.Generator, people: int) -> None:
        self.has_it = rng.random(people) < rng.choice([0.02, 0.1, 0.5, 0.9, 0.98])
        self.groups: dict[str, dict[str, np.ndarray]] = {"all": {"All people": np.ones(people, dtype=bool)}}
        for dimension, size in (("sex", 3), ("zip3", int(rng.integers(2, 25))), ("payer", 6)):
            group = rng.choice(size, people, p=rng.dirichlet(np.full(size, 0.6)))
            self.groups[dimension] = {f"{dimension[0]}{place}": group == place for place in range(size)}
        states = _zip3_states()
        self.groups["state"] = {
            state: np.any([m for zip3, m in self.groups["zip3"].items() if states[zip3] == state] or [np.zeros(people, bool)], axis=0)
            for state in STATES
        }  # fmt: skip
        races = rng.random((people, 6)) < rng.dirichlet(np.full(6, 0.7)) + 0.02
        self.groups["race_ethnicity"] = {f"r{r}": races[:, r] for r in range(6)} | {"unknown": ~races.any(axis=1)}

    def counts(self, period: str, among: np.ndarray | None = None) -> list[tuple]:
        """Rows of int_measures__group_counts; ``among`` are the people known by then."""
        return [
            ("m", "calendar year", period, dimension, subgroup, None, True, *counted)
            for dimension, groups in self.groups.items()
            for subgroup, members in groups.items()
            if (counted := self._counted(members, among))
        ]

    def pair_counts(self, period: str) -> list[tuple]:
        """Rows of int_measures__pair_counts."""
        return [
            ("m", "calendar year", period, f"{one}*{other}", first, second, *counted)
            for one, other in PAIRS
            for (first, some), (second, others) in product(self.groups[one].items(), self.groups[other].items())
            if (counted := self._counted(some & others, None))
        ]

    def _counted(self, members: np.ndarray, among: np.ndarray | None) -> tuple | None:
        members = members if among is None else members & among
        numerator = int((members & self.has_it).sum())
        return (int(members.sum()), numerator, numerator, 0, 0, 0, 0) if members.any() else None


def _released(rows: Iterable[Mapping], *, release: int = 0, rounded_to: int = 1) -> dict[str, list[Released]]:
    by_period: dict[str, list[Released]] = defaultdict(list)
    for row in rows:
        by_period[row["period"]].append(
            Released(
                row["dimension"],
                row["subgroup"],
                None if row["is_people_hidden"] else _rounded(row["people"], rounded_to),
                None if row["is_suppressed"] else _rounded(row["people_in_numerator"], rounded_to),
                release,
                rounded_to,
            )
        )
    return by_period


def _rounded(count: int, to: int) -> int:
    return (count + to // 2) // to * to


@pytest.fixture(scope="module")
def decided(stack: Settings) -> list[dict]:
    """What the models decide on random cohorts, once."""
    with _tables_of_our_own(stack) as hot:
        return _decide_on_random_cohorts(hot)


def _decide_on_random_cohorts(hot: psycopg.Connection) -> list[dict]:
    rng = np.random.default_rng(20261123)
    cohorts = [Cohort(rng, int(rng.integers(5, 2500))) for _ in range(TABLES)]
    fill(
        hot,
        "int_measures__group_counts",
        COUNT_COLUMNS,
        [r for n, each in enumerate(cohorts) for r in each.counts(str(n))],
    )
    fill(
        hot,
        "int_measures__pair_counts",
        PAIR_COLUMNS,
        [r for n, each in enumerate(cohorts) for r in each.pair_counts(str(n))],
    )
    rows = decide(hot, pairs=True)
    for is_pair in (False, True):
        of_kind = [row for row in rows if ("*" in row["dimension"]) == is_pair]
        assert sum(row["is_suppressed"] for row in of_kind) > TABLES, "without hidden counts there is nothing to attack"
        assert sum(not row["is_suppressed"] for row in of_kind) > TABLES, (
            "hiding everything protects, but publishes nothing"
        )
    return rows


def _small(rows: Iterable[Mapping]) -> set[tuple[str, str, str]]:
    """Hidden counts that stand for fewer than the minimum of people, or leave fewer."""
    small = set()
    for row in rows:
        if 0 < row["people"] < MINIMUM:
            small.add((row["dimension"], row["subgroup"], "people"))
        if min(row["people_in_numerator"], row["people"] - row["people_in_numerator"]) < MINIMUM and row["people"]:
            small.add((row["dimension"], row["subgroup"], "numerator"))
    return small


def _assert_not_narrowed_down(found: Iterable[Bounds], small: set[tuple[str, str, str]]) -> int:
    hidden = 0
    for bounds in found:
        hidden += 1
        place = (bounds.dimension, bounds.subgroup, bounds.quantity)
        if place in small:
            assert bounds.width >= NARROWEST - 1e-6, (place, bounds.release, bounds.lowest, bounds.highest)
    return hidden


def test_no_small_count_is_shown_on_either_side(decided: list[dict]) -> None:
    for row in decided:
        if not row["is_people_hidden"]:
            assert row["people"] >= MINIMUM
        if not row["is_suppressed"]:
            assert not row["is_people_hidden"]
            assert row["people_in_numerator"] >= MINIMUM
            assert row["people"] - row["people_in_numerator"] >= MINIMUM


def test_a_reader_with_linear_programming_narrows_no_small_count_down(decided: list[dict]) -> None:
    by_period = defaultdict(list)
    for row in decided:
        by_period[row["period"]].append(row)
    hidden = 0
    for rows in list(by_period.values())[:ATTACKED]:
        (released,) = _released(rows).values()
        small = _small(rows)
        hidden += _assert_not_narrowed_down(attack(released, states=_zip3_states(), among=small), small)
    assert hidden > ATTACKED


NIGHTS = ("2026-10-01", "2026-10-02", "2026-11-01", "2026-12-31", "2027-04-01")


def _release_night_after_night(hot: psycopg.Connection, cohort: Cohort, known_on: list[np.ndarray]) -> list[list[dict]]:
    """The period on several nights, closed on the last; what was shown on one is remembered on the next, as publishing does."""
    fill(hot, "int_measures__pair_counts", PAIR_COLUMNS, [])
    shown: dict[tuple, list[str | None]] = {}
    released = []
    for night, known in zip(NIGHTS, known_on, strict=True):
        _fill_periods(hot, [("2026", night == NIGHTS[-1])])
        fill(hot, "released_group", SHOWN_COLUMNS, [(*place, *since) for place, since in shown.items()])
        fill(hot, "int_measures__group_counts", COUNT_COLUMNS, cohort.counts("2026", known))
        rows = decide(hot, night=night)
        for row in rows:
            since = shown.setdefault(tuple(row[name] for name in (*PLACE, "subgroup")), [None, None])
            for place, is_hidden in enumerate((row["is_people_hidden"], row["is_suppressed"])):
                since[place] = since[place] or (None if is_hidden else night)
        released.append(rows)
    return released


def _attack_all_nights(releases: list[list[dict]], **more) -> tuple[Bounds, ...]:
    rows = [
        each
        for n, of_night in enumerate(releases)
        for each in next(iter(_released(of_night, release=n, rounded_to=1 if n == len(releases) - 1 else 5).values()))
    ]
    return attack(rows, states=_zip3_states(), counts_grow=True, **more)


@pytest.mark.parametrize("seed", range(3))
def test_all_nights_of_a_period_together_narrow_no_small_count_down(hot: psycopg.Connection, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cohort = Cohort(rng, 600)
    came = rng.permutation(600)
    known_on = [came < most for most in (400, 404, 520, 598, 600)]
    releases = _release_night_after_night(hot, cohort, known_on)
    # A count that grew past the minimum is shown then, and what it was before with it: protected are those that stayed small.
    stayed = [set.intersection(*map(_small, releases[n:])) for n in range(len(releases))]
    found = _attack_all_nights(releases, among=set().union(*stayed))
    for n, small in enumerate(stayed):
        _assert_not_narrowed_down((b for b in found if b.release == n), small)


def _night(
    hot: psycopg.Connection, night: str, counts: dict[str, int], shown: dict[str, str], *, closed: bool
) -> list[dict]:
    """One dimension of a period on one night; everybody in it has a numerator in the middle."""
    rows = [
        ("m", "calendar year", "2026", "payer", group, None, True, n, n // 2, n // 2, 0, 0, 0, 0)
        for group, n in counts.items()
    ]
    everybody = sum(counts.values())
    rows.append(
        (
            "m",
            "calendar year",
            "2026",
            "all",
            "All people",
            None,
            True,
            everybody,
            everybody // 2,
            everybody // 2,
            0,
            0,
            0,
            0,
        )
    )
    _fill_periods(hot, [("2026", closed)])
    fill(hot, "int_measures__group_counts", COUNT_COLUMNS, rows)
    since = [("m", "calendar year", "2026", "payer", group, day, day) for group, day in shown.items()]
    fill(hot, "released_group", SHOWN_COLUMNS, since)
    return decide(hot, night=night)


def test_a_group_that_was_shown_last_night_does_not_cover_another_tonight(hot: psycopg.Connection) -> None:
    """b and c change places in size: hiding b in the end, whose size was seen, would tell a's."""
    before = _night(hot, "2026-12-31", {"a": 2, "b": 60, "c": 50, "d": 300}, {}, closed=False)
    assert {row["subgroup"] for row in before if row["is_people_hidden"]} == {"a", "c"}
    shown = {"b": "2026-12-31", "d": "2026-12-31"}
    after = _night(hot, "2027-04-01", {"a": 2, "b": 60, "c": 70, "d": 300}, shown, closed=True)
    assert {row["subgroup"] for row in after if row["is_people_hidden"]} == {"a", "c"}
    _assert_not_narrowed_down(_attack_all_nights([before, after]), {("payer", "a", "people")})
    forgotten = _night(hot, "2027-04-01", {"a": 2, "b": 60, "c": 70, "d": 300}, {}, closed=True)
    found = _attack_all_nights([before, forgotten])
    assert any(bounds.width < NARROWEST for bounds in found if (bounds.subgroup, bounds.quantity) == ("a", "people"))


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
                is_overlapping = any(name in dimension for name in OVERLAPPING_DIMENSIONS)
                assert left_over >= MINIMUM or (is_overlapping and left_over <= 0)


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
    return {row["subgroup"]: (row["is_people_hidden"], row["is_suppressed"]) for row in decide(hot)}


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
