"""What is measured at visits: blood pressure, weight, laboratory values, answers about social needs."""

from dataclasses import dataclass

import numpy as np

from include.sample.codes import SCREENING
from include.sample.illnesses import Illnesses
from include.sample.outcomes import Outcomes
from include.sample.people import People, whole_years
from include.sample.randomness import stream
from include.sample.visits import AMBULATORY, Visits


@dataclass(frozen=True)
class Findings:
    """For each finding of codes.FINDINGS the visits (positions) it was made at and its values.

    `needs[k]` are visits and answers (True = a need) to question k of codes.SCREENING.
    """

    values: dict[str, tuple[np.ndarray, np.ndarray]]
    needs: list[tuple[np.ndarray, np.ndarray]]


def draw_findings(seed: int, people: People, illnesses: Illnesses, outcomes: Outcomes, visits: Visits) -> Findings:
    """Draw measurements that fit each person's illnesses and planted outcomes."""
    rng = stream(seed, "findings", int(people.number[0]))
    ages = whole_years(people.birth[visits.person], visits.start.astype("datetime64[D]"))
    values = {
        **_pressure(rng, illnesses, outcomes, visits, ages),
        **_body(rng, people, illnesses, visits, ages),
        "hba1c": _hba1c(rng, people, illnesses, outcomes, visits, ages),
        **_laboratory(rng, people, illnesses, visits, ages),
        **_bedside(rng, visits),
    }
    return Findings(values, _screenings(rng, people, outcomes, visits))


def _pressure(
    rng: np.random.Generator, illnesses: Illnesses, outcomes: Outcomes, visits: Visits, ages: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Blood pressure at clinic visits from age 3; the year's last one says whether hypertension is controlled."""
    measured = visits.is_last | ((rng.random(len(visits)) < 0.85) & ~_same_day_as_last(visits))
    at = np.flatnonzero((visits.kind == AMBULATORY) & (ages >= 3) & measured)
    person = visits.person[at]
    ill = illnesses.of("hypertension")[person]
    good = np.where(visits.is_last[at], outcomes.pressure_controlled[person], rng.random(len(at)) < 0.55)
    usual = np.clip(rng.normal(96 + np.minimum(ages[at], 60) * 0.45, 8), 80, 138)
    systolic = np.where(ill, np.where(good, rng.uniform(112, 139, len(at)), rng.uniform(140, 178, len(at))), usual)
    diastolic = np.where(
        ill,
        np.where(good, rng.uniform(64, 89, len(at)), rng.uniform(76, 104, len(at))),
        usual * 0.62 + rng.normal(0, 4, len(at)),
    )
    return {"systolic": (at, np.floor(systolic)), "diastolic": (at, np.floor(np.clip(diastolic, 42, 110)))}


def _same_day_as_last(visits: Visits) -> np.ndarray:
    """Visits on the day of a person's last one: another reading that day would blur what was planted."""
    last = np.full(visits.person.max(initial=0) + 1, np.datetime64("NaT", "D"))
    last[visits.person[visits.is_last]] = visits.start[visits.is_last].astype("datetime64[D]")
    return visits.start.astype("datetime64[D]") == last[visits.person]


def _body(
    rng: np.random.Generator, people: People, illnesses: Illnesses, visits: Visits, ages: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    at = np.flatnonzero((visits.kind == AMBULATORY) & (rng.random(len(visits)) < 0.75))
    person = visits.person[at]
    own = rng.normal(0, 1, (2, len(people)))
    grown = np.where(people.female, 162.0, 176.0) + 6.5 * own[0]
    age = ages[at]
    height = np.where(
        age >= 18, grown[person], np.minimum(grown[person], 50 + np.sqrt(age + 0.1) * 28 + own[0][person] * 3)
    )
    lean = np.where(age >= 18, 24.5, 15.5 + age * 0.3)
    bmi = np.clip(
        lean + 2.6 * own[1][person] + np.where(illnesses.of("obesity")[person], 9.0, 0.0) + rng.normal(0, 0.5, len(at)),
        12.5,
        58,
    )
    height = np.round(height, 1)
    weight = np.round(bmi * (height / 100) ** 2, 1)
    return {"height": (at, height), "weight": (at, weight), "bmi": (at, np.round(weight / (height / 100) ** 2, 1))}


def _hba1c(
    rng: np.random.Generator, people: People, illnesses: Illnesses, outcomes: Outcomes, visits: Visits, ages: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """HbA1c of people with diabetes, where the last of this year shows the planted control, and of some others."""
    ill = illnesses.diabetes[visits.person]
    known = ill & (illnesses.diabetes_onset[visits.person] <= visits.start)
    clinic = visits.kind == AMBULATORY
    this_year = visits.start >= people.year_start
    draw = rng.random(len(visits))
    tested = clinic & np.where(
        known,
        np.where(this_year, ~outcomes.untested[visits.person] & (visits.is_last | (draw < 0.45)), draw < 0.6),
        (ages >= 35) & ~ill & (draw < 0.06),
    )
    at = np.flatnonzero(tested)
    person = visits.person[at]
    poor = np.where(visits.is_last[at], outcomes.poor_control[person], rng.random(len(at)) < 0.3)
    ill_value = np.where(poor, rng.uniform(9.1, 13.4, len(at)), rng.uniform(5.9, 9.0, len(at)))
    return at, np.round(np.where(known[at], ill_value, rng.uniform(4.7, 6.2, len(at))), 1)


def _laboratory(
    rng: np.random.Generator, people: People, illnesses: Illnesses, visits: Visits, ages: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    sick = illnesses.has[visits.person].any(axis=1)
    chance = np.where(visits.kind == AMBULATORY, np.where(sick, 0.35, 0.1), 0.55) * (ages >= 5)
    at = np.flatnonzero(rng.random(len(visits)) < chance)
    person = visits.person[at]
    diabetes, kidney = illnesses.diabetes[person], illnesses.of("kidney")[person]
    glucose = np.where(diabetes, rng.gamma(16, 10, len(at)) + 20, rng.normal(94, 10, len(at)))
    creatinine = np.where(
        kidney, rng.uniform(1.4, 2.6, len(at)), rng.normal(0.9, 0.14, len(at)) + 0.08 * ~people.female[person]
    )
    fat = illnesses.of("hyperlipidemia")[person]
    ldl_at = rng.random(len(at)) < 0.5
    return {
        "glucose": (at, np.round(np.clip(glucose, 55, 480))),
        "creatinine": (at, np.round(np.clip(creatinine, 0.3, 6), 2)),
        "hemoglobin": (at, np.round(np.clip(rng.normal(13.9, 1.2, len(at)) - people.female[person] * 0.9, 7, 19), 1)),
        "ldl": (at[ldl_at], np.round(np.clip(rng.normal(105, 24, len(at)) + fat * 35, 35, 260))[ldl_at]),
    }


def _bedside(rng: np.random.Generator, visits: Visits) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    at = np.flatnonzero(visits.kind != AMBULATORY)
    return {
        "heart_rate": (at, np.round(np.clip(rng.normal(86, 14, len(at)), 45, 170))),
        "temperature": (at, np.round(np.clip(rng.normal(37.1, 0.6, len(at)), 35.2, 40.6), 1)),
    }


def _screenings(
    rng: np.random.Generator, people: People, outcomes: Outcomes, visits: Visits
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Answers of those asked this year (as planted) and of some asked in earlier years; need follows the payer."""
    earlier = (visits.kind == AMBULATORY) & (visits.start < people.year_start) & (rng.random(len(visits)) < 0.1)
    at = np.flatnonzero((visits.is_first & outcomes.screened[visits.person]) | earlier)
    need = np.array([0.06, 0.27, 0.09, 0.24])[people.payer[visits.person[at]]]
    return [(at, rng.random(len(at)) < need * factor) for factor in (0.5, 1.0, 0.7)[: len(SCREENING)]]
