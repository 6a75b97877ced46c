"""Escape sequences of HL7 v2 (chapter 2, section 2.7) in text whose delimiters are already the usual ones."""

from __future__ import annotations

import re

_SEQUENCE = re.compile(r"\\([^\\\r]{0,200})\\", re.ASCII)
_WORDS = {
    "F": "|",
    "S": "^",
    "T": "&",
    "R": "~",
    "E": "\\",
    "P": "#",
    "H": "",  # highlighting begins and ends
    "N": "",
    ".br": "\n",
    ".ce": "\n",
    ".fi": "",
    ".nf": "",
}
_FORMATS = re.compile(r"\.(sp|in|ti|sk)([+-]?\d{0,3})", re.ASCII)
_HEXADECIMAL = re.compile(r"X((?:[0-9A-Fa-f]{2})+)", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]", re.ASCII)


def unescape(text: str) -> str:
    """Text with its escape sequences read. What is no known sequence stays as it is."""
    return _SEQUENCE.sub(_read, text) if "\\" in text else text


def _read(found: re.Match) -> str:
    word = found[1]
    if word in _WORDS:
        return _WORDS[word]
    shape = _FORMATS.fullmatch(word)
    if shape:
        return _format(shape[1], shape[2])
    hexadecimal = _HEXADECIMAL.fullmatch(word)
    return _bytes_of(hexadecimal[1], found[0]) if hexadecimal else found[0]


def _format(kind: str, number: str) -> str:
    if kind == "sp":
        return "\n" * min(int(number or 1), 20) if number.lstrip("+-").isdigit() or not number else "\n"
    return " " if kind == "sk" else ""


def _bytes_of(digits: str, as_written: str) -> str:
    """Bytes told in hexadecimal; control characters other than tabs and line ends are not let in."""
    raw = bytes.fromhex(digits)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return as_written if _CONTROL.search(text) else text.replace("\r", "\n")
