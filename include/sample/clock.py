"""Local times of the sample's hospitals (America/New_York) as text, in vectors."""

import numpy as np

TIMEZONE = "America/New_York"
FIRST_YEAR, LAST_YEAR = 1990, 2060


def _transitions() -> np.ndarray:
    """Local seconds at which the offset changes: second Sunday of March and first of November, at 02:00 (rule of 2007)."""
    changes = []
    for year in range(FIRST_YEAR, LAST_YEAR):
        march, november = np.datetime64(f"{year}-03-08"), np.datetime64(f"{year}-11-01")
        changes += [_next_sunday(march), _next_sunday(november)]
    return np.array(changes).astype("datetime64[s]") + np.timedelta64(2 * 3600, "s")


def _next_sunday(day: np.datetime64) -> np.datetime64:
    return day + (2 - day.astype(int)) % 7 + 1 if (day.astype(int) + 4) % 7 else day


_CHANGES = _transitions()


def is_summer(times: np.ndarray) -> np.ndarray:
    """Whether each local time (datetime64 seconds) falls under daylight saving time."""
    return np.searchsorted(_CHANGES, times, side="right") % 2 == 1


def with_offset(times: np.ndarray) -> list[str]:
    """Return local times as ISO 8601 with their offset from UTC, as FHIR wants instants."""
    text = np.datetime_as_string(times.astype("datetime64[s]"), unit="s")
    return np.strings.add(text, np.where(is_summer(times), "-04:00", "-05:00")).tolist()


def naive(times: np.ndarray) -> list[str]:
    """Return local times as ISO 8601 without any zone, as a hospital's table has them."""
    return np.datetime_as_string(times.astype("datetime64[s]"), unit="s").tolist()


def days(dates: np.ndarray) -> list[str]:
    """Return dates as YYYY-MM-DD, and '' where there is none."""
    text = np.datetime_as_string(dates.astype("datetime64[D]"))
    return np.where(text == "NaT", "", text).tolist()
