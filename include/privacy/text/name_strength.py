"""How much a single capitalised word speaks for a name, before its neighbours are asked."""

from __future__ import annotations

import re

from include.privacy.text import lexicon as lex
from include.privacy.text.reading import Note
from include.privacy.text.vocabulary import FUNCTION_WORDS

STRONG, MAYBE, WEAK, NEVER = 3, 2, 1, 0  # a name; one beside others; a part of one; not one

_NUMBERED = re.compile(r"[A-ZÀ-Þ][^\W\d_A-Z][^\W\d_]*\d{2,4}")
_NO_VOWEL = re.compile(r"[^aeiouyAEIOUY]{2,5}", re.ASCII)  # Mgmt, Hgb: an abbreviation
_CALENDAR_OR_LAND = lex.WEEKDAY | lex.COUNTRY
_WORD_OF_SOME_KIND = lex.CLINICAL | lex.WORD | lex.FACILITY | lex.TITLE | lex.STREET | lex.CUE
# A listed name of one of these kinds is also something else: Foley, Grant, Lane, March, Virginia.
_SOMETHING_ELSE = _WORD_OF_SOME_KIND | lex.MONTH | lex.STATE
# A word of one of these kinds that no list of names holds is none: Hospital, RN, Inc, Wife.
_NO_NAME = _WORD_OF_SOME_KIND | lex.CREDENTIAL | lex.COMPANY | lex.RELATION
_GIVEN_THOUGH_FUNCTION_WORDS = ("will", "may", "date")


def strength_of(note: Note, index: int, is_shouted: bool) -> int:
    """STRONG, MAYBE, WEAK or NEVER for one word. ``is_shouted``: the whole note is in capitals, which then say nothing."""
    kind, word = note.kinds[index], note.words[index]
    if kind & lex.LETTER:
        return _of_letter(note, index)
    if not kind & lex.CAP:
        return WEAK if kind & lex.PARTICLE else NEVER
    if (
        kind & _CALENDAR_OR_LAND
        or (kind & lex.MONTH and not kind & lex.NAMES)
        or (kind & lex.STATE and not kind & lex.COMMON)
    ):
        return NEVER
    if _NUMBERED.fullmatch(word):
        return _of_numbered(word)
    if kind & lex.NAMES:
        return _of_listed(kind, word, is_shouted)
    return _of_unlisted(kind, word, is_shouted)


def _of_letter(note: Note, index: int) -> int:
    """'J.' is part of a name; I, A and O without a full stop are words, but not in 'Leena O Sasi'."""
    end = note.ends[index]
    if note.text[end : end + 1] == "/":  # C/S, N/V
        return NEVER
    is_pronoun = note.words[index] in "IAO" and note.text[end : end + 1] != "."
    return NEVER if is_pronoun and not _is_between_names(note, index) else WEAK


def _is_between_names(note: Note, index: int) -> bool:
    """I, A or O without a full stop, after a name and (but for A) before another: Leena O Sasi."""
    if not index or not note.kinds[index - 1] & lex.NAMES:
        return False
    following = note.kinds[index + 1] if index + 1 < len(note.kinds) else 0
    is_between = following & lex.CAP and not following & lex.UPPER and note.gap(index) == " "
    return note.words[index] == "A" or bool(is_between and not following & lex.WORD)


def _of_numbered(word: str) -> int:
    """Generated names, as Yvone889; a word with a number is none."""
    stem = lex.fold(word.rstrip("0123456789"))
    lexicon = lex.load_lexicon()
    return STRONG if stem in lexicon.names or not lexicon.knows(stem) else NEVER


def _of_listed(kind: int, word: str, is_shouted: bool) -> int:
    """A word of the lists of names: Desmond; Grant and Foley only beside others; ANN may be an abbreviation."""
    if kind & _SOMETHING_ELSE:
        low = word.lower()
        is_given = kind & lex.GIVEN and low in _GIVEN_THOUGH_FUNCTION_WORDS
        return NEVER if low in FUNCTION_WORDS and not is_given else MAYBE
    is_short = len(word) < 4 or (len(word) < 5 and not kind & lex.COMMON)
    return MAYBE if kind & lex.UPPER and not is_shouted and is_short else STRONG


def _of_unlisted(kind: int, word: str, is_shouted: bool) -> int:
    """A name where no dictionary knows the word (Hauta, Bjørnstad) and it does not look like CXR, LigaSure or Hgb."""
    if kind & _NO_NAME:
        return NEVER
    has_digit = any(map(str.isdigit, word))
    if kind & lex.UPPER and (len(word) < 6 or is_shouted or has_digit):
        return WEAK if len(word) > 2 and word.isalpha() else NEVER
    if kind & lex.MIXED or has_digit or len(word) < 3:
        return WEAK if len(word) > 1 else NEVER
    return WEAK if _NO_VOWEL.fullmatch(word) and word.isascii() else STRONG
