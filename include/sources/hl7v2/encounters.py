"""PV1 and PV2 as Encounter."""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.context import Context, reference
from include.sources.hl7v2.datatypes import compact, concepts, first, number, parts, repeats
from include.sources.hl7v2.people import identifier, person_references, place_reference

FIELDS = {
    "PV1": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 36, 37, 38, 42, 43, 44, 45, 50, 52},
    "PV2": {1, 3, 8, 9, 11, 12, 13, 25, 38},
}
_PARTICIPANTS = ((7, "ATND", "attender"), (8, "REF", "referrer"), (9, "CON", "consultant"), (17, "ADM", "admitter"))
_ARRIVAL = "http://hl7.org/fhir/StructureDefinition/encounter-modeOfArrival"
_LOCATIONS = ((3, "active"), (6, "completed"), (11, "active"), (42, "planned"), (43, "completed"))


def visit_key(value: str) -> tuple[str, ...]:
    """What an encounter's id is made from: visit number and authority, so that it stays when it moves to another record."""
    part = parts(value.partition("~")[0], 4)
    return ("visit", part[0].partition("&")[0].strip(), part[3].strip("&"))


def read_pv1(ctx: Context, f: list[str]) -> None:
    """PV1: opens a visit. One that nothing identifies is left, because every message would make it another visit."""
    ctx.begin_visit()
    key = _key(ctx, f)
    if ctx.subject is None or key is None:
        ctx.leave(f)
        return
    left_at = ctx.moment(f[45], "PV1.45")
    encounter = ctx.make(
        "Encounter",
        key,
        identifier=_identifiers(ctx, f),
        status=_status(ctx, left_at),
        **{"class": _class(ctx, f[2])},
        type=[*concepts(f[4], ctx.source, "0007"), *concepts(f[18], ctx.source, "0018")],
        serviceType=ctx.concept(f[10], "0069"),
        subject=ctx.subject,
        participant=_participants(ctx, f),
        period=compact(start=ctx.moment(f[44], "PV1.44"), end=left_at),
        hospitalization=_hospitalization(ctx, f),
        location=_locations(ctx, f),
    )
    encounter["meta"] = ctx.mention
    ctx.encounter, ctx.visit = encounter, reference(encounter)
    if ctx.event == "A23" and ctx.kind == "ADT":
        encounter["meta"] = ctx.meta
        ctx.delete(encounter)


def _key(ctx: Context, f: list[str]) -> tuple[str, ...] | None:
    if first(f[19]):
        return visit_key(f[19])
    if first(f[2]) in ("", "N") and not f[44]:
        return None
    if ctx.account:
        return ("account", ctx.patient_id, ctx.account)
    if f[44]:
        return ("admitted", ctx.patient_id, f[44])
    if ctx.kind == "ADT":
        return ("told", ctx.patient_id, first(f[2]), (ctx.told_at or ctx.control_id)[:10])
    return None


def _identifiers(ctx: Context, f: list[str]) -> list[dict[str, Any]]:
    found = [identifier(each, ctx.authorities, ctx.zone, "VN") for each in repeats(f[19])]
    found += [identifier(each, ctx.authorities, ctx.zone) for each in repeats(f[50])]
    return [each for each in found if each]


def _status(ctx: Context, left_at: str | None) -> str:
    if ctx.kind != "ADT":
        return "finished" if left_at else "planned" if ctx.kind == "SIU" else "unknown"
    told = codes.ENCOUNTER_STATUS_BY_EVENT.get(ctx.event)
    if told:
        return told
    return "finished" if left_at and ctx.event != "A13" else "in-progress"


def _class(ctx: Context, value: str) -> dict[str, Any] | None:
    code = first(value).upper()
    if not code:
        return None
    return codes.ENCOUNTER_CLASS.get(code, {"system": f"{codes.V2_TABLES}0004", "code": code})


def _participants(ctx: Context, f: list[str]) -> list[dict[str, Any]]:
    found = []
    for field, code, display in _PARTICIPANTS:
        for individual in person_references(f[field], ctx.authorities):
            found.append({"type": [_participation(code, display)], "individual": individual})
    return found + [{"individual": individual} for individual in person_references(f[52], ctx.authorities)]


def _participation(code: str, display: str) -> dict[str, Any]:
    coding = {"system": codes.TERMINOLOGY + "v3-ParticipationType", "code": code, "display": display}
    return {"coding": [coding]}


def _hospitalization(ctx: Context, f: list[str]) -> dict[str, Any]:
    return compact(
        preAdmissionIdentifier=identifier(f[5], ctx.authorities, ctx.zone) if f[5] else None,
        admitSource=ctx.concept(f[14], "0023"),
        reAdmission=ctx.concept(f[13], "0092"),
        dietPreference=concepts(f[38], ctx.source, "0114"),
        specialCourtesy=concepts(f[16], ctx.source, "0099"),
        specialArrangement=concepts(f[15], ctx.source, "0009"),
        destination={"display": first(f[37])} if first(f[37]) else None,
        dischargeDisposition=ctx.concept(f[36], "0112"),
    )


def _locations(ctx: Context, f: list[str]) -> list[dict[str, Any]]:
    found = []
    for field, status in _LOCATIONS:
        for each in repeats(f[field]):
            place = place_reference(each, ctx.authorities)
            if place:
                found.append({"location": place, "status": status})
    return found


def read_pv2(ctx: Context, f: list[str]) -> None:
    """PV2: why, how long, how urgent."""
    if ctx.encounter is None:
        ctx.leave(f)
        return
    days = number(f[11].partition("^")[0]) if f[11] else None
    if f[11] and days is None:
        ctx.unmapped["PV2.11 unreadable"] += 1
    reasons = [each for each in (ctx.concept(f[3]), {"text": first(f[12])} if first(f[12]) else None) if each]
    ctx.encounter |= compact(
        reasonCode=reasons,
        length={"value": days, "unit": "d", "system": codes.UCUM, "code": "d"} if days is not None else None,
        priority=ctx.concept(f[25], "0217"),
    )
    pending = place_reference(f[1].partition("~")[0], ctx.authorities) if f[1] else None
    if pending:
        ctx.encounter.setdefault("location", []).append({"location": pending, "status": "planned"})
    for individual in person_references(f[13], ctx.authorities):
        ctx.encounter.setdefault("participant", []).append(
            {"type": [_participation("REF", "referrer")], "individual": individual}
        )
    arrival = (ctx.concept(f[38], "0430") or {}).get("coding")
    if arrival:
        ctx.encounter["extension"] = [{"url": _ARRIVAL, "valueCoding": arrival[0]}]
    elif f[38]:
        ctx.unmapped["PV2.38"] += 1
    _expect(ctx, f)


def _expect(ctx: Context, f: list[str]) -> None:
    """A visit that has not begun lies where it is expected, unless PV1 says when it is."""
    encounter = ctx.encounter
    for field, end in ((8, "start"), (9, "end")):
        if not f[field]:
            continue
        period = encounter.get("period", {})
        if encounter["status"] in ("planned", "cancelled") and end not in period:
            expected = ctx.moment(f[field], f"PV2.{field}")
            encounter["period"] = {**period, **({end: expected} if expected else {})}
        else:
            ctx.unmapped[f"PV2.{field}"] += 1
