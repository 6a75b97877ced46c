"""Addresses without a street: post-office boxes, rural routes, military mail."""

from __future__ import annotations

import re
from collections.abc import Iterator

from include.privacy.text.address_lines import extend, number_before
from include.privacy.text.spans import LOCATION, Span

_PO_BOX = re.compile(
    r"\b(?:(?:P\.?\s?O\.?|post office) ?Box|post(?:box|boks|fach|bus)|apartado(?: postal| de correos)?|caixa postal|bo[iî]te postale"
    r"|casella postale)\s?#?\s?\d{1,6}\b",
    re.IGNORECASE,
)
_SPEAKS_OF_BOX = re.compile(r"[Bb]ox|BOX|[Pp]ost(?:boks|fach|bus)|[Aa]partado|[Pp]osta(?:le?)\b")
_RURAL = re.compile(r"\b(?:R\.?R\.?|HC|HCR|Rural Route|Star Route) ?#?\d{1,3},? Box \d{1,5}\b", re.IGNORECASE)
_MILITARY = re.compile(
    r"\b(?:(?:PSC|CMR|Unit|UNIT|unit|psc|USS|USNS|USNV|USCGC)\s[\w-]+,?\s{1,3}(?:box|Box|BOX)?\s?\d*\s{0,3})?(?:APO|FPO|DPO|apo|fpo|dpo),?\s(?:AA|AE|AP|aa|ae|ap)\s\d{5}\b"
)


def find_boxes(text: str) -> Iterator[Span]:
    """'PO Box 2219', 'Postfach 14', with a number before it."""
    if _SPEAKS_OF_BOX.search(text):
        for found in _PO_BOX.finditer(text):
            number = number_before(text, found.start(), within=10)
            start = found.start() if number is None else number
            yield extend(text, Span(start, found.end(), LOCATION, 7))


def find_rural_routes(text: str) -> Iterator[Span]:
    """'RR 2, Box 71'."""
    if "Box" in text or "BOX" in text:
        for found in _RURAL.finditer(text):
            yield extend(text, Span(*found.span(), LOCATION, 7))


def find_military_mail(text: str) -> Iterator[Span]:
    """'PSC 3, Box 4120 APO AE 09021'."""
    if "APO" in text or "FPO" in text or "DPO" in text or "po a" in text:
        for found in _MILITARY.finditer(text):
            yield Span(*found.span(), LOCATION, 7)
