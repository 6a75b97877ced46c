"""Numbers that no double can hold, looked for in JSON text that is sealed or kept without being parsed whole."""

from __future__ import annotations

import re
from collections.abc import Iterable

import orjson

# Over 1.8e308 a number has an exponent of three digits, or 210 digits before a smaller one. What begins with one letter is found
# fastest.
_small, _large = (re.compile(letter + rb"(?=[+0-9][0-9]{2,}(?:[\s,\]}]|\Z))").search for letter in (b"e", b"E"))
_LONGEST_SMALL = 200
_STEP = 50
_DIGITS_AT_EACH_STEP = re.compile(rb"[0-9]{4}").search  # of every 50th character, where 200 digits stand in a row


class UnreadableTextError(ValueError):
    """A text that no parser of ours can read; it never quotes it."""


def may_hold_large_number(content: bytes) -> bool:
    """True where JSON may hold a number that no double can. Tells more than there is, never less; half a gigabyte a second."""
    if _small(content) or _large(content):
        return True
    return len(content) >= _LONGEST_SMALL and _DIGITS_AT_EACH_STEP(content[::_STEP]) is not None


def require_readable(texts: Iterable[bytes]) -> None:
    """Raises UnreadableTextError where one of the JSON texts cannot be parsed."""
    if not all(map(is_readable, texts)):
        raise UnreadableTextError


def is_readable(text: bytes) -> bool:
    """Whether a JSON text can be parsed, its numbers as doubles."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
