"""The true size of every rate, for every grouping: what the answer key knows and the platform has to find.

A person's true probability or rate is known before anything is drawn. The truth of a group is their mean over the people whom a
measure counts, so that what a measure shows differs from it by chance alone.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from include.sample import disparities
from include.sample.block import Block
from include.sample.codes import ACUTE_AT, LANGUAGES, PAYERS
from include.sample.disparities import GAPS, NO_GAPS, Gap, origin_labels
from include.sample.illnesses import Illnesses, diabetes_truth
from include.sample.outcomes import Outcomes
from include.sample.people import People, whole_years
from include.sample.visits import Visits

PER = {"emergency_visits": 1000}


@dataclass
class Tally:
    """Sums over the people of a group: how many (or person-years), what was to be expected, what was drawn."""

    exposure: float = 0.0
    expected: float = 0.0
    drawn: float = 0.0


@dataclass(frozen=True, slots=True)
class Cohort:
    """Who counts in a measure (weights: 0 or 1, or person-years), each person's true rate, and what was drawn."""

    exposure: np.ndarray
    rate: np.ndarray
    drawn: np.ndarray


def cohorts(people: People, illnesses: Illnesses, outcomes: Outcomes, visits: Visits) -> dict[str, Cohort]:
    """Return each measure's cohort under the definitions of dbt_project/seeds/measure_catalogue.csv."""
    who = _counted(people, visits)
    age, adult, origins = who.age_at_end, who.age_at_end >= 18, people.origins
    pregnant = _had_since(people, visits, people.year_start - 10, visits.reason == ACUTE_AT["pregnancy"])
    generated = (
        np.maximum((people.history_end - np.maximum(people.history_start, people.year_start)).astype(float), 0) / 365.25
    )
    emergencies = disparities.emergency_rate(people.payer) * generated / np.maximum(who.years, 1e-9)
    asked = disparities.screening_chance(people.payer) * outcomes.seen
    return {
        "diabetes_prevalence": Cohort(who.active & adult, diabetes_truth(people), illnesses.diabetes),
        "hba1c_poor_control": Cohort(
            who.seen & illnesses.diabetes & adult & (age <= 75),
            disparities.poor_control_chance(origins),
            outcomes.poor_control,
        ),
        "hypertension_control": Cohort(
            who.seen & illnesses.of("hypertension") & adult & (age <= 85) & ~pregnant,
            disparities.pressure_control_chance(origins),
            outcomes.pressure_controlled,
        ),
        "influenza_immunization": Cohort(
            who.in_season, disparities.influenza_chance(people.language, people.age), outcomes.vaccinated
        ),
        "sdoh_screening": Cohort(who.seen & adult, asked, outcomes.screened & outcomes.seen),
        "emergency_visits": Cohort(who.active * who.years, emergencies, outcomes.emergency_counts(people)),
    }


@dataclass(frozen=True, slots=True)
class _Counted:
    """Whom the measures count: seen this year, seen in 24 months, seen in last winter's season and old enough for it."""

    seen: np.ndarray
    active: np.ndarray
    in_season: np.ndarray
    age_at_end: np.ndarray
    years: np.ndarray


def _counted(people: People, visits: Visits) -> _Counted:
    year = people.year_start
    next_year, year_before = year + np.timedelta64(366, "D"), (year - 1).astype("datetime64[Y]").astype("datetime64[D]")
    alive = np.isnat(people.death) | (people.death >= year)
    autumn = year_before + 212  # 1 August of the year before
    season = visits.start < year + 90
    days = np.minimum(
        people.night + 1, np.where(np.isnat(people.death), people.night + 1, people.death + 1)
    ) - np.maximum(people.birth, year)
    return _Counted(
        seen=alive & _had_since(people, visits, year),
        active=alive & _had_since(people, visits, year_before),
        in_season=(np.isnat(people.death) | (people.death >= autumn))
        & _had_since(people, visits, autumn + 61, season)
        & (_half_a_year_after(people.birth) <= autumn),
        age_at_end=whole_years(people.birth, next_year.astype("datetime64[Y]").astype("datetime64[D]") - 1),
        years=np.maximum(days.astype(float), 0) / 365.25,
    )


def _half_a_year_after(births: np.ndarray) -> np.ndarray:
    months = births.astype("datetime64[M]")
    return (months + 6).astype("datetime64[D]") + (births - months.astype("datetime64[D]"))


def _had_since(people: People, visits: Visits, day: np.datetime64, which: np.ndarray | None = None) -> np.ndarray:
    """Who had a visit on or after `day`, of those that `which` selects."""
    late = visits.start >= day
    return np.bincount(visits.person[late if which is None else late & which], minlength=len(people)) > 0


def memberships(people: People) -> dict[str, list[tuple[str, ...]]]:
    """Return for each grouping the groups every person is in, named as the marts name them."""
    languages = [tag for tag, _, _ in LANGUAGES] + ["unknown"]
    words = {"5": "private", "2": "medicaid", "1": "medicare", "81": "self pay"}
    return {
        "race_ethnicity": [
            origin_labels(int(bits), int(answered))
            for bits, answered in zip(people.origins, people.answered, strict=True)
        ],
        "language": [(languages[place],) for place in people.language.tolist()],
        "payer": [(words[PAYERS[place][0]],) for place in people.payer.tolist()],
        "sex": [("female",) if female else ("male",) for female in people.female.tolist()],
    }


@dataclass
class Truth:
    """Collects the truth over blocks of people."""

    tallies: dict[tuple[str, str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))

    def add(self, people: People, illnesses: Illnesses, outcomes: Outcomes, visits: Visits) -> None:
        """Count a block of people in."""
        measured = cohorts(people, illnesses, outcomes, visits)
        for dimension, groups in memberships(people).items():
            members: dict[str, list[int]] = defaultdict(list)
            for at, labels in enumerate(groups):
                for label in labels:
                    members[label].append(at)
            for label, places in members.items():
                for measure, cohort in measured.items():
                    self._count(self.tallies[measure, dimension, label], cohort, np.array(places))

    def add_block(self, block: Block) -> None:
        """Count a block with its files in."""
        self.add(block.people, block.illnesses, block.outcomes, block.visits)

    @staticmethod
    def _count(tally: Tally, cohort: Cohort, places: np.ndarray) -> None:
        exposure = cohort.exposure[places].astype(float)
        tally.exposure += float(exposure.sum())
        tally.expected += float((exposure * cohort.rate[places]).sum())
        tally.drawn += float(cohort.drawn[places][exposure > 0].sum())

    def rate(self, measure: str, dimension: str, group: str) -> float | None:
        """The true rate of a group (for events: per person-year), None where nobody counts."""
        tally = self.tallies.get((measure, dimension, group))
        return tally.expected / tally.exposure if tally and tally.exposure else None

    def rows(self) -> list[dict]:
        """Return one row per measure, grouping and group, rates in the unit that the measure is reported in."""
        return [
            {
                "measure": measure,
                "dimension": dimension,
                "group": group,
                "exposure": round(tally.exposure, 3),
                "drawn": tally.drawn,
                "true_rate": round(tally.expected / tally.exposure * PER.get(measure, 1), 9),
            }
            for (measure, dimension, group), tally in sorted(self.tallies.items())
            if tally.exposure
        ]

    def gaps(self) -> list[dict]:
        """Return the planted differences, and those that were not planted, with their true sizes."""
        return [self._gap(gap, planted=True) for gap in GAPS] + [self._gap(gap, planted=False) for gap in NO_GAPS]

    def _gap(self, gap: Gap, *, planted: bool) -> dict:
        group, reference = (self.rate(gap.measure, gap.dimension, each) for each in (gap.group, gap.reference))
        known = group is not None and reference is not None
        factor = PER.get(gap.measure, 1)
        return {
            "measure": gap.measure,
            "dimension": gap.dimension,
            "group": gap.group,
            "reference": gap.reference,
            "planted": planted,
            "true_difference": round((group - reference) * factor, 9) if known else None,
            "true_ratio": round(group / reference, 9) if known and reference else None,
        }
