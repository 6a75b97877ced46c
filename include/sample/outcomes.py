"""What the planted inequalities do to each person: the outcomes the first measures look at."""

from dataclasses import dataclass

import numpy as np

from include.sample import disparities
from include.sample.illnesses import Illnesses
from include.sample.people import People
from include.sample.randomness import stream

UNTESTED_SHARE = 0.3  # of those in poor control, how many simply have no test this year


@dataclass(frozen=True)
class Outcomes:
    """One row a person; emergency visits as (person, day and fraction since the epoch)."""

    alive: np.ndarray
    seen: np.ndarray
    poor_control: np.ndarray
    untested: np.ndarray
    pressure_controlled: np.ndarray
    vaccinated: np.ndarray
    screened: np.ndarray
    emergency_person: np.ndarray
    emergency_day: np.ndarray

    def emergency_counts(self, people: People) -> np.ndarray:
        """Emergency visits of each person in the measurement year."""
        this_year = self.emergency_day >= people.year_start.astype(float)
        return np.bincount(self.emergency_person[this_year], minlength=len(people))


def draw_outcomes(seed: int, people: People, illnesses: Illnesses) -> Outcomes:
    """Draw every person's outcomes; each uses draws of its own, so that one planted gap does not move another."""
    rng = stream(seed, "outcomes", int(people.number[0]))
    count = len(people)
    poor, tested, pressure, flu, asked = rng.random((5, count))
    alive = np.isnat(people.death) | (people.death > people.year_start + 3)
    regular = illnesses.diabetes | illnesses.of("hypertension")
    seen = alive & ~(people.lapsed & ~regular)
    is_poor = poor < disparities.poor_control_chance(people.origins)
    person, day = _emergencies(rng, people)
    return Outcomes(
        alive=alive,
        seen=seen,
        poor_control=is_poor,
        untested=is_poor & (tested < UNTESTED_SHARE),
        pressure_controlled=pressure < disparities.pressure_control_chance(people.origins),
        vaccinated=flu < disparities.influenza_chance(people.language, people.age),
        screened=asked < disparities.screening_chance(people.payer),
        emergency_person=person,
        emergency_day=day,
    )


def _emergencies(rng: np.random.Generator, people: People) -> tuple[np.ndarray, np.ndarray]:
    length = np.maximum((people.history_end - people.history_start).astype(float), 0)
    counts = rng.poisson(disparities.emergency_rate(people.payer) * length / 365.25)
    person = np.repeat(np.arange(len(people)), counts)
    return person, people.history_start[person].astype(float) + rng.random(len(person)) * length[person]
