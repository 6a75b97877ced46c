"""The attack on measures that contain one another: the count of one, taken from the count of the other, by linear programming.

Whoever knows that everybody assessed for diabetes control has diabetes can subtract the one published count from the other, in every
group, and use every sum on the way. Asked is between which values the people between two populations must lie, given all counts
of all of them, also of releases before (a release before lies within the one after, if one believes that counts only grow).
See also ``disclosure_attack``, which attacks one measure at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from include.errors import PlumblineError
from include.privacy.disclosure_attack import OVERLAPPING_DIMENSIONS, TOTAL, Term, matrix_of

_SOLVED, _UNBOUNDED = 0, 3  # of scipy's linprog

Place = tuple[str, str]  # dimension, subgroup
Cell = tuple[str, str, str]  # population, dimension, subgroup


class ContradictoryCountsError(PlumblineError):
    """No hospital could have all these counts: what follows from them means nothing."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many of a population are in a group, as published: ``people`` is None where it is hidden everywhere."""

    population: str
    dimension: str
    subgroup: str
    people: float | None
    rounded_to: int = 1


@dataclass(frozen=True, slots=True)
class Between:
    """How many are in ``larger`` and not in ``population``, at least and at most; ``larger`` None asks for the count itself."""

    larger: str | None
    population: str
    dimension: str
    subgroup: str
    lowest: float
    highest: float

    @property
    def width(self) -> float:
        """By how many people it can still vary."""
        return self.highest - self.lowest


def attack_together(
    counts: Sequence[Count],
    within: Collection[tuple[str, str]],
    asked: Iterable[tuple[str | None, str, str, str]],
    *,
    states: Mapping[str, str] | None = None,
) -> tuple[Between, ...]:
    """Bounds of what is ``asked`` (larger population or None, population, dimension, subgroup) that follow from all counts.

    ``within`` holds pairs (population, larger population) that hold by definition; ``states`` says in which state each ZIP3 is.
    Raises ContradictoryCountsError.
    """
    from scipy.optimize import linprog

    cells: dict[Cell, int] = {_cell(count): place for place, count in enumerate(counts)}
    limits = [_limits(count) for count in counts]
    at_most: list[list[Term]] = []
    equal: list[list[Term]] = []
    for terms, is_equal in _relations(counts, cells, within, states or {}):
        (equal if is_equal else at_most).append(terms)
    known = {
        "A_ub": matrix_of(at_most, cells), "b_ub": np.zeros(len(at_most)) if at_most else None,
        "A_eq": matrix_of(equal, cells), "b_eq": np.zeros(len(equal)) if equal else None,
        "bounds": limits, "method": "highs",
    }  # fmt: skip
    found = []
    for larger, *cell in asked:
        ends = []
        for sign in (1, -1):
            goal = np.zeros(len(cells))
            goal[cells[tuple(cell)]] = sign if larger is None else -sign
            if larger is not None:
                goal[cells[larger, cell[1], cell[2]]] = sign
            solved = linprog(goal, **known)
            if solved.status not in (_SOLVED, _UNBOUNDED):
                raise ContradictoryCountsError(
                    found=f"a linear program over {len(cells)} counts that ends with: {solved.message}",
                    expected="published counts that some hospital could have",
                    action="look for a containment that is declared and does not hold",
                )
            ends.append(sign * solved.fun if solved.status == _SOLVED else float("inf") * -sign)
        found.append(Between(larger, *cell, *ends))
    return tuple(found)


def _cell(count: Count) -> Cell:
    return count.population, count.dimension, count.subgroup


def _limits(count: Count) -> tuple[float, float | None]:
    if count.people is None:
        return 0, None
    return max(0, count.people - count.rounded_to // 2), count.people + count.rounded_to // 2


def _relations(
    counts: Sequence[Count], cells: Mapping[Cell, int], within: Collection[tuple[str, str]], states: Mapping[str, str]
) -> Iterator[tuple[list[Term], bool]]:
    """Sums of terms that are zero (True), or at most zero (False)."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for count in counts:
        groups[count.population, count.dimension].append(count.subgroup)
    for (population, dimension), subgroups in groups.items():
        for whole, parts, is_overlapping in _sums(population, dimension, subgroups, cells, states):
            yield _sum(population, whole, dimension, parts), not is_overlapping
            # Those in a larger population and not in this one add up to at least as many, too.
            for larger in {larger for smaller, larger in within if smaller == population} if is_overlapping else ():
                if all((larger, *place) in cells for place in (whole, *((dimension, part) for part in parts))):
                    left = _sum(population, whole, dimension, parts)
                    yield _sum(larger, whole, dimension, parts) + [(cell, -factor) for cell, factor in left], False
    for population, larger in within:
        for cell in cells:
            if cell[0] == population and (larger, *cell[1:]) in cells:
                yield [(cell, 1.0), ((larger, *cell[1:]), -1.0)], False


def _sum(population: str, whole: Place, dimension: str, parts: Iterable[str]) -> list[Term]:
    return [((population, *whole), 1.0), *(((population, dimension, part), -1.0) for part in parts)]


def _sums(
    population: str, dimension: str, subgroups: Sequence[str], cells: Mapping[Cell, int], states: Mapping[str, str]
) -> Iterator[tuple[Place, list[str], bool]]:
    """What the groups of a dimension add up to, and whether people are in several of them."""
    names = dimension.split("*")
    if len(names) == 2:
        for place, name in enumerate(names):
            for subgroup in {each.split(", ")[place] for each in subgroups}:
                if (population, name, subgroup) in cells:
                    parts = [each for each in subgroups if each.split(", ")[place] == subgroup]
                    yield (name, subgroup), parts, names[1 - place] in OVERLAPPING_DIMENSIONS
        return
    if dimension != TOTAL:
        yield (TOTAL, "All people"), list(subgroups), dimension in OVERLAPPING_DIMENSIONS
    if dimension == "zip3":
        for state in set(states.values()):
            parts = [each for each in subgroups if states.get(each) == state]
            if parts and (population, "state", state) in cells:
                yield ("state", state), parts, False
