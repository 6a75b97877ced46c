"""Places that nothing but 'at', 'transferred to' or 'lives in' before them gives away: 'seen at Cedar Crest'."""

from __future__ import annotations

import re

from include.privacy.text import lexicon as lex
from include.privacy.text.facilities import AT_BEFORE, GENERIC_OR_FUNCTION_WORDS
from include.privacy.text.reading import Note
from include.privacy.text.spans import LOCATION, Span
from include.privacy.text.towns import SAINTS
from include.privacy.text.vocabulary import words

_REACH_BEFORE = 32
_MOST_FURTHER_WORDS = 4
_BEFORE_PLACE = ("at", "to", "from", "the", "in", "visited")
_SENT_TO = re.compile(
    r"\b(?:transferred (?:to|from)|referred (?:to|from)|discharged (?:to|from)|admitted to|presented to|lives (?:alone |with family )?in|residing in|resides in|moved (?:to|from)|visited)\s(?:the\s)?$",
    re.IGNORECASE,
)
_NO_PLACE = lex.CLINICAL | lex.LETTER | lex.MONTH | lex.WEEKDAY | lex.COUNTRY
_GENERIC_FIRST = words(
    "General City County Community University Memorial Regional Central Municipal State Children's Women's Veterans"
)


def find_visited(note: Note, index: int) -> Span | None:
    """Capitalised words after 'at': 'seen at Cedar Crest'; not 'at Dialysis', 'admitted to ICU'."""
    if index == 0 or note.words[index - 1] not in _BEFORE_PLACE or not _is_visit(note, index):
        return None
    last = _end_of_capitals(note, index)
    places = range(index, last + 1)
    if all(_tells_nothing(note, place) for place in places) and not _is_generic_hospital(note, index, last):
        return None
    if last == index and _is_abbreviation(note, index):
        return None
    return Span(note.starts[index], note.ends[last], LOCATION, 6)


def _is_visit(note: Note, index: int) -> bool:
    """'evaluated at the ', 'transferred to '."""
    before = note.text[max(0, note.starts[index] - _REACH_BEFORE) : note.starts[index]]
    return AT_BEFORE.search(before) is not None or _SENT_TO.search(before) is not None


def _end_of_capitals(note: Note, index: int) -> int:
    """'Cedar Crest' from 'Cedar'; over a full stop only after 'St'."""
    last = index
    while last + 1 < len(note.words) and last - index < _MOST_FURTHER_WORDS and note.kinds[last + 1] & lex.CAP:
        gap = note.gap(last)
        if gap not in (" ", "-") and not (gap == ". " and note.words[last].lower() in SAINTS):
            break
        last += 1
    return last


def _tells_nothing(note: Note, index: int) -> bool:
    """'Home', 'Tuesday', 'Dialysis'."""
    return bool(note.kinds[index] & _NO_PLACE) or note.words[index].lower() in GENERIC_OR_FUNCTION_WORDS


def _is_generic_hospital(note: Note, first: int, last: int) -> bool:
    """General Hospital, City Hospital: a name where it is written with capitals after 'at'."""
    return last > first and note.words[first] in _GENERIC_FIRST and note.words[last] in ("Hospital", "Clinic")


def _is_abbreviation(note: Note, index: int) -> bool:
    """'ICU', 'PACU'; not 'NYC', which is a place."""
    kind = note.kinds[index]
    return bool(kind & lex.UPPER) and len(note.words[index]) < 6 and not kind & lex.PLACE
