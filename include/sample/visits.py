"""When people see a hospital: check-ups, illnesses, emergencies, stays."""

from dataclasses import dataclass

import numpy as np

from include.sample.codes import ACUTE, ACUTE_AT
from include.sample.illnesses import Illnesses
from include.sample.outcomes import Outcomes
from include.sample.people import People, whole_years
from include.sample.randomness import stream

AMBULATORY, EMERGENCY, INPATIENT = 0, 1, 2  # positions in codes.ENCOUNTER_CLASSES
CHRONIC_REASON = 100  # a reason from here on is 100 + the position in codes.CHRONIC
EMERGENCY_REASONS = (
    "sprain",
    "laceration",
    "chest_pain",
    "gastroenteritis",
    "pneumonia",
    "back_pain",
    "otitis",
    "cold",
)
INPATIENT_REASONS = ("pneumonia", "appendicitis", "chest_pain", "gastroenteritis")
AMBULATORY_REASONS = ("cold", "bronchitis", "urinary", "back_pain", "otitis", "pregnancy")


@dataclass(frozen=True)
class Visits:
    """One row a visit, ordered by person and time. Times are local seconds; `reason` as CHRONIC_REASON says.

    `is_last` marks each person's last ambulatory visit of the measurement year, `is_first` the first one.
    """

    person: np.ndarray
    start: np.ndarray
    end: np.ndarray
    kind: np.ndarray
    reason: np.ndarray
    hospital: np.ndarray
    clinician: np.ndarray
    is_last: np.ndarray
    is_first: np.ndarray

    def __len__(self) -> int:
        return len(self.person)


def draw_visits(seed: int, people: People, illnesses: Illnesses, outcomes: Outcomes) -> Visits:
    """Draw the visits of three years; who is seen this year has at least one ambulatory visit in it."""
    rng = stream(seed, "visits", int(people.number[0]))
    parts = [
        _ambulatory(rng, people, illnesses, outcomes),
        _times(rng, outcomes.emergency_person, outcomes.emergency_day, EMERGENCY),
        _stays(rng, people, illnesses),
    ]
    person, start, end, kind = (np.concatenate([part[column] for part in parts]) for column in range(4))
    order = np.lexsort((kind, start, person))
    person, start, end, kind = person[order], start[order], end[order], kind[order]
    only = people.hospitals[person]
    is_last, is_first = _edges_of_year(people, person, start, kind)
    return Visits(
        person,
        start,
        end,
        kind,
        reason=_reasons(rng, people, illnesses, person, start, kind),
        hospital=np.where(only == 3, 1 + (rng.random(len(person)) < 0.45), only),
        clinician=rng.integers(0, 6, len(person)),
        is_last=is_last,
        is_first=is_first,
    )


def _ambulatory(
    rng: np.random.Generator, people: People, illnesses: Illnesses, outcomes: Outcomes
) -> tuple[np.ndarray, ...]:
    a_year = np.select(
        [people.age < 3, people.age < 18, people.age < 65], [2.0, 0.8, 0.7], 1.2
    ) + 0.5 * illnesses.has.sum(axis=1)
    year = people.year_start
    stop = np.where(outcomes.seen, people.history_end, np.minimum(people.history_end, year - 1))
    length = np.maximum((stop - people.history_start).astype(float), 0)
    person = np.repeat(np.arange(len(people)), rng.poisson(a_year * length / 365.25))
    day = people.history_start[person].astype(float) + rng.random(len(person)) * length[person]
    sure = np.flatnonzero(outcomes.seen)
    first = np.maximum(people.history_start, year)[sure].astype(float)
    sure_day = first + rng.random(len(sure)) * (people.history_end[sure].astype(float) - first)
    return _times(rng, np.concatenate([person, sure]), np.concatenate([day, sure_day]), AMBULATORY)


def _times(rng: np.random.Generator, person: np.ndarray, day: np.ndarray, kind: int) -> tuple[np.ndarray, ...]:
    """Turn days into local times: clinics open by day, emergencies come at any hour."""
    low, high = (8 * 60, 17 * 60) if kind == AMBULATORY else (0, 18 * 60)
    minute = rng.integers(low, high, len(person)) // 5 * 5
    start = day.astype(int).astype("datetime64[D]").astype("datetime64[s]") + (minute * 60).astype("timedelta64[s]")
    start = _skip_missing_hour(start)
    minutes = rng.integers(3, 10, len(person)) * 5 if kind == AMBULATORY else rng.integers(6, 80, len(person)) * 5
    return person, start, start + (minutes * 60).astype("timedelta64[s]"), np.full(len(person), kind)


def _skip_missing_hour(times: np.ndarray) -> np.ndarray:
    """Move what falls between 02:00 and 03:00 an hour on: on one night in March that hour does not exist."""
    hour = (times - times.astype("datetime64[D]")).astype(int) // 3600
    return np.where(hour == 2, times + np.timedelta64(3600, "s"), times)


def _stays(rng: np.random.Generator, people: People, illnesses: Illnesses) -> tuple[np.ndarray, ...]:
    a_year = np.select([people.age < 18, people.age < 65, people.age < 80], [0.015, 0.04, 0.10], 0.18)
    a_year = a_year * np.where(illnesses.of("heart_failure") | illnesses.of("copd"), 2.5, 1.0)
    length = np.maximum((people.history_end - people.history_start).astype(float) - 14, 0)
    person = np.repeat(np.arange(len(people)), rng.poisson(a_year * length / 365.25))
    day = people.history_start[person].astype(float) + rng.random(len(person)) * length[person]
    person, start, _, kind = _times(rng, person, day, INPATIENT)
    hours = 20 + rng.gamma(2.0, 36.0, len(person)).astype(int)
    return person, start, start + (np.minimum(hours, 300) * 3600).astype("timedelta64[s]"), kind


def _edges_of_year(
    people: People, person: np.ndarray, start: np.ndarray, kind: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    inside = (kind == AMBULATORY) & (start >= people.year_start)
    places = np.flatnonzero(inside)
    is_last, is_first = np.zeros(len(person), dtype=bool), np.zeros(len(person), dtype=bool)
    owners = person[places]
    is_last[places[np.append(owners[1:] != owners[:-1], True)[: len(places)]]] = True
    is_first[places[np.append(True, owners[1:] != owners[:-1])[: len(places)]]] = True
    return is_last, is_first


def _reasons(
    rng: np.random.Generator,
    people: People,
    illnesses: Illnesses,
    person: np.ndarray,
    start: np.ndarray,
    kind: np.ndarray,
) -> np.ndarray:
    ages = whole_years(people.birth[person], start.astype("datetime64[D]"))
    reason = np.where(ages < 18, ACUTE_AT["child_checkup"], ACUTE_AT["checkup"])
    for which, keys, share in (
        (AMBULATORY, AMBULATORY_REASONS, 0.3),
        (EMERGENCY, EMERGENCY_REASONS, 1.0),
        (INPATIENT, INPATIENT_REASONS, 1.0),
    ):
        drawn = _drawn_reason(rng, keys, people.female[person], ages)
        reason = np.where((kind == which) & (rng.random(len(person)) < share), drawn, reason)
    return np.where(
        (kind == AMBULATORY) & (rng.random(len(person)) < 0.6),
        _chronic_reason(rng, illnesses, person, start, reason),
        reason,
    )


def _drawn_reason(rng: np.random.Generator, keys: tuple[str, ...], female: np.ndarray, ages: np.ndarray) -> np.ndarray:
    drawn = np.array([ACUTE_AT[key] for key in keys])[rng.integers(0, len(keys), len(ages))]
    low, high, women = (
        np.array([getattr(illness, name) for illness in ACUTE]) for name in ("from_age", "to_age", "women_only")
    )
    possible = (ages >= low[drawn]) & (ages <= high[drawn]) & (female | ~women[drawn])
    return np.where(possible, drawn, ACUTE_AT["cold"])


def _chronic_reason(
    rng: np.random.Generator, illnesses: Illnesses, person: np.ndarray, start: np.ndarray, otherwise: np.ndarray
) -> np.ndarray:
    """One of the chronic illnesses each visitor already has."""
    current = illnesses.has[person] & (illnesses.onset[person] <= start[:, None])
    preference = np.where(current, rng.random(current.shape), -1.0)
    return np.where(current.any(axis=1), CHRONIC_REASON + preference.argmax(axis=1), otherwise)
