"""The small table all statistics here start from: the groups of one dimension, and the summary they come to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Self

import numpy as np
import numpy.typing as npt

from include.errors import PlumblineError

Numbers = npt.NDArray[np.float64]


class GroupsError(PlumblineError):
    """The groups given cannot be summarised."""


@dataclass(frozen=True)
class Groups:
    """Groups of one dimension for one indicator, in the indicator's own units.

    ``estimate``, ``se`` and ``population`` have one entry a group; ``se`` entries are nan where unknown. ``order`` ranks
    groups from the most disadvantaged (1) upwards; None where the dimension has no order. ``reference`` is a place in the
    table. ``scale`` is the number an estimate would have if everybody had it: 100 for percent, 1000 for per thousand; nan
    where that is not known.
    """

    names: tuple[str, ...]
    estimate: Numbers
    se: Numbers
    population: Numbers
    is_favourable: bool
    order: Numbers | None = None
    reference: int | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        sizes = {len(self.names), len(self.estimate), len(self.se), len(self.population)}
        if len(sizes) != 1 or len(self.names) < 2:
            raise GroupsError(
                found=f"{len(self.names)} group(s) with columns of {len(sizes)} different length(s)",
                expected="two groups or more, and an estimate, standard error and population for each",
                action="give one row a group",
            )
        if np.any(self.population < 0) or np.any(self.se < 0) or self.population.sum() <= 0:
            raise GroupsError(
                found="a population or standard error below zero, or nobody in any group",
                expected="populations and standard errors of zero or more, and somebody in some group",
                action="correct the table",
            )

    @property
    def share(self) -> Numbers:
        """Each group's share of the population; adds up to 1."""
        return self.population / self.population.sum()

    @property
    def mean(self) -> float:
        """Mean of the estimates weighted by population, in the indicator's units."""
        return float(self.share @ self.estimate)

    @property
    def best(self) -> int:
        """Place of the group with the best estimate: the highest of a favourable indicator, else the lowest."""
        return int(np.argmax(self.estimate) if self.is_favourable else np.argmin(self.estimate))

    def ordered(self) -> Self:
        """The same groups from the most disadvantaged to the most advantaged. Raises GroupsError without an order."""
        if self.order is None:
            raise GroupsError(
                found="groups without an order",
                expected="a rank for each group, 1 for the most disadvantaged",
                action="fill subgroup_order, or use the measures for dimensions without an order",
            )
        places = np.argsort(self.order, kind="stable")
        return replace(
            self,
            names=tuple(self.names[place] for place in places),
            estimate=self.estimate[places],
            se=self.se[places],
            population=self.population[places],
            order=self.order[places],
            reference=None if self.reference is None else int(np.flatnonzero(places == self.reference)[0]),
        )

    def delta_error(self, gradient: Numbers) -> float:
        """Standard error of a function of the estimates with this gradient, groups independent, shares known.

        First-order delta method; nan where a group has no standard error.
        """
        return float(np.sqrt(np.sum(np.where(gradient == 0, 0.0, gradient * self.se) ** 2)))


@dataclass(frozen=True, slots=True)
class Summary:
    """One number about a dimension. ``se``, ``lower`` and ``upper`` are on the scale of ``estimate``; nan where unknown."""

    measure: str
    estimate: float
    se: float = float("nan")
    lower: float = float("nan")
    upper: float = float("nan")
    note: str = ""


def normal_quantile(confidence: float) -> float:
    """The number of standard errors on each side of a two-sided interval: 1.96 for 0.95."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def around(measure: str, estimate: float, se: float, confidence: float, note: str = "") -> Summary:
    """A summary with a symmetric interval: estimate ± z standard errors."""
    reach = normal_quantile(confidence) * se
    return Summary(measure, float(estimate), float(se), float(estimate - reach), float(estimate + reach), note)


def around_log(measure: str, estimate: float, log_se: float, confidence: float, note: str = "") -> Summary:
    """A summary of a ratio whose interval is symmetric on the logarithm. ``se`` comes back on the ratio's own scale."""
    if not estimate > 0:
        return Summary(measure, float(estimate), note=joined(note, "no interval: the ratio is not above zero"))
    reach = normal_quantile(confidence) * log_se
    limits = (float(estimate * np.exp(-reach)), float(estimate * np.exp(reach)))
    return Summary(measure, float(estimate), float(estimate * log_se), *limits, note)


def scaled(summary: Summary, factor: float) -> Summary:
    """The summary in other units: the estimate, its error and both limits move together."""
    return replace(
        summary,
        estimate=summary.estimate * factor,
        se=summary.se * factor,
        lower=summary.lower * factor,
        upper=summary.upper * factor,
    )


def joined(*notes: str) -> str:
    """Notes in one line, empty ones left out."""
    return "; ".join(note for note in notes if note)


def with_note(summary: Summary, *notes: str) -> Summary:
    """The summary with more to its note."""
    return replace(summary, note=joined(summary.note, *notes))
