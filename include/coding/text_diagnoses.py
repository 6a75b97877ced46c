"""Diagnoses told in words: found by dictionary, with what the words around say of them.

The dictionary is ``include/policies/diagnosis_terms.yml``. Around each term, trigger words say whether it is denied, past, a
relative's or uncertain, within a few words and not beyond a stop: the approach of NegEx (Chapman et al., J Biomed Inform 2001)
and ConText (Harkema et al., J Biomed Inform 2009), with rules of our own. Only what is affirmed of the patient counts as a
diagnosis; the rest is told with its context and codes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from include.errors import PlumblineError
from include.sources.declared import read_yaml

TERMS_FILE = Path(__file__).resolve().parents[1] / "policies" / "diagnosis_terms.yml"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
CONTEXTS = (
    "affirmed",
    "uncertain",
    "history",
    "family",
    "negated",
)  # from the weakest statement against to the strongest
LONGEST_TEXT = 4_000  # characters that are looked at; a diagnosis is a line
_REACH = 6  # words that a trigger reaches over

_BEFORE = {
    "negated": (
        "no", "not", "denies", "denied", "denying", "without", "no evidence of", "no sign of", "no signs of", "negative for",
        "absence of", "free of", "rules out", "ruled out", "ruled out for", "never had", "does not have", "doesn't have", "did not have",
        "no history of", "no hx of", "no known", "excluded", "unremarkable for", "neg for", "neither", "nor",
    ),
    "history": (
        "history of", "hx of", "h/o", "hx", "past medical history of", "past history of", "pmh of", "pmh", "previous", "prior",
        "status post", "s/p", "resolved", "old", "remote", "in remission from", "recovered from", "childhood", "former", "treated for",
    ),
    "family": (
        "family history of", "family hx of", "fh of", "fhx of", "fhx", "fh", "familial risk of", "mother with", "father with", "mother had", "father had",
        "mother has", "father has", "brother with", "sister with", "brother has", "sister has", "brother had", "sister had",
        "maternal", "paternal", "grandmother", "grandfather", "parents with", "sibling with", "aunt with", "uncle with", "son with", "daughter with",
        "mother", "father", "brother", "sister", "family history", "family hx",
    ),
    "uncertain": (
        "possible", "possibly", "probable", "probably", "suspected", "suspect", "suspicion of", "suspicious for", "concern for",
        "concerning for", "likely", "rule out", "r/o", "questionable", "question of", "may have", "might have", "could be", "consider",
        "differential", "screening for", "screen for", "at risk for", "risk of", "worried about", "evaluate for", "versus", "vs",
    ),
}  # fmt: skip
_AFTER = {
    "negated": ("was ruled out", "is ruled out", "ruled out", "has been ruled out", "unlikely", "was negative", "is negative", "negative", "absent", "not present", "not found", "excluded", "denied"),
    "history": ("resolved", "in remission", "in the past", "as a child", "years ago", "by history"),
    "family": ("in mother", "in father", "in the family", "in family", "in brother", "in sister", "in his mother", "in her mother", "in his father", "in her father", "runs in the family"),
    "uncertain": ("not excluded", "not ruled out", "cannot be excluded", "cannot be ruled out", "suspected", "possible", "to be ruled out", "questionable"),
}  # fmt: skip
# Words that look like a trigger and are none.
_PSEUDO = (
    "no change in",
    "no increase in",
    "not only",
    "without difficulty",
    "no improvement in",
    "not certain whether",
    "no further",
    "old age",
    "not well controlled",
    "not controlled",
    "no longer controlled",
)
_STOP = frozenset(
    [
        "but",
        "however",
        "although",
        "though",
        "except",
        "yet",
        "aside",
        "apart",
        "which",
        "still",
        "now",
        "presents",
        "presenting",
        "secondary",
        "due",
        "because",
    ]
)
_WORDS = re.compile(r"[a-z0-9]+(?:['/\-][a-z0-9]+)*|[.;:?!\n,()]")
_STOPS_EVERY = frozenset(".;:!\n")


class TextDiagnosis(NamedTuple):
    """A diagnosis found in words: its ICD-10-CM code and one of CONTEXTS."""

    code: str
    context: str


class DiagnosisTermsError(PlumblineError):
    """include/policies/diagnosis_terms.yml cannot be used."""


def diagnoses_in(text: str) -> list[TextDiagnosis]:
    """Every diagnosis that a text names, each code once, with the strongest claim made for it. Never raises."""
    words = _WORDS.findall(_plain(text[:LONGEST_TEXT]))
    found: dict[str, str] = {}
    terms = list(_terms_in(words))
    for code, start, end in terms:
        context = _context(words, start, end, {at for _, begun, ended in terms for at in range(begun, ended)})
        if code not in found or CONTEXTS.index(context) < CONTEXTS.index(found[code]):
            found[code] = context
    return [TextDiagnosis(code, context) for code, context in found.items()]


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.replace("’", "'"))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


@lru_cache(maxsize=1)
def _dictionary() -> tuple[Mapping[tuple[str, ...], str], int]:
    """Words of a term -> code, and how many words the longest term has."""
    said = read_yaml(TERMS_FILE, DiagnosisTermsError)
    terms: dict[tuple[str, ...], str] = {}
    for code, names in said.get("terms", {}).items():
        for name in names:
            words = _singular(_WORDS.findall(_plain(name)))
            if terms.setdefault(words, code) != code:
                raise DiagnosisTermsError(
                    found=f"{TERMS_FILE.name} gives one term two codes, {terms[words]} and {code}",
                    expected="every term under one code",
                    action="take it out of one of them",
                )
    return terms, max(map(len, terms), default=0)


def _singular(words: list[str]) -> tuple[str, ...]:
    return tuple(
        word[:-1] if len(word) > 4 and word.endswith("s") and not word.endswith(("ss", "is", "us")) else word
        for word in words
    )


def _terms_in(words: list[str]) -> Iterator[tuple[str, int, int]]:
    """Code, first and behind-last word of every term, the longest where several begin together; none within another."""
    terms, longest = _dictionary()
    singular = _singular(words)
    at = 0
    while at < len(words):
        for size in range(min(longest, len(words) - at), 0, -1):
            code = terms.get(singular[at : at + size])
            if code:
                yield code, at, at + size
                at += size
                break
        else:
            at += 1


def _context(words: list[str], start: int, end: int, within_terms: set[int]) -> str:
    before = _reach(words, range(start - 1, -1, -1), within_terms)[::-1]
    after = _reach(words, range(end, len(words)), within_terms)
    found = {context for context, triggers in _BEFORE.items() if _says(before, triggers)}
    found |= {context for context, triggers in _AFTER.items() if _says(after, triggers)}
    if "negated" in found and (
        _says(after, _AFTER["uncertain"])
        or not _says(_without_pseudo(before), _BEFORE["negated"])
        and not _says(after, _AFTER["negated"])
    ):
        found.discard("negated")
    if "uncertain" in found and {"history", "family"} & found:
        found.discard("uncertain")
    if end < len(words) and words[end] == "?" or start and words[start - 1] == "?":
        found.add("uncertain")
    # "family history of" holds "history of", "no history of" holds both: the strongest statement against counts
    return max(found, key=CONTEXTS.index, default="affirmed")


def _reach(words: list[str], positions: range, within_terms: set[int]) -> list[str]:
    """Words from a term on, up to a stop. Commas and other terms are read over: 'no fever, cough or pneumonia' denies all three."""
    taken: list[str] = []
    for at in positions:
        word = words[at]
        if word in _STOPS_EVERY or word in _STOP:
            break
        if at in within_terms or word in ",()?":
            continue
        taken.append(word)
        if len(taken) == _REACH:
            break
    return taken


def _says(words: list[str], triggers: tuple[str, ...]) -> bool:
    said = f" {' '.join(words)} "
    return any(f" {trigger} " in said for trigger in triggers)


def _without_pseudo(words: list[str]) -> list[str]:
    said = f" {' '.join(words)} "
    for pseudo in _PSEUDO:
        said = said.replace(f" {pseudo} ", " ")
    return said.split()
