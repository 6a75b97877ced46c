"""What is found in a text: spans of classes named after the identifiers of 45 CFR 164.514(b)(2), and how they become one list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

# 164.514(b)(2)(i): A names; B geography smaller than a state; C dates finer than a year and ages over 89; D-R numbers and contacts.
NAME, LOCATION, DATE, AGE = "NAME", "LOCATION", "DATE", "AGE"
PHONE, FAX, EMAIL, SSN, MRN, HEALTH_PLAN, ACCOUNT = "PHONE", "FAX", "EMAIL", "SSN", "MRN", "HEALTH_PLAN", "ACCOUNT"
LICENSE, VEHICLE, DEVICE, URL, IP, ID = "LICENSE", "VEHICLE", "DEVICE", "URL", "IP", "ID"
ORGANIZATION = "ORGANIZATION"  # an employer or company: the rule covers employers, and a note does not say which are

CLASSES = (NAME, LOCATION, DATE, AGE, PHONE, FAX, EMAIL, SSN, MRN, HEALTH_PLAN, ACCOUNT)
CLASSES += (LICENSE, VEHICLE, DEVICE, URL, IP, ID, ORGANIZATION)


class Span(NamedTuple):
    """``text[start:end]`` is an identifier of class ``label``; offsets are Unicode code points.

    ``weight``: of two spans that overlap, the heavier names the class.
    """

    start: int
    end: int
    label: str
    weight: int = 5


def join(found: Iterable[Span]) -> list[Span]:
    """Spans in order without overlaps: overlapping ones become one, of the heaviest's class (then the longest's).

    Nothing that was found by anyone is given back to the text.
    """
    joined: list[Span] = []
    for span in sorted(found):
        touches = joined and span.start == joined[-1].end and span.label == joined[-1].label
        if not joined or (span.start >= joined[-1].end and not touches):
            joined.append(span)
            continue
        last = joined[-1]
        heavier = max(last, span, key=lambda one: (one.weight, one.end - one.start))
        joined[-1] = Span(last.start, max(last.end, span.end), heavier.label, heavier.weight)
    return joined
