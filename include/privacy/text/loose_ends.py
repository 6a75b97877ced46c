"""Loose ends of names and addresses that were found: initials, the house number left before or behind a street, state and postal code in the lines below."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from include.privacy.text.spans import LOCATION, NAME, Span

_REACH = 16
_INITIAL_BEFORE = re.compile(r"(?<![\w.'’])(?:[A-Z]\. ?){1,2}$")
_INITIAL_BEHIND = re.compile(r", [A-Z]\.(?![\w.]| [A-Z]\.)")  # not M.D.
_BETWEEN = re.compile(r"[ ,.\n]{0,2}")
_BEFORE = re.compile(r"(?:^|(?<=[\s>(]))\d{1,6} (?:\d{1,6} )?$")
_BEHIND = re.compile(
    r" (?!(?:19|20)\d\d\b)\d{1,5}[A-Za-z]?\b(?=[.,;)?!]?(?:\s|$))(?! ?(?:mg|ml|mcg|units?|%|mm|cm|times|days?|weeks?|months?|years?|hours?)\b)"
)
_END_OF_LINE = re.compile(r"[.,;)?!]|\n|$| (?:street|st|St|Street)\b")
_BELOW = re.compile(r"\s?\n ?,? ?(?:[A-Z]{2,3}\b,?\s{1,2})?\d{4,6}\b(?=\s|[.,?]|$)")


def find_loose_ends(text: str, joined: Iterable[Span]) -> Iterator[Span]:
    """What stands right beside found places and belongs to their addresses. ``joined``: spans in order, without overlaps."""
    for span in _stretches(text, joined):
        if span.label == LOCATION:
            yield from _around(text, span)


def find_initials(text: str, joined: Iterable[Span]) -> Iterator[Span]:
    """The initial right before or behind a name: 'R. Gray', 'Gray, R.'"""
    for span in joined:
        if span.label != NAME or not text[span.start].isupper():
            continue
        if before := _INITIAL_BEFORE.search(text, max(0, span.start - 8), span.start):
            yield Span(before.start(), span.start, NAME, 5)
        if behind := _INITIAL_BEHIND.match(text, span.end):
            yield Span(span.end, behind.end(), NAME, 5)


def _stretches(text: str, joined: Iterable[Span]) -> Iterator[Span]:
    """Spans with no more than a space or comma between as one, a place if any of them is: streets are called after people."""
    stretch: Span | None = None
    for span in joined:
        if stretch and _BETWEEN.fullmatch(text, stretch.end, span.start):
            stretch = stretch._replace(
                end=span.end, label=LOCATION if LOCATION in (stretch.label, span.label) else span.label
            )
            continue
        if stretch:
            yield stretch
        stretch = span
    if stretch:
        yield stretch


def _around(text: str, span: Span) -> Iterator[Span]:
    start, end = span.start, span.end
    has_number = any(map(str.isdigit, text[start:end]))
    behind = None if has_number and text[end - 1].isdigit() else _BEHIND.match(text, end)
    if behind and _END_OF_LINE.match(text, behind.end()):
        yield Span(end, behind.end(), LOCATION, 5)
    if (has_number or behind) and (before := _BEFORE.search(text, max(0, start - _REACH), start)):
        yield Span(before.start(), start, LOCATION, 5)
    if has_number and (below := _BELOW.match(text, end)):
        yield Span(end, below.end(), LOCATION, 5)
