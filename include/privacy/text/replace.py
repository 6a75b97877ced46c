"""What stands in a text instead of its identifiers: tags, or invented values of the same kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from include.privacy.date_shift import shift
from include.privacy.text.dates import OLDEST_SHOWN_AGE
from include.privacy.text.spans import AGE, DATE, Span
from include.privacy.text.vocabulary import MONTHS

_YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d{2}(?!\d)")
_TWO_DIGITS = re.compile(r"(?:[/.-]|['’])(\d{2})(?:\D*$|[ T,])")
_PACKED = re.compile(r"(?:19|20)\d{6}")
_ISO = re.compile(r"((?:1[89]|20)\d{2})([-/.])(\d{1,2})\2(\d{1,2})")
_US = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2((?:1[89]|20)?\d{2})")
_WORDED = re.compile(
    r"(?:(\d{1,2})(?:st|nd|rd|th)?(?:\s+of)?[\s.,-]+)?([A-Za-z]{3,9})\.?[\s,-]*(?:(\d{1,2})(?!\d)(?:st|nd|rd|th)?)?[\s,.-]*(?:of\s+)?((?:1[89]|20)\d{2})?",
    re.IGNORECASE,
)
Invent = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Replacer:
    """Replaces spans. ``days`` shifts dates (None: Safe Harbor, only the year stays); ``invent`` makes surrogates."""

    today: date
    days: int | None = None
    invent: Invent | None = None
    shows_years: bool = True  # False for a person who is 90 or over: their years would tell it

    def replace(self, text: str, spans: Sequence[Span]) -> str:
        """The text with every span replaced. ``spans`` are in order and do not overlap."""
        parts, place = [], 0
        for span in spans:
            parts.append(text[place : span.start])
            parts.append(self._instead(text[span.start : span.end], span.label))
            place = span.end
        parts.append(text[place:])
        return "".join(parts)

    def _instead(self, found: str, label: str) -> str:
        if label == DATE:
            return self._date(found)
        if label == AGE:
            return "[AGE]" if not self.shows_years else f"[{AGE} 90+]" if self.invent is None else "90"
        return f"[{label}]" if self.invent is None else self.invent(label, found)

    def _date(self, found: str) -> str:
        if self.days is not None:
            day = day_in(found, self.today)
            return shift(day, self.days).isoformat() if day else f"[{DATE}]"
        year = year_in(found, self.today)
        if year is None or not self.shows_years or year < self.today.year - OLDEST_SHOWN_AGE:
            return f"[{DATE}]"
        return f"[{DATE} {year}]" if self.invent is None else str(year)


def year_in(found: str, today: date) -> int | None:
    """The year of a written date; of two digits, the last such year that is not in the future."""
    if _PACKED.match(found):
        return int(found[:4])
    whole = _YEAR.search(found)
    if whole:
        return int(whole[0])
    short = _TWO_DIGITS.search(found)
    if short is None or not re.search(r"\d[/.-]\d{1,2}[/.-]\d|['’]\d", found):
        return None
    year = 2000 + int(short[1])
    return year if year <= today.year else year - 100


def day_in(found: str, today: date) -> date | None:
    """The whole day that a date names, months first where both could be; None where a part is missing."""
    if (iso := _ISO.search(found)) is not None:
        return _day(int(iso[1]), int(iso[3]), int(iso[4]))
    if _PACKED.match(found):
        return _day(int(found[:4]), int(found[4:6]), int(found[6:8]))
    if (us := _US.search(found)) is not None:
        first, second, year = int(us[1]), int(us[3]), year_in(found, today)
        return _day(year, first, second) or _day(year, second, first)
    for worded in _WORDED.finditer(found):
        month = MONTHS.get(worded[2].lower())
        if month and (worded[1] or worded[3]):
            return _day(year_in(found, today), month, int(worded[1] or worded[3]))
    return None


def _day(year: int | None, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if year else None
    except ValueError:
        return None
