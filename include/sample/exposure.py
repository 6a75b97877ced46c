"""Looking for planted identifiers in text that should hold none. One pass, whatever their number."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

NUMBER = re.compile(r"\(?\d{3}\)?[ .-]?\d{3}[ .-]\d{4}|\d{3}-\d{2}-\d{4}|[A-Za-z]*-?[0-9a-f]{8,}")
MAIL = re.compile(r"[\w.+'-]+@[\w.-]+")
WORD = re.compile(r"[\w'’-]+")
NAME_KINDS = ("full_name", "inverted_name", "contact_name", "relative_name", "street", "file_name")
SINGLE_KINDS = ("given_name", "family_name")


def plain_number(text: str) -> str:
    """The characters of a number that tell it apart, whatever is written between them."""
    return "".join(letter for letter in text.lower() if letter.isalnum())


def plain_words(text: str) -> tuple[str, ...]:
    """The words of a name, in lower case; quotes around one do not belong to it."""
    return tuple(filter(None, (word.strip("'’-") for word in WORD.findall(text.replace("_", " ").lower()))))


@dataclass
class IdentifierIndex:
    """Identifiers by kind of search: numbers and mail addresses anywhere, names of several words anywhere, single names as whole values."""

    numbers: dict[str, str] = field(default_factory=dict)
    names: dict[tuple[str, ...], str] = field(default_factory=dict)
    single: dict[str, str] = field(default_factory=dict)
    lengths: dict[str, set[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> "IdentifierIndex":
        """Build the index from the key's rows."""
        index = cls()
        for row in rows:
            kind, value = row["kind"], row["value"]
            if kind in NAME_KINDS:
                index._add_name(kind, plain_words(value))
            elif kind in SINGLE_KINDS:
                if not row["is_word"]:
                    index.single[value.lower()] = kind
            else:
                index.numbers[plain_number(value)] = kind
        return index

    def _add_name(self, kind: str, words: tuple[str, ...]) -> None:
        if len(words) > 1:
            for order in (words, (*words[1:], words[0])) if kind == "full_name" else (words,):
                self.names[order] = kind
                self.lengths.setdefault(order[0], set()).add(len(order))

    def search(self, text: str) -> Counter[str]:
        """Return how often each kind of identifier stands in a text."""
        found: Counter[str] = Counter()
        for pattern in (NUMBER, MAIL):
            for match in pattern.findall(text):
                if kind := self.numbers.get(plain_number(match)):
                    found[kind] += 1
        words = plain_words(text)
        for start, word in enumerate(words):
            for length in self.lengths.get(word, ()):
                if kind := self.names.get(words[start : start + length]):
                    found[kind] += 1
        if kind := self.single.get(text.strip().lower()):
            found[kind] += 1
        return found


def search_texts(texts: Iterable[tuple[str, str]], index: IdentifierIndex) -> Counter[tuple[str, str]]:
    """Return how often each kind stands in each place; `texts` are (place, text)."""
    found: Counter[tuple[str, str]] = Counter()
    for place, text in texts:
        for kind, count in index.search(text).items():
            found[place, kind] += count
    return found
