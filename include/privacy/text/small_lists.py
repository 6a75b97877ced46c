"""Names written small, by those that were found: others of the same list, though they are words, and the same again elsewhere."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from include.privacy.text import lexicon as lex
from include.privacy.text.reading import Note
from include.privacy.text.spans import NAME, Span
from include.privacy.text.vocabulary import FUNCTION_WORDS

_GAPS = (", ", ",")
_CONJUNCTIONS = ("and", "or")
_LEAST_FOUND = 3  # names of a list that speak for the rest
_MOST_LISTED = 30


def find_small_listed(note: Note, names: Sequence[Span]) -> Iterator[Span]:
    """'quorvi, miriam, pamela, faith, andrea and brian': single words between commas, most of them names that were found."""
    found = {span.start for span in names if note.text[span.start : span.start + 1].islower()}
    seen = -1
    for start in sorted(found):
        index = bisect_left(note.starts, start)
        if index <= seen:
            continue
        listed = _list_around(note, index)
        seen = listed[-1]
        if sum(note.starts[place] in found for place in listed) >= max(_LEAST_FOUND, len(listed) / 2):
            yield from (
                Span(note.starts[place], note.ends[place], NAME, 4) for place in listed if _may_be_name(note, place)
            )


def find_small_again(note: Note, names: Sequence[Span]) -> Iterator[Span]:
    """'pt name: mary beth o'connell … the o'connell family': parts of names written small, wherever they stand again."""
    written = {word for span in names for word in note.text[span.start : span.end].split() if word.islower()}
    known = {word for word in (part.strip(".,;:'’") for part in written) if _names_only(word)}
    if not known:
        return
    for index, word in enumerate(note.words):
        if word in known:
            last = index
            while last + 1 < len(note.words) and note.gap(last) == " " and note.words[last + 1] in written:
                last += 1
            yield Span(note.starts[index], note.ends[last], NAME, 4)


def _names_only(word: str) -> bool:
    """Long enough, and no word of the language."""
    low = lex.fold(word)
    return len(low) > 3 and low not in FUNCTION_WORDS and not lex.load_lexicon().knows(low)


def _list_around(note: Note, index: int) -> list[int]:
    """The places of the words of one list, in order; two words that no comma parts belong to no list."""
    listed = [index]
    while len(listed) < _MOST_LISTED and (before := _beside(note, listed[0], -1)) is not None:
        listed.insert(0, before)
    while len(listed) < _MOST_LISTED and (after := _beside(note, listed[-1], 1)) is not None:
        listed.append(after)
    return listed


def _beside(note: Note, index: int, step: int) -> int | None:
    """The word of the list next to this one: a comma, 'and' or both between."""
    place, is_joined = index + step, False
    if 0 <= place < len(note.words) and note.words[place] in _CONJUNCTIONS:
        place, is_joined = place + step, True
    if not 0 <= place < len(note.words):
        return None
    first, second = sorted((index, place))
    gaps = [note.gap(between) for between in range(first, second)]
    is_parted = gaps[0] in _GAPS or (is_joined and gaps[0] == " ")
    return place if is_parted and gaps[1:] in ([], [" "]) else None


def _may_be_name(note: Note, index: int) -> bool:
    """A word of letters that names a person, or that nobody knows; not 'aspirin' among them."""
    low = lex.fold(note.words[index])
    if not low.isalpha() or len(low) < 3 or low in FUNCTION_WORDS:
        return False
    lexicon = lex.load_lexicon()
    return "g" in lexicon.names.get(low, "").lower() or not lexicon.knows(low)
