"""Capitalised words that the words around them make a medicine, an instrument, a scale or an eponym."""

from __future__ import annotations

import re

from include.privacy.text import lexicon as lex
from include.privacy.text.reading import Note
from include.privacy.text.vocabulary import EPONYM_NOUNS

DOSE = re.compile(
    r"[ \t-]{0,2}(?:\d+(?:[.,/]\d+)?\s?(?:mg|mcg|µg|ml|g\b|gm|units?|%|meq|iu|tab|cap|puff|cc|mm|cm|french|fr\b|gauge|ga\b|-0\b)|tabs?\b|tablets?|caps?\b|capsules?|[®™]|\d-0\b|#\d)",
    re.IGNORECASE,
)
IS_COLON = re.compile(r"\s?:")
_ROMAN = re.compile(r"I{2,3}[abc]?|I?V[abc]?|VI{1,3}")
TWO_EPONYMS = frozenset(
    {
        ("jackson", "pratt"),
        ("grey", "turner"),
        ("marie", "tooth"),
        ("lou", "gehrig"),
        ("stevens", "johnson"),
        ("mary", "joseph"),
        ("pierre", "robin"),
        ("treacher", "collins"),
        ("fitz", "hugh"),
        ("hugh", "curtis"),
        ("arnold", "chiari"),
        ("bard", "parker"),
        ("carter", "thompson"),
        ("henry", "ford"),
        ("whitmore", "jewett"),
        ("austin", "flint"),
        ("graham", "steell"),
        ("wolff", "parkinson"),
        ("parkinson", "white"),
        ("christmas", "tree"),
        ("ray", "tec"),
        ("allen", "test"),
        ("reed", "sternberg"),
        ("mcgill", "pain"),
        ("z", "pak"),
        ("ann", "arbor"),
        ("kaplan", "meier"),
        ("holt", "oram"),
        ("lesch", "nyhan"),
        ("martin", "gruber"),
        ("watson", "schwartz"),
        ("bence", "jones"),
        ("howell", "jolly"),
        ("russell", "silver"),
        ("nance", "horan"),
        ("landry", "guillain"),
        ("simmonds", "sheehan"),
        ("levine", "harvey"),
        ("may", "thurner"),
        ("mallory", "weiss"),
    }
)


def is_term(note: Note, first: int, last: int) -> bool:
    """True of an unknown capitalised word that the words around make a medicine, an instrument, a scale or an eponym."""
    if last > first + 2:
        return False
    after = note.text[note.ends[last] : note.ends[last] + 20]
    kinds = note.kinds[first : last + 1]
    if DOSE.match(after):
        return not any(kind & lex.COMMON for kind in kinds)
    if last == first + 1 and (note.words[first].lower(), note.words[last].lower()) in TWO_EPONYMS:
        return True
    following = (
        note.words[last + 1].lower()
        if last + 1 < len(note.words) and note.before(last + 1) in (" ", "-", "'s ", "’s ")
        else ""
    )
    if following and _ROMAN.fullmatch(note.words[last + 1]):
        return not kinds[0] & lex.FIRST  # Rome IV; not John III
    if following in EPONYM_NOUNS or (note.words[last].lower(), following) in TWO_EPONYMS:
        return not (last > first and kinds[0] & lex.GIVEN and kinds[0] & lex.COMMON)
    return False
