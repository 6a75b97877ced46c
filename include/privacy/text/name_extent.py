"""How far a name reaches: the run of capitals it stands in, and where it ends after a title, after a label, at a full stop."""

from __future__ import annotations

import re

from include.privacy.text import lexicon as lex
from include.privacy.text.name_strength import NEVER
from include.privacy.text.reading import Note
from include.privacy.text.vocabulary import FUNCTION_WORDS

_MOST_WORDS_OF_RUN = 12
_MOST_WORDS_AFTER_CUE = 5  # of a title or a label
_JOINS = re.compile(r" {1,2}|\. ?|[-‐–] ?| ?\n ?|['’]")  # what may stand between two parts of a name
_SHORTENED = ("st", "mt", "ft", "jr", "sr")
_SMALL_REST = re.compile(r"-[a-zà-ÿ]{2,}\b")
_NAMES_OR_LETTER = lex.NAMES | lex.LETTER
_ENDS_LABELLED = lex.FACILITY | lex.WEEKDAY | lex.MONTH


def end_of_run(note: Note, first: int) -> int:
    """The last of the capitalised words that stand together from ``first`` on, particles between them included."""
    last = index = first
    kinds, count = note.kinds, len(note.kinds)
    while index + 1 < count and index - first < _MOST_WORDS_OF_RUN and _is_joined_to_next(note, index):
        index += 1
        if kinds[index] & lex.CAP:
            last = index
        elif not kinds[index] & lex.PARTICLE or not kinds[index - 1] & (lex.CAP | lex.PARTICLE):
            break
    return last


def _is_joined_to_next(note: Note, index: int) -> bool:
    """'J. Smith', 'Anne-Marie', 'Smith\\nJones'; not "Smith's Jones", nor 'came with Smith. Jones'."""
    gap = note.text[note.ends[index] : note.starts[index + 1]]
    if gap == " ":
        return True
    if len(gap) > 3 or gap[:2] in ("'s", "’s") or not _JOINS.fullmatch(gap):
        return False
    return gap[:1] != "." or _may_be_cut(note.words[index], note.kinds[index])


def _may_be_cut(word: str, kind: int) -> bool:
    """A full stop after an initial, a title or 'St' ends no sentence."""
    return len(word) == 1 or bool(kind & (lex.TITLE | lex.CREDENTIAL)) or word.lower() in _SHORTENED


def end_after_title(note: Note, first: int, last: int) -> int:
    """The last of up to five parts after a title, not into an ordinary word of a new phrase; ``first - 1`` if there is none."""
    stop = first - 1
    for index in range(first, min(last + 1, first + _MOST_WORDS_AFTER_CUE)):
        kind, word = note.kinds[index], note.words[index]
        if index > first and ("\n" in note.before(index) or (kind & lex.CREDENTIAL and word.isupper())):
            break
        if word.lower() in FUNCTION_WORDS and not kind & _NAMES_OR_LETTER:
            break
        if kind & lex.PARTICLE and kind & lex.CAP and index < last:
            continue  # Mr. Van Der Berg
        if index > first and kind & lex.WORD and not kind & lex.NAMES:
            return index if index == last and _is_family_by_place(note, index) else stop
        stop = index
    return stop


def _is_family_by_place(note: Note, index: int) -> bool:
    """A word that ends the run right after a given name: Dr. Justin Beet."""
    is_after_given = note.kinds[index - 1] & lex.GIVEN and note.before(index) == " "
    return bool(is_after_given) and not note.kinds[index] & lex.UPPER


def end_after_label(note: Note, first: int, last: int, strength: list[int], *, may_be_words: bool) -> int:
    """The last of up to five words of the label's line, ordinary ones only in second place; ``first - 1`` if there is none.

    ``may_be_words``: the first may be an ordinary word too, as after 'is called'.
    """
    stop = first - 1
    for index in range(first, min(last + 1, first + _MOST_WORDS_AFTER_CUE)):
        if index > first and "\n" in note.before(index):
            break
        if strength[index - first] == NEVER and (
            note.kinds[index] & _ENDS_LABELLED
            or note.words[index].lower() in FUNCTION_WORDS
            or (index == first and not may_be_words)
        ):
            break
        stop = index
    return stop


def end_of_name(note: Note, index: int) -> int:
    """Where a name's last word ends in the text, with the full stop of an initial or the small rest of 'Hauta-aho'."""
    end = note.ends[index]
    following = note.text[end : end + 1]
    if following == "-":
        return _end_of_hyphened(note, index)
    return end + 1 if following == "." and note.kinds[index] & lex.LETTER else end


def _end_of_hyphened(note: Note, index: int) -> int:
    """'Hauta-aho' to its end, 'Zorvath-type' before the hyphen."""
    end, kind = note.ends[index], note.kinds[index]
    rest = _SMALL_REST.match(note.text, end)
    if rest is None or not kind & lex.CAP or kind & lex.WORD:
        return end
    following = note.words[index + 1] if index + 1 < len(note.words) else ""
    return end if lex.load_lexicon().knows(following.lower()) else rest.end()
