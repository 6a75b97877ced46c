"""HL7 v2 data types as FHIR's, by the data type maps of HL7's v2-to-FHIR guide.

Everything here takes a field's text (or one repetition of it) and gives None where it says nothing. Results are shared
between messages: nobody changes them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache, wraps
from typing import Any

import orjson

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.escapes import unescape

_MOMENT = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,9})\d*)?)?)?)?)?)?(?:([+-])(\d\d)(\d\d))?",
    re.ASCII,
)
_NUMBER = re.compile(r"\s*([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?\s*", re.ASCII)
_COMPARED = re.compile(r"\s*(<=|>=|<|>)\s*(\S+)\s*", re.ASCII)
_REMEMBERED = 20_000
_SHORT = 300


def remembered(most: int = _REMEMBERED) -> Callable[[Callable], Callable]:
    """Remember what a function of texts gave, for short texts only: long ones are seldom met again and would fill the memory."""

    def decorate(function: Callable) -> Callable:
        cached = lru_cache(maxsize=most)(function)

        @wraps(function)
        def call(value: str, *more: Any) -> Any:
            is_short = len(value) <= _SHORT and (not more or type(more[-1]) is not str or len(more[-1]) <= _SHORT)
            return (cached if is_short else function)(value, *more)

        return call

    return decorate


def parts(value: str, least: int = 0) -> list[str]:
    """Components of one repetition, at least so many."""
    found = value.split("^")
    if len(found) < least:
        found += [""] * (least - len(found))
    return found


def first(value: str) -> str:
    """The first component of the first repetition, read as text."""
    return unescape(value.partition("~")[0].partition("^")[0].partition("&")[0]).strip()


def repeats(value: str) -> list[str]:
    """The repetitions that say something."""
    return [each for each in value.split("~") if each.strip("^&")] if value else []


def compact(**elements: Any) -> dict[str, Any]:
    """A dictionary of what is there."""
    return {name: value for name, value in elements.items() if value not in (None, "", [], {})}


@remembered()
def moment(value: str, zone: tzinfo) -> str | None:
    """A TS, DTM, DT or the start of a DR as FHIR's date or dateTime; None where it is no moment that exists.

    It stays as exact as it was written; seconds are filled with zeros where only they are missing, because FHIR wants
    them. ``zone`` is of those that name none.
    """
    found = _MOMENT.fullmatch(value.partition("^")[0].partition("&")[0].strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = found.groups()
    try:
        if hour is None:
            date(int(year), int(month or 1), int(day or 1))
            return "-".join(filter(None, (year, month, day)))
        local = _clock(year, month, day, hour, minute, second)
    except ValueError:
        return None
    if sign:
        if int(offset_hours) > 14 or int(offset_minutes) > 59:
            return None
        offset = f"{sign}{offset_hours}:{offset_minutes}"
    else:
        offset = _offset(local, zone)
    return f"{year}-{month}-{day}T{hour}:{minute or '00'}:{second or '00'}{'.' + fraction if fraction else ''}{offset}"


def _clock(year: str, month: str | None, day: str | None, hour: str | None, minute: str | None, second: str | None):
    """A clock's time without its zone, which comes apart."""
    numbers = (int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0))
    return datetime(*numbers)  # noqa: DTZ001


def _offset(local: datetime, zone: tzinfo) -> str:
    try:
        minutes = int((zone.utcoffset(local) or timedelta()).total_seconds() // 60)
    except OverflowError:
        minutes = 0
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def instant(value: str, zone: tzinfo) -> str | None:
    """The same as an instant: what is less exact than a day is none, a day is its midnight."""
    found = moment(value, zone)
    if found is None or len(found) < 10:
        return None
    return found if len(found) > 10 else moment(value[:8] + "000000", zone)


def day(value: str, zone: tzinfo) -> str | None:
    """A date (or the date of a time), as exact as it was written."""
    found = moment(value, zone)
    return found[:10] if found else None


def zone_of(value: str, own_zone: tzinfo) -> tzinfo:
    """The zone for times of a message that name none, from MSH-7: its offset, unless the source's clock had it then."""
    found = _MOMENT.fullmatch(value.partition("^")[0].strip())
    if found is None or not found[8]:
        return own_zone
    minutes = (int(found[9]) * 60 + int(found[10])) * (-1 if found[8] == "-" else 1)
    if abs(minutes) > 14 * 60 + 59:
        return own_zone
    offset = timedelta(minutes=minutes)
    try:
        local = _clock(*found.groups()[:5], None)
        if own_zone is not UTC and own_zone.utcoffset(local) == offset:
            return own_zone
    except (ValueError, OverflowError):
        pass
    return timezone(offset)


@remembered()
def number(value: str) -> int | float | orjson.Fragment | None:
    """An NM as a JSON number with the digits it came with; None where it is no number."""
    found = _NUMBER.fullmatch(value)
    if found is None or not (found[2] or found[3]) or len(value) > 40:
        return None
    whole = (found[2] or "0").lstrip("0") or "0"
    text = ("-" if found[1] == "-" else "") + whole + (f".{found[3]}" if found[3] else "")
    if found[4]:
        text += f"e{found[4]}"
    if not found[3] and not found[4] and len(whole) <= 15:
        return int(text)
    if math.isinf(float(text)):
        return None  # no double holds it, and NM has no exponents: it stays the text that was sent
    return float(text) if repr(float(text)) == text else orjson.Fragment(text.encode())


def quantity(value: str, unit: dict[str, str]) -> dict[str, Any] | None:
    """A number with or without a comparator, in a unit as ``unit_of`` gives it."""
    plain = number(value)
    if plain is not None:
        return {"value": plain, **unit}
    found = _COMPARED.fullmatch(value)
    compared = number(found[2]) if found else None
    return None if compared is None else {"value": compared, "comparator": found[1], **unit}


@remembered()
def unit_of(value: str, source: str) -> dict[str, str]:
    """A CE of a unit as the last elements of a Quantity: ``unit``, and ``system`` with ``code`` where it names one."""
    code, text, name, *_ = [unescape(part).strip() for part in parts(value.partition("~")[0], 3)]
    code, _, inner = code.partition("&")
    if not code and inner:  # CQ and TQ put the unit's text behind an empty code
        code = inner.split("&")[0]
    if not code and not text:
        return {}
    if not name or not code:
        return {"unit": code or text}
    system = codes.UCUM if name.upper() in ("UCUM", "ISO+", "ANS+") else codes.system_of(name, source)
    return {"unit": code, "system": system or codes.UCUM, "code": code}


@remembered()
def concept(value: str, source: str, table: str = "") -> dict[str, Any] | None:
    """A CE, CWE, CNE, IS or ID as CodeableConcept. ``table`` (four digits) is that of a field bound to one HL7 table."""
    part = [unescape(each.replace("&", " ")).strip() for each in parts(value, 14)]
    default = f"{codes.V2_TABLES}{table}" if table else None
    found = [
        _coding(part[0], part[1], part[2], part[6], source, default),
        _coding(part[3], part[4], part[5], part[7], source, None),
        _coding(part[9], part[10], part[11], part[12], source, None),
    ]
    text = part[8] or (part[1] if not part[0] else "")
    return compact(coding=[coding for coding in found if coding], text=text) or None


def _coding(code: str, display: str, system: str, version: str, source: str, default: str | None) -> dict | None:
    if not code:
        return None
    return compact(system=codes.system_of(system, source) or default, version=version, code=code, display=display)


def concepts(value: str, source: str, table: str = "") -> list[dict[str, Any]]:
    """Every repetition as CodeableConcept."""
    return [found for each in repeats(value) if (found := concept(each, source, table))]


def mapped(value: str, table: dict[str, str]) -> str | None:
    """A code's counterpart in one of the maps of ``code_systems``."""
    return table.get(first(value).upper())


def plain(value: str, separator: str = " ") -> str:
    """A field as one line of text: components and repetitions set apart."""
    if not value:
        return ""
    told = (unescape(part).strip() for part in re.split(r"[~^&]", value))
    return separator.join(part for part in told if part)


def free_text(value: str) -> str:
    """FT, TX and ST as text: repetitions are lines, other delimiters are characters people typed."""
    return "\n".join(unescape(each) for each in value.split("~"))
