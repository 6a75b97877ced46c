"""SCH, AIS, AIG, AIL and AIP as Appointment."""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.context import Context, Resource
from include.sources.hl7v2.datatypes import compact, concepts, first, instant, number, parts, plain
from include.sources.hl7v2.people import entity_identifier, person_references, place_reference

FIELDS = {
    "SCH": {1, 2, 6, 7, 8, 9, 10, 11, 12, 16, 20, 25},
    "RGS": {1},
    "AIS": {1, 3, 4, 7, 8},
    "AIG": {1, 3, 8},
    "AIL": {1, 3, 4, 6},
    "AIP": {1, 3, 4, 6},
}
_AS = {  # HL7 table 0912, after the guide's map of SCH
    12: {"coding": [{"system": f"{codes.V2_TABLES}0912", "code": "OP"}]},
    20: {"coding": [{"system": f"{codes.V2_TABLES}0912", "code": "EP"}]},
}
_MINUTES = {"": 1, "MIN": 1, "M": 1, "MINUTES": 1, "S": 1 / 60, "SEC": 1 / 60, "H": 60, "HR": 60, "HOURS": 60}


def read_sch(ctx: Context, f: list[str]) -> None:
    """SCH: the appointment. Its patient and resources follow."""
    timed = parts(f[11], 5)
    status = codes.APPOINTMENT_BY_EVENT.get(ctx.event) if ctx.kind == "SIU" else None
    filler = first(f[25]).upper()
    key = ("sch", f[2] or f[1]) if f[2] or f[1] else ("sch", ctx.control_id)
    numbers = [
        entity_identifier(f[1], ctx.authorities, "PLAC"),
        entity_identifier(f[2], ctx.authorities, "FILL"),
    ]
    length = number(f[9])
    minutes = int(length * _MINUTES.get(first(f[10]).upper(), 1)) if isinstance(length, (int, float)) else None
    reasons = concepts(f[7], ctx.source, "0276")
    ctx.group = ctx.appointment = ctx.make(
        "Appointment",
        key,
        identifier=[each for each in numbers if each],
        status=status or codes.APPOINTMENT_STATUS.get(filler) or "booked",
        cancelationReason=ctx.concept(f[6]) if status in ("cancelled", "noshow") else None,
        appointmentType=ctx.concept(f[8], "0277"),
        reasonCode=[*reasons, *([] if status in ("cancelled", "noshow") else concepts(f[6], ctx.source))],
        start=instant(timed[3], ctx.zone) if timed[3] else None,
        end=instant(timed[4], ctx.zone) if timed[4] else None,
        minutesDuration=minutes if minutes and minutes > 0 else None,
        participant=[
            *(_participant(each) for each in person_references(f[16], ctx.authorities)),
            *(
                _participant(each, _AS[place])
                for place in (12, 20)
                for each in person_references(f[place], ctx.authorities)
            ),
        ],
    )


def _participant(actor: dict[str, Any], kind: dict[str, Any] | None = None) -> dict[str, Any]:
    return compact(type=[kind] if kind else None, actor=actor, status="accepted")


def attach_patient(ctx: Context, appointment: Resource) -> None:
    """Put the patient first among the participants: whom the appointment is about."""
    others = appointment.get("participant", [])
    if ctx.subject:
        appointment["participant"] = [{"actor": ctx.subject, "status": "accepted"}, *others]


def add_time(ctx: Context, appointment: Resource) -> None:
    """TQ1 says start and end where SCH-11 does not."""
    f = ctx.timing
    appointment |= compact(
        start=appointment.get("start") or ctx.instant(f[7], "TQ1.7"),
        end=appointment.get("end") or ctx.instant(f[8], "TQ1.8"),
    )


def read_rgs(ctx: Context, f: list[str]) -> None:
    """RGS groups resources and says nothing else."""


def read_ais(ctx: Context, f: list[str]) -> None:
    """AIS: the service that is booked."""
    if (appointment := _open_one(ctx, f)) is None:
        return
    service = ctx.concept(f[3])
    if service:
        appointment.setdefault("serviceType", []).append(service)
    _begin(ctx, appointment, f[4], "AIS.4")
    length = number(f[7])
    if "minutesDuration" not in appointment and isinstance(length, (int, float)):
        appointment["minutesDuration"] = max(1, int(length * _MINUTES.get(first(f[8]).upper(), 1)))


def read_aig(ctx: Context, f: list[str]) -> None:
    """AIG: equipment or another resource."""
    if (appointment := _open_one(ctx, f)) is not None and (named := plain(f[3])):
        appointment.setdefault("participant", []).append(_participant({"display": named}))
        _begin(ctx, appointment, f[8], "AIG.8")


def read_ail(ctx: Context, f: list[str]) -> None:
    """AIL: where."""
    if (appointment := _open_one(ctx, f)) is None:
        return
    place = place_reference(f[3], ctx.authorities)
    if place:
        appointment.setdefault("participant", []).append(_participant(place, ctx.concept(f[4], "0305")))
    _begin(ctx, appointment, f[6], "AIL.6")


def read_aip(ctx: Context, f: list[str]) -> None:
    """AIP: who."""
    if (appointment := _open_one(ctx, f)) is None:
        return
    for person in person_references(f[3], ctx.authorities):
        appointment.setdefault("participant", []).append(_participant(person, ctx.concept(f[4])))
    _begin(ctx, appointment, f[6], "AIP.6")


def _begin(ctx: Context, appointment: Resource, value: str, place: str) -> None:
    start = ctx.instant(value, place)
    if start and "start" not in appointment:
        appointment["start"] = start


def _open_one(ctx: Context, f: list[str]) -> Resource | None:
    """The appointment that the segment belongs to; visits and results may have come between."""
    if ctx.appointment is not None:
        ctx.noted = ctx.appointment
        return ctx.appointment
    ctx.leave(f)
    return None
