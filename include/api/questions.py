"""Reading what is asked: known parameters, each refused with what it should be. One that is not known is refused too, for a filter
passed over in silence makes an answer that looks like another (R4 lets a server do so: search, 3.1.1.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from urllib.parse import urlencode

from fastapi import Request

from include.api.outcomes import Refusal

MOST_A_PAGE, A_PAGE = 1_000, 100
FORMATS = ("json", "application/json", "application/fhir+json", "text/json")
_ALWAYS = ("_count", "_offset", "_format", "_pretty")
_PREFIXED = re.compile(r"(eq|ge|le|gt|lt|sa|eb)?(\d{4}(?:-\d\d(?:-\d\d)?)?)")

Asked = Mapping[str, Sequence[str]]


def asked(request: Request, known: Iterable[str], formats: Sequence[str] = FORMATS) -> dict[str, list[str]]:
    """The request's parameters by name. Raises Refusal for one that is not ``known``, and for a format that is not served."""
    known = sorted(known)
    said: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        said.setdefault(name, []).append(value)
    unknown = sorted(set(said) - set(known) - set(_ALWAYS))
    if unknown:
        raise bad(
            f"parameters that are not known here: {', '.join(each[:40] for each in unknown)}",
            f"some of {', '.join(known) or 'none'}",
        )
    for form in said.get("_format", []):
        if form.split(";")[0].strip() not in formats:
            raise Refusal(
                406, "not-supported", found=f"_format={form[:40]}", expected=f"one of {', '.join(formats)}",
                action="leave _format out, or ask for one of these",
            )  # fmt: skip
    return said


def words(said: Asked, name: str) -> list[set[str]]:
    """Values of a parameter: within one, commas are 'or'; the parameter said again is 'and' (R4 search, 3.1.1.3.2)."""
    return [{each for each in value.split(",") if each} for value in said.get(name, [])]


def page(said: Asked) -> tuple[int, int]:
    """Offset and size of the page asked for."""
    return _number(said, "_offset", 0, 10_000_000), _number(said, "_count", A_PAGE, MOST_A_PAGE)


def _number(said: Asked, name: str, default: int, most: int) -> int:
    values = said.get(name, [])
    if not values:
        return default
    if not re.fullmatch(r"\d{1,9}", values[-1]):
        raise bad(f"{name} that is no number", f"a number from 0 to {most}")
    return min(int(values[-1]), most)


def links(request: Request, said: Asked, offset: int, size: int, total: int, base: str) -> list[dict[str, str]]:
    """Links of a page to itself, its neighbours and the first, with the same question."""
    kept = [(name, value) for name, values in said.items() if name not in ("_offset", "_count") for value in values]

    def to(relation: str, start: int) -> dict[str, str]:
        return {
            "relation": relation,
            "url": f"{base}{request.url.path}?{urlencode([*kept, ('_count', size), ('_offset', start)])}",
        }

    found = [to("self", offset), to("first", 0)]
    if offset > 0:
        found.append(to("previous", max(0, offset - size)))
    if size and offset + size < total:
        found.append(to("next", offset + size))
    return found


def day(said: Asked, name: str) -> date:
    """A day that must be said. Raises Refusal."""
    values = said.get(name, [])
    try:
        (value,) = values
        return date.fromisoformat(value)
    except ValueError:
        raise bad(f"{name} is {'missing' if not values else 'no day'}", f"{name}=YYYY-MM-DD, once") from None


def matches_period(values: Iterable[str], first: date, last: date) -> bool:
    """FHIR's date search on a period (R4 search, 3.1.1.4.6): every value holds; the prefixes compare ranges, eq contains."""
    return all(_holds(value, first, last) for value in values)


def _holds(value: str, first: date, last: date) -> bool:
    found = _PREFIXED.fullmatch(value)
    if found is None:
        raise bad("a date that cannot be read", "a prefix (eq ge le gt lt sa eb) and YYYY, YYYY-MM or YYYY-MM-DD")
    prefix, text = found.groups()
    low, high = _range(text)
    return {
        None: low <= first and last <= high,
        "eq": low <= first and last <= high,
        "ge": last >= low,
        "gt": last > high,
        "le": first <= high,
        "lt": first < low,
        "sa": first > high,
        "eb": last < low,
    }[prefix]


def _range(text: str) -> tuple[date, date]:
    try:
        numbers = [int(each) for each in text.split("-")]
        if len(numbers) == 1:
            return date(numbers[0], 1, 1), date(numbers[0], 12, 31)
        if len(numbers) == 2:
            year, month = numbers
            following = date(year + month // 12, month % 12 + 1, 1)
            return date(year, month, 1), date.fromordinal(following.toordinal() - 1)
        return date(*numbers), date(*numbers)
    except ValueError:
        raise bad("a date that does not exist", "a day, month or year of the calendar") from None


def bad(found: str, expected: str) -> Refusal:
    """A question that cannot be understood."""
    return Refusal(
        400,
        "invalid",
        found=found,
        expected=expected,
        action="correct the request; /fhir/metadata lists what can be asked",
    )
