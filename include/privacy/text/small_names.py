"""Names written small throughout: by the words around them, after a title, or because they are common and no words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from include.privacy.text import lexicon as lex
from include.privacy.text.lexicon import Lexicon
from include.privacy.text.name_extent import end_of_name
from include.privacy.text.reading import Note
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
    r"\b(?:name(?:d|s)?(?:\s(?:is|was))?|call(?:s|ed)? me|known as|called)\s?[:=]?\s{1,6}((?:[^\W\d_][\w'’-]*)(?:\s[^\W\d_]\b\.?)?(?:\s[^\W\d_][\w'’-]*){0,2})",
    re.IGNORECASE,
)
_SPEAKER_SMALL = re.compile(r"^([^\W\d_]{3,20})\s?: ?[\"“]", re.MULTILINE)
_INITIAL_SMALL = re.compile(r"\b([a-z]{3,15}) [b-hj-z]\.? ([a-z]{3,20})\b")
_LINE_SMALL = re.compile(r"^([a-z]{3,15})(?: [a-z]\.?)? ([a-z]{3,20})$", re.MULTILINE)
_SPEAK_OF_NAME = ("name", "Name", "call me", "calls me", "called me")
_WORD = re.compile(r"[\w'’-]+")
_SMALL_TITLES = ("dr", "mr", "mrs", "ms", "miss", "prof", "mister", "dra")
_TITLE_GAP = re.compile(r"\.?\s{0,3}$")
_OF_PATIENT = re.compile(
    r" (?:c/o|reports?|states?|denies|is|was|has|presents?|admits|seen|aware|here|came|to)\b|[,.;]"
)
_CALENDAR_OR_PLACE = lex.WEEKDAY | lex.MONTH | lex.COUNTRY | lex.STATE
_NO_SMALL_NAME = _CALENDAR_OR_PLACE | lex.WORD


def find_small_names(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """Words written small that are names, after words that say so or before an age."""
    yield from _after_patient(text, lexicon)
    yield from _before_age(text, lexicon)
    yield from _around_initial(text, lexicon)
    yield from _alone_in_line(text, lexicon)
    if any(cue in text for cue in _SPEAK_OF_NAME):
        yield from _after_said(text, lexicon)
    if ':"' in text or ': "' in text or "“" in text:
        yield from _speaking(text, lexicon)


def _after_patient(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """'pt is patricia m desrosiers'."""
    for found in _PATIENT_SMALL.finditer(text):
        given, family = found.groups()
        if (
            "G" in lexicon.names.get(given, "")
            and given not in FUNCTION_WORDS
            and family not in FUNCTION_WORDS
            and ("F" in lexicon.names.get(family, "") or not lexicon.knows(family))
        ):
            yield Span(found.start(1), found.end(2), NAME, 6)


def _before_age(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """'kathleen brennan, 71 yo' at the beginning of a line."""
    for found in _SUBJECT_SMALL.finditer(text):
        if "G" in lexicon.names.get(found[1], "") and not {found[1], found[2]} & FUNCTION_WORDS:
            yield Span(found.start(1), found.end(2), NAME, 6)


def _around_initial(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """'giorgia m ventura': two listed names around an initial, one of which is no word of the language."""
    for found in _INITIAL_SMALL.finditer(text):
        given, family = found.groups()
        is_listed = "g" in lexicon.names.get(given, "").lower() and "f" in lexicon.names.get(family, "").lower()
        if is_listed and not (lexicon.knows(given) and lexicon.knows(family)):
            yield Span(*found.span(), NAME, 5)


def _alone_in_line(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """'carla zenotti' as a line of its own: a frequent given name before no word of the language, or nobody's word before a frequent family name."""
    for found in _LINE_SMALL.finditer(text):
        given, family = found.groups()
        is_given, is_family = "G" in lexicon.names.get(given, ""), "F" in lexicon.names.get(family, "")
        if (is_given and not lexicon.knows(family)) or (
            is_family and not lexicon.knows(given) and not lexicon.knows(family)
        ):
            yield Span(*found.span(), NAME, 5)


def _speaking(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """'drovik: "it hurts"' at the beginning of a line, if the word is none of the language."""
    for found in _SPEAKER_SMALL.finditer(text):
        if found[1].islower() and not lexicon.knows(found[1]):
            yield Span(*found.span(1), NAME, 5)


def _after_said(text: str, lexicon: Lexicon) -> Iterator[Span]:
    """'her maiden name is nyberg', 'name: hyuuma t. maida'."""
    for found in _SAID_SMALL.finditer(text):
        start = found.start(1)
        stop = start + _length_of_names(found[1], lexicon)
        said = text[start:stop]
        if said.islower():
            first = said.split()[0]
            if lex.fold(first) in lexicon.names or not lexicon.knows(first):
                yield Span(start, stop, NAME, 6)


def _length_of_names(said: str, lexicon: Lexicon) -> int:
    """How many characters of what was said are names, initials behind them included."""
    length = 0
    for word in _WORD.finditer(said):
        low = word[0].lower()
        is_initial = len(low) == 1 and length > 0
        if low in FUNCTION_WORDS or not (low in lexicon.names or not lexicon.knows(low) or is_initial):
            break
        length = word.end()
    return length


def small_name_at(note: Note, lexicon: Lexicon, index: int) -> Iterator[Span]:
    """A name written small that begins with this title, or with this common name that is no word."""
    kind = note.kinds[index]
    if kind & lex.TITLE and note.words[index].lower() in _SMALL_TITLES:
        yield from small_name_after_title(note, lexicon, index)
    if kind & lex.NAMES and not kind & _NO_SMALL_NAME:
        stop = _end_of_small_name(note, lexicon, index)
        if _is_small_name(note, lexicon, index, stop):
            yield Span(note.starts[index], note.ends[stop], NAME, 4)


def small_name_after_title(note: Note, lexicon: Lexicon, index: int) -> Iterator[Span]:
    """'dr smith', 'dr. van houten': up to two words written small after a title, if they may be names."""
    stop = index
    for following in range(index + 1, min(index + 3, len(note.words))):
        folded = lex.fold(note.words[following])
        is_word = lexicon.knows(folded)
        may_be_name = not is_word or (following == index + 1 and folded in lexicon.names)
        if not may_be_name or not _may_follow_title(note, following):
            break
        stop = following
    if stop > index:
        yield Span(note.starts[index], end_of_name(note, stop), NAME, 8)


def _may_follow_title(note: Note, index: int) -> bool:
    """A word of letters and apostrophes, in the same paragraph as what stands before it."""
    gap, low = note.before(index), note.words[index].lower()
    is_near = _TITLE_GAP.match(gap) is not None and "\n\n" not in gap
    is_plain = low.replace("'", "").replace("’", "").isalpha()
    return is_near and is_plain and len(low) > 1 and low not in FUNCTION_WORDS


def _is_small_name(note: Note, lexicon: Lexicon, first: int, last: int) -> bool:
    """'pt hockenberry c/o nausea'; a common name; a name of three letters only with another behind it, as 'eva kleist'."""
    low = lex.fold(note.words[first])
    said = lexicon.names.get(low, "")
    if len(low) < 4:
        return len(low) == 3 and "G" in said and last > first
    return _is_common(low, said) or _is_patient(note, first)


def _is_common(low: str, said: str) -> bool:
    """``said`` is what the list says: G a frequent given name, F a frequent family name, g and f the rest."""
    if "G" in said or ("g" in said and "F" in said):
        return True
    return len(low) > 4 and (said == "F" or "g" in said)


def _is_patient(note: Note, index: int) -> bool:
    """'pt hockenberry c/o nausea'."""
    is_told = index > 0 and note.words[index - 1].lower() in ("pt", "patient") and note.before(index) in (" ", ". ")
    return is_told and _OF_PATIENT.match(note.text, note.ends[index]) is not None


def _end_of_small_name(note: Note, lexicon: Lexicon, index: int) -> int:
    """The last part of a name written small: an initial and words that are none ('patricia m desrosiers')."""
    stop = index
    for following in range(index + 1, min(index + 3, len(note.words))):
        low = note.words[following].lower()
        if note.before(following) not in (" ", ". ", "-") or not low.isalpha():
            break
        if _is_further_part(lexicon, low, note.kinds[following]):
            stop = following
        elif len(low) > 1 or low in "ai":
            break
    return stop


def _is_further_part(lexicon: Lexicon, low: str, kind: int) -> bool:
    if kind & _CALENDAR_OR_PLACE or lexicon.knows(low):
        return False
    return len(low) > 2 or "F" in lexicon.names.get(low, "")
