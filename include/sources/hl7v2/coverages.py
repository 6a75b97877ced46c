"""IN1 as Coverage."""

from __future__ import annotations

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.context import Context
from include.sources.hl7v2.datatypes import compact, first, plain, repeats
from include.sources.hl7v2.people import names, period, relationship

FIELDS = {"IN1": {1, 2, 3, 4, 8, 9, 12, 13, 15, 16, 17, 22, 36, 49}}
_CLASS = codes.TERMINOLOGY + "coverage-class"


def read_in1(ctx: Context, f: list[str]) -> None:
    """IN1: an insurance of the patient."""
    if ctx.subject is None:
        ctx.leave(f)
        return
    key = ("in1", ctx.patient_id, f[2], first(f[3]) or plain(f[4]), f[36])
    order = first(f[22]) or first(f[1])
    insured = names(f[16], ctx.zone)
    subscriber = (
        compact(display=" ".join([*insured[0].get("given", []), insured[0].get("family", "")])) if insured else {}
    )
    policy = {"system": ctx.authorities.system("", "policy"), "value": plain(f[36])} if f[36] else None
    ctx.make(
        "Coverage",
        (*key, ctx.nth(*key)),
        identifier=[policy] if policy else None,
        status="active",
        type=ctx.concept(f[15], "0086"),
        subscriber=subscriber,
        subscriberId=first(f[49]) or plain(f[36]),
        beneficiary=ctx.subject,
        relationship=relationship(f[17], ctx.source),
        period=period(f[12], f[13], ctx.zone),
        payor=[_payor(ctx, f)],
        **{"class": _classes(ctx, f)},
        order=int(order) if order.isdecimal() and 0 < len(order) < 4 and int(order) else None,
    )


def _payor(ctx: Context, f: list[str]) -> dict:
    number = first(f[3])
    company = first(f[4])
    known = {"system": ctx.authorities.system("", "company"), "value": number} if number else None
    return compact(identifier=known, display=company) or {"display": "unknown"}


def _classes(ctx: Context, f: list[str]) -> list[dict]:
    plan = ctx.concept(f[2]) or {}
    coding = (plan.get("coding") or [{}])[0]
    found = []
    if f[2]:
        value = coding.get("code") or plan.get("text") or ""
        found.append(_class("plan", value, coding.get("display") or plan.get("text")))
    group = first(f[8])
    group_name = "; ".join(plain(each) for each in repeats(f[9]))
    if group or group_name:
        found.append(_class("group", group or group_name, group_name))
    return [each for each in found if each.get("value")]


def _class(kind: str, value: str, name: str | None) -> dict:
    return compact(type={"coding": [{"system": _CLASS, "code": kind}]}, value=value, name=name)
