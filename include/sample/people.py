"""Who lives in the sample: one row a person, drawn in vectors, a block of people at a time."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from include.sample.codes import LANGUAGES, RACE_AT
from include.sample.places import PLACES
from include.sample.randomness import pick, stream

BLOCK = 2_000  # people drawn together; part of what the seed means
NORTH, SOUTH = 1, 2  # bits: a person can be known to both
KNOWN, UNKNOWN, DECLINED, ABSENT = 0, 1, 2, 3  # how the question about race and ethnicity was answered
HISTORY_DAYS = 3 * 365
NEWCOMERS = 60_000_000  # people numbers from here on arrive after the first night
LINKED_BY_NUMBER, LINKED_BY_NAME = 1, 2  # how a person known to both hospitals can be recognised; 0: by both
SAME_AS_SEX = 0  # a gender that says what the sex does
OTHER_GENDER = 4  # whose sex the records do not tell in one of two words

# origin: share, and the further categories some of its members also name
ORIGINS = (
    ("white", 0.40, ()),
    ("black", 0.21, ()),
    ("hispanic", 0.155, ()),
    ("asian", 0.085, ()),
    ("mena", 0.03, ()),
    ("aian", 0.015, ()),
    ("nhpi", 0.01, ()),
    ("hispanic", 0.03, ("white",)),
    ("hispanic", 0.015, ("black",)),
    ("black", 0.015, ("white",)),
    ("asian", 0.015, ("white",)),
    ("aian", 0.01, ("white",)),
    ("mena", 0.005, ("white",)),
    ("hispanic", 0.005, ("aian",)),
)
LANGUAGE_SHARES = {  # of those of an origin: en, es, zh, vi, ar, ht
    "white": (0.985, 0.005, 0, 0, 0.01, 0),
    "black": (0.80, 0.01, 0, 0, 0.01, 0.18),
    "hispanic": (0.42, 0.58, 0, 0, 0, 0),
    "asian": (0.46, 0, 0.32, 0.22, 0, 0),
    "mena": (0.5, 0, 0, 0, 0.5, 0),
    "aian": (0.97, 0.03, 0, 0, 0, 0),
    "nhpi": (1.0, 0, 0, 0, 0, 0),
}
AGE_SHARES = ((0, 18, 0.19), (18, 45, 0.31), (45, 65, 0.27), (65, 80, 0.165), (80, 90, 0.045), (90, 104, 0.02))


@dataclass(frozen=True)
class People:
    """A block of people as arrays of equal length. Times are local; dates are numpy days.

    `death` is NaT for the living. `origins` has a bit for each category of codes.RACES. `language` is -1 where not
    known. `link` tells how a person known to both hospitals can be recognised: 1 by the social security number
    (the family name has changed), 2 by name, birth date, sex and postal code (no number at the second hospital), 0 by both.
    """

    number: np.ndarray
    birth: np.ndarray
    death: np.ndarray
    age: np.ndarray
    female: np.ndarray
    gender: np.ndarray
    origins: np.ndarray
    main_origin: np.ndarray
    answered: np.ndarray
    language: np.ndarray
    payer: np.ndarray
    place: np.ndarray
    hospitals: np.ndarray
    link: np.ndarray
    lapsed: np.ndarray
    history_start: np.ndarray
    night: np.datetime64

    def __len__(self) -> int:
        return len(self.number)

    @property
    def history_end(self) -> np.ndarray:
        """The last day on which something can happen to each person: death, or the day before the night."""
        return np.where(np.isnat(self.death), self.night - 1, self.death)

    @property
    def year_start(self) -> np.datetime64:
        """The first day of the measurement year, which is the year of the night."""
        return np.datetime64(f"{self.night.astype('datetime64[Y]')}-01-01", "D")


def draw_people(seed: int, first: int, count: int, night: date, *, stream_name: str = "people") -> People:
    """Draw people number `first` to `first + count - 1` as they are on `night`."""
    rng = stream(seed, stream_name, first)
    end = np.datetime64(night, "D")
    pair = np.concatenate([namesakes(count), twins(count)])
    birth, age = (_as_neighbour(pair, values) for values in _births(rng, count, end))
    origin = _as_neighbour(pair, pick(rng, np.array([share for _, share, _ in ORIGINS]), count))
    names = np.array([name for name, _, _ in ORIGINS])[origin]
    start = np.maximum(end - HISTORY_DAYS, birth)
    death = _deaths(rng, age, start, end)
    return People(
        number=np.arange(first, first + count),
        birth=birth,
        death=death,
        age=age,
        female=_as_neighbour(pair, rng.random(count) < 0.52),
        gender=pick(rng, np.array([0.975, 0.007, 0.006, 0.008, 0.004]), count),
        origins=np.array([_bits(name, more) for name, _, more in ORIGINS])[origin],
        main_origin=np.array([RACE_AT[name] for name, _, _ in ORIGINS])[origin],
        answered=pick(rng, np.array([0.93, 0.03, 0.025, 0.015]), count),
        language=_languages(rng, names),
        payer=_payers(rng, age),
        place=_places(rng, count),
        hospitals=1 + pick(rng, np.array([0.56, 0.29, 0.15]), count),
        link=pick(rng, np.array([0.7, 0.12, 0.18]), count),
        lapsed=rng.random(count) < 0.04,
        history_start=start,
        night=end,
    )


def namesakes(count: int) -> np.ndarray:
    """Positions in a block of people who share name, birth date and sex with the next one, who lives elsewhere: two people."""
    return np.arange(250, count - 1, 500)


def twins(count: int) -> np.ndarray:
    """Positions of people whose twin comes next: same family name, birth date, sex, address and telephone, another given name."""
    return np.arange(400, count - 1, 500)


def _as_neighbour(pair: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give the second of each pair the value of the first."""
    values = values.copy()
    values[pair + 1] = values[pair]
    return values


def _places(rng: np.random.Generator, count: int) -> np.ndarray:
    place = _as_neighbour(twins(count), pick(rng, np.array([place.weight for place in PLACES]), count))
    place[namesakes(count) + 1] = (place[namesakes(count)] + 1) % len(PLACES)
    return place


def _bits(name: str, more: tuple[str, ...]) -> int:
    return sum(1 << RACE_AT[each] for each in (name, *more))


def _births(rng: np.random.Generator, count: int, night: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
    band = pick(rng, np.array([share for _, _, share in AGE_SHARES]), count)
    low, high = (np.array([row[side] for row in AGE_SHARES])[band] for side in (0, 1))
    days = ((low + (high - low) * rng.random(count)) * 365.2425).astype(int)
    birth = night - np.maximum(days, 20)
    return birth, whole_years(birth, night)


def whole_years(birth: np.ndarray, on: np.ndarray | np.datetime64) -> np.ndarray:
    """Age in completed years on a day; someone born on 29 February turns on 1 March in common years."""
    on = np.broadcast_to(np.asarray(on, dtype="datetime64[D]"), birth.shape)
    years = on.astype("datetime64[Y]").astype(int) - birth.astype("datetime64[Y]").astype(int)
    return years - (_month_and_day(on) < _month_and_day(birth))


def _month_and_day(days: np.ndarray) -> np.ndarray:
    months = days.astype("datetime64[M]")
    return months.astype(int) % 12 * 100 + (days - months.astype("datetime64[D]")).astype(int) + 1


def _deaths(rng: np.random.Generator, age: np.ndarray, start: np.ndarray, night: np.datetime64) -> np.ndarray:
    chance = np.select([age < 45, age < 65, age < 80, age < 90], [0.002, 0.01, 0.035, 0.08], 0.15)
    dies = rng.random(len(age)) < chance
    span = (night - start).astype(int)
    day = start + np.maximum((span * (0.15 + 0.8 * rng.random(len(age)))).astype(int), 1)
    return np.where(dies, np.minimum(day, night - 2), np.datetime64("NaT"))


def _languages(rng: np.random.Generator, origins: np.ndarray) -> np.ndarray:
    language = np.zeros(len(origins), dtype=int)
    for name, shares in LANGUAGE_SHARES.items():
        chosen = pick(rng, np.array(shares), len(origins))
        language = np.where(origins == name, chosen, language)
    return np.where(rng.random(len(origins)) < 0.015, -1, np.minimum(language, len(LANGUAGES) - 1))


def _payers(rng: np.random.Generator, age: np.ndarray) -> np.ndarray:
    """Positions in codes.PAYERS: the old have Medicare, children more often Medicaid."""
    child, adult, old = ((0.52, 0.43, 0.0, 0.05), (0.62, 0.24, 0.03, 0.11), (0.06, 0.05, 0.88, 0.01))
    chosen = [pick(rng, np.array(shares), len(age)) for shares in (child, adult, old)]
    return np.select([age < 18, age < 65], chosen[:2], chosen[2])
