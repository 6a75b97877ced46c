"""The attack on released counts: what a curious reader works out of everything published, by linear programming.

Every count of every release is an unknown. A published one lies within its rounding, a hidden one anywhere; groups add up to the
total, ZIP3s to their state, parts of two dimensions to the group of either, and a numerator is at most its people. Of several
releases of one period (rounded while it runs, exact once it has closed) the reader may also believe that counts only grow. Asked
is between which values each hidden count must lie. See also: Fischetti and Salazar (2001), "Solving the cell suppression problem".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# A person can be in several groups of these, so groups add up to at least the total instead of exactly.
OVERLAPPING_DIMENSIONS = ("race_ethnicity",)
TOTAL = "all"
QUANTITIES = ("people", "numerator")


@dataclass(frozen=True, slots=True)
class Released:
    """One published row of a measure and period: counts of people and of those who fulfil it, None where hidden.

    ``release`` numbers the nights on which the period was published, ``rounded_to`` is 1 where counts are exact. A dimension of
    two has a star between their names, its subgroup a comma between theirs.
    """

    dimension: str
    subgroup: str
    people: float | None
    numerator: float | None
    release: int = 0
    rounded_to: int = 1


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which values a hidden count must lie, given everything published."""

    dimension: str
    subgroup: str
    quantity: str  # 'people' or 'numerator'
    lowest: float
    highest: float
    release: int = 0

    @property
    def is_determined(self) -> bool:
        """True where only one whole number is left."""
        return np.ceil(self.lowest - 1e-6) >= np.floor(self.highest + 1e-6)

    @property
    def width(self) -> float:
        """How many people the count can still move by."""
        return self.highest - self.lowest


Cell = tuple[int, str, str, str]  # release, dimension, subgroup, quantity
Term = tuple[Any, float]  # a cell and its factor


def attack(
    rows: Sequence[Released],
    *,
    is_proportion: bool = True,
    states: Mapping[str, str] | None = None,
    counts_grow: bool = False,
    among: Collection[tuple[str, str, str]] | None = None,
) -> tuple[Bounds, ...]:
    """Bounds of every hidden count of one measure and period that follow from all its releases.

    ``states`` says in which state each ZIP3 is, which everybody can know; ``counts_grow`` adds that nobody leaves a group from one
    release to the next. Only counts ``among`` these (dimension, subgroup, quantity) are asked for, where it is given.
    """
    from scipy.optimize import linprog

    cells = {_cell(row, quantity): place for place, (row, quantity) in enumerate(
        (row, quantity) for row in rows for quantity in QUANTITIES)}  # fmt: skip
    limits = [_limits(row, quantity) for row in rows for quantity in QUANTITIES]
    hidden = [
        (row, quantity)
        for row in rows
        for quantity in QUANTITIES
        if getattr(row, quantity) is None and (among is None or (row.dimension, row.subgroup, quantity) in among)
    ]
    at_most, equal = [], []
    for terms, is_equal in _relations(rows, is_proportion, states or {}, counts_grow):
        (equal if is_equal else at_most).append(terms)
    matrices = {"A_ub": matrix_of(at_most, cells), "A_eq": matrix_of(equal, cells)}
    zeros = {"b_ub": np.zeros(len(at_most)) if at_most else None, "b_eq": np.zeros(len(equal)) if equal else None}
    found = []
    for row, quantity in hidden:
        ends = []
        for sign in (1, -1):
            goal = np.zeros(len(cells))
            goal[cells[_cell(row, quantity)]] = sign
            solved = linprog(goal, **matrices, **zeros, bounds=limits, method="highs")
            ends.append(sign * solved.fun if solved.status == 0 else float("inf") * -sign)
        found.append(Bounds(row.dimension, row.subgroup, quantity, ends[0], ends[1], row.release))
    return tuple(found)


def _cell(row: Released, quantity: str) -> Cell:
    return row.release, row.dimension, row.subgroup, quantity


def _limits(row: Released, quantity: str) -> tuple[float, float | None]:
    value = getattr(row, quantity)
    # A group that is listed has somebody in it; of two dimensions together, hidden groups are listed with every part.
    least = 1 if quantity == "people" and "*" not in row.dimension else 0
    if value is None:
        return least, None
    return max(least, value - row.rounded_to // 2), value + row.rounded_to // 2


def _relations(
    rows: Sequence[Released], is_proportion: bool, states: Mapping[str, str], counts_grow: bool
) -> Iterator[tuple[list[Term], bool]]:
    """Sums of terms that are zero (True), or at most zero (False)."""
    by_place: dict[tuple[int, str], dict[str, Released]] = defaultdict(dict)
    for row in rows:
        by_place[row.release, row.dimension][row.subgroup] = row
        if is_proportion:
            yield [(_cell(row, "numerator"), 1.0), (_cell(row, "people"), -1.0)], False
    for (release, dimension), groups in by_place.items():
        total = next(iter(by_place.get((release, TOTAL), {}).values()), None)
        if dimension != TOTAL and "*" not in dimension and total:
            yield from _adding_up(total, groups.values(), dimension in OVERLAPPING_DIMENSIONS, is_proportion)
        if dimension == "state":
            for state, whole in groups.items():
                inside = [r for zip3, r in by_place.get((release, "zip3"), {}).items() if states.get(zip3) == state]
                yield from _adding_up(whole, inside, False, is_proportion) if inside else ()
        if "*" in dimension:
            yield from _parts(by_place, release, dimension, is_proportion)
    if counts_grow:
        yield from _growth(rows)


def _parts(by_place: Mapping[Any, Mapping[str, Released]], release: int, dimension: str, is_proportion: bool):
    """Parts of two dimensions add up to the group of either."""
    names = dimension.split("*")
    for place in (0, 1):
        for subgroup, whole in by_place.get((release, names[place]), {}).items():
            parts = [
                r for part, r in by_place[release, dimension].items() if part.split(", ")[place] == subgroup
            ]  # fmt: skip
            yield from _adding_up(whole, parts, names[1 - place] in OVERLAPPING_DIMENSIONS, is_proportion)


def _adding_up(whole: Released, parts: Iterable[Released], is_overlapping: bool, is_proportion: bool):
    parts = list(parts)
    sums = {
        quantity: [(_cell(whole, quantity), 1.0), *((_cell(part, quantity), -1.0) for part in parts)]
        for quantity in QUANTITIES
    }
    for terms in sums.values():
        yield terms, not is_overlapping
    if is_overlapping and is_proportion:  # those who do not fulfil it add up to at least as many, too
        yield sums["people"] + [(cell, -factor) for cell, factor in sums["numerator"]], False


def _growth(rows: Iterable[Released]) -> Iterator[tuple[list[Term], bool]]:
    of_group: dict[tuple[str, str], list[Released]] = defaultdict(list)
    for row in rows:
        of_group[row.dimension, row.subgroup].append(row)
    for releases in of_group.values():
        releases.sort(key=lambda row: row.release)
        for earlier, later in zip(releases, releases[1:], strict=False):
            for quantity in QUANTITIES:
                yield [(_cell(earlier, quantity), 1.0), (_cell(later, quantity), -1.0)], False


def matrix_of(relations: Sequence[Sequence[Term]], cells: Mapping[Any, int]):
    """The sparse matrix of relations, one row each, over the cells; None where there are none."""
    from scipy.sparse import csr_matrix

    if not relations:
        return None
    places = [(n, cells[cell], factor) for n, terms in enumerate(relations) for cell, factor in terms]
    rows, columns, factors = zip(*places, strict=True)
    return csr_matrix((factors, (rows, columns)), shape=(len(relations), len(cells)))
