"""Parting groups that contradict themselves: joins are taken one by one, the surest first, and none that contradicts is taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Join(NamedTuple):
    """One reason to hold two records for one person; of two joins that contradict each other the one of lower ``rank`` holds,
    within a rank the one of higher ``weight``."""

    rank: int
    weight: float
    one: int
    other: int


def part(
    joins: Iterable[Join],
    numbers: Mapping[int, frozenset[tuple[str, str]]],
    rejected: Iterable[tuple[int, int]],
) -> tuple[dict[int, int], list[Join]]:
    """Join records as far as nothing contradicts: never two that were rejected, never two with different numbers of a
    system in which people have one (``numbers``: record -> pairs of system and number).

    Returns the least record of everyone's group, and the joins not taken. The same input in any order gives the same.
    """
    group: dict[int, set[int]] = {}
    apart: dict[int, set[int]] = {}
    for one, other in rejected:
        apart.setdefault(one, set()).add(other)
        apart.setdefault(other, set()).add(one)
    refused = []
    for join in sorted(set(joins), key=lambda join: (join.rank, -join.weight, join.one, join.other)):
        mine = group.setdefault(join.one, {join.one})
        theirs = group.setdefault(join.other, {join.other})
        if mine is theirs:
            continue
        if _contradict(mine, theirs, numbers, apart):
            refused.append(join)
            continue
        mine |= theirs
        for record in theirs:
            group[record] = mine
    return {record: min(members) for record, members in group.items()}, [
        join for join in refused if group[join.one] is not group[join.other]
    ]


def _contradict(mine: set[int], theirs: set[int], numbers: Mapping, apart: Mapping) -> bool:
    if any(not theirs.isdisjoint(apart.get(record, ())) for record in mine):
        return True
    here, there = _by_system(mine, numbers), _by_system(theirs, numbers)
    return any(here[system].isdisjoint(there[system]) for system in here.keys() & there.keys())


def _by_system(records: set[int], numbers: Mapping[int, frozenset[tuple[str, str]]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for record in records:
        for system, number in numbers.get(record, ()):
            found.setdefault(system, set()).add(number)
    return found
