"""EVN as Provenance, by the guide's map: when the event was recorded and happened, why, and who entered it where."""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.context import Context, reference
from include.sources.hl7v2.datatypes import compact, first, parts
from include.sources.hl7v2.people import person_references

FIELDS = {"EVN": {1, 2, 4, 5, 6, 7}}  # EVN-1 repeats MSH-9; the guide has no place for the planned time of EVN-3


def read_evn(ctx: Context, f: list[str]) -> None:
    """EVN: kept until the people and visits it is about are known.

    Where it says no more than when it was recorded, and that is when the message was sent, there is nothing to keep.
    """
    if any(f[4:8]) or (f[2] and ctx.instant(f[2], "EVN.2") != ctx.told_at):
        ctx.at_end.append(lambda: _tell(ctx, f))


def _tell(ctx: Context, f: list[str]) -> None:
    """The message's first person stands first among its targets: whose record this is part of."""
    if not ctx.people:
        ctx.leave(f, frozenset(FIELDS["EVN"]) - {1})
        return
    operators = person_references(f[5], ctx.authorities)
    sender = {"display": ctx.facility or "not told"}
    targets = [reference(each) for each in ctx.people]
    if ctx.visit:
        targets.append(ctx.visit)
    reason = None if first(f[4]).upper() == "U" else ctx.concept(f[4], "0062")
    coding = {"system": f"{codes.V2_TABLES}0003", "code": ctx.event}
    ctx.make(
        "Provenance",
        ("evn", ctx.people[0]["id"], ctx.event, f[2], f[6], ctx.control_id),
        target=targets,
        occurredDateTime=ctx.moment(f[6], "EVN.6"),
        recorded=ctx.instant(f[2], "EVN.2") or ctx.told_at,
        reason=[reason] if reason else None,
        activity=compact(coding=[coding] if ctx.event else None),
        agent=[{"who": who} for who in operators] or [{"who": sender}],
        location=_facility(ctx, f[7]),
    )


def _facility(ctx: Context, value: str) -> dict[str, Any] | None:
    """An HD as a Reference by its name and address."""
    if not value:
        return None
    address = ctx.authorities.system("&".join(parts(value, 3)))
    return compact(identifier={"system": "urn:ietf:rfc:3986", "value": address}, display=first(value))
