"""Days that a person's dates are shifted under an expert's determination: keyed, the same in every kind of record, never zero.

The key is the keyring's token key under a prefix of its own, so that no token tells a shift. A missing keyring is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from include.privacy.tokens import Tokeniser


def make_shifter(tokeniser: Tokeniser, most_days: int) -> Callable[[str], int]:
    """A function from a person (any stable id, for example the person token) to days between -most_days and most_days, not 0.

    Every record of a person must ask with the same id. Intervals within a person stay; those between people do not.
    """
    digest = tokeniser.digester(b"date shift|")

    def days_of(person: str) -> int:
        number = int.from_bytes(digest(person.encode())[:8], "big") % (2 * most_days)
        return number - most_days if number < most_days else number - most_days + 1

    return days_of


def shift(day: date, days: int) -> date:
    """The day so many days on. Days outside the calendar's range stay at its ends."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min
