"""FT1 as ChargeItem. Payments, credits and adjustments are no charges: they are left and counted."""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2.context import Context
from include.sources.hl7v2.datatypes import compact, concepts, first, number, parts, unit_of
from include.sources.hl7v2.people import entity_identifier, organization_reference, person_references

FIELDS = {"FT1": {1, 2, 4, 5, 6, 7, 10, 11, 12, 13, 19, 20, 24, 25, 29, 43}}


def read_ft1(ctx: Context, f: list[str]) -> None:
    """FT1: what is charged, when, for which diagnoses, by whom."""
    if first(f[6]).upper() not in ("", "CG"):
        ctx.leave(f)
        return
    code = ctx.concept(f[7]) or ctx.concept(f[25])
    if not code:
        ctx.leave(f)
        return
    if f[7] and f[25] and ctx.concept(f[7]) != ctx.concept(f[25]):
        ctx.unmapped["FT1.25"] += 1
    price = _money(f[11]) or _money(f[12])
    if f[11] and f[12]:
        ctx.unmapped["FT1.12"] += 1
    visit = ctx.visit["reference"] if ctx.visit else ""
    key = ("ft1", ctx.patient_id, f[2] or f"{visit} {f[4]} {f[7] or f[25]}")
    ctx.make(
        "ChargeItem",
        (*key, ctx.nth(*key)),
        identifier=[own] if (own := entity_identifier(f[2], ctx.authorities, "charge")) else None,
        status="billable",
        code=code,
        subject=ctx.subject,
        context=ctx.visit,
        occurrenceDateTime=ctx.moment(f[4], "FT1.4"),
        performer=[{"actor": each} for each in person_references(f[20], ctx.authorities)],
        performingOrganization=organization_reference(_as_organization(f[13]), ctx.authorities) if f[13] else None,
        quantity=_quantity(ctx, f),
        priceOverride=price,
        enterer=(person_references(f[24], ctx.authorities) or [None])[0],
        enteredDate=ctx.moment(f[5], "FT1.5"),
        reason=concepts(f[19], ctx.source),
        productCodeableConcept=ctx.concept(f[29]),
    )


def _quantity(ctx: Context, f: list[str]) -> dict[str, Any] | None:
    """FT1-10; else FT1-43, which says it of the drug with its unit."""
    count = number(f[10])
    if count is not None:
        if f[43]:
            ctx.unmapped["FT1.43"] += 1
        return {"value": count}
    amount, _, unit = f[43].partition("^")
    told = number(amount)
    return None if told is None else {"value": told, **unit_of(unit.replace("&", "^"), ctx.source)}


def _money(value: str) -> dict[str, Any] | None:
    """A CP (price & currency ^ kind) as Money."""
    amount, _, currency = parts(value.partition("~")[0])[0].partition("&")
    told = number(amount)
    return None if told is None else compact(value=told, currency=currency.strip().upper() or None)


def _as_organization(value: str) -> str:
    """A CWE (code, name) as XON (name, …, number)."""
    code, name, *_ = parts(value.partition("~")[0], 2)
    return "^".join([name or code, *[""] * 8, code])
