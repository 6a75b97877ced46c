"""Measures that contain one another: a random hospital through the models, then subtraction of everything that is published.

The populations and what lies within what are those of the seed measure_populations; people are drawn so that it holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product

import numpy as np
import psycopg
import pytest

from include.privacy.containment_attack import Between, Count, attack_together
from include.privacy.disclosure import DisclosurePolicy
from include.settings import Settings
from include.warehouse.connect import connect
from tests.disclosure_models import RELEASED_RATE, decide, declared_populations, fill_populations
from tests.integration.test_disclosure_attack import (
    COUNT_COLUMNS,
    PAIR_COLUMNS,
    PAIRS,
    SHOWN_COLUMNS,
    Cohort,
    _fill_periods,
    _zip3_states,
)  # fmt: skip
from tests.rendered_models import fill

MINIMUM, NARROWEST = DisclosurePolicy.load().minimum_cell, DisclosurePolicy.load().protection_interval
ROLES = declared_populations()
EVENT_RATES = ("emergency_visits", "hospital_admissions", "avoidable_admissions")
HOSPITALS = (250, 900, 2500)  # people of each
ASKED = 15  # of each hospital and set of dimensions; linear programs take their time
DIMENSIONS = (
    ("sex", "payer"), ("state", "zip3"), ("race_ethnicity",), ("sex", "race_ethnicity", "race_ethnicity*sex"),
    ("sex", "state", "sex*state"),
)  # fmt: skip


class Hospital(Cohort):
    """People, and who of them is in which population of the measures."""

    def __init__(self, rng: np.random.Generator, people: int) -> None:
        super().__init__(rng, people)
        self.members: dict[str, np.ndarray] = {}
        wider = _declared()
        while len(self.members) < len(wider):
            for population in sorted(set(wider) - set(self.members)):
                if wider[population] <= set(self.members):
                    share = rng.choice([0.1, 0.5, 0.9, 0.97, 0.99, 1.0])
                    around = [self.members[each] for each in wider[population]]
                    self.members[population] = np.logical_and.reduce([rng.random(people) < share, *around])
        self.visits = 1 + rng.poisson(0.3, people)

    def rows(self, period: str, known: np.ndarray | None = None) -> list[tuple]:
        """Of int_measures__group_counts, of those ``known`` by then."""
        return [
            (measure, "calendar year", period, dimension, subgroup, None, True, *counted)
            for measure in sorted({role[0] for role in ROLES})
            for dimension, groups in self.groups.items()
            for subgroup, among in groups.items()
            if (counted := self._of(measure, among if known is None else among & known))
        ]

    def pair_rows(self, period: str) -> list[tuple]:
        """Of int_measures__pair_counts."""
        return [
            (measure, "calendar year", period, f"{one}*{other}", first, second, *counted)
            for measure in sorted({role[0] for role in ROLES})
            for one, other in PAIRS
            for (first, some), (second, others) in product(self.groups[one].items(), self.groups[other].items())
            if (counted := self._of(measure, some & others))
        ]

    def _of(self, measure: str, among: np.ndarray) -> tuple | None:
        people, numerator = (among & self.members[_population(measure, role)] for role in ("denominator", "numerator"))
        events = self.visits[numerator].sum() if measure in EVENT_RATES else numerator.sum()
        return (int(people.sum()), int(numerator.sum()), int(events), 0, 0, 0, 0) if people.any() else None


def _population(measure: str, role: str) -> str:
    return next(each[2] for each in ROLES if each[:2] == (measure, role))


def _declared() -> dict[str, set[str]]:
    """By population, those around it in one step; a numerator is within its denominator."""
    around: dict[str, set[str]] = defaultdict(set)
    for measure, role, population, within in ROLES:
        around[population] |= set(filter(None, within.split(";")))
        if role == "numerator":
            around[population].add(_population(measure, "denominator"))
    return around


def _within() -> set[tuple[str, str]]:
    """All pairs of a population and one around it, over any number of steps."""
    around = _declared()
    pairs = {(population, each) for population, wider in around.items() for each in wider}
    while more := {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs:
        pairs |= more
    return pairs


@contextmanager
def _hot(settings: Settings, periods: list[tuple[str, bool]]) -> Iterator[psycopg.Connection]:
    with connect("transformer", "hot", settings) as hot:
        kinds = [(m, "event rate" if m in EVENT_RATES else "proportion") for m in sorted({role[0] for role in ROLES})]
        fill(hot, "measure_catalogue", {"measure_id": "text", "kind": "text"}, kinds)
        _fill_periods(hot, periods)
        fill(hot, "released_group", SHOWN_COLUMNS, [])
        fill(hot, "released_rate", RELEASED_RATE, [])
        fill(hot, "int_persons__resolved", {"zip3": "text", "state": "text"}, list(_zip3_states().items()))
        fill_populations(hot, ROLES)
        yield hot


@pytest.fixture(scope="module")
def hospitals() -> dict[str, Hospital]:
    rng = np.random.default_rng(20261125)
    return {str(people): Hospital(rng, people) for people in HOSPITALS}


@pytest.fixture(scope="module")
def decided(stack: Settings, hospitals: dict[str, Hospital]) -> list[dict]:
    with _hot(stack, [(period, True) for period in hospitals]) as hot:
        _fill_counts(hot, hospitals)
        return decide(hot, pairs=True)


def _fill_counts(hot: psycopg.Connection, hospitals: Mapping[str, Hospital]) -> None:
    fill(hot, "int_measures__group_counts", COUNT_COLUMNS, [r for n, each in hospitals.items() for r in each.rows(n)])
    fill(
        hot, "int_measures__pair_counts", PAIR_COLUMNS, [r for n, each in hospitals.items() for r in each.pair_rows(n)]
    )


def _published(
    rows: Iterable[Mapping], period: str, rounded_to: int = 1
) -> tuple[list[Count], dict[tuple[str, str, str], int]]:
    """Counts of people as readers see them, and as they are. A population is shown where any measure shows it."""
    true: dict[tuple[str, str, str], int] = {}
    shown: dict[tuple[str, str, str], bool] = {}
    for row in (row for row in rows if row["period"] == period):
        told = [("denominator", "people", "is_people_hidden"), ("numerator", "people_in_numerator", "is_suppressed")]
        for role, count, hidden in told[: 1 if row["measure_id"] in EVENT_RATES else 2]:
            cell = (_population(row["measure_id"], role), row["dimension"], row["subgroup"])
            true[cell] = row[count]
            shown[cell] = shown.get(cell, False) or not row[hidden]
    told = {cell: (people + rounded_to // 2) // rounded_to * rounded_to for cell, people in true.items() if shown[cell]}
    return [Count(*cell, told.get(cell), rounded_to) for cell in true], true


def _small(true: Mapping[tuple[str, str, str], int]) -> list[tuple[str | None, str, str, str]]:
    """Counts of too few people, and differences of too few between a population and one around it."""
    alone = [(None, *cell) for cell, people in true.items() if 0 < people < MINIMUM]
    between = [
        (larger, population, *place)
        for population, larger in sorted(_within())
        for (each, *place), people in true.items()
        if each == population and 0 < true.get((larger, *place), 0) - people < MINIMUM
    ]
    return alone + between


def _attack(
    rows: list[dict], period: str, dimensions: Iterable[str], rounded_to: int = 1, seed: int = 1
) -> tuple[Between, ...]:
    """What follows for a random part of the small counts of these dimensions; others are tied to them by totals only."""
    counts, true = _published((row for row in rows if row["dimension"] in {"all", *dimensions}), period, rounded_to)
    populations = {count.population for count in counts}
    within = {
        (population, larger)
        for population, around in _declared().items()
        for larger in around
        if {population, larger} <= populations
    }
    asked = _small(true)
    rng = np.random.default_rng(seed)
    some = [asked[place] for place in rng.permutation(len(asked))[:ASKED]]
    return attack_together(counts, within, some, states=_zip3_states())


def test_nobody_narrows_down_those_between_two_measures(decided: list[dict]) -> None:
    found = [each for period in map(str, HOSPITALS) for some in DIMENSIONS for each in _attack(decided, period, some)]
    assert len(found) > len(HOSPITALS) * ASKED, "without small differences there is nothing to attack"
    assert not [each for each in found if each.width < NARROWEST - 1e-6]


def test_something_is_left_to_read(decided: list[dict]) -> None:
    of_largest = [row for row in decided if row["period"] == str(HOSPITALS[-1]) and "*" not in row["dimension"]]
    shown = sum(not row["is_suppressed"] for row in of_largest)
    assert shown > 0.25 * len(of_largest)


def test_what_is_shown_nowhere_differs_by_fewer_than_the_minimum(decided: list[dict]) -> None:
    for period in map(str, HOSPITALS):
        counts, true = _published(decided, period)
        shown = {(count.population, count.dimension, count.subgroup) for count in counts if count.people is not None}
        for larger, population, *place in _small(true):
            assert not {(population, *place), (larger or population, *place)} <= shown, (larger, population, place)


def test_a_hidden_count_has_room_to_move_in_the_populations_within_it(stack: Settings) -> None:
    """Of everybody, a and b are hidden, of the adults a and c would be: then all 40 adults of b tell how many are in a."""
    sizes = {"m": {"a": 3, "b": 40, "c": 45, "d": 300}, "v": {"a": 3, "b": 40, "c": 30, "d": 150}}
    rows = [
        (measure, "calendar year", "2025", dimension, group, None, True, n, n // 2, n // 2, 0, 0, 0, 0)
        for measure, groups in sizes.items()
        for dimension, group, n in [
            ("all", "All people", sum(groups.values())),
            *(("payer", *each) for each in groups.items()),
        ]
    ]
    with _hot(stack, [("2025", True)]) as hot:
        fill(
            hot, "measure_catalogue", {"measure_id": "text", "kind": "text"}, [("m", "proportion"), ("v", "proportion")]
        )
        within = {"everybody": "", "adults": "everybody"}
        roles = [(m, "denominator", who, within[who]) for m, who in (("m", "everybody"), ("v", "adults"))]
        fill_populations(
            hot, [*roles, ("m", "numerator", "some of everybody", ""), ("v", "numerator", "some adults", "")]
        )
        fill(hot, "int_measures__group_counts", COUNT_COLUMNS, rows)
        decided = decide(hot)
    names = {"m": "everybody", "v": "adults"}
    counts = [
        Count(
            names[row["measure_id"]],
            row["dimension"],
            row["subgroup"],
            None if row["is_people_hidden"] else row["people"],
        )
        for row in decided
    ]
    (found,) = attack_together(counts, {("adults", "everybody")}, [(None, "everybody", "payer", "a")])
    assert found.width >= NARROWEST


def test_rounding_keeps_those_between_two_measures_from_being_counted_while_a_period_runs(
    stack: Settings, hospitals: dict[str, Hospital]
) -> None:
    period = str(HOSPITALS[-1])
    with _hot(stack, [(period, False)]) as hot:
        fill(hot, "int_measures__pair_counts", PAIR_COLUMNS, [])
        fill(hot, "int_measures__group_counts", COUNT_COLUMNS, hospitals[period].rows(period))
        decided = decide(hot)
    found = [each for some in DIMENSIONS[:3] for each in _attack(decided, period, some, rounded_to=5)]
    assert len(found) > ASKED
    assert not [each for each in found if each.width < 4 - 1e-6], "less than two roundings to 5 leave open"


@pytest.mark.parametrize("more", [0.03, 0.3])
def test_nobody_narrows_down_who_came_between_two_editions(
    stack: Settings, hospitals: dict[str, Hospital], more: float
) -> None:
    period = str(HOSPITALS[-1])
    people = HOSPITALS[-1]
    came = np.random.default_rng(7).permutation(people) >= more * people
    with _hot(stack, [(period, True)]) as hot:
        fill(hot, "int_measures__pair_counts", PAIR_COLUMNS, [])
        fill(hot, "int_measures__group_counts", COUNT_COLUMNS, hospitals[period].rows(period, came))
        before = decide(hot)
        fill(hot, "released_rate", RELEASED_RATE, [_as_released(row) for row in before])
        fill(hot, "int_measures__group_counts", COUNT_COLUMNS, hospitals[period].rows(period))
        after = decide(hot)
    checked, exact = 0, 0
    for some in DIMENSIONS[:3]:
        (old, was), (new, now) = (
            _published((row for row in rows if row["dimension"] in {"all", *some}), period) for rows in (before, after)
        )
        populations = {count.population for count in new}
        steps = {(a, b) for a, around in _declared().items() for b in around if {a, b} <= populations}
        within = steps | {(f"{a} before", f"{b} before") for a, b in steps} | {(f"{a} before", a) for a in populations}
        counts = [
            *new,
            *(Count(f"{each.population} before", each.dimension, each.subgroup, each.people) for each in old),
        ]
        asked = [(cell[0], f"{cell[0]} before", *cell[1:]) for cell in was if 0 < now[cell] - was[cell] < MINIMUM]
        shuffled = np.random.default_rng(8).permutation(len(asked))[:ASKED]
        for each in attack_together(counts, within, [asked[n] for n in shuffled], states=_zip3_states()):
            assert each.width >= NARROWEST - 1e-6, each
            checked += 1
        exact += sum(count.people is not None for count in new)
    assert checked >= ASKED
    assert exact or more < 0.1, "a large change must not darken everything"


def _as_released(row: Mapping) -> tuple:
    kind = "event rate" if row["measure_id"] in EVENT_RATES else "proportion"
    place = (row["measure_id"], row["period_kind"], row["period"], row["dimension"], row["subgroup"])
    return (1, *place, row["is_people_hidden"], row["is_suppressed"], kind, row["people"], row["events"])


def test_measures_that_are_protected_one_by_one_are_subtracted(stack: Settings, hospitals: dict[str, Hospital]) -> None:
    """What was published before containments were declared: the attack must see it."""
    period = str(HOSPITALS[-1])
    with _hot(stack, [(period, True)]) as hot:
        apart = [(measure, role, f"{role} of {measure}", "") for measure, role, _, _ in ROLES]
        fill_populations(hot, apart)
        _fill_counts(hot, {period: hospitals[period]})
        found = _attack(decide(hot), period, DIMENSIONS[0])
    assert sum(each.width < NARROWEST for each in found) >= 3
