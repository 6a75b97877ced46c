"""The inequalities planted in the sample: for every person, how likely each outcome is.

A measure's true size is the mean of these probabilities (or rates) over the people it counts, so the truth is known
for every grouping, also those along which nothing was planted.
"""

from dataclasses import dataclass

import numpy as np

from include.sample.codes import LANGUAGES, PAYERS, RACE_AT, RACES

# Chosen wide enough to be seen in 2,000 people, in the directions that published studies report.
POOR_CONTROL = {"aian": 0.48, "asian": 0.28, "black": 0.52, "hispanic": 0.46, "mena": 0.36, "nhpi": 0.44, "white": 0.23}
PRESSURE_CONTROL = {
    "aian": 0.52,
    "asian": 0.66,
    "black": 0.48,
    "hispanic": 0.56,
    "mena": 0.62,
    "nhpi": 0.55,
    "white": 0.72,
}
DIABETES_FACTOR = {"aian": 1.9, "asian": 1.2, "black": 1.6, "hispanic": 1.5, "mena": 1.1, "nhpi": 1.7, "white": 1.0}
INFLUENZA = {"en": 0.56, "es": 0.36, "zh": 0.60, "vi": 0.52, "ar": 0.38, "ht": 0.28}
EMERGENCY_VISITS = {"5": 0.21, "2": 0.64, "1": 0.40, "81": 0.52}  # a person-year
SCREENED = {"5": 0.62, "2": 0.44, "1": 0.58, "81": 0.30}
UNKNOWN_LANGUAGE = 0.45
DIABETES_BY_AGE = ((18, 0.0), (45, 0.05), (65, 0.16), (200, 0.26))  # up to this age (exclusive): share


@dataclass(frozen=True, slots=True)
class Gap:
    """A planted difference: which group, compared with which, in which measure; groups are named as the marts name them."""

    measure: str
    dimension: str
    group: str
    reference: str


GAPS = (
    Gap("hba1c_poor_control", "race_ethnicity", "Black or African American", "White"),
    Gap("hba1c_poor_control", "race_ethnicity", "Hispanic or Latino", "White"),
    Gap("hypertension_control", "race_ethnicity", "Black or African American", "White"),
    Gap("hypertension_control", "race_ethnicity", "Hispanic or Latino", "White"),
    Gap("diabetes_prevalence", "race_ethnicity", "Black or African American", "White"),
    Gap("diabetes_prevalence", "race_ethnicity", "Hispanic or Latino", "White"),
    Gap("influenza_immunization", "language", "es", "en"),
    Gap("influenza_immunization", "language", "ht", "en"),
    Gap("emergency_visits", "payer", "medicaid", "private"),
    Gap("emergency_visits", "payer", "self pay", "private"),
    Gap("sdoh_screening", "payer", "medicaid", "private"),
    Gap("sdoh_screening", "payer", "self pay", "private"),
)
NO_GAPS = (  # nothing was planted here: a confident finding is a false alarm
    Gap("hba1c_poor_control", "sex", "female", "male"),
    Gap("hypertension_control", "sex", "female", "male"),
    Gap("influenza_immunization", "sex", "female", "male"),
    Gap("sdoh_screening", "sex", "female", "male"),
)


def by_origin(table: dict[str, float], origins: np.ndarray) -> np.ndarray:
    """Return each person's value: the mean over the categories of origin that the person has (bits of `origins`)."""
    total, count = np.zeros(len(origins)), np.zeros(len(origins))
    for name, place in RACE_AT.items():
        has = (origins >> place & 1).astype(bool)
        total[has] += table[name]
        count[has] += 1
    return total / count


def by_code(table: dict[str, float], codes: list[str], positions: np.ndarray, unknown: float) -> np.ndarray:
    """Return each person's value by position in `codes`; position -1 means not known."""
    values = np.array([table[code] for code in codes] + [unknown])
    return values[positions]


def poor_control_chance(origins: np.ndarray) -> np.ndarray:
    """Chance that a person with diabetes has no HbA1c this year or a last one above 9%."""
    return by_origin(POOR_CONTROL, origins)


def pressure_control_chance(origins: np.ndarray) -> np.ndarray:
    """Chance that the last blood pressure of a person with hypertension is below 140/90."""
    return by_origin(PRESSURE_CONTROL, origins)


def diabetes_chance(origins: np.ndarray, ages: np.ndarray) -> np.ndarray:
    """Chance of type 2 diabetes, by age in years and origin."""
    edges = np.array([edge for edge, _ in DIABETES_BY_AGE])
    shares = np.array([share for _, share in DIABETES_BY_AGE])
    return np.minimum(shares[np.searchsorted(edges, ages, side="right")] * by_origin(DIABETES_FACTOR, origins), 0.6)


def influenza_chance(languages: np.ndarray, ages: np.ndarray) -> np.ndarray:
    """Chance of being vaccinated against influenza each season, by language and a little by age."""
    tilt = np.select([ages < 18, ages < 50, ages < 65], [-0.03, -0.05, 0.01], 0.08)
    return by_code(INFLUENZA, [code for code, _, _ in LANGUAGES], languages, UNKNOWN_LANGUAGE) + tilt


def emergency_rate(payers: np.ndarray) -> np.ndarray:
    """Emergency visits per person-year, by payer."""
    return by_code(EMERGENCY_VISITS, [code for code, _, _ in PAYERS], payers, 0.0)


def screening_chance(payers: np.ndarray) -> np.ndarray:
    """Chance that a person seen this year is asked about social needs, by payer."""
    return by_code(SCREENED, [code for code, _, _ in PAYERS], payers, 0.0)


def origin_labels(bits: int, answered: int) -> tuple[str, ...]:
    """Return the groups a person counts in, alone or in combination; unknown and declined are groups."""
    if answered:
        return ("declined",) if answered == 2 else ("unknown",)
    return tuple(label for place, (_, label) in enumerate(RACES) if bits >> place & 1)
