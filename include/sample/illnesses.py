"""Who has which chronic illness, and since when."""

from dataclasses import dataclass

import numpy as np

from include.sample.codes import CHRONIC, CHRONIC_AT
from include.sample.disparities import diabetes_chance
from include.sample.people import People
from include.sample.randomness import stream

TYPE_1_CHANCE = 0.004
# illness: share at ages up to 18, 45, 65, 80 and beyond
SHARES = {
    "hypertension": (0.0, 0.11, 0.37, 0.60, 0.68),
    "hyperlipidemia": (0.0, 0.08, 0.30, 0.42, 0.40),
    "asthma": (0.09, 0.08, 0.08, 0.08, 0.07),
    "copd": (0.0, 0.0, 0.06, 0.12, 0.13),
    "kidney": (0.0, 0.01, 0.04, 0.13, 0.28),
    "heart_failure": (0.0, 0.0, 0.02, 0.07, 0.16),
    "depression": (0.03, 0.13, 0.12, 0.09, 0.08),
    "obesity": (0.10, 0.22, 0.28, 0.22, 0.10),
    "parkinson": (0.0, 0.0, 0.002, 0.012, 0.03),
    "arthritis": (0.0, 0.01, 0.15, 0.30, 0.42),
}
WITH_DIABETES = {"hypertension": 1.5, "hyperlipidemia": 1.5, "kidney": 2.0, "heart_failure": 1.6, "obesity": 1.7}


@dataclass(frozen=True)
class Illnesses:
    """`has[person, illness]` and the day each began, in the order of codes.CHRONIC; NaT where not ill."""

    has: np.ndarray
    onset: np.ndarray

    def of(self, key: str) -> np.ndarray:
        """Who has this illness."""
        return self.has[:, CHRONIC_AT[key]]

    @property
    def diabetes(self) -> np.ndarray:
        """Who has diabetes of either type."""
        return self.of("diabetes_1") | self.of("diabetes_2")

    @property
    def diabetes_onset(self) -> np.ndarray:
        """The day diabetes began; NaT for those without."""
        first, second = (self.onset[:, CHRONIC_AT[key]] for key in ("diabetes_1", "diabetes_2"))
        return np.where(np.isnat(first), second, first)


def diabetes_truth(people: People) -> np.ndarray:
    """The chance that each person has diabetes of either type."""
    old_enough = people.age >= CHRONIC[CHRONIC_AT["diabetes_1"]].from_age + 1
    second = diabetes_chance(people.origins, people.age)
    return second + (1 - second) * TYPE_1_CHANCE * old_enough


def draw_illnesses(seed: int, people: People) -> Illnesses:
    """Draw each person's chronic illnesses; each begins at an age at which it can, at least a month before the night."""
    rng = stream(seed, "illnesses", int(people.number[0]))
    count = len(people)
    has = np.zeros((count, len(CHRONIC)), dtype=bool)
    draws, ages = rng.random(has.shape), people.age
    second = draws[:, CHRONIC_AT["diabetes_2"]] < diabetes_chance(people.origins, ages)
    has[:, CHRONIC_AT["diabetes_2"]] = second
    has[:, CHRONIC_AT["diabetes_1"]] = ~second & (draws[:, CHRONIC_AT["diabetes_1"]] < TYPE_1_CHANCE)
    diabetes = has.any(axis=1)
    for key, shares in SHARES.items():
        chance = np.select([ages < 18, ages < 45, ages < 65, ages < 80], shares[:4], shares[4])
        has[:, CHRONIC_AT[key]] = draws[:, CHRONIC_AT[key]] < np.where(
            diabetes, chance * WITH_DIABETES.get(key, 1.0), chance
        )
    first_day, last_day = _possible_days(people)
    has &= first_day < last_day
    latest = np.maximum(first_day, last_day - (365 * 18))
    length = (last_day - latest).astype(int)
    onset = latest + (length * rng.random(has.shape)).astype(int)
    return Illnesses(has, np.where(has, onset, np.datetime64("NaT")))


def _possible_days(people: People) -> tuple[np.ndarray, np.ndarray]:
    """First and last day on which each illness may begin: of the age for it, and before this year (or the last days)."""
    ages = np.array([illness.from_age for illness in CHRONIC])
    first = people.birth[:, None] + (ages[None, :] * 365.25 + 1).astype(int)
    last = np.minimum(people.history_end, people.year_start) - 31
    return first, np.broadcast_to(last[:, None], first.shape)
