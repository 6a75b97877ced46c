"""Disclosure control: the policy on small counts, and the attack on what was released.

The attack does what a curious reader can: it takes every published count and total as an equation or inequality over the
hidden ones and asks, by linear programming, between which values each hidden count must lie. A hidden count whose lower and
upper bound meet has been given away; one that can only be small has been, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml

from include.errors import PlumblineError
from include.privacy.anonymity_policy import AnonymityPolicy

POLICY_FILE = Path(__file__).parents[1] / "policies" / "disclosure.yml"
# A person can be in several groups of these, so groups add up to at least the total instead of exactly.
OVERLAPPING_DIMENSIONS = ("race_ethnicity",)
TOTAL = "all"


class DisclosurePolicyError(PlumblineError):
    """The policy on small counts says something that is not known or not possible."""


@dataclass(frozen=True, slots=True)
class DisclosurePolicy:
    """What readers may see of counts: ``include/policies/disclosure.yml``."""

    owner: str
    minimum_cell: int
    complementary_suppression: bool
    round_open_periods_to: int
    published_margins: tuple[str, ...]
    anonymity: AnonymityPolicy

    @classmethod
    def load(cls, file: Path = POLICY_FILE) -> Self:
        """Read the policy. Raises DisclosurePolicyError or AnonymityPolicyError naming what is unknown, missing or impossible."""
        said: dict[str, Any] = yaml.safe_load(file.read_text())
        known = {field.name for field in fields(cls)}
        if set(said) != known:
            raise DisclosurePolicyError(
                found=f"{file.name} with other words than it may hold: {', '.join(sorted(set(said) ^ known))}",
                expected=f"exactly {', '.join(sorted(known))}",
                action=f"correct {file.name}",
            )
        read = {
            "published_margins": tuple(said["published_margins"]),
            "anonymity": AnonymityPolicy.read(said["anonymity"], file.name),
        }
        policy = cls(**{**said, **read})
        policy._require_protection(file.name)
        return policy

    def _require_protection(self, file_name: str) -> None:
        numbers = (self.minimum_cell, self.round_open_periods_to)
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in numbers):
            raise DisclosurePolicyError(
                found=f"{file_name} sets minimum_cell or round_open_periods_to to something else than a whole number from 1",
                expected="whole numbers of 1 or more",
                action=f"correct {file_name}",
            )
        if self.complementary_suppression is not True:
            raise DisclosurePolicyError(
                found=f"{file_name} switches complementary suppression off",
                expected="it to stay on while totals are published: hidden counts could be worked out by subtraction",
                action="set complementary_suppression to true",
            )


@dataclass(frozen=True, slots=True)
class Released:
    """One published row of a measure and period: counts of people and of those who fulfil it, None where hidden."""

    dimension: str
    subgroup: str
    people: float | None
    numerator: float | None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which values a hidden count must lie, given everything published."""

    dimension: str
    subgroup: str
    quantity: str  # 'people' or 'numerator'
    lowest: float
    highest: float

    @property
    def is_determined(self) -> bool:
        """True where only one whole number is left."""
        return np.ceil(self.lowest - 1e-6) >= np.floor(self.highest + 1e-6)


def attack(rows: Sequence[Released], *, is_proportion: bool = True) -> tuple[Bounds, ...]:
    """Bounds of every hidden count of one measure and period that follow from what is published.

    Knows what a reader knows: counts are not below zero, a listed group has somebody in it, a numerator is at most its
    denominator (for proportions), and each dimension adds up to the total (at least, where groups overlap).
    """
    from scipy.optimize import linprog

    unknowns = [
        (row, quantity) for row in rows for quantity in ("people", "numerator") if getattr(row, quantity) is None
    ]
    if not unknowns:
        return ()
    place = {(row.dimension, row.subgroup, quantity): at for at, (row, quantity) in enumerate(unknowns)}
    upper_rows, upper_limits, equal_rows, equal_limits = _constraints(rows, place, is_proportion)
    limits = [(1 if quantity == "people" else 0, None) for _, quantity in unknowns]
    found = []
    for at, (row, quantity) in enumerate(unknowns):
        ends = []
        for sign in (1, -1):
            goal = np.zeros(len(unknowns))
            goal[at] = sign
            solved = linprog(
                goal,
                A_ub=upper_rows,
                b_ub=upper_limits,
                A_eq=equal_rows,
                b_eq=equal_limits,
                bounds=limits,
                method="highs",
            )
            ends.append(sign * solved.fun if solved.status == 0 else float("inf") * -sign)
        found.append(Bounds(row.dimension, row.subgroup, quantity, ends[0], ends[1]))
    return tuple(found)


def _constraints(rows: Sequence[Released], place: Mapping[tuple, int], is_proportion: bool):
    """Matrices for linprog: rows of A_ub with limits, rows of A_eq with limits; None where there is no such constraint."""
    at_most, equal = [], []
    if is_proportion:
        at_most += [_difference(row, place) for row in rows if row.people is None or row.numerator is None]
    total = next((row for row in rows if row.dimension == TOTAL), None)
    for dimension in {row.dimension for row in rows} - {TOTAL} if total else ():
        groups = [row for row in rows if row.dimension == dimension]
        for quantity in ("people", "numerator"):
            coefficients, constant = _adding_up(total, groups, quantity, place)
            (at_most if dimension in OVERLAPPING_DIMENSIONS else equal).append((coefficients, constant))
        if is_proportion and dimension in OVERLAPPING_DIMENSIONS:
            people, numerator = (_adding_up(total, groups, quantity, place) for quantity in ("people", "numerator"))
            at_most.append((people[0] - numerator[0], people[1] - numerator[1]))
    return (*_stacked(at_most), *_stacked(equal))


def _difference(row: Released, place: Mapping[tuple, int]) -> tuple[np.ndarray, float]:
    # numerator - people <= 0, with what is published on the right-hand side.
    coefficients, constant = np.zeros(len(place)), 0.0
    for quantity, sign in (("numerator", 1.0), ("people", -1.0)):
        value = getattr(row, quantity)
        if value is None:
            coefficients[place[row.dimension, row.subgroup, quantity]] += sign
        else:
            constant -= sign * value
    return coefficients, constant


def _adding_up(
    total: Released, groups: Iterable[Released], quantity: str, place: Mapping[tuple, int]
) -> tuple[np.ndarray, float]:
    # total - sum of groups = 0 (or <= 0 where groups overlap), with what is published on the right-hand side.
    coefficients, constant = np.zeros(len(place)), 0.0
    for row, sign in [(total, 1.0), *((group, -1.0) for group in groups)]:
        value = getattr(row, quantity)
        if value is None:
            coefficients[place[row.dimension, row.subgroup, quantity]] += sign
        else:
            constant -= sign * value
    return coefficients, constant


def _stacked(constraints: Sequence[tuple[np.ndarray, float]]):
    if not constraints:
        return None, None
    return np.array([c for c, _ in constraints]), np.array([limit for _, limit in constraints])
