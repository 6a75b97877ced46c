"""Identifiers, names, addresses, telephone numbers and people, as FHIR writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.datatypes import compact, concept, day, first, moment, parts, plain, remembered, repeats
from include.sources.hl7v2.escapes import unescape

_NAME_USE = {"L": "official", "D": "usual", "M": "maiden", "N": "nickname", "S": "anonymous", "BAD": "old"}
_HOME_USE = {
    "H": "home",
    "P": "home",
    "B": "work",
    "O": "work",
    "C": "temp",
    "TMP": "temp",
    "BA": "old",
    "BI": "billing",
}
_PHONE_USE = {"PRN": "home", "ORN": "home", "VHN": "home", "WPN": "work", "BPN": "work"}
_PHONE_KIND = {"FX": "fax", "BP": "pager", "INTERNET": "email", "X.400": "email", "TDD": "phone"}
_DOTTED = re.compile(r"\d(?:\.\d+)+", re.ASCII)


class Authorities:
    """Assigning authorities of one source -> the systems of their identifiers.

    A bare namespace means something at its hospital only, so it gets an address of the source's own, unless
    ``assigning_authorities`` in sources.yml says which system it is.
    """

    def __init__(self, source: str, declared: Mapping[str, str]) -> None:
        self._source, self._declared = source, declared

    def system(self, authority: str, identifier_type: str = "") -> str:
        """The system of an HD (namespace & id & type) and the identifier's type. Never empty."""
        namespace, universal, kind = (unescape(part).strip() for part in (authority.split("&") + ["", "", ""])[:3])
        for name in (namespace, universal):
            if name in self._declared:
                return self._declared[name]
        if identifier_type in codes.IDENTIFIER_SYSTEMS:
            return codes.IDENTIFIER_SYSTEMS[identifier_type]
        if universal and (kind.upper() == "ISO" or _DOTTED.fullmatch(universal)):
            return f"urn:oid:{universal}"
        if universal and kind.upper() in ("UUID", "GUID"):
            return f"urn:uuid:{universal.lower()}"
        if universal.startswith(("http://", "https://", "urn:")):
            return universal
        return f"urn:hl7v2:{self._source}:{namespace or universal or identifier_type or 'id'}"


def identifier(value: str, authorities: Authorities, zone: tzinfo, kind: str = "") -> dict[str, Any] | None:
    """A CX, or with ``kind`` given an EI whose type that is."""
    part = parts(value, 8)
    number = unescape(part[0].partition("&")[0]).strip()
    if not number:
        return None
    identifier_type = kind or unescape(part[4]).strip()
    period = compact(start=day(part[6], zone), end=day(part[7], zone)) if part[6] or part[7] else None
    return compact(
        type=_identifier_type(identifier_type),
        system=authorities.system(part[3], identifier_type),
        value=number,
        period=period,
    )


def entity_identifier(value: str, authorities: Authorities, kind: str = "") -> dict[str, Any] | None:
    """An EI: number, then its authority in three components of its own."""
    part = parts(value, 4)
    number = unescape(part[0]).strip()
    if not number:
        return None
    return compact(
        type=_identifier_type(kind), system=authorities.system("&".join(part[1:4]), kind or "order"), value=number
    )


def numbered(value: str, kind: str, system: str) -> dict[str, Any] | None:
    """A bare number whose field says what it is."""
    number = first(value)
    return {"type": _identifier_type(kind), "system": system, "value": number} if number else None


@remembered(500)
def _identifier_type(code: str) -> dict[str, Any] | None:
    return {"coding": [{"system": f"{codes.V2_TABLES}0203", "code": code}]} if code else None


def name(value: str, zone: tzinfo) -> dict[str, Any] | None:
    """One XPN (or PN) as HumanName."""
    part = parts(value, 13)
    text = [unescape(each.partition("&")[0]).strip() for each in part]
    given = [each for each in (text[1], *text[2].split(" ")) if each]
    found = compact(
        use=_NAME_USE.get(text[6]),
        family=text[0],
        given=given,
        prefix=[text[4]] if text[4] else None,
        suffix=[each for each in (text[3], text[5]) if each],
        period=compact(start=day(part[11], zone), end=day(part[12], zone)) if part[11] or part[12] else None,
    )
    return found if found.keys() - {"use"} else None


def names(value: str, zone: tzinfo) -> list[dict[str, Any]]:
    """Every repetition of a name."""
    return [found for each in repeats(value) if (found := name(each, zone))]


def addresses(value: str) -> list[dict[str, Any]]:
    """Every repetition of an XAD (or AD) as Address."""
    return [found for each in repeats(value) if (found := _address(each))]


def _address(value: str) -> dict[str, Any] | None:
    part = parts(value, 9)
    street = [unescape(each).strip() for each in part[0].split("&")]
    text = [unescape(each).strip() for each in part[1:9]]
    kind = text[5]
    found = compact(
        line=[each for each in (street[0], text[0]) if each] or [each for each in street if each],
        city=text[1],
        district=text[7],
        state=text[2],
        postalCode=text[3],
        country=text[4],
    )
    if not found:
        return None
    return {**compact(use=_HOME_USE.get(kind), type="postal" if kind == "M" else None), **found}


def telecoms(*values: str, use: str | None = None) -> list[dict[str, Any]]:
    """Every repetition of XTN fields as ContactPoint; ``use`` where the field implies one."""
    return [found for value in values for each in repeats(value) if (found := _telecom(each, use))]


def _telecom(value: str, use: str | None) -> dict[str, Any] | None:
    part = [unescape(each).strip() for each in parts(value, 12)]
    email = part[3] or (part[0] if "@" in part[0] else "")
    if email:
        return compact(system="email", value=email, use=_PHONE_USE.get(part[1], use))
    pieced = f"{'+' + part[4] + ' ' if part[4] else ''}{'(' + part[5] + ') ' if part[5] else ''}{part[6]}"
    phone = part[0] or part[11] or pieced.strip()
    if not phone:
        return None
    if part[7]:
        phone += f" x{part[7]}"
    mobile = "mobile" if part[2] == "CP" else None
    kind = _PHONE_KIND.get(part[2].upper(), "phone")
    return compact(system=kind, value=phone, use=mobile or _PHONE_USE.get(part[1], use))


def person_reference(value: str, authorities: Authorities) -> dict[str, Any] | None:
    """An XCN (or CN) as a Reference that names its target and needs no resource of its own."""
    part = parts(value, 13)
    number = unescape(part[0]).strip()
    text = [unescape(each.partition("&")[0]).strip() for each in part[1:7]]
    display = " ".join(each for each in (text[4], text[1], text[2], text[0], text[3]) if each)
    known = compact(system=authorities.system(part[8], part[12]), value=number) if number else None
    return compact(identifier=known, display=display) or None


def person_references(value: str, authorities: Authorities) -> list[dict[str, Any]]:
    """Every repetition of an XCN."""
    return [found for each in repeats(value) if (found := person_reference(each, authorities))]


def organization_reference(value: str, authorities: Authorities) -> dict[str, Any] | None:
    """An XON as a Reference by name and number."""
    part = parts(value, 10)
    number = unescape(part[9] or part[2]).strip()
    known = compact(system=authorities.system(part[5], part[6]), value=number) if number else None
    return compact(identifier=known, display=unescape(part[0]).strip()) or None


def place_reference(value: str, authorities: Authorities) -> dict[str, Any] | None:
    """A PL as a Reference by its parts: point of care, room, bed, facility."""
    part = [unescape(each.partition("&")[0]).strip() for each in parts(value, 9)]
    shown = ", ".join(each for each in (part[3], part[6], part[7], part[0], part[1], part[2], part[8]) if each)
    if not shown:
        return None
    return {"identifier": {"system": authorities.system(part[3], "location"), "value": shown}, "display": shown}


def period(start: str, end: str, zone: tzinfo) -> dict[str, str] | None:
    """Two moments as Period."""
    return compact(start=moment(start, zone), end=moment(end, zone)) or None


def communication(value: str, source: str) -> list[dict[str, Any]]:
    """A language somebody speaks."""
    code = first(value)
    if not code:
        return []
    tag = codes.LANGUAGES.get(code.lower(), code if len(code) == 2 and code.isalpha() else "")
    if tag:
        return [{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": tag.lower()}], "text": plain(value)}}]
    told = concept(value.partition("~")[0], source, "0296")
    return [{"language": told}] if told else []


def relationship(value: str, source: str) -> dict[str, Any] | None:
    """HL7 table 0063 as the relationship of a Coverage."""
    code = codes.RELATIONSHIP.get(first(value).upper())
    if code is None:
        return None
    return {"coding": [{"system": codes.TERMINOLOGY + "subscriber-relationship", "code": code}]}
