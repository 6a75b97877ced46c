"""OBX-5 as the value of an Observation, by its type in OBX-2, with its unit and reference range."""

from __future__ import annotations

import re
from typing import Any

from include.sources.hl7v2.context import Context, Resource
from include.sources.hl7v2.datatypes import (
    compact,
    concept,
    free_text,
    moment,
    number,
    parts,
    plain,
    quantity,
    remembered,
    repeats,
    unit_of,
)

_CODED = frozenset({"CE", "CWE", "CNE", "CF", "CE_", "IS", "ID"})
_TEXT = frozenset({"ST", "TX", "FT", "SI", ""})
_TIMES = frozenset({"DT", "TS", "DTM"})
ATTACHED = frozenset({"ED", "RP"})
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d)(?:([0-5]\d)(\.\d{1,4})?)?", re.ASCII)
_RANGE = re.compile(r"\s*([+-]?[\d.]+)\s*(?:-|to|\.\.)\s*([+-]?[\d.]+)\s*", re.ASCII)
_BOUND = re.compile(r"\s*(<=|>=|<|>)\s*([+-]?[\d.]+)\s*", re.ASCII)
_ATTACHMENT = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value"


def value_of(ctx: Context, observation: Resource, f: list[str]) -> None:
    """Put OBX-5, -6 and -7 into an Observation. Several repetitions are components."""
    told = f[5]
    kind = f[2].partition("^")[0].strip()
    unit = unit_of(f[6], ctx.source) if f[6] else {}
    ranges = reference_ranges(f[7], ctx.source, f[6]) if f[7] else None
    if told.strip("~^&"):
        _put(ctx, observation, kind, told, unit)
    elif told:
        ctx.unmapped["OBX.5 empty"] += 1
    if ranges:
        observation["referenceRange"] = ranges
    if f[6] and not unit:
        ctx.unmapped["OBX.6 unreadable"] += 1


def _put(ctx: Context, observation: Resource, kind: str, told: str, unit: dict[str, str]) -> None:
    each = repeats(told) if "~" in told else [told]
    if kind in _TEXT:
        observation["valueString"] = free_text(told)
    elif len(each) == 1:
        observation |= _value(ctx, kind, each[0], unit)
    else:
        code = observation.get("code")
        observation["component"] = [compact(code=code, **_value(ctx, kind, value, unit)) for value in each]


def _value(ctx: Context, kind: str, told: str, unit: dict[str, str]) -> dict[str, Any]:
    if kind == "NM":
        found = quantity(told.partition("^")[0], unit)
        return {"valueQuantity": found} if found else {"valueString": plain(told)}
    if kind in _CODED:
        found = concept(told, ctx.source)
        return {"valueCodeableConcept": found} if found else {"valueString": plain(told)}
    if kind == "SN":
        return _structured(told, unit) or {"valueString": plain(told)}
    if kind in _TIMES:
        found = moment(told, ctx.zone)
        return {"valueDateTime": found} if found else {"valueString": plain(told)}
    return _rarer_value(ctx, kind, told, unit) or {"valueString": plain(told)}


def _rarer_value(ctx: Context, kind: str, told: str, unit: dict[str, str]) -> dict[str, Any] | None:
    if kind == "TM":
        found = _TIME.fullmatch(told.strip())
        if found:
            return {"valueTime": f"{found[1]}:{found[2]}:{found[3] or '00'}{found[4] or ''}"}
    if kind == "DR":
        start, end, *_ = parts(told, 2)
        period = compact(start=moment(start, ctx.zone), end=moment(end, ctx.zone))
        return {"valuePeriod": period} if period else None
    if kind in ("NR", "CQ", "MO"):
        low, high, *_ = parts(told, 2)
        if kind == "CQ":
            found = quantity(low, unit_of(high, ctx.source) if high else unit)
            return {"valueQuantity": found} if found else None
        ends = compact(low=quantity(low, unit), high=quantity(high, unit))
        return {"valueRange": ends} if ends and kind == "NR" else None
    if kind in ATTACHED:
        return {"extension": [{"url": _ATTACHMENT, "valueAttachment": attachment(kind, told)}]}
    return None


def _structured(told: str, unit: dict[str, str]) -> dict[str, Any] | None:
    """SN: comparator, number, separator, number."""
    comparator, first, separator, second = (part.strip() for part in parts(told, 4)[:4])
    one, two = quantity(first, unit), quantity(second, unit)
    if separator in (":", "/") and one and two:
        return {"valueRatio": {"numerator": one, "denominator": two}}
    if separator == "-" and one and two:
        return {"valueRange": {"low": one, "high": two}}
    if separator == "+" and one:
        return {"valueQuantity": {**one, "comparator": ">="}}
    if one and not separator and comparator in ("", "=", "<", ">", "<=", ">="):
        return {"valueQuantity": {**one, **compact(comparator=comparator if comparator != "=" else None)}}
    return None


@remembered()
def reference_ranges(value: str, source: str, units: str) -> list[dict[str, Any]]:
    """OBX-7: the text as written, and limits in the result's unit where it says numbers."""
    unit = unit_of(units, source) if units else {}
    found = []
    for each in repeats(value):
        text = plain(each)
        between, bound = _RANGE.fullmatch(text), _BOUND.fullmatch(text)
        low = number(between[1]) if between else number(bound[2]) if bound and bound[1][0] == ">" else None
        high = number(between[2]) if between else number(bound[2]) if bound and bound[1][0] == "<" else None
        found.append(
            compact(
                low={"value": low, **unit} if low is not None else None,
                high={"value": high, **unit} if high is not None else None,
                text=text,
            )
        )
    return found


def attachment(kind: str, told: str) -> dict[str, Any]:
    """ED (source, type, subtype, encoding, data) or RP (pointer, application, type, subtype) as Attachment."""
    part = parts(told, 5)
    if kind == "RP":
        return compact(contentType=_content_type(part[2], part[3]), url=plain(part[0]), title=plain(part[1]))
    is_base64 = part[3].strip().lower() == "base64"
    data = re.sub(r"\s|\\\.br\\", "", part[4]) if is_base64 else _as_base64("^".join(part[4:]))
    return compact(contentType=_content_type(part[1], part[2]), data=data, title=plain(part[0]))


def _content_type(kind: str, subtype: str) -> str | None:
    kind, subtype = kind.strip().lower(), subtype.strip().lower()
    if "/" in kind:
        return kind
    known = {"text": "text", "tx": "text", "application": "application", "ap": "application", "image": "image"}
    if kind in ("im", "image", "audio", "video", *known) and subtype:
        return f"{known.get(kind, 'image' if kind == 'im' else kind)}/{subtype}"
    return {"pdf": "application/pdf", "rtf": "application/rtf"}.get(subtype or kind, f"text/{subtype or 'plain'}")


def _as_base64(text: str) -> str:
    from base64 import b64encode

    from include.sources.hl7v2.escapes import unescape

    return b64encode(unescape(text).encode()).decode()
