"""Invented values for identifiers: the same for the same value within one scope, telling nothing of it without the key.

A scope is a person, or a document where no person is known: across scopes the same name becomes different ones, so that
counting names tells nothing. Numbers, addresses of the net and phones come from ranges reserved for examples (RFC 2606, RFC 5737,
NANP 555-01xx) or are of a kind nobody is issued (SSN area 000).
"""

from __future__ import annotations

import hashlib
import hmac
import re

from include.privacy.text import spans
from include.privacy.text.lexicon import fold, load_lexicon
from include.privacy.text.replace import Invent
from include.privacy.text.vocabulary import TITLES

_WORD = re.compile(r"[^\W\d_]+")
_STREETS = (
    "Main Street",
    "Oak Avenue",
    "Maple Drive",
    "Cedar Lane",
    "Park Road",
    "Lake Street",
    "Hill Avenue",
    "River Road",
)
_TOWNS = ("Fairview", "Riverside", "Centerville", "Greenville", "Franklin", "Clinton", "Madison", "Salem")


def make_inventor(key: bytes, scope: str) -> Invent:
    """A function from (class, value found) to a value of the same kind."""
    given, family = _name_lists()

    def number(label: str, value: str) -> int:
        return int.from_bytes(
            hmac.digest(key, f"surrogate|{scope}|{label}|{fold(value)}".encode(), hashlib.sha256)[:8], "big"
        )

    def name(found: str) -> str:
        words = iter(range(99))
        lists = (given, family)

        def instead(word: re.Match) -> str:
            if fold(word[0]) in TITLES:
                return word[0]
            return _cased(word[0], _pick(lists[next(words) % 2], number("NAME", word[0])))

        return _WORD.sub(instead, found)

    def digits(label: str, found: str) -> str:
        seed = str(number(label, found)) * (1 + len(found) // 18)
        signs = iter(seed)
        return "".join(next(signs) if sign.isdigit() else "X" if sign.isalpha() else sign for sign in found)

    def invent(label: str, found: str) -> str:
        if label == spans.NAME:
            return name(found)
        return _of_kind(label, number(label, found)) or digits(label, found)

    return invent


def _of_kind(label: str, number: int) -> str | None:
    match label:
        case spans.LOCATION:
            return f"{number % 900 + 100} {_STREETS[number % len(_STREETS)]}, {_TOWNS[number // 7 % len(_TOWNS)]}"
        case spans.PHONE | spans.FAX:
            return f"{200 + number % 700}-555-01{number // 700 % 100:02d}"
        case spans.EMAIL:
            return f"person{number % 100000}@example.org"
        case spans.URL:
            return f"https://example.org/{number % 100000}"
        case spans.IP:
            return f"192.0.2.{number % 256}"
        case spans.SSN:
            return f"000-{number % 99 + 1:02d}-{number // 99 % 10000:04d}"
        case spans.ORGANIZATION:
            return f"Company {number % 1000}"
    return None


def _name_lists() -> tuple[list[str], list[str]]:
    names = load_lexicon().names
    given = sorted(name for name, said in names.items() if "G" in said and len(name) > 3)
    family = sorted(name for name, said in names.items() if "F" in said and "G" not in said and len(name) > 3)
    return given, family


def _pick(names: list[str], number: int) -> str:
    return names[number % len(names)]


def _cased(original: str, name: str) -> str:
    return name.upper() if original.isupper() and len(original) > 1 else name if original.islower() else name.title()
