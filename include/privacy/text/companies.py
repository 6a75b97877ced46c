"""Companies, by the word that ends their name: 'Zorvath Holdings', 'Smith & Quelbrin LLC'."""

from __future__ import annotations

from include.privacy.text import lexicon as lex
from include.privacy.text.reading import Note
from include.privacy.text.spans import ORGANIZATION, Span
from include.privacy.text.vocabulary import FUNCTION_WORDS

_MOST_WORDS_BEFORE = 5
_INSIDE_COMPANY = (" ", ", ", " & ", "-", ". ")
# These also end what is none: business partners, BLOOD BANK.
_UNSURE_ENDINGS = ("partners", "bank", "associates", "co", "company", "group")


def find_company(note: Note, index: int) -> Span | None:
    """Up to five words and the ending at ``index``; after unsure endings, as 'Group', written with one capital."""
    first = _first_of_company(note, index)
    if first == index:
        return None
    if note.words[index].lower() not in _UNSURE_ENDINGS:
        return Span(note.starts[first], note.ends[index], ORGANIZATION, 6)
    kind = note.kinds[index]
    if kind & lex.CAP and not kind & lex.UPPER and note.before(index) == " ":
        return Span(note.starts[first], note.ends[index], ORGANIZATION, 5)
    return None


def _first_of_company(note: Note, index: int) -> int:
    """The first capital before the ending that is no 'The' and holds no number; ``index`` if there is none."""
    first = index
    while (
        first > 0
        and index - first < _MOST_WORDS_BEFORE
        and note.before(first) in _INSIDE_COMPANY
        and (note.kinds[first - 1] & lex.CAP or note.words[first - 1] == "and")
    ):
        first -= 1
    while first < index and not _may_begin_company(note, first):
        first += 1
    return first


def _may_begin_company(note: Note, index: int) -> bool:
    word = note.words[index]
    has_digit = any(map(str.isdigit, word))
    return bool(note.kinds[index] & lex.CAP) and not has_digit and word.lower() not in FUNCTION_WORDS
