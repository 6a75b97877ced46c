"""How a further source tells who somebody is: typing errors, swapped names, marriages and moves, and by what it can be seen through."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from include.sample import names
from include.sample.block import Block
from include.sample.identities import write_otherwise
from include.sample.people import NORTH, OTHER_GENDER, namesakes, twins
from include.sample.places import PLACES

NUMBER, NAME, LIKENESS, NONE = "number", "name", "likeness", "none"
# What a source does to somebody, by turns: whether it tells a number that the north knows too, and what it tells otherwise.
WITH_NUMBER = ("", "family", "given", "swapped", "married", "moved")
WITHOUT_NUMBER = ("", "family", "swapped", "given")


@dataclass(frozen=True, slots=True)
class Telling:
    """One person in the words of one source. `link` is by what these meet the north's: number, name, likeness or none.

    `change` is what differs: '', family or given (a typing error), swapped, married or moved.
    """

    at: int
    family: str
    given: str
    street: str
    city: str
    state: str
    postal_code: str
    phone: str
    link: str
    change: str

    @property
    def has_number(self) -> bool:
        """Whether the source tells a number of the person that the north knows too."""
        return self.link == NUMBER


def known_to_north(block: Block, most: int, *, turn: int) -> list[int]:
    """Positions of people of the north who are alive, spread over the block, other ones for every `turn`."""
    people = block.people
    alive = np.isnat(people.death) & (people.hospitals & NORTH).astype(bool)
    known = np.flatnonzero(alive & (people.history_start < people.night - 200))
    step = max(len(known) // max(most, 1), 1)
    return known[turn % step :: step][:most].tolist()


def tell(block: Block, at: int, turn: int, *, has_number: bool) -> Telling:
    """Return how a source tells person `at`; `turn` goes through what can differ.

    Without a number only who has a whole name and no twin or namesake is told otherwise: nobody could tell those apart.
    """
    who = block.identities[at]
    if has_number:
        return _as_told(block, at, WITH_NUMBER[turn % len(WITH_NUMBER)], NUMBER)
    change = WITHOUT_NUMBER[turn % len(WITHOUT_NUMBER)]
    if not who.postal_code or int(block.people.gender[at]) == OTHER_GENDER:
        return _as_told(block, at, "", NONE)
    if not change or at in _neighbours(block):
        return _as_told(block, at, "", NAME)
    return _as_told(block, at, change, LIKENESS)


def _neighbours(block: Block) -> set[int]:
    """Twins and namesakes, both of each pair."""
    pairs = np.concatenate([twins(len(block.people)), namesakes(len(block.people))])
    return {*pairs.tolist(), *(pairs + 1).tolist()}


def _as_told(block: Block, at: int, change: str, link: str) -> Telling:
    who, place = block.identities[at], PLACES[block.people.place[at]]
    family, given = write_otherwise(who.family, who.given, change)
    street, postal_code, phone = who.street, who.postal_code, who.phone
    if change == "married":
        family = _other_family(who.family, at)
    if change == "moved":
        place = PLACES[(int(block.people.place[at]) + 7) % 20]
        street, postal_code = f"{1 + at % 97} Harbor View Ct", place.postal_code
        phone = f"({place.area_code}) 555-{1000 + at * 37 % 9000}"
    return Telling(at, family, given, street, place.city, place.state, postal_code, phone, link, change)


def _other_family(family: str, turn: int) -> str:
    others: Sequence[str] = [name for name in names.FAMILY["white"] if name != family]
    return others[turn % len(others)]
