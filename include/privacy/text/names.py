"""People's names by how they are written and by the words around them, without knowing who they are.

Capitalised words standing together form a run; a run is a name by its title, its label, its credentials, its given names,
or because no dictionary knows a word of it. Eponyms and instruments stay.
"""

from __future__ import annotations

from collections.abc import Iterator

from include.privacy.text import lexicon as lex
from include.privacy.text.lexicon import Lexicon
from include.privacy.text.lone_names import is_lone_name
from include.privacy.text.name_cues import class_of, follows_label, has_credential, is_introduced
from include.privacy.text.name_extent import end_after_label, end_after_title, end_of_name, end_of_run
from include.privacy.text.name_spreading import spread
from include.privacy.text.name_strength import MAYBE, STRONG, WEAK, strength_of
from include.privacy.text.reading import Note
from include.privacy.text.small_names import small_name_after_title, small_name_at
from include.privacy.text.spans import NAME, Span
from include.privacy.text.terms import IS_COLON, is_term
from include.privacy.text.vocabulary import FUNCTION_WORDS

_REACH_BEFORE = 48  # characters before a run that are looked at
_MOST_WORDS_SIGNED = 4  # of a name before ', MD'
_NAMES_OR_TITLE = lex.NAMES | lex.TITLE
# As titles these need a name behind them: St Louis, Nurse notified, Father denies.
_WORDS_LIKE_TITLES = ("st", "col", "lt", "fr", "nurse", "sister", "father", "miss", "judge", "pastor")


def find_names(note: Note, lexicon: Lexicon) -> Iterator[Span]:
    """Names, and words that no dictionary knows."""
    is_shouted = _is_mostly_capitals(note)
    last = -1
    for index in note.marked:
        if index <= last:
            continue
        kind = note.kinds[index]
        if kind & lex.CAP:
            last = end_of_run(note, index)
            yield from _of_run(note, lexicon, index, last, is_shouted)
        elif kind & _NAMES_OR_TITLE:
            yield from small_name_at(note, lexicon, index)


def _is_mostly_capitals(note: Note) -> bool:
    """A text written in capitals throughout: capitals then say nothing."""
    long = [word for word in note.words[:400] if len(word) > 3]
    return len(long) > 6 and sum(map(str.isupper, long)) > 0.7 * len(long)


def _of_run(note: Note, lexicon: Lexicon, first: int, last: int, is_shouted: bool) -> Iterator[Span]:
    """A run is cut at its titles: what follows one is a name, what stands before it is judged by itself."""
    before = _text_before(note, first)
    start = first
    for index in range(first, last + 1):
        if not note.kinds[index] & lex.TITLE or not _is_title(note, index, last):
            continue
        if index > start:
            yield from _of_part(note, start, index - 1, before, is_shouted)
        stop = end_after_title(note, index + 1, last)
        if stop > index:
            yield Span(note.starts[index], end_of_name(note, stop), NAME, 9)
        elif index == last:
            yield from small_name_after_title(note, lexicon, index)
        start, before = stop + 1, ""
        if start > last:
            return
    yield from _of_part(note, start, last, before, is_shouted)


def _text_before(note: Note, index: int) -> str:
    return note.text[max(0, note.starts[index] - _REACH_BEFORE) : note.starts[index]]


def _is_title(note: Note, index: int, last: int) -> bool:
    """'Dr'; 'Nurse' and 'St' only before a name."""
    if note.words[index].lower() not in _WORDS_LIKE_TITLES:
        return True
    return index < last and bool(note.kinds[index + 1] & lex.NAMES)


def _of_part(note: Note, first: int, last: int, before: str, is_shouted: bool) -> Iterator[Span]:
    """Words standing together without a title. ``before`` is the text before them, empty after a title's name."""
    while first < last and _is_only_function_word(note, first):
        first += 1
        before = _text_before(note, first)
    strength = [strength_of(note, index, is_shouted) for index in range(first, last + 1)]
    stop = _end_after_cue(note, first, last, strength, before)
    if stop >= first:
        yield Span(note.starts[first], end_of_name(note, stop), NAME, 8)
        first, strength = stop + 1, strength[stop + 1 - first :]
        if first > last:
            return
    if _is_signed(note, first, last, strength):
        yield Span(note.starts[first], note.ends[last], NAME, 8)
        return
    spread(note, first, strength)
    yield from _by_strength(note, first, strength, is_shouted)


def _is_only_function_word(note: Note, index: int) -> bool:
    """'The' before a name; not 'Will', nor the initial 'A.'."""
    if note.words[index].lower() not in FUNCTION_WORDS or note.kinds[index] & lex.GIVEN:
        return False
    return not (note.kinds[index] & lex.LETTER and note.text[note.ends[index]] == ".")


def _end_after_cue(note: Note, first: int, last: int, strength: list[int], before: str) -> int:
    """The last word of the name that a label or words such as 'is called' announce; ``first - 1`` if none do."""
    is_labelled = follows_label(before)
    is_run = last > first
    if not is_labelled and not ((is_run or strength[0] >= WEAK) and is_introduced(before)):
        return first - 1
    if note.words[first].lower() in FUNCTION_WORDS or IS_COLON.match(note.text, note.ends[last]):
        return first - 1
    return end_after_label(note, first, last, strength, may_be_words=is_run and not is_labelled)


def _is_signed(note: Note, first: int, last: int, strength: list[int]) -> bool:
    """'Rebecca Stone, MD': up to four words before a credential, one of which may be a name or the last not an abbreviation."""
    if last - first >= _MOST_WORDS_SIGNED or not has_credential(note, last):
        return False
    return max(strength) >= MAYBE or (last > first and not note.kinds[last] & lex.UPPER)


def _by_strength(note: Note, first: int, strength: list[int], is_shouted: bool) -> Iterator[Span]:
    """Stretches of a line whose words are equally strong; those that are not sure must be names by their sentence."""
    place, count = 0, len(strength)
    while place < count:
        here = strength[place]
        if here < MAYBE:
            place += 1
            continue
        stop = place
        while stop + 1 < count and strength[stop + 1] == here and "\n" not in note.gap(first + stop):
            stop += 1
        start, end = first + place, first + stop
        is_name = not is_term(note, start, end) if here == STRONG else is_lone_name(note, start, end, is_shouted)
        if is_name:
            yield Span(note.starts[start], end_of_name(note, end), class_of(note, start, end), 5)
        place = stop + 1
