"""What follows from illnesses and visits: problems, diagnoses, medicines, procedures, vaccines, allergies, notes."""

from dataclasses import dataclass

import numpy as np

from include.sample.codes import (
    ACUTE,
    ACUTE_AT,
    ALLERGIES,
    CHILDHOOD_SERIES,
    CHRONIC,
    INFLUENZA,
    MEDICINES,
    OTHER_VACCINES,
    PROCEDURE_AT,
)
from include.sample.illnesses import Illnesses
from include.sample.outcomes import Outcomes
from include.sample.people import NORTH, SOUTH, People, whole_years
from include.sample.randomness import pick, stream
from include.sample.visits import AMBULATORY, CHRONIC_REASON, INPATIENT, Visits

MEDICINE_CODES = tuple(MEDICINES)
VACCINES = tuple(INFLUENZA) + tuple(OTHER_VACCINES.items())
WITHOUT_DIAGNOSIS = tuple(ACUTE_AT[key] for key in ("checkup", "child_checkup"))


@dataclass(frozen=True)
class Problems:
    """A chronic illness on a hospital's problem list: positions of person and illness, and who lists it."""

    person: np.ndarray
    illness: np.ndarray
    onset: np.ndarray
    hospital: np.ndarray


@dataclass(frozen=True)
class Shots:
    """A vaccination: `vaccine` is a position in VACCINES, `day` a date."""

    person: np.ndarray
    day: np.ndarray
    vaccine: np.ndarray
    hospital: np.ndarray


@dataclass(frozen=True)
class Care:
    """Everything else that is recorded. Pairs are (visit, what), with positions in the tables of codes."""

    problems: Problems
    diagnoses: np.ndarray
    medicines: tuple[np.ndarray, np.ndarray]
    procedures: tuple[np.ndarray, np.ndarray]
    shots: Shots
    allergies: tuple[np.ndarray, np.ndarray, np.ndarray]
    notes: np.ndarray


def draw_care(seed: int, people: People, illnesses: Illnesses, outcomes: Outcomes, visits: Visits) -> Care:
    """Draw the care of a block of people."""
    rng = stream(seed, "care", int(people.number[0]))
    ages = whole_years(people.birth[visits.person], visits.start.astype("datetime64[D]"))
    acute = visits.reason < CHRONIC_REASON
    ill = acute & ~np.isin(visits.reason, WITHOUT_DIAGNOSIS)
    notable = (visits.kind == INPATIENT) | (rng.random(len(visits)) < 0.16)
    return Care(
        problems=_problems(people, illnesses),
        diagnoses=np.flatnonzero(ill),
        medicines=_medicines(rng, visits),
        procedures=_procedures(rng, people, visits, ages),
        shots=_shots(rng, people, outcomes),
        allergies=_allergies(rng, people),
        notes=np.flatnonzero(notable),
    )


def _problems(people: People, illnesses: Illnesses) -> Problems:
    """Each hospital lists what the people it knows have."""
    person, illness = np.nonzero(illnesses.has)
    parts = []
    for hospital in (NORTH, SOUTH):
        known = (people.hospitals[person] & hospital).astype(bool)
        parts.append((person[known], illness[known], np.full(known.sum(), hospital)))
    person, illness, hospital = (np.concatenate([part[column] for part in parts]) for column in range(3))
    return Problems(person, illness, illnesses.onset[person, illness], hospital)


def _medicines(rng: np.random.Generator, visits: Visits) -> tuple[np.ndarray, np.ndarray]:
    """Medicines by the reason of a visit, as (visit, position in MEDICINE_CODES)."""
    by_reason = np.full(CHRONIC_REASON + len(CHRONIC), -1)
    for offset, table in ((0, ACUTE), (CHRONIC_REASON, CHRONIC)):
        for place, illness in enumerate(table):
            if illness.medicine:
                by_reason[offset + place] = MEDICINE_CODES.index(illness.medicine)
    medicine = by_reason[visits.reason]
    at = np.flatnonzero((medicine >= 0) & (rng.random(len(visits)) < 0.8))
    return at, medicine[at]


def _procedures(
    rng: np.random.Generator, people: People, visits: Visits, ages: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    reason, draw, female = visits.reason, rng.random(len(visits)), people.female[visits.person]
    checkup = reason == ACUTE_AT["checkup"]
    wanted = {
        "ecg": reason == ACUTE_AT["chest_pain"],
        "chest_xray": (reason == ACUTE_AT["pneumonia"]) | ((reason == ACUTE_AT["bronchitis"]) & (draw < 0.2)),
        "suture": reason == ACUTE_AT["laceration"],
        "appendectomy": (reason == ACUTE_AT["appendicitis"]) & (visits.kind == INPATIENT),
        "colonoscopy": checkup & (ages >= 45) & (ages <= 75) & (draw < 0.06),
        "mammography": checkup & female & (ages >= 40) & (ages <= 74) & (draw > 0.82),
        "reconciliation": (reason >= CHRONIC_REASON) & (draw < 0.12) & (visits.kind == AMBULATORY),
    }
    at = np.concatenate([np.flatnonzero(mask) for mask in wanted.values()])
    which = np.concatenate([np.full(mask.sum(), PROCEDURE_AT[key]) for key, mask in wanted.items()])
    order = np.lexsort((which, at))
    return at[order], which[order]


def _shots(rng: np.random.Generator, people: People, outcomes: Outcomes) -> Shots:
    parts = [*_influenza(rng, people, outcomes), *_series(people), *_adult(rng, people)]
    person, day, vaccine = (np.concatenate([part[column] for part in parts]) for column in range(3))
    possible = (day >= people.birth[person]) & (day <= people.history_end[person])
    person, day, vaccine = person[possible], day[possible], vaccine[possible]
    both = people.hospitals[person]
    hospital = np.where(both == 3, 1 + (rng.random(len(person)) < 0.5), both)
    order = np.lexsort((vaccine, day, person))
    return Shots(person[order], day[order], vaccine[order], hospital[order])


def _influenza(rng: np.random.Generator, people: People, outcomes: Outcomes) -> list[tuple[np.ndarray, ...]]:
    """The vaccinated get a shot last autumn and this one; some of the others had one in an earlier season."""
    year = people.year_start.astype("datetime64[Y]").astype(int) + 1970
    seasons = []
    for autumn, who in (
        (year, outcomes.vaccinated),
        (year - 1, outcomes.vaccinated),
        (year - 2, rng.random(len(people)) < 0.4),
    ):
        first = np.datetime64(f"{autumn}-09-08" if autumn == year else f"{autumn}-10-01")
        person = np.flatnonzero(who)
        day = first + rng.integers(0, 70, len(person))
        old_enough = day - people.birth[person] > np.timedelta64(183, "D")
        seasons.append((person[old_enough], day[old_enough], rng.integers(0, len(INFLUENZA), len(person))[old_enough]))
    return seasons


def _series(people: People) -> list[tuple[np.ndarray, ...]]:
    """The childhood series, as far as it falls into recent years."""
    children = np.flatnonzero(people.age < 6)
    return [
        (children, people.birth[children] + days, np.full(len(children), _vaccine(cvx)))
        for cvx, days in CHILDHOOD_SERIES
    ]


def _adult(rng: np.random.Generator, people: People) -> list[tuple[np.ndarray, ...]]:
    parts = []
    for cvx, from_age, share in (("115", 11, 0.2), ("33", 65, 0.35), ("208", 12, 0.3)):
        person = np.flatnonzero((people.age >= from_age + 3) & (rng.random(len(people)) < share))
        day = people.history_start[person] + rng.integers(0, 900, len(person))
        parts.append((person, day, np.full(len(person), _vaccine(cvx))))
    return parts


def _vaccine(cvx: str) -> int:
    return [code for code, _ in VACCINES].index(cvx)


def _allergies(rng: np.random.Generator, people: People) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One entry for half of the people, at each hospital that knows them: person, position in ALLERGIES, hospital."""
    asked = np.flatnonzero(rng.random(len(people)) < 0.5)
    which = pick(rng, np.array([0.12, 0.05, 0.1, 0.73]), len(asked))
    parts = []
    for hospital in (NORTH, SOUTH):
        known = (people.hospitals[asked] & hospital).astype(bool)
        parts.append((asked[known], which[known], np.full(known.sum(), hospital)))
    person, allergy, hospital = (np.concatenate([part[column] for part in parts]) for column in range(3))
    return person, np.minimum(allergy, len(ALLERGIES) - 1), hospital
