"""Addresses in any form, by the words before them: 'lives at', 'address:', 'mail to'."""

from __future__ import annotations

import re
from collections.abc import Iterator

from include.privacy.text import lexicon as lex
from include.privacy.text.reading import Note
from include.privacy.text.spans import LOCATION, Span
from include.privacy.text.vocabulary import FUNCTION_WORDS, words

_REACH_OF_CUE = 70  # characters
_MOST_WORDS = 18  # of an address
_CUE_WORDS = words(
    "address lives live living resides residing located meet sent send drops return arrived residence office offices corner home moved mail ship"
)
_AFTER_CUE = re.compile(
    r"(?:(?: of [\w.& ]{1,40}?)?(?: is| was| to the same| with| here they are| to)?\s?[:=]\s{0,4}|(?: of [\w.& ]{1,40}?)?(?:,? (?:is|are|was|at|on|to|in|you at|me at|you off at|with|of|located at|for me to|this to|it to))+(?: the corner of)?:?\s{1,4})(?=\S)",
    re.IGNORECASE,
)
_UNIT_WORDS = words(
    "apt apartment suite ste unit box floor fl room rm bldg building p o po psc apo fpo dpo str ul u ut utca and of d"
)
_CONNECTING = ("and", "of", "in")
_INSIDE_ADDRESS = ("", ",", "-", ".", "/", ".,", "#", ",,")
_CAP_OR_DIGIT = lex.CAP | lex.DIGIT
_OF_ADDRESS = lex.CAP | lex.DIGIT | lex.PARTICLE


def find_announced(note: Note) -> Iterator[Span]:
    """'lives at 86036 Rua do Arenque 1634, Goiânia': after such words a stretch of capitals and numbers that holds a number."""
    for index, word in enumerate(note.words):
        if word in _CUE_WORDS or (word[:1].isupper() and word.lower() in _CUE_WORDS):
            first = _first_after_cue(note, index)
            if first is not None and (last := _end_of_address(note, first)) is not None:
                yield Span(note.starts[first], note.ends[last], LOCATION, 6)


def _first_after_cue(note: Note, index: int) -> int | None:
    """The first word behind 'address of the daughter is', if the words after the cue at ``index`` go on so."""
    end = note.ends[index]
    found = _AFTER_CUE.match(note.text, end, min(len(note.text), end + _REACH_OF_CUE))
    if found is None:
        return None
    first = index + 1
    while first < len(note.words) and note.starts[first] < found.end():
        first += 1
    return first if first < len(note.words) else None


def _end_of_address(note: Note, first: int) -> int | None:
    """The last capital or number of the stretch, if it has both and begins with no month."""
    last, has_number, has_capital = first - 1, False, False
    for place in range(first, min(first + _MOST_WORDS, len(note.words))):
        kind = note.kinds[place]
        if not _is_joined(note, first, place, last) or not _may_stand_in_address(note, place):
            break
        if kind & _CAP_OR_DIGIT:
            last = place
            has_number = has_number or bool(kind & lex.DIGIT)
            has_capital = has_capital or bool(kind & lex.CAP)
    return last if has_number and has_capital and not note.kinds[first] & lex.MONTH else None


def _is_joined(note: Note, first: int, place: int, last: int) -> bool:
    """No more than a comma, a hyphen or a line break before the word, nor a full stop that ends the sentence."""
    if place == first:
        return True
    gap = note.before(place)
    if len(gap) > 5 or "\n\n" in gap or gap.strip() not in _INSIDE_ADDRESS:
        return False
    ends_sentence = gap[:2] == ". " and last >= first and not _goes_on_after_stop(note, place)
    return not ends_sentence


def _goes_on_after_stop(note: Note, place: int) -> bool:
    """'Ave. 12', 'St. Apt 3': a full stop that ends an abbreviation."""
    is_number = bool(note.kinds[place] & lex.DIGIT)
    return is_number or note.words[place].lower() in _UNIT_WORDS or len(note.words[place - 1]) <= 3


def _may_stand_in_address(note: Note, place: int) -> bool:
    """A capital, a number, a particle or 'apt', with no colon behind: 'Phone:' begins something else."""
    low = note.words[place].lower()
    if low in FUNCTION_WORDS and low not in _CONNECTING:
        return False
    if not note.kinds[place] & _OF_ADDRESS and low not in _UNIT_WORDS:
        return False
    end = note.ends[place]
    return note.text[end : end + 1] != ":"
