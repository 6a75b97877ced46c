"""Names that are also words, by the names that were found in the same text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from include.privacy.text import lexicon as lex
from include.privacy.text.reading import Note
from include.privacy.text.small_lists import find_small_again, find_small_listed
from include.privacy.text.spans import NAME, Span
from include.privacy.text.terms import DOSE, IS_COLON, is_term
from include.privacy.text.vocabulary import FUNCTION_WORDS, TERM_AFTER

_LIST_GAP = re.compile(r"(?:,|,? and|,? or| &|/) ?$")
_LONGEST_ABBREVIATION = 4  # letters
_COMMAS = (", ", ",")
_NAME_LABEL = re.compile(
    r"\b(?:name|patient|pt|member|client|resident)\s?[:=]\s{0,4}(?:[\w'’-]+[ -]){0,3}$", re.IGNORECASE
)
_LEAST_WEIGHT = 5  # of a name that others are found beside
_SURE_WEIGHT = 8  # of a name after a title or a label
_NEVER_AGAIN = lex.LETTER | lex.MONTH | lex.WEEKDAY | lex.COUNTRY
_KNOWN_AS_ELSE = lex.WORD | lex.CLINICAL | lex.PLACE | lex.vocabulary.ROLE_BITS


@dataclass(frozen=True, slots=True)
class _Found:
    """The names of a text: which characters they cover, where they start, where they end and how surely, and their words."""

    covered: bytearray
    starts: set[int]
    ends: dict[int, int]
    words: set[str]


def find_again(note: Note, found: list[Span]) -> Iterator[Span]:
    """Names that are also words, where the text itself named the person elsewhere or lists them beside a name.

    'Mr. Graves … Graves was seen', 'Morrison, Rogers and Torres'.
    """
    names = [span for span in found if span.label == NAME]
    if not names:
        return
    named = _gather(note, names)
    yield from find_small_listed(note, names)
    yield from find_small_again(note, names)
    for index in note.marked:
        kind = note.kinds[index]
        if not kind & lex.CAP or named.covered[note.starts[index]]:
            continue
        if _is_given_after(note, index, named.ends) or _is_labelled_given(note, index, named.ends):
            named.words.add(note.words[index].lower())
            yield Span(note.starts[index - 1], _end_with_initial(note, index), NAME, 5)
        elif kind & _NEVER_AGAIN:
            continue
        elif _is_family_first(note, index, named.starts):
            yield Span(note.starts[index], note.ends[index + 1], NAME, 5)
        elif _is_told(note, index, named) and not _is_something_else(note, index):
            if _is_listed(note, index, named.starts, named.ends):  # the next of the list stands beside this one
                named.ends.setdefault(note.ends[index], _LEAST_WEIGHT)
            yield Span(note.starts[index], note.ends[index], NAME, 4)


def _gather(note: Note, names: list[Span]) -> _Found:
    covered = bytearray(len(note.text) + 1)
    for span in names:
        covered[span.start : span.end] = b"\1" * (span.end - span.start)
    beside = [span for span in names if span.weight >= _LEAST_WEIGHT]
    words = {
        note.words[index].lower()
        for index in note.marked
        if covered[note.starts[index]] and _is_part_of_name(note.words[index], note.kinds[index])
    }
    return _Found(
        covered,
        {span.start for span in beside},
        {span.end: span.weight for span in beside},
        words - FUNCTION_WORDS,
    )


def _is_part_of_name(word: str, kind: int) -> bool:
    """Neither a title, nor a particle, nor an initial: 'Graves' in 'Mr. J. Graves'."""
    return bool(kind & lex.CAP) and len(word) > 2 and not kind & lex.TITLE


def _is_told(note: Note, index: int, named: _Found) -> bool:
    """A word of a name that was found, or a frequent name listed beside one; no abbreviation."""
    kind = note.kinds[index]
    is_abbreviation = kind & lex.UPPER and not kind & lex.NAMES
    if note.words[index].lower() in named.words:
        return not is_abbreviation or len(note.words[index]) > _LONGEST_ABBREVIATION
    if is_abbreviation:
        return False
    is_frequent = kind & lex.COMMON and not kind & lex.UPPER
    return bool(is_frequent) and _is_listed(note, index, named.starts, named.ends)


def _is_something_else(note: Note, index: int) -> bool:
    """'White blood cells', 'Graves disease', 'Young 10 mg', and a heading that is no name."""
    kind, end = note.kinds[index], note.ends[index]
    if kind & lex.WORD and index + 1 < len(note.words) and note.words[index + 1].lower() in TERM_AFTER:
        return True
    if IS_COLON.match(note.text, end) and not kind & lex.NAMES:
        return True
    return DOSE.match(note.text[end : end + 20]) is not None or is_term(note, index, index)


def _is_family_first(note: Note, index: int, starts: set[int]) -> bool:
    """JOHNSON, TYRONE: a family name, a comma, and a name that begins with a given one."""
    if index + 1 >= len(note.words) or note.gap(index) not in _COMMAS:
        return False
    if not note.kinds[index + 1] & lex.GIVEN or note.starts[index + 1] not in starts:
        return False
    kind = note.kinds[index]
    least = 5 if kind & lex.UPPER else 3  # letters: COPD is no family name, Roe is
    return bool(kind & lex.FAMILY) or (len(note.words[index]) >= least and not kind & _KNOWN_AS_ELSE)


def _is_given_after(note: Note, index: int, ends: dict[int, int]) -> bool:
    """NIELSEN, JEAN; Name: Dias, Jan: a given name after a family name and a comma, though it is a word, a month or a land."""
    kind = note.kinds[index]
    if not index or not kind & lex.GIVEN or kind & lex.CREDENTIAL or note.gap(index - 1) not in _COMMAS:
        return False
    weight = ends.get(note.ends[index - 1])
    if weight is None or note.words[index].lower() in FUNCTION_WORDS:
        return False
    are_capitals = bool(kind & note.kinds[index - 1] & lex.UPPER) and len(note.words[index]) > 2
    return are_capitals or weight >= _SURE_WEIGHT


def _is_labelled_given(note: Note, index: int, ends: dict[int, int]) -> bool:
    """Patient Name: Hauta, Temperance J.: a word of the language after a family name that opens its line behind a label."""
    kind = note.kinds[index]
    if not index or note.gap(index - 1) not in _COMMAS or ends.get(note.ends[index - 1], 0) < _SURE_WEIGHT:
        return False
    if kind & (lex.CREDENTIAL | lex.CLINICAL | lex.UPPER | lex.FACILITY | lex.STATE) or len(note.words[index]) < 3:
        return False
    label = note.text[max(0, note.starts[index - 1] - 40) : note.starts[index - 1]]
    return _NAME_LABEL.search(label) is not None


def _end_with_initial(note: Note, index: int) -> int:
    """Where a given name ends, with the initial behind it."""
    following = index + 1
    if following < len(note.words) and note.kinds[following] & lex.LETTER and note.gap(index) == " ":
        end = note.ends[following]
        return end + (note.text[end : end + 1] == ".")
    return note.ends[index]


def _is_listed(note: Note, index: int, starts: set[int], ends: dict[int, int]) -> bool:
    """Beside a name, with a comma or 'and' between."""
    following = _past_conjunction(note, index, 1)
    if following < len(note.words) and note.starts[following] in starts and _is_list_gap(note, index, following):
        return True
    previous = _past_conjunction(note, index, -1)
    return previous >= 0 and note.ends[previous] in ends and _is_list_gap(note, previous, index)


def _past_conjunction(note: Note, index: int, step: int) -> int:
    """The place of the word before (-1) or after (1), one further where that is 'and' or 'or'; may lie outside the note."""
    beside = index + step
    is_inside = 0 <= beside < len(note.words)
    return beside + step if is_inside and note.words[beside] in ("and", "or") else beside


def _is_list_gap(note: Note, first: int, second: int) -> bool:
    """', ' or ' and ' between two words."""
    return _LIST_GAP.fullmatch(note.text[note.ends[first] : note.starts[second]].rstrip()) is not None
