"""What a clear value must look like, by leaf type. A value that does not fit its type is sealed.

Every check takes a parsed JSON value and answers whether it may stay in clear. Patterns are strict on purpose: free text
must not fit any of them. Units follow UCUM (https://ucum.org/ucum) with the atoms that clinical data use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from functools import lru_cache

import msgspec

Check = Callable[[object], bool]

_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?", re.ASCII)
_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)T([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,9}))?)?(?:Z|([+-](?:0\d|1[0-4]):[0-5]\d))?",
    re.ASCII,
)
_DECIMAL = re.compile(rb"-?\d{1,18}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,2})?")
_NUMBERS_OF_PEOPLE = re.compile(
    r"\d{7}|\d{3}-\d\d-\d{4}|\(?\d{3}\)?[-. ]\s?\d{3}[-. ]\d{4}|@|\b(?:Mrs?|Ms|Miss|Dr)\.? [A-Z]"
)
_CAPITALISED = re.compile(r"[A-Z][a-z]{2,}")
_LIKE_A_NUMBER_OF_A_PERSON = re.compile(r"\d{7}|\d{3}-\d\d-\d{4}|\d{3}[-.]\d{3}[-.]\d{4}|\d{3}-\d{4}")
_HL7_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/:-]{0,79}")
_UNKNOWN_SYSTEM_CODE = re.compile(r"(?=.*\d)[A-Za-z0-9][A-Za-z0-9._+/-]{0,23}")
_SECONDS, _MINUTES, _HOURS = ({f"{at:02}": at * unit for at in range(60)} for unit in (1, 60, 3_600))
_DAY_ZERO = date(2000, 1, 1).toordinal()
_FIRST_SECOND, _LAST_SECOND = (
    (day.toordinal() - _DAY_ZERO + after) * 86_400 for day, after in ((date.min, 0), (date.max, 1))
)

_PATTERNS = {
    "language": r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|\d{3}))?",
    "mime": r"[a-z]+/[A-Za-z0-9.+-]{1,60}(?:; ?charset=[A-Za-z0-9-]{1,20})?",
    "time": r"\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?",
    "currency": r"[A-Z]{3}",
    "postal_code": r"\d{4,5}(?:-\d{4})?|(?=.*\d)[A-Z0-9]{2,4}[ -]?[A-Z0-9]{2,4}",
    "version": r'(?:W/)?"?\d{1,12}"?|(?=.*\d)[0-9a-f]{8}[0-9a-f-]{0,56}',
    "link_id": r"/?(?=.*\d)(?!.*\d{3}-\d\d-\d{4})(?!.*\d{3}-\d{4})(?!.*\d{7})[A-Za-z0-9][A-Za-z0-9._/-]{0,63}",
    "coded_sex": r"\d{6,18}|M|F|UNK|OTH|ASKU|unknown|asked-declined",
}

_UCUM_PREFIXES = "Y|Z|E|P|T|G|M|k|h|da|d|c|m|u|n|p|f|a|z|y"
_UCUM_METRIC = (
    "m|s|g|rad|K|C|cd|mol|sr|Hz|N|Pa|J|W|A|V|F|Ohm|S|Wb|Cel|T|H|lm|lx|Bq|Gy|Sv|l|L|ar|t|bar|u|eV|eq|osm|kat|U|\\[iU\\]|\\[IU\\]"
    "|B|m\\[H2O\\]|m\\[Hg\\]|cal|Bd|bit|By|\\[CFU\\]"
)
_UCUM_PLAIN = (
    "min|h|d|a|wk|mo|%|deg|\\[ppth\\]|\\[ppm\\]|\\[ppb\\]|\\[pH\\]|\\[degF\\]|\\[lb_av\\]|\\[oz_av\\]|\\[in_i\\]|\\[in_us\\]|\\[ft_i\\]|\\[stone_av\\]|"
    "\\[drp\\]|\\[HPF\\]|\\[LPF\\]|\\[arb'U\\]|\\[beth'U\\]|\\[ELU\\]|\\[EIA\\]|\\[APL'U\\]|\\[GPL'U\\]|\\[MPL'U\\]|\\[tsp_us\\]|\\[tbs_us\\]|\\[cup_us\\]|"
    "\\[foz_us\\]|\\[pt_us\\]|\\[gal_us\\]|\\[cal\\]|\\[Cal\\]|\\[diop\\]|\\[MET\\]|\\[todd'U\\]|\\[dye'U\\]|\\[ka'U\\]|\\[smgy'U\\]|\\[kn'U\\]|\\[bdsk'U\\]|"
    "\\[PFU\\]|\\[FFU\\]|\\[CCID_50\\]|\\[TCID_50\\]|\\[EID_50\\]|\\[Lf\\]|\\[BAU\\]|\\[AU\\]|\\[Amb'a'1'U\\]|\\[PNU\\]|\\[D'ag'U\\]|\\[iU\\]|10\\*|10\\^|"
    "\\[hnsf'U\\]|\\[fr\\]|\\[Ch\\]|\\[car_m\\]|\\[gr\\]|\\[knk'U\\]|\\[USP'U\\]|\\[S\\]|\\[g\\]|\\[pi\\]|\\[m/s2/Hz\\^0\\.5\\]"
)
_UCUM_TERM = rf"(?:(?:(?:{_UCUM_PREFIXES})?(?:{_UCUM_METRIC})|{_UCUM_PLAIN})(?:[+-]?\d{{1,2}})?|\d{{1,9}})"


def checks(words: dict[str, object]) -> dict[str, Check]:
    """Leaf type -> check. ``words`` is the parsed classification_codes.yml."""
    made: dict[str, Check] = {name: _matches(pattern) for name, pattern in _PATTERNS.items()}
    states = _one_of(words["state_names"])
    countries = _one_of(words["country_names"])
    two_letters = re.compile(r"[A-Z]{2,3}").fullmatch
    ucum = ucum_check(words["unit_annotations"])
    units = frozenset(words["units"])
    made |= {
        "boolean": lambda value: value is True or value is False,
        "number": is_number,
        "date": lambda value: type(value) is str and _is_date(value),
        "dateTime": lambda value: type(value) is str and microseconds(value) is not None,
        "instant": lambda value: type(value) is str and microseconds(value) is not None,
        "state": lambda value: type(value) is str and (two_letters(value) is not None or states(value)),
        "country": lambda value: type(value) is str and (two_letters(value) is not None or countries(value)),
        "ucum": ucum,
        "unit": lambda value: type(value) is str and (value in units or ucum(value)),
        "payer_name": _phrase_of(words["payer_words"]),
        "profile": _starts_with(words["profile_prefixes"]),
    }
    return made


def is_number(value: object) -> bool:
    """A JSON number of ordinary size. Numbers with a fraction arrive as their own digits, so that none is lost."""
    kind = type(value)
    if kind is int:
        return -(10**15) < value < 10**15
    return kind is msgspec.Raw and _DECIMAL.fullmatch(bytes(value)) is not None


def microseconds(text: str) -> int | None:
    """A FHIR date, dateTime or instant as microseconds since 2000-01-01 UTC, as Postgres counts; None if it is none.

    A part of a date stands for its first moment; a time without a zone is UTC. A moment whose zone takes it out of the years
    1 to 9999 is none: what counts days from it later could not write it down.
    """
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        day = _first_day(text) if _DATE.fullmatch(text) else None
        return None if day is None else day * 86_400_000_000
    day_text, hour, minute, second, fraction, zone = found.groups()
    day = _first_day(day_text)
    if day is None:
        return None
    seconds = day * 86_400 + _HOURS[hour] + _MINUTES[minute] + (_SECONDS[second] if second else 0)
    if zone:
        offset = int(zone[1:3]) * 3_600 + int(zone[4:]) * 60
        seconds -= offset if zone[0] == "+" else -offset
        if not _FIRST_SECOND <= seconds < _LAST_SECOND:
            return None
    return seconds * 1_000_000 + (int(fraction[:6].ljust(6, "0")) if fraction else 0)


def hl7_code(value: object) -> bool:
    """A code as HL7 writes them: no blanks, no long number, not a capitalised word (a name is one)."""
    return (
        type(value) is str
        and _HL7_CODE.fullmatch(value) is not None
        and _CAPITALISED.fullmatch(value) is None
        and _LIKE_A_NUMBER_OF_A_PERSON.search(value) is None
    )


def unknown_system_code(value: object) -> bool:
    """A code of a system nobody reviewed: short, without blanks, with a digit but not as many as a number of a person."""
    return (
        type(value) is str and _UNKNOWN_SYSTEM_CODE.fullmatch(value) is not None and sum(map(str.isdigit, value)) <= 6
    )


def public_display(value: object) -> bool:
    """A display of a public code system: one line without numbers, addresses or titles of people."""
    return type(value) is str and len(value) <= 255 and value.isprintable() and _NUMBERS_OF_PEOPLE.search(value) is None


def code_pattern(pattern: str) -> Check:
    """Check of the codes of one system, by its pattern in classification_codes.yml."""
    return hl7_code if pattern == "hl7_code" else _matches(pattern)


def ucum_check(annotations: Iterable[str]) -> Check:
    """Check of UCUM units; only the listed words may stand in curly braces."""
    notes = "|".join(re.escape(note) for note in annotations)
    term = rf"(?:{_UCUM_TERM}(?:\{{(?:{notes})\}})?|\{{(?:{notes})\}})"
    return _matches(rf"/?{term}(?:[./]{term}){{0,4}}|{term}/\((?:{term})(?:[./]{term}){{0,3}}\)")


def one_of(allowed: Iterable[str]) -> Check:
    """Check of a closed set of codes."""
    return _one_of(allowed)


def _is_date(text: str) -> bool:
    return _DATE.fullmatch(text) is not None and microseconds(text) is not None


@lru_cache(maxsize=40_000)
def _first_day(text: str) -> int | None:
    """Days from 2000-01-01 to the first day of a date or of a part of one; None for a day no calendar has."""
    try:
        return date(int(text[:4]), int(text[5:7] or 1), int(text[8:10] or 1)).toordinal() - _DAY_ZERO
    except ValueError:
        return None


def _matches(pattern: str) -> Check:
    fullmatch = re.compile(pattern, re.ASCII).fullmatch
    return lambda value: type(value) is str and fullmatch(value) is not None


def _one_of(allowed: Iterable[str]) -> Check:
    known = frozenset(allowed)
    return lambda value: type(value) is str and value in known


def _phrase_of(words: Iterable[str]) -> Check:
    known = frozenset(words)
    return lambda value: type(value) is str and len(value) <= 120 and _is_phrase(value, known)


def _is_phrase(text: str, known: frozenset[str]) -> bool:
    parts = text.casefold().replace("/", " / ").replace(",", " ").split()
    return bool(parts) and all(part in known or part.strip("()") in known for part in parts)


def _starts_with(prefixes: Iterable[str]) -> Check:
    start = tuple(prefixes)
    rest = re.compile(r"[A-Za-z0-9/._:|-]{1,200}").fullmatch
    return lambda value: type(value) is str and value.startswith(start) and rest(value) is not None
