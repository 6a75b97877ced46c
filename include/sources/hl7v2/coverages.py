"""IN1 and IN2 as Coverage, with the insured as RelatedPerson where that is not the patient."""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.context import Context, Resource, reference
from include.sources.hl7v2.datatypes import compact, first, mapped, plain, repeats
from include.sources.hl7v2.people import (
    addresses,
    communication,
    identifier,
    names,
    numbered,
    organization_reference,
    period,
    relationship,
    telecoms,
)

FIELDS = {
    "IN1": {1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18, 19, 22, 36, 43, 49},
    "IN2": {1, 2, 6, 8, 10, 34, 61, 63, 72},
}
_CLASS = codes.TERMINOLOGY + "coverage-class"
# Numbers in IN2: field -> their type in HL7 table 0203.
_MEMBER_NUMBERS = {6: "MC", 8: "MA", 10: "MI", 61: "MB"}
_ABOUT_INSURED = (1, 2, 34, 63)


def read_in1(ctx: Context, f: list[str]) -> None:
    """IN1: an insurance of the patient."""
    if ctx.subject is None:
        ctx.leave(f)
        return
    key = ("in1", ctx.patient_id, f[2], first(f[3]) or plain(f[4]), f[36])
    order = first(f[22]) or first(f[1])
    policy = {"system": ctx.authorities.system("", "policy"), "value": plain(f[36])} if f[36] else None
    related = relationship(f[17], ctx.source)
    ctx.insured = None
    subscriber = _subscriber(ctx, f, key, related)
    ctx.coverage = ctx.make(
        "Coverage",
        (*key, ctx.nth(*key)),
        identifier=[policy] if policy else None,
        status="active",
        type=ctx.concept(f[15], "0086"),
        policyHolder=_employer(ctx, f),
        subscriber=subscriber,
        subscriberId=first(f[49]) or plain(f[36]),
        beneficiary=ctx.subject,
        relationship=related,
        period=period(f[12], f[13], ctx.zone),
        payor=[_payor(ctx, f)],
        **{"class": _classes(ctx, f)},
        order=int(order) if order.isdecimal() and 0 < len(order) < 4 and int(order) else None,
    )


def _subscriber(ctx: Context, f: list[str], key: tuple[str, ...], related: Resource | None) -> dict[str, Any] | None:
    """The insured: the patient, somebody of whom the segment tells, or nobody."""
    if related is not None and related["coding"][0]["code"] == "self":
        for number in (16, 18, 19, 43):
            if f[number]:
                ctx.unmapped[f"IN1.{number}"] += 1
        return ctx.subject
    called = names(f[16], ctx.zone)
    if not called:
        for number in (18, 19, 43):
            if f[number]:
                ctx.unmapped[f"IN1.{number}"] += 1
        return None
    ctx.insured = ctx.make(
        "RelatedPerson",
        (*key, "insured", ctx.nth(*key, "insured")),
        patient=ctx.subject,
        relationship=[told] if (told := ctx.concept(f[17], "0063")) else None,
        name=called,
        gender=mapped(f[43], codes.GENDER),
        birthDate=ctx.day(f[18], "IN1.18"),
        address=addresses(f[19]),
    )
    ctx.insured["meta"] = ctx.mention
    shown = " ".join([*called[0].get("given", []), called[0].get("family", "")]).strip()
    return compact(**reference(ctx.insured), display=shown)


def _employer(ctx: Context, f: list[str]) -> dict[str, Any] | None:
    """IN1-10 and IN1-11: the group's employer, who holds the policy."""
    known = identifier(f[10].partition("~")[0], ctx.authorities, ctx.zone) if f[10] else None
    named = organization_reference(f[11].partition("~")[0], ctx.authorities) if f[11] else None
    return {**(named or {}), **compact(identifier=known)} or None


def read_in2(ctx: Context, f: list[str]) -> None:
    """IN2: numbers of the insurance before it, and more about the insured."""
    coverage, insured = ctx.coverage, ctx.insured
    if coverage is None:
        ctx.leave(f)
        return
    for field, kind in _MEMBER_NUMBERS.items():
        own = identifier(f[field].partition("~")[0], ctx.authorities, ctx.zone) if f[field] else None
        if own:
            coverage.setdefault("identifier", []).append({**own, **numbered(own["value"], kind, own["system"])})
    related = relationship(f[72], ctx.source)
    if related and "relationship" not in coverage:
        coverage["relationship"] = related
    elif f[72]:
        ctx.unmapped["IN2.72"] += 1
    if insured is not None:
        numbers = [identifier(each, ctx.authorities, ctx.zone, "EI") for each in repeats(f[1])]
        found = [each for each in (*numbers, numbered(f[2], "SS", codes.SSN)) if each]
        insured |= compact(
            identifier=found, telecom=telecoms(f[63], use="home"), communication=communication(f[34], ctx.source)
        )
    else:
        for field in _ABOUT_INSURED:
            if f[field]:
                ctx.unmapped[f"IN2.{field}"] += 1


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
