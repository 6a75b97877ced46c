"""Searches public tables for the direct identifiers of the people in them.

Numbers, contacts, street addresses and full names are searched anywhere. A single name is searched only in
rows about the person who bears it ("Ray" is also an X-ray), and there only in values that few people share
("White" is also a race). A value that is nothing but a number may be a code or a result: as long as a social security
number it counts wherever few people share it, shorter only in rows about the person whose number it is. In free text a name that is also a word counts only where it is written as a name ("Long was seen",
not "a long time"). Nothing that is found is ever quoted: findings are columns and counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from include.privacy.text.lexicon import load_lexicon
from include.privacy.text.vocabulary import TERM_AFTER

# Shorter numbers are also doses, years and counts.
SHORTEST_NUMBER = 6
SHORTEST_TELLING_NUMBER = 9  # digits of a social security number; drugs have codes of six, platelets are counted in six
LONGEST_NUMBER = 15  # digits; a double tells no more of them apart
SHORTEST_NAME = 3
LONGEST_NEEDLE_IN_WORDS = 8
WORDS_OF_FREE_TEXT = 20  # a longer value is a text, and in a text words are words
_WORDS = re.compile(r"[^\W_]+")
# Not inside a word: a hash is full of digits.
_DIGIT_RUN = re.compile(r"(?<![0-9A-Za-z])\d(?:[\s().+-]{0,2}\d){5,}(?![0-9A-Za-z])")
_BARE_NUMBER = re.compile(rf"\d{{{SHORTEST_NUMBER},}}", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Identifiers:
    """The direct identifiers of one person, in clear, in memory only."""

    person_key: UUID
    full_names: tuple[str, ...] = ()
    single_names: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()  # SSN, MRN, phone, fax, account, device, licence
    texts: tuple[str, ...] = ()  # e-mail, URL, street address


@dataclass(slots=True)
class Needles:
    """What to search for: normalised phrases; digit strings and single names with whose they are."""

    phrases: set[str] = field(default_factory=set)
    digits: dict[str, UUID | list[UUID]] = field(
        default_factory=dict
    )  # nearly all have one owner, and there are millions
    bearers: dict[str, set[UUID]] = field(default_factory=dict)
    longest: int = 1
    first_words: set[str] = field(default_factory=set)


def words_of(text: str) -> list[str]:
    """Lower-case words without accents or punctuation: ``"O'Brien, José"`` → ``["o", "brien", "jose"]``."""
    return _WORDS.findall(_without_accents(text).casefold())


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def collect_needles(people: Iterable[Identifiers]) -> Needles:
    """Index everything to be searched. Identifiers too short to tell from ordinary numbers and words are left out."""
    needles = Needles()
    for person in people:
        for text in (*person.full_names, *person.texts):
            _add_phrase(needles, words_of(text), at_least_words=2)
        for number in person.numbers:
            _add_number(needles, number, person.person_key)
        for name in person.single_names:
            for word in words_of(name):
                if len(word) >= SHORTEST_NAME:
                    needles.bearers.setdefault(word, set()).add(person.person_key)
    return needles


def _add_phrase(needles: Needles, words: list[str], *, at_least_words: int) -> None:
    if at_least_words <= len(words) <= LONGEST_NEEDLE_IN_WORDS and sum(map(len, words)) >= SHORTEST_NUMBER:
        needles.phrases.add(" ".join(words))
        needles.first_words.add(words[0])
        needles.longest = max(needles.longest, len(words))


def _add_number(needles: Needles, number: str, person_key: UUID) -> None:
    digits = "".join(filter(str.isdigit, number))
    if any(map(str.isalpha, number)):
        _add_phrase(needles, words_of(number), at_least_words=1)
    elif len(digits) >= SHORTEST_NUMBER:
        known = needles.digits.setdefault(digits, person_key)
        if isinstance(known, list):
            known.append(person_key)
        elif known != person_key:
            needles.digits[digits] = [known, person_key]


def holds_identifier(text: str, needles: Needles) -> bool:
    """True where a number, contact, address or full name of anyone stands in the text."""
    if not _UUID.fullmatch(text) and not _digits_in(text).isdisjoint(needles.digits):
        return True
    words = words_of(text)
    written = _as_written(text) if len(words) > WORDS_OF_FREE_TEXT else None
    return any(
        phrase in needles.phrases and (written is None or not _are_words(written[start : start + length]))
        for start, length, phrase in _phrases(words, needles)
    )


def _digits_in(text: str) -> set[str]:
    return _with_and_without_country({"".join(filter(str.isdigit, run)) for run in _DIGIT_RUN.findall(text)})


def _with_and_without_country(numbers: set[str]) -> set[str]:
    """North American telephone numbers also without the 1 of their country."""
    return numbers | {digits[1:] for digits in numbers if len(digits) == 11 and digits[0] == "1"}


def is_bare_number(text: str) -> bool:
    """Whether a value is nothing but a number, long enough to be somebody's."""
    return _BARE_NUMBER.fullmatch(text) is not None


def owners_of(number: str, needles: Needles) -> set[UUID]:
    """Everyone whose number this is. In a column of numbers the zeros at its head are gone."""
    written = {number.zfill(length) for length in range(len(number), LONGEST_NUMBER + 1)}
    found: set[UUID] = set()
    for each in _with_and_without_country(written):
        owners = needles.digits.get(each, [])
        found.update(owners if isinstance(owners, list) else [owners])
    return found


def _phrases(words: list[str], needles: Needles) -> Iterator[tuple[int, int, str]]:
    for start, word in enumerate(words):
        if word in needles.first_words:
            for length in range(1, min(needles.longest, len(words) - start) + 1):
                yield start, length, " ".join(words[start : start + length])


def _as_written(text: str) -> list[str]:
    """The words of ``words_of``, as they are written."""
    return _WORDS.findall(_without_accents(text))


def _are_words(written: Iterable[str]) -> bool:
    """True where all are ordinary words, written small: "may" and "long", not "May" or "garcia"."""
    lexicon = load_lexicon()
    return all(word.islower() and lexicon.knows(word) for word in written)


def names_in(text: str, needles: Needles) -> set[str]:
    """Words of the text that are somebody's single name; in free text, where they are written as one."""
    words = words_of(text)
    found = {word for word in words if word in needles.bearers}
    if not found or len(words) <= WORDS_OF_FREE_TEXT:
        return found
    written = _as_written(text)
    if len(written) != len(words):
        return found
    following = [*words[1:], ""]
    return {
        word
        for word, as_written, after in zip(words, written, following, strict=True)
        if word in found and not _are_words([as_written]) and not (after in TERM_AFTER and load_lexicon().knows(word))
    }


def bearers_of(text: str, needles: Needles) -> set[UUID]:
    """Everyone who bears a name that stands in the text."""
    return set().union(*(needles.bearers[name] for name in names_in(text, needles)))
