"""Names written small throughout, by the words around them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from include.privacy.text import lexicon as lex
from include.privacy.text.lexicon import Lexicon
from include.privacy.text.spans import NAME, Span
from include.privacy.text.vocabulary import FUNCTION_WORDS

_PATIENT_SMALL = re.compile(
    r"\b(?:pt|patient|client|resident|by|for|from|with|hi|dear) (?:is |named |name |mr |ms |mrs |dr )?([a-z]{3,15})(?: [a-z]\.?)? ([a-z]{3,20})\b"
)
_SUBJECT_SMALL = re.compile(
    r"^([a-z]{3,15})(?: [a-z]\.?)? ([a-z][a-z'’-]{1,20})(?=,? (?:is|was) an? |,? (?:a |an )?\d{1,3}[- ]?(?:y\b|yo\b|y/o|year|f\b|m\b))",
    re.MULTILINE,
)
_SAID_SMALL = re.compile(
    r"\b(?:name(?:d|s)?(?:\s(?:is|was))?|calls me|known as|called)\s?[:=]?\s{1,6}((?:[^\W\d_][\w'’-]*)(?:\s[^\W\d_]\b\.?)?(?:\s[^\W\d_][\w'’-]*){0,2})",
    re.IGNORECASE,
)


def find_small_names(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """'her maiden name is nyberg', 'name: hyuuma t. maida': words written small that are none, after words that say so."""
    for found in _PATIENT_SMALL.finditer(text):
        first, family = lexicon.names.get(found[1], ""), found[2]
        if (
            "G" in first
            and found[1] not in FUNCTION_WORDS
            and family not in FUNCTION_WORDS
            and ("F" in lexicon.names.get(family, "") or not lexicon.knows(family))
        ):
            yield Span(found.start(1), found.end(2), NAME, 6)
    for found in _SUBJECT_SMALL.finditer(text):
        if "G" in lexicon.names.get(found[1], "") and not {found[1], found[2]} & FUNCTION_WORDS:
            yield Span(found.start(1), found.end(2), NAME, 6)
    if "name" not in text and "Name" not in text and "calls me" not in text:
        return
    for found in _SAID_SMALL.finditer(text):
        start, end = found.span(1)
        stop = start
        for word in re.finditer(r"[\w'’-]+", found[1]):
            low = word[0].lower()
            is_name = low in lexicon.names or not lexicon.knows(low) or (len(low) == 1 and stop > start)
            if low in FUNCTION_WORDS or not is_name:
                break
            stop = start + word.end()
        if (
            stop > start
            and text[start:stop].islower()
            and (
                lex.fold(text[start:stop].split()[0]) in lexicon.names or not lexicon.knows(text[start:stop].split()[0])
            )
        ):
            yield Span(start, stop, NAME, 6)
