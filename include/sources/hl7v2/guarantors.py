"""GT1: who pays the patient's account, as Account with its guarantor and, unless that is the patient, RelatedPerson."""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.context import Context, reference
from include.sources.hl7v2.datatypes import compact, concepts, first, mapped, repeats
from include.sources.hl7v2.people import (
    addresses,
    communication,
    identifier,
    names,
    numbered,
    organization_reference,
    period,
    telecoms,
)

FIELDS = {"GT1": {1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 13, 14, 21, 36}}
_SELF = frozenset({"SEL", "SELF", "18"})


def read_gt1(ctx: Context, f: list[str]) -> None:
    """GT1: a guarantor. Without an account (PID-18) only who that is can be told."""
    party, left = _party(ctx, f)
    if party is None or (not ctx.account and "reference" not in party):
        ctx.leave(f)
        return
    for number in left:
        if f[number]:
            ctx.unmapped[f"GT1.{number}"] += 1
    if ctx.account:
        guarantor = compact(party=party, period=period(f[13], f[14], ctx.zone))
        _account(ctx).setdefault("guarantor", []).append(guarantor)


def _party(ctx: Context, f: list[str]) -> tuple[dict[str, Any] | None, set[int]]:
    """The guarantor as Reference, and the fields that it leaves."""
    about_person = {2, 3, 5, 6, 7, 8, 9, 12, 36}
    if first(f[11]).upper() in _SELF:
        return (ctx.subject if ctx.account else None), about_person | {21}
    called = names(f[3], ctx.zone)
    if not called:
        organization = organization_reference(f[21], ctx.authorities) if f[21] else None
        return organization, about_person | {11}
    numbers = [identifier(each, ctx.authorities, ctx.zone) for each in repeats(f[2])]
    key = ("gt1", ctx.patient_id, first(f[2]) or f[3])
    person = ctx.make(
        "RelatedPerson",
        (*key, ctx.nth(*key)),
        identifier=[each for each in (*numbers, numbered(f[12], "SS", codes.SSN)) if each],
        patient=ctx.subject,
        relationship=concepts(f[11], ctx.source, "0063"),
        name=called,
        telecom=[*telecoms(f[6], use="home"), *telecoms(f[7], use="work")],
        gender=mapped(f[9], codes.GENDER),
        birthDate=ctx.day(f[8], "GT1.8"),
        address=addresses(f[5]),
        period=None if ctx.account else period(f[13], f[14], ctx.zone),
        communication=communication(f[36], ctx.source),
    )
    person["meta"] = ctx.mention
    return reference(person), {21}


def _account(ctx: Context) -> dict[str, Any]:
    """The account of PID-18, made once a message."""
    if ctx.account_told is None:
        number = {"system": ctx.authorities.system("", "AN"), "value": ctx.account}
        ctx.account_told = ctx.make(
            "Account",
            ("account", ctx.patient_id, ctx.account),
            identifier=[number],
            status="active",
            subject=[ctx.subject],
        )
        ctx.account_told["meta"] = ctx.mention
    return ctx.account_told
