"""Names that are also words, by the names that were found in the same text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from include.privacy.text import lexicon as lex
from include.privacy.text.reading import Note
from include.privacy.text.spans import NAME, Span
from include.privacy.text.terms import DOSE, IS_COLON, is_term
from include.privacy.text.vocabulary import FUNCTION_WORDS, TERM_AFTER

_LIST_GAP = re.compile(r"(?:,|,? and|,? or| &|/) ?$")


def find_again(note: Note, found: list[Span]) -> Iterator[Span]:
    """Names that are also words, where the text itself named the person elsewhere or lists them beside a name.

    'Mr. Graves … Graves was seen', 'Morrison, Rogers and Torres'.
    """
    names = [span for span in found if span.label == NAME]
    if not names:
        return
    starts = {span.start for span in names if span.weight >= 5}
    ends = {span.end: span.weight for span in names if span.weight >= 5}
    covered = bytearray(len(note.text) + 1)
    for span in names:
        covered[span.start : span.end] = b"\1" * (span.end - span.start)
    told: set[str] = set()
    for index in note.marked:
        if (
            covered[note.starts[index]]
            and note.kinds[index] & lex.CAP
            and len(note.words[index]) > 2
            and not note.kinds[index] & lex.TITLE
        ):
            told.add(note.words[index].lower())
    told -= FUNCTION_WORDS
    for index in note.marked:
        kind = note.kinds[index]
        is_open = kind & lex.CAP and not covered[note.starts[index]]
        if (
            is_open
            and "," in note.text[max(0, note.starts[index] - 2) : note.starts[index]]
            and _is_given_after(note, index, ends)
        ):
            yield Span(note.starts[index - 1], note.ends[index], NAME, 5)
            continue
        if (
            not kind & lex.CAP
            or covered[note.starts[index]]
            or kind & (lex.LETTER | lex.MONTH | lex.WEEKDAY | lex.COUNTRY)
        ):
            continue
        if note.text[note.ends[index] : note.ends[index] + 1] == "," and _is_family_first(note, index, starts):
            yield Span(note.starts[index], note.ends[index + 1], NAME, 5)
            continue
        is_told = note.words[index].lower() in told and not (kind & lex.UPPER and not kind & lex.NAMES)
        if not (
            is_told
            or (
                kind & lex.COMMON
                and kind & lex.NAMES
                and not kind & lex.UPPER
                and _is_listed(note, index, starts, ends)
            )
        ):
            continue
        after = note.text[note.ends[index] : note.ends[index] + 20]
        following = note.words[index + 1].lower() if index + 1 < len(note.words) else ""
        if kind & lex.WORD and following in TERM_AFTER:
            continue
        if (
            not is_term(note, index, index)
            and not (IS_COLON.match(after) and not kind & lex.NAMES)
            and not DOSE.match(after)
        ):
            yield Span(note.starts[index], note.ends[index], NAME, 4)


def _is_family_first(note: Note, index: int, starts: set[int]) -> bool:
    """JOHNSON, TYRONE: a family name, a comma, and a name that begins with a given one."""
    kind = note.kinds[index]
    is_unknown = len(note.words[index]) > (4 if kind & lex.UPPER else 2) and not kind & (
        lex.WORD | lex.CLINICAL | lex.PLACE | lex.vocabulary.ROLE_BITS
    )
    if not (kind & lex.FAMILY or is_unknown) or index + 1 >= len(note.words) or note.gap(index) not in (", ", ","):
        return False
    return note.starts[index + 1] in starts and bool(note.kinds[index + 1] & lex.GIVEN)


def _is_given_after(note: Note, index: int, ends: dict[int, int]) -> bool:
    """NIELSEN, JEAN; Name: Dias, Jan: a given name after a family name and a comma, though it is a word, a month or a land."""
    if not index or note.gap(index - 1) not in (", ", ",") or note.ends[index - 1] not in ends:
        return False
    kind = note.kinds[index]
    if not kind & lex.GIVEN or kind & lex.CREDENTIAL or note.words[index].lower() in FUNCTION_WORDS:
        return False
    are_capitals = bool(kind & note.kinds[index - 1] & lex.UPPER) and len(note.words[index]) > 2
    return are_capitals or ends[note.ends[index - 1]] >= 8


def _is_listed(note: Note, index: int, starts: set[int], ends: dict[int, int]) -> bool:
    """Beside a name, with a comma or 'and' between."""
    text = note.text
    if index + 1 < len(note.words):
        following = index + 1 if note.words[index + 1] not in ("and", "or") else index + 2
        if (
            following < len(note.words)
            and note.starts[following] in starts
            and _LIST_GAP.fullmatch(text[note.ends[index] : note.starts[following]].rstrip())
        ):
            return True
    previous = index - 1 if index and note.words[index - 1] not in ("and", "or") else index - 2
    return (
        previous >= 0
        and note.ends[previous] in ends
        and _LIST_GAP.fullmatch(text[note.ends[previous] : note.starts[index]].rstrip()) is not None
    )
