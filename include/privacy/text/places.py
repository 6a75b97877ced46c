"""Geography smaller than a state: addresses, towns, and the facilities of care and work that stand for them.

One reading of the note's words and a few patterns over its text, each asked only where its words occur.
"""

from __future__ import annotations

from collections.abc import Iterator

from include.privacy.text import lexicon as lex
from include.privacy.text.address_lines import find_units
from include.privacy.text.announced_addresses import find_announced
from include.privacy.text.companies import find_company
from include.privacy.text.facilities import KNOWN_FIRST_WORDS, find_facility, find_known_facility
from include.privacy.text.lexicon import Lexicon
from include.privacy.text.postal_boxes import find_boxes, find_military_mail, find_rural_routes
from include.privacy.text.reading import Note
from include.privacy.text.spans import Span
from include.privacy.text.streets import (
    STREETS_SURE,
    find_foreign_street,
    find_highways,
    find_numbered_street,
    find_small_streets,
    find_street,
)
from include.privacy.text.towns import (
    find_code_of_country,
    find_counties,
    find_postcode,
    find_said_codes,
    find_saint,
    find_town,
)
from include.privacy.text.visited_places import find_visited


def find_places(note: Note, lexicon: Lexicon) -> Iterator[Span]:
    """Addresses, towns, facilities and companies."""
    text = note.text
    yield from find_announced(note)
    yield from find_military_mail(text)
    yield from filter(None, _by_words(note, lexicon))
    yield from find_highways(text)
    yield from find_boxes(text)
    yield from find_counties(text)
    yield from find_said_codes(text)
    yield from find_rural_routes(text)
    yield from find_small_streets(text)
    yield from find_units(text)


def _by_words(note: Note, lexicon: Lexicon) -> Iterator[Span | None]:
    """What each rule says of each word that may be of its kind; None where it is no place."""
    for index in note.marked:
        kind, word = note.kinds[index], note.words[index]
        if kind & lex.STREET and (kind & lex.CAP or word in STREETS_SURE):
            yield find_street(note, index)
        if kind & lex.FACILITY:
            yield find_facility(note, lexicon, index)
        if kind & lex.COMPANY and kind & lex.CAP:
            yield find_company(note, index)
        if kind & lex.PLACE:
            yield find_town(note, lexicon, index)
        if kind & lex.DIGIT and len(word) == 3 and word[1].isalpha():
            yield find_postcode(note, index)
        if kind & lex.CAP:
            yield from _by_capital(note, index)


def _by_capital(note: Note, index: int) -> Iterator[Span | None]:
    """The rules that ask any word with a capital."""
    kind, word = note.kinds[index], note.words[index]
    if word in KNOWN_FIRST_WORDS:
        yield find_known_facility(note, index)
    yield find_saint(note, index)
    yield find_foreign_street(note, index)
    if kind & lex.COUNTRY:
        yield find_code_of_country(note, index)
    yield find_numbered_street(note, index)
    if not kind & lex.UPPER or word.isalpha():
        yield find_visited(note, index)
