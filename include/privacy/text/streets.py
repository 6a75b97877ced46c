"""Streets: a kind of street with its name and number, in English order, by a foreign ending, between numbers, or written small."""

from __future__ import annotations

import re
from collections.abc import Iterator

from include.privacy.text import lexicon as lex
from include.privacy.text.address_lines import extend, number_before
from include.privacy.text.reading import Note
from include.privacy.text.spans import LOCATION, Span
from include.privacy.text.vocabulary import FUNCTION_WORDS, words

STREETS_SURE = words(
    "street avenue ave boulevard blvd road rd lane ln drive terrace parkway pkwy highway hwy turnpike expressway circle court way place trail loop alley crescent rue straße strasse"
)
# Without a number these are most often something else: Family Court, Test Drive.
_STREETS_WITH_NUMBER = ("drive", "way", "place", "court", "road", "loop", "trail", "lane", "circle")
_STREET_FIRST = words(
    "rue via calle avenida rua ulica viale piazza camino paseo ul corso largo rambla plaza praça travessa boulevard avenue chemin quai"
)
_ORDINALS = ("st", "nd", "rd", "th")
_INSIDE_STREET = (" ", ". ", "-", "'s ", "’s ")
_MOST_WORDS_OF_STREET = 4
_FOREIGN_STREET = re.compile(
    r"(?:stra(?:ss|ß)e|str|gasse|weg|platz|allee|gatan|vägen|vej|gade|allé|veien|gata|gate|stræti|straeti|vegur|katu|tie|kuja|polku|ranta|laan|straat|dijk|plein|kade|utca|tér|krt|útja)$",
    re.IGNORECASE,
)
_NUMBER_AFTER = re.compile(r"\s\d{1,4}[A-Za-z]?\b")
_STREET_AND_NUMBER_AFTER = re.compile(
    r"(?: [a-zà-ž.]{1,4}\.?| tér| utca| [a-zà-ž]+)?\s\d{1,4}\b(?![.,/:]\d|\s?(?:mg|ml|mcg|units?|%|mm|cm|tab|x\s))\.?"
)
_UNIT_OR_ZIP_AFTER = re.compile(r"[\s,]{1,4}(?:Apt|Suite|Ste|\d{5}\b)")
_NO_UNKNOWN_WORD = lex.WORD | lex.CLINICAL | lex.FACILITY | lex.TITLE | lex.MONTH | lex.LETTER
_NO_FOREIGN_WORD = lex.WORD | lex.CLINICAL
_HIGHWAY = re.compile(
    r"\b\d{2,6} (?:[NSEW]\.? )?(?:US |State |County |Old )?(?:Hwy|Highway|Route|Rte|Road|County Rd|FM|SR|CR)\.? #?\d{1,4}[A-Z]?\b(?: [NSEW]\b)?"
)
_SPEAK_OF_HIGHWAY = ("Hwy", "Highway", "Route", "Rte", "Road", " FM ")
_SMALL_STREET = re.compile(
    r"(?<![\w./-])\d{2,5} (?:[nsew]\.? )?([a-z][a-z'’.]*(?: [a-z][a-z'’]*){0,2}) (?:street|avenue|ave|boulevard|blvd|road|rd|lane|ln|drive|dr|parkway|pkwy|court|ct|terrace|circle|st|way|place|pl)\b\.?"
    r"(?:,? (?:apt|unit|suite|#)\.? ?#?[\da-z]{1,5}\b)?(?:,? [a-z]+(?: [a-z]+)?,? (?:[a-z]{2} )?\d{5}(?:-\d{4})?\b)?"
)
_MEASURED = re.compile(
    r"\b(?:mg|ml|mcg|days?|weeks?|months?|years?|yrs?|hours?|feet|ft|miles?|yards?|units?|tabs?|minutes?|times|yo|y)\b"
)
_SPEAK_OF_ADDRESS = ("ives at", "iving at", "esid", "ddress", "oved to")


def find_street(note: Note, index: int) -> Span | None:
    """'1428 Elm Street': a number, up to four words, and the kind of street at ``index``; or a street named without its number."""
    low = note.words[index].lower()
    first = _first_of_street(note, index)
    if first == index and low not in _STREET_FIRST:
        return None
    number = number_before(note.text, note.starts[first], within=14)
    if number is None and _is_ordinal_before(note, first):
        first -= 1
        number = number_before(note.text, note.starts[first], within=14)
    if number is not None:
        return extend(note.text, Span(number, note.ends[index], LOCATION, 8))
    if low in STREETS_SURE and low not in _STREETS_WITH_NUMBER and note.kinds[index] & lex.CAP:
        return Span(note.starts[first], note.ends[index], LOCATION, 6)
    return None


def _first_of_street(note: Note, index: int) -> int:
    """'W. Martin Luther King Blvd' from its 'W'; as far as it is written with capitals or ordinals."""
    first = index
    while (
        first > 0
        and index - first < _MOST_WORDS_OF_STREET
        and note.before(first) in _INSIDE_STREET
        and _may_name_street(note, first - 1)
    ):
        first -= 1
    return first


def _may_name_street(note: Note, index: int) -> bool:
    kind, word = note.kinds[index], note.words[index]
    if kind & lex.DIGIT:
        return word[-2:].lower() in _ORDINALS
    return bool(kind & lex.CAP) and word.lower() not in FUNCTION_WORDS


def _is_ordinal_before(note: Note, first: int) -> bool:
    """'12 42nd Upper East Side Park Street', where the ordinal stands before the four words."""
    is_number = first > 0 and note.kinds[first - 1] & lex.DIGIT and note.before(first) == " "
    return bool(is_number) and note.words[first - 1][-2:] in _ORDINALS


def find_foreign_street(note: Note, index: int) -> Span | None:
    """'Lindenstraße 14', '12 Kungsgatan': a word with the ending of a street, and the number beside it."""
    word = note.words[index]
    if len(word) < 7 or note.kinds[index] & _NO_FOREIGN_WORD or not _FOREIGN_STREET.search(word):
        return None
    start, end = note.starts[index], note.ends[index]
    number = number_before(note.text, start, within=12)
    after = _NUMBER_AFTER.match(note.text, end)
    span = Span(start if number is None else number, after.end() if after else end, LOCATION, 7)
    return extend(note.text, span)


def find_numbered_street(note: Note, index: int) -> Span | None:
    """'233 Erzsébet tér 19.', '20789 Allika 46': an unknown word between numbers, or before one and a unit, is a street."""
    kind = note.kinds[index]
    is_abbreviation = kind & lex.UPPER and len(note.words[index]) < 6
    if is_abbreviation or kind & _NO_UNKNOWN_WORD:
        return None
    after = _STREET_AND_NUMBER_AFTER.match(note.text, note.ends[index])
    if after is None:
        return None
    start = note.starts[index]
    number = number_before(note.text, start, within=12)
    if number is None and not _UNIT_OR_ZIP_AFTER.match(note.text, after.end()):
        return None
    return extend(note.text, Span(start if number is None else number, after.end(), LOCATION, 6))


def find_highways(text: str) -> Iterator[Span]:
    """'2200 Hwy 61 N'."""
    if any(cue in text for cue in _SPEAK_OF_HIGHWAY):
        for found in _HIGHWAY.finditer(text):
            yield extend(text, Span(*found.span(), LOCATION, 7))


def find_small_streets(text: str) -> Iterator[Span]:
    """'18679 cherry hill road', in a text that speaks of addresses or is written small throughout."""
    if not any(cue in text for cue in _SPEAK_OF_ADDRESS) and not text.islower():
        return
    for found in _SMALL_STREET.finditer(text):
        if not FUNCTION_WORDS & set(found[1].split()) and not _MEASURED.search(found[1]):
            yield Span(*found.span(), LOCATION, 6)
