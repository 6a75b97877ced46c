"""What an address has around its street: the number before it, and unit, town, state and ZIP in the text behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from include.privacy.text.spans import LOCATION, Span
from include.privacy.text.vocabulary import FUNCTION_WORDS, words

_MOST_PIECES = 8  # of an address after its first line
_UNIT = r"(?:apt|apartment|suite|ste|unit|room|rm|floor|fl|bldg|building|lot|#)\.?\s?#?\s?\d{0,5}[A-Za-z]?\b"
_ADDRESS_GOES_ON = re.compile(
    rf"[ ]?[\s,;]{{1,4}}(?:{_UNIT}|P\.?\s?O\.? Box \d+|(?:[A-ZÀ-Þ\u0100-\u017f][\w'’.-]*)(?![\w:])|\d{{4,6}}(?:-\d{{3,4}})?\b(?!\s?(?:mg|ml|units|am|pm))|\d{{1,5}}(?=[\s,]+[A-Z]))",
    re.IGNORECASE,
)
_UNIT_ALONE = re.compile(
    r"\b(?:Apt|Apartment|Suite|Ste)\b\.?\s?#?\s?\d{1,5}[A-Za-z]?\b|\b(?:Unit|Room|Rm)\s?[ :#]\s?\d{2,5}(?:-?[A-Za-z])?\b",
    re.IGNORECASE,
)
_NUMBER_BEFORE = re.compile(
    r"(?:(?<![\d.,/-])#?\d{1,6}(?:-\d{1,5})?[A-Za-z]?(?: ?½| 1/2)?|\b(?:One|Two|Three|Four|Five|Six|Seven|Eight|Nine|Ten)),?\s{1,2}$"
)
_SECOND_NUMBER_BEFORE = re.compile(r"(?<![\w.,/-])\d{1,6} $")  # of the building, before that of the street
_REACH_OF_SECOND = 8
_UNIT_BEGINS = re.compile(_UNIT, re.IGNORECASE)
_UNIT_AFTER_STOP = re.compile(r"\. (?:#|apt|suite|unit|ste)", re.IGNORECASE)
_SPEAKS_OF_UNIT = re.compile(r"\b(?:Apt|Suite|Ste|Apartment|Unit|Room|Rm|apt|suite|APT|ROOM|RM)\b")
# What stands in the line after an address and is none of it.
_ENDS_IN_ZIP = re.compile(r"(?<!\d)\d{5}$")
_NEXT_WORDS = words("he she i phone tel fax mrn dob email ssn cell home occupation")


def number_before(text: str, start: int, *, within: int) -> int | None:
    """Where a house number right before ``start`` begins ('12', '#3-14', '7 1/2', '1987 74'); looks ``within`` so many characters."""
    found = _NUMBER_BEFORE.search(text, max(0, start - within), start)
    if found is None:
        return None
    further = _SECOND_NUMBER_BEFORE.search(text, max(0, found.start() - _REACH_OF_SECOND), found.start())
    return further.start() if further else found.start()


def extend(text: str, span: Span) -> Span:
    """A span with what goes on behind it: ', Apt 3B', the town, ', OH 44903', each on its own line or not."""
    end = span.end
    for _ in range(_MOST_PIECES):
        further = _end_of_next_piece(text, end)
        if not further:
            break
        end = further
    return span._replace(end=end)


def _end_of_next_piece(text: str, end: int) -> int | None:
    if _is_stop_inside(text, end):
        end += 1
    found = _ADDRESS_GOES_ON.match(text, end)
    if found is None or "\n\n" in found[0]:
        return None
    piece = found[0].strip(" ,;\n\r\t")
    first = piece.split()[0] if piece.split() else ""
    if _begins_something_else(first):
        return None
    is_sentence = first[:1].islower() or ("." in piece[:-1] and "\n" in found[0])
    if is_sentence and not _UNIT_BEGINS.match(piece):
        return None
    return found.start() + len(found[0].rstrip(" ,;."))


def _is_stop_inside(text: str, end: int) -> bool:
    """'Maple Ave., Springfield', 'Maple Ave. Apt 3': a full stop that ends an abbreviation."""
    if text[end : end + 1] != "." or _ENDS_IN_ZIP.search(text, max(0, end - 6), end):
        return False
    return text[end + 1 : end + 2] in (",", "\n") or _UNIT_AFTER_STOP.match(text, end) is not None


def _begins_something_else(word: str) -> bool:
    """'Phone', 'She', 'The'."""
    low = word.lower()
    return low.rstrip(".") in FUNCTION_WORDS or low in _NEXT_WORDS


def find_units(text: str) -> Iterator[Span]:
    """'Apt 12B', 'Room #204' wherever they stand."""
    if _SPEAKS_OF_UNIT.search(text):
        for found in _UNIT_ALONE.finditer(text):
            yield extend(text, Span(*found.span(), LOCATION, 6))
