"""RXO, RXE, RXD and RXR: what was prescribed, how the pharmacy took it, what it handed out."""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.context import Context, Resource, reference
from include.sources.hl7v2.datatypes import compact, first, free_text, mapped, number, parts, plain, repeats, unit_of
from include.sources.hl7v2.people import entity_identifier, person_references
from include.sources.hl7v2.results import order_status

FIELDS = {
    "RXO": {1, 2, 3, 4, 6, 7, 9, 11, 12, 13, 14, 20},
    "RXE": {1, 2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 15, 21, 23, 24, 27},
    "RXD": {1, 2, 3, 4, 5, 6, 7, 9, 10},
    "RXR": {1, 2, 4},
}
_NO_ORDER = [""] * 60


def read_rxo(ctx: Context, f: list[str]) -> None:
    """RXO: the prescription as it was ordered."""
    order = ctx.order or _NO_ORDER
    dose = _dose(ctx, low=f[2], high=f[3], unit=f[4])
    texts = [plain(each) for value in (f[6], f[7]) for each in repeats(value)]
    _open(
        ctx,
        "rxo",
        _number_of(order) or f[1],
        order,
        intent="original-order",
        medicationCodeableConcept=ctx.concept(f[1]),
        requester=(person_references(f[14] or order[12], ctx.authorities) or [None])[0],
        reasonCode=[reason] if (reason := ctx.concept(f[20])) else None,
        dosageInstruction=[dosage] if (dosage := compact(text="\n".join(texts), doseAndRate=dose)) else None,
        dispenseRequest=_dispense_request(ctx, f[11], f[12], f[13]),
        substitution=_substitution(f[9]),
    )


def read_rxe(ctx: Context, f: list[str]) -> None:
    """RXE: the prescription as the pharmacy encoded it. It rests on the order before it, where that came."""
    order = ctx.order or _NO_ORDER
    ordered = ctx.group if ctx.group is not None and ctx.group["resourceType"] == "MedicationRequest" else None
    dose = _dose(ctx, low=f[3], high=f[4], unit=f[5], rate=f[23], rate_unit=f[24])
    texts = [plain(each) for value in (f[7], f[21], f[27]) for each in repeats(value)]
    prescription = f[15]
    timed = parts(f[1], 6) if f[1] else []
    dosage = compact(text="\n".join(texts), timing=_timing(ctx, *timed[1:2], start=timed[3:4], end=timed[4:5]))
    request = _open(
        ctx,
        "rxe",
        prescription or _number_of(order) or f[2],
        order,
        number=compact_identifier(ctx, prescription),
        intent="order",
        medicationCodeableConcept=ctx.concept(f[2]),
        requester=(person_references(f[13] or order[12], ctx.authorities) or [None])[0],
        dosageInstruction=[{**dosage, **compact(doseAndRate=dose)}] if dosage or dose else None,
        dispenseRequest=_dispense_request(ctx, f[10], f[11], f[12]),
        substitution=_substitution(f[9]),
    )
    if ordered is not None:
        request["basedOn"] = [reference(ordered)]


def compact_identifier(ctx: Context, value: str) -> dict[str, Any] | None:
    """A prescription number as Identifier."""
    number_told = first(value)
    return {"system": ctx.authorities.system("", "prescription"), "value": number_told} if number_told else None


def _number_of(order: list[str]) -> str:
    return order[2] or order[3]


def _open(
    ctx: Context, place: str, own_number: str, order: list[str], *, number: dict | None = None, **elements: Any
) -> Resource:
    status = order_status(order)
    numbers = [
        number,
        entity_identifier(order[2], ctx.authorities, "PLAC"),
        entity_identifier(order[3], ctx.authorities, "FILL"),
    ]
    key = (place, ctx.patient_id, own_number)
    timing = ctx.timing
    ctx.group_key = (*key, ctx.nth(*key))
    ctx.mixture = None
    ctx.group = ctx.make(
        "MedicationRequest",
        ctx.group_key,
        identifier=[each for each in numbers if each],
        status=codes.DRUG_STATUS.get(status, status),
        subject=ctx.subject,
        encounter=ctx.visit,
        groupIdentifier=entity_identifier(order[4], ctx.authorities, "PGN"),
        authoredOn=ctx.moment(order[9], "ORC.9"),
        **elements,
    )
    if timing:
        add_timing(ctx, ctx.group)
        ctx.timing = []
    return ctx.group


def add_timing(ctx: Context, request: Resource) -> None:
    """TQ1 into the first dosage of a MedicationRequest."""
    f = ctx.timing
    timing = _timing(ctx, f[3], start=[f[7]], end=[f[8]])
    if timing:
        dosages = request.setdefault("dosageInstruction", [{}])
        request["dosageInstruction"] = [{**dosages[0], "timing": timing}, *dosages[1:]]
    priority = mapped(f[9], codes.PRIORITY)
    if priority:
        request["priority"] = priority
    ctx.timing = []


def _timing(ctx: Context, pattern: str = "", *, start: list[str], end: list[str]) -> dict[str, Any] | None:
    code = plain(pattern.partition("&")[0])
    bounds = compact(
        start=ctx.moment(start[0], "TQ1.7") if start else None, end=ctx.moment(end[0], "TQ1.8") if end else None
    )
    coding = {"coding": [{"system": f"{codes.V2_TABLES}0335", "code": code}]} if code else None
    return compact(repeat={"boundsPeriod": bounds} if bounds else None, code=coding) or None


def _dose(
    ctx: Context, *, low: str, high: str, unit: str, rate: str = "", rate_unit: str = ""
) -> list[dict[str, Any]] | None:
    measure = unit_of(unit, ctx.source) if unit else {}
    least, most, speed = number(low), number(high), number(rate)
    spans = compact(
        low={"value": least, **measure} if least is not None else None,
        high={"value": most, **measure} if most is not None else None,
    )
    rated = unit_of(rate_unit, ctx.source) if rate_unit else {}
    told = compact(
        doseQuantity=spans.get("low") if most is None else None,
        doseRange=spans if most is not None else None,
        rateQuantity={"value": speed, **rated} if speed is not None else None,
    )
    return [told] if told else None


def _dispense_request(ctx: Context, amount: str, unit: str, refills: str) -> dict[str, Any]:
    value, again = number(amount), number(refills)
    measure = unit_of(unit, ctx.source) if unit else {}
    return compact(
        numberOfRepeatsAllowed=again if isinstance(again, int) and again >= 0 else None,
        quantity={"value": value, **measure} if value is not None else None,
    )


def _substitution(value: str) -> dict[str, Any] | None:
    code = first(value)
    if not code:
        return None
    return {"allowedCodeableConcept": {"coding": [{"system": f"{codes.V2_TABLES}0161", "code": code}]}}


def read_rxd(ctx: Context, f: list[str]) -> None:
    """RXD: what was handed out."""
    order = ctx.order or _NO_ORDER
    prescribed = ctx.group if ctx.group is not None and ctx.group["resourceType"] == "MedicationRequest" else None
    amount = number(f[4])
    unit = unit_of(f[5], ctx.source) if f[5] else {}
    dispensers = person_references(f[10], ctx.authorities)
    numbers = [compact_identifier(ctx, f[7]), entity_identifier(order[3], ctx.authorities, "FILL")]
    key = ("rxd", ctx.patient_id, f[7] or _number_of(order), f[1], f[3], f[2])
    ctx.mixture = None
    ctx.group = ctx.make(
        "MedicationDispense",
        (*key, ctx.nth(*key)),
        identifier=[each for each in numbers if each],
        status="completed",
        medicationCodeableConcept=ctx.concept(f[2]),
        subject=ctx.subject,
        context=ctx.visit,
        performer=[{"actor": each} for each in dispensers],
        authorizingPrescription=[reference(prescribed)] if prescribed else None,
        quantity={"value": amount, **unit} if amount is not None else None,
        whenHandedOver=ctx.moment(f[3], "RXD.3"),
        note=[{"text": free_text(f[9])}] if f[9] else None,
        dosageInstruction=[{"doseAndRate": [{"type": told}]}] if (told := ctx.concept(f[6])) else None,
    )


def read_rxr(ctx: Context, f: list[str]) -> None:
    """RXR: the way a drug or vaccine is given."""
    resource = ctx.group
    route, site, method = ctx.concept(f[1], "0162"), ctx.concept(f[2], "0163"), ctx.concept(f[4], "0165")
    if resource is None or resource["resourceType"] not in ("MedicationRequest", "MedicationDispense", "Immunization"):
        ctx.leave(f)
    elif resource["resourceType"] == "Immunization":
        resource |= compact(site=site, route=route)
        if f[4]:
            ctx.unmapped["RXR.4"] += 1
    else:
        dosages = resource.setdefault("dosageInstruction", [{}])
        resource["dosageInstruction"] = [
            {**dosages[0], **compact(site=site, route=route, method=method)},
            *dosages[1:],
        ]
