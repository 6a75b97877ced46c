"""RXC: what a drug is made of, as the Medication that its order or dispense refers to."""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2.context import Context, Resource, reference
from include.sources.hl7v2.datatypes import compact, first, number, unit_of

FIELDS = {"RXC": {1, 2, 3, 4, 5, 6, 7, 8, 9}}
_DRUGS = frozenset({"MedicationRequest", "MedicationDispense"})


def read_rxc(ctx: Context, f: list[str]) -> None:
    """RXC: a component (B base, A additive) of the drug that stands before it."""
    resource = ctx.group
    code = ctx.concept(f[2]) or ctx.concept(f[7])
    if resource is None or resource["resourceType"] not in _DRUGS or code is None:
        ctx.leave(f)
        return
    if f[2] and f[7]:
        more = ctx.concept(f[7]) or {}
        codings = [*code.get("coding", []), *more.get("coding", [])]
        code = compact(coding=codings, text=code.get("text") or more.get("text"))
    strength = _ratio(ctx, f[5:7], f[8:10])
    if strength is None:
        strength = _ratio(ctx, f[3:5], ["", ""])
        spare = (5, 6, 8, 9)
    else:
        spare = (3, 4)
    for place in spare:
        if f[place]:
            ctx.unmapped[f"RXC.{place}"] += 1
    mixture = _mixture_of(ctx, resource)
    mixture.setdefault("ingredient", []).append(
        compact(itemCodeableConcept=code, isActive=first(f[1]).upper() != "B", strength=strength)
    )


def _mixture_of(ctx: Context, resource: Resource) -> Resource:
    """The Medication of an order; made from its code when its first component is told."""
    if ctx.mixture is None:
        ctx.mixture = ctx.make(
            "Medication",
            ("rxc", resource["resourceType"], resource["id"]),
            code=resource.pop("medicationCodeableConcept", None),
        )
        resource["medicationReference"] = reference(ctx.mixture)
        ctx.noted = resource
    return ctx.mixture


def _ratio(ctx: Context, over: list[str], under: list[str]) -> dict[str, Any] | None:
    """A strength: so much of the component in so much of the drug, or in one unit of it where nothing says."""
    amount = number(over[0])
    if amount is None:
        return None
    volume = number(under[0])
    per = {"value": volume, **_unit(ctx, under[1])} if volume is not None else {"value": 1}
    return {"numerator": {"value": amount, **_unit(ctx, over[1])}, "denominator": per}


def _unit(ctx: Context, value: str) -> dict[str, str]:
    return unit_of(value, ctx.source) if value else {}
