"""E-mail addresses, web addresses and handles."""

from __future__ import annotations

import re
from collections.abc import Iterator

from include.privacy.text.spans import EMAIL, ID, URL, Span

_EMAIL = re.compile(r"[\w.+%'-]{1,64}\s?@\s?(?:[\w-]{1,63}\.){1,6}[A-Za-z]{2,24}\b")
_SPELT_EMAIL = re.compile(
    r"\b[\w.+-]{2,64}\s?[\[(]at[\])]\s?[\w-]{2,63}(?:\s?(?:\.|[\[(]dot[\])])\s?[\w-]{2,24}){1,4}", re.IGNORECASE
)
_SPOKEN_EMAIL = re.compile(
    r"\b[\w.+-]{2,64} at [\w-]{2,63}(?: dot [\w-]{2,63}){0,3} dot (?:com|org|net|edu|gov|mil|io|us|co|uk|health)\b",
    re.IGNORECASE,
)
_HANDLE = re.compile(r"(?<![\w.@])@[A-Za-z]\w{2,30}\b")
_URL = re.compile(r"\b(?:https?|ftp|sftp)://[^\s<>\"'\])}]+|\bwww\.[^\s<>\"'\])}]+", re.IGNORECASE)
_DOMAIN = re.compile(
    r"(?<![\w@.-])(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,4}(?:com|org|net|edu|gov|mil|info|biz|io|co|us|uk|ca|de|fr|app|dev|me|tv|health|care|clinic)"
    r"(?:/[^\s<>\"'\])}]*)?(?![\w@])"
)
_DOMAIN_END = re.compile(
    r"[a-z0-9]\.(?:com|org|net|edu|gov|mil|info|biz|io|co|us|uk|ca|de|fr|app|dev|me|tv|health|care|clinic)\b"
)


def find_contacts(text: str) -> Iterator[Span]:
    """Addresses of the net. A text without '@', '://' or a domain's end costs three searches."""
    if "@" in text:  # heavier than names: a mail address that is made of one is a mail address
        yield from (Span(*each.span(), EMAIL, 10) for each in _EMAIL.finditer(text))
        yield from (Span(*each.span(), ID, 4) for each in _HANDLE.finditer(text))
    if "(at)" in text or "[at]" in text or "(AT)" in text:
        yield from (Span(*each.span(), EMAIL, 10) for each in _SPELT_EMAIL.finditer(text))
    if " dot " in text or " DOT " in text:
        yield from (Span(*each.span(), EMAIL, 10) for each in _SPOKEN_EMAIL.finditer(text))
    if "://" in text or "www." in text or "WWW." in text:
        yield from (Span(each.start(), _end_of_url(each), URL, 9) for each in _URL.finditer(text))
    for each in _DOMAIN_END.finditer(text):
        begin = each.start()
        while begin > 0 and each.start() - begin < 80 and (text[begin - 1].isalnum() or text[begin - 1] in ".-"):
            begin -= 1
        domain = _DOMAIN.match(text, begin)
        if domain:
            yield Span(domain.start(), _end_of_url(domain), URL, 7)


def _end_of_url(found: re.Match) -> int:
    """A full stop or comma after an address ends the sentence, not the address."""
    return found.start() + len(found[0].rstrip(".,;:!?"))
