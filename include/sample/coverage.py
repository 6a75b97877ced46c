"""Do the intervals hold the planted sizes as often as they claim? Many seeds, people only, no files.

`python -m include.sample coverage --seeds 200` draws cohorts, counts them by group as the measures do, and puts the platform's own
intervals (include/equity/rates.py) around the counts.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from math import sqrt

import numpy as np

from include.sample.disparities import GAPS, NO_GAPS, Gap
from include.sample.illnesses import draw_illnesses
from include.sample.outcomes import draw_outcomes
from include.sample.people import BLOCK, draw_people
from include.sample.truth import Cohort, cohorts, memberships
from include.sample.visits import draw_visits

EVENTS = ("emergency_visits",)


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """One group in one measure: people or person-years, what was drawn, the truth, and the sums that a variance of events needs."""

    people: int
    exposure: float
    drawn: float
    truth: float
    squares: float
    cross: float
    exposure_squares: float


@dataclass(frozen=True, slots=True)
class Covered:
    """How often intervals held the truth: of a single rate ('rate') or of a difference ('difference')."""

    measure: str
    what: str
    intervals: int
    covered: int
    excluding_none: int

    @property
    def share(self) -> float:
        """Share of the intervals that held the truth."""
        return self.covered / self.intervals

    @property
    def falls_short(self) -> bool:
        """Fewer intervals held the truth than 95% intervals would in all but 1 of 10,000 simulations."""
        from scipy.stats import binom

        return self.covered < binom.ppf(1e-4, self.intervals, 0.95)


def simulate(seed: int, people: int, night: date) -> dict[tuple[str, str, str], GroupCounts]:
    """Draw one cohort and return its counts by (measure, dimension, group), for the dimensions of the planted differences."""
    parts: dict[tuple[str, str, str], list[GroupCounts]] = defaultdict(list)
    wanted = {(gap.measure, gap.dimension) for gap in (*GAPS, *NO_GAPS)}
    for start in range(0, people, BLOCK):
        block = draw_people(seed, start, min(BLOCK, people - start), night)
        illnesses = draw_illnesses(seed, block)
        outcomes = draw_outcomes(seed, block, illnesses)
        measured = cohorts(block, illnesses, outcomes, draw_visits(seed, block, illnesses, outcomes))
        for dimension, groups in memberships(block).items():
            members: dict[str, list[int]] = defaultdict(list)
            for at, labels in enumerate(groups):
                for label in labels:
                    members[label].append(at)
            for measure in (measure for measure, each in wanted if each == dimension):
                for label, places in members.items():
                    parts[measure, dimension, label].append(_count(measured[measure], np.array(places)))
    return {key: _sum(counts) for key, counts in parts.items()}


def _count(cohort: Cohort, places: np.ndarray) -> GroupCounts:
    exposure = cohort.exposure[places].astype(float)
    counted = exposure > 0
    exposure, drawn, rate = exposure[counted], cohort.drawn[places][counted].astype(float), cohort.rate[places][counted]
    return GroupCounts(
        int(counted.sum()),
        float(exposure.sum()),
        float(drawn.sum()),
        float((exposure * rate).sum()),
        float((drawn**2).sum()),
        float((drawn * exposure).sum()),
        float((exposure**2).sum()),
    )


def _sum(parts: list[GroupCounts]) -> GroupCounts:
    people, exposure, drawn, expected, squares, cross, exposure_squares = (
        sum(getattr(part, name) for part in parts)
        for name in ("people", "exposure", "drawn", "truth", "squares", "cross", "exposure_squares")
    )
    return GroupCounts(
        people, exposure, drawn, expected / exposure if exposure else 0.0, squares, cross, exposure_squares
    )


def rate_interval(measure: str, counts: GroupCounts) -> tuple[float, float]:
    """The interval of one rate: Wilson for proportions, exact Poisson for events per person-year."""
    from include.equity.rates import poisson, wilson

    found = (
        poisson(int(counts.drawn), counts.exposure)
        if measure in EVENTS
        else wilson(int(counts.drawn), int(counts.exposure))
    )
    return found.lower, found.upper


def difference_interval(measure: str, group: GroupCounts, reference: GroupCounts) -> tuple[float, float]:
    """The interval of a difference: Newcombe's for proportions, delta method clustered by person for events."""
    from include.equity.groups import normal_quantile
    from include.equity.rates import newcombe_difference

    if measure not in EVENTS:
        found = newcombe_difference(
            (int(group.drawn), int(group.exposure)), (int(reference.drawn), int(reference.exposure))
        )
        return found.lower, found.upper
    apart = group.drawn / group.exposure - reference.drawn / reference.exposure
    reach = normal_quantile(0.95) * sqrt(_event_variance(group) + _event_variance(reference))
    return apart - reach, apart + reach


def _event_variance(counts: GroupCounts) -> float:
    """Variance of a rate of events by linearisation over people, never below Poisson's."""
    rate = counts.drawn / counts.exposure
    spread = counts.squares - 2 * rate * counts.cross + rate**2 * counts.exposure_squares
    clustered = spread / counts.exposure**2 * counts.people / max(counts.people - 1, 1)
    return max(counts.drawn / counts.exposure**2, clustered)


def measure_coverage(seeds: Iterable[int], people: int, night: date, *, least_people: int = 20) -> list[Covered]:
    """Return per measure how often its intervals held the truth over the seeds; groups below `least_people` are left out."""
    tallies: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for seed in seeds:
        drawn = simulate(seed, people, night)
        for (measure, _, _), counts in drawn.items():
            if counts.people >= least_people:
                lower, upper = rate_interval(measure, counts)
                _tally(tallies[measure, "rate"], lower, counts.truth, upper)
        for gap, what in (
            *((gap, "planted difference") for gap in GAPS),
            *((gap, "no difference planted") for gap in NO_GAPS),
        ):
            _tally_gap(tallies, gap, what, drawn, least_people)
    return [Covered(measure, what, *tally) for (measure, what), tally in sorted(tallies.items())]


def _tally_gap(tallies: dict, gap: Gap, what: str, drawn: dict[tuple[str, str, str], GroupCounts], least: int) -> None:
    group, reference = (drawn.get((gap.measure, gap.dimension, each)) for each in (gap.group, gap.reference))
    if group and reference and min(group.people, reference.people) >= least:
        lower, upper = difference_interval(gap.measure, group, reference)
        _tally(tallies[gap.measure, what], lower, group.truth - reference.truth, upper)


def _tally(tally: list[int], lower: float, truth: float, upper: float) -> None:
    tally[0] += 1
    tally[1] += lower <= truth <= upper
    tally[2] += lower > 0 or upper < 0
