"""The direct identifiers of people: names, numbers, contacts, addresses. All invented."""

from dataclasses import dataclass

import numpy as np

from include.sample import names
from include.sample.codes import RACE_AT
from include.sample.people import LINKED_BY_NAME, LINKED_BY_NUMBER, NORTH, SOUTH, People, namesakes, twins
from include.sample.places import PLACES
from include.sample.randomness import spread, stream

ORIGIN_NAMES = {place: name for name, place in RACE_AT.items()}


@dataclass(frozen=True, slots=True)
class Identity:
    """What would name one person. `south_family` differs from `family` where the name has changed, and both south names
    from the north's where the south wrote them otherwise (`south_writes`: '', 'family', 'given' with a typing error, 'swapped').

    Numbers of the social security kind start with 9, which was never issued; telephone exchanges are 555.
    """

    given: str
    middle: str
    family: str
    south_family: str
    south_given: str
    south_writes: str
    ssn: str
    north_mrn: str
    south_mrn: str
    phone: str
    email: str
    street: str
    postal_code: str
    contact_given: str
    contact_phone: str
    subscriber: str

    @property
    def full_name(self) -> str:
        """Given and family name, as a person would say them."""
        return f"{self.given} {self.family}"


def draw_identities(seed: int, people: People) -> list[Identity]:
    """Return the identity of each person of a block, in the same order."""
    rng = stream(seed, "identities", int(people.number[0]))
    count = len(people)
    numbers = _numbers(seed, people)
    given, middle, family, married = _names(rng, people)
    draws = rng.random((count, 8))
    for at in twins(count).tolist():
        family[at + 1], draws[at + 1], given[at + 1] = family[at], draws[at], _other_given(people, at, given[at])
    for at in namesakes(count).tolist():
        given[at + 1], family[at + 1] = given[at], family[at]
    return [
        _identity(people, at, numbers, (given[at], middle[at], family[at], married[at]), draws[at])
        for at in range(count)
    ]


def _other_given(people: People, at: int, given: str) -> str:
    pool = names.GIVEN[ORIGIN_NAMES[int(people.main_origin[at])]][0 if people.female[at] else 1]
    return next(name for name in pool if name != given)


def _identity(
    people: People, at: int, numbers: dict[str, list[int]], said: tuple[str, str, str, str], draw: np.ndarray
) -> Identity:
    given, middle, family, married = said
    place, hospitals = PLACES[people.place[at]], int(people.hospitals[at])
    has_number = draw[0] < 0.93 or (hospitals == 3 and people.link[at] == 1)
    area, group, serial = (
        numbers["ssn"][at] // 1_000_000,
        numbers["ssn"][at] // 10_000 % 100,
        numbers["ssn"][at] % 10_000,
    )
    street = f"{1 + int(draw[1] * 990)} {_of(names.STREETS, draw[2])} {_of(names.STREET_KINDS, draw[3])}"
    changed = hospitals == NORTH + SOUTH and people.link[at] == LINKED_BY_NUMBER
    writes = _writes(people, at, numbers["mrn"][at])
    south_family, south_given = write_otherwise(married if changed else family, given, writes)
    mail = f"{_plain(given)}.{_plain(family)}{numbers['mrn'][at] % 1000}@{_of(('example.com', 'example.org', 'example.net'), draw[4])}"
    return Identity(
        given=given,
        middle=middle,
        family=family,
        south_family=south_family,
        south_given=south_given,
        south_writes=writes,
        ssn=f"{area:03d}-{group:02d}-{serial:04d}" if has_number else "",
        north_mrn=f"N{numbers['mrn'][at]:08d}",
        south_mrn=f"S{numbers['south'][at]:08d}",
        phone=f"({place.area_code}) 555-{int(draw[5] * 9000) + 1000}",
        email=mail.lower(),
        street=street + (f" Apt {1 + int(draw[6] * 48)}" if draw[6] < 0.4 else ""),
        postal_code="" if draw[7] < 0.012 else place.postal_code,
        contact_given=_of(names.GIVEN["white"][int(draw[1] * 2)], draw[5]),
        contact_phone=f"({place.area_code}) 555-{int(draw[2] * 9000) + 1000}",
        subscriber=f"W{numbers['subscriber'][at]:09d}",
    )


def _writes(people: People, at: int, number: int) -> str:
    """How the south writes the names of some whom it knows by no number: so that only likeness can tell them."""
    if int(people.hospitals[at]) != NORTH + SOUTH or people.link[at] != LINKED_BY_NAME:
        return ""
    neighbours = np.concatenate([twins(len(people)), namesakes(len(people))])
    if at in neighbours or at - 1 in neighbours:
        return ""
    return ("family", "given", "swapped", "", "", "")[number % 6]


def write_otherwise(family: str, given: str, writes: str) -> tuple[str, str]:
    """Family and given name as somebody typed them: a letter left out ('family'), two letters swapped ('given'), one name for
    the other ('swapped'); as they are for every other word."""
    if writes == "family":
        return family[:2] + family[3:], given
    if writes == "given":
        return family, given[0] + given[2:3] + given[1:2] + given[3:]
    return (given, family) if writes == "swapped" else (family, given)


def _numbers(seed: int, people: People) -> dict[str, list[int]]:
    """Distinct numbers of each kind, for up to 67 million people."""
    mixed = spread(people.number, seed, bits=26)
    other, south = (spread(people.number, seed + shift, bits=26) for shift in (1, 2))
    ssn = 900_010_001 + mixed % 98_000_000
    return {
        "ssn": ssn.tolist(),
        "mrn": (10_000_000 + other).tolist(),
        "south": (10_000_000 + south).tolist(),
        "subscriber": (100_000_000 + other * 7).tolist(),
    }


def _names(rng: np.random.Generator, people: People) -> tuple[list[str], list[str], list[str], list[str]]:
    draws = rng.random((len(people), 7))
    given, middle, family, married = [], [], [], []
    for at, draw in enumerate(draws.tolist()):
        origin = ORIGIN_NAMES[int(people.main_origin[at])]
        women = bool(people.female[at])
        pool = names.GIVEN[origin][0 if women else 1]
        words = names.AMBIGUOUS_GIVEN_F if women else names.AMBIGUOUS_GIVEN_M
        given.append(_of(words if draw[0] < 0.12 and origin in ("white", "black") else pool, draw[1]))
        middle.append(_of(pool, draw[2]))
        family.append(
            _of(
                names.AMBIGUOUS_FAMILY if draw[3] < 0.15 and origin in ("white", "black") else names.FAMILY[origin],
                draw[4],
            )
        )
        married.append(_of([name for name in names.FAMILY["white"] if name != family[-1]], draw[5]))
    return given, middle, family, married


def _of(pool: tuple | list, draw: float) -> str:
    return pool[int(draw * len(pool))]


def _plain(name: str) -> str:
    """The name in ASCII letters, as mail systems want it."""
    table = str.maketrans("áéíóúÁÉÍÓÚñÑüÜ", "aeiouAEIOUnNuU")
    return "".join(letter for letter in name.translate(table) if letter.isascii() and letter.isalpha())
