"""The shape of a refused record, without its values: what a steward needs to see what is wrong with its form.

Letters become x and digits 9; what a format is made of (quotes, braces, separators, signs) stays. A run of letters is cut to
three, so that the length of a name says little; the names of JSON members stay where they look like FHIR's.
"""

from __future__ import annotations

import re

BEGINNING, END = 300, 100
_LETTERS = re.compile(r"[^\W\d_]+")
_DIGITS = re.compile(r"\d")
_MEMBER = re.compile(r'"([a-z][A-Za-z]{0,39})"(\s*:)')
_PLACE = "\x00"  # of a member's name while the rest is redacted
_ODD = re.compile(r"[^\x00\x20-\x7e]")


def redact(record: bytes) -> str:
    """The shape of a record's bytes on one line: its beginning and, of a long one, its end.

    Bytes that are not UTF-8 show as ``?``, and so do other characters outside ASCII: either may be what is wrong.
    """
    text = record.rstrip(b"\r\n").replace(b"\x00", b"?").decode("utf-8", errors="replace")
    if len(text) <= BEGINNING + END:
        return _shape(text)
    return f"{_shape(text[:BEGINNING])} … {_shape(text[-END:])}"


def _shape(text: str) -> str:
    members = [f'"{name}"{colon}' for name, colon in _MEMBER.findall(text)]
    hidden = _LETTERS.sub(lambda letters: "x" * min(len(letters[0]), 3), _MEMBER.sub(_PLACE, text))
    shape = _ODD.sub("?", _DIGITS.sub("9", hidden))
    return re.sub(_PLACE, lambda _: members.pop(0), shape)
