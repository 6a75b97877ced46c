"""A message's segments to FHIR R4 resources, and a count of every field that no resource took in.

Segments are walked once in their order; groups need no message grammar, because an order, report, immunization or
document stays open until the next one begins. So results after a specimen still belong to their report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import tzinfo
from typing import NamedTuple

from include.sources.hl7v2 import (
    accidents,
    appointments,
    charges,
    coverages,
    deaths,
    encounters,
    events,
    guarantors,
    immunizations,
    medications,
    mixtures,
    notes,
    patients,
    problems,
    referrals,
    results,
    roles,
)
from include.sources.hl7v2.context import Context, Resource
from include.sources.hl7v2.message import Message, UnreadableMessageError
from include.sources.hl7v2.people import Authorities

Reader = Callable[[Context, list[str]], None]

READERS: dict[str, Reader] = {
    "PID": patients.read_pid,
    "PD1": patients.read_pd1,
    "NK1": patients.read_nk1,
    "MRG": patients.read_mrg,
    "PV1": encounters.read_pv1,
    "PV2": encounters.read_pv2,
    "DG1": problems.read_dg1,
    "PRB": problems.read_prb,
    "PR1": problems.read_pr1,
    "AL1": problems.read_al1,
    "IAM": problems.read_iam,
    "ORC": results.read_orc,
    "OBR": results.read_obr,
    "OBX": results.read_obx,
    "SPM": results.read_spm,
    "NTE": results.read_nte,
    "TQ1": results.read_tq1,
    "RXO": medications.read_rxo,
    "RXE": medications.read_rxe,
    "RXD": medications.read_rxd,
    "RXR": medications.read_rxr,
    "RXA": immunizations.read_rxa,
    "TXA": notes.read_txa,
    "IN1": coverages.read_in1,
    "IN2": coverages.read_in2,
    "GT1": guarantors.read_gt1,
    "ROL": roles.read_rol,
    "PRT": roles.read_prt,
    "RXC": mixtures.read_rxc,
    "FT1": charges.read_ft1,
    "PDA": deaths.read_pda,
    "EVN": events.read_evn,
    "RF1": referrals.read_rf1,
    "PRD": referrals.read_prd,
    "CTD": referrals.read_ctd,
    "ACC": accidents.read_acc,
    "SCH": appointments.read_sch,
    "RGS": appointments.read_rgs,
    "AIS": appointments.read_ais,
    "AIG": appointments.read_aig,
    "AIL": appointments.read_ail,
    "AIP": appointments.read_aip,
}
# What a segment's reader takes in. MSH says how to read the message.
FIELDS: dict[str, frozenset[int]] = {
    "MSH": frozenset({1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 18}),
    **{
        name: frozenset(fields)
        for module in (
            patients,
            encounters,
            problems,
            results,
            medications,
            immunizations,
            notes,
            coverages,
            guarantors,
            roles,
            mixtures,
            charges,
            deaths,
            events,
            referrals,
            accidents,
            appointments,
        )
        for name, fields in module.FIELDS.items()
    },
}
_BLANKS = [""] * 80  # more fields than any segment has of which one is taken
_NOTHING: frozenset[int] = frozenset()
_BEFORE_PERSON = {
    "EVN",
    "RF1",
    "PRD",
    "CTD",
    "ORC",
    "NTE",
    "TQ1",
    "SCH",
    "RGS",
    "AIS",
    "AIG",
    "AIL",
    "AIP",
    "TXA",
    "OBX",
}
_NEED_PERSON = frozenset(READERS) - _BEFORE_PERSON - {"PID"}


class Mapped(NamedTuple):
    """What a message became: resources with whether they are deleted, and fields left out (``PID.12`` -> how often)."""

    resources: list[tuple[Resource, bool]]
    unmapped: Counter[str]


def map_message(message: Message, source: str, zone: tzinfo, authorities: Authorities) -> Mapped:
    """Map one message. Raises UnreadableMessageError where it is about nobody, or of a kind that tells of no patient.

    ``zone`` is of times that carry none where MSH-7 has no offset either.
    """
    segments = message.segments
    if not any(segment[0] == "PID" for segment in segments):
        raise UnreadableMessageError("missing_patient")
    ctx = Context(message, source, zone, authorities)
    unmapped = ctx.unmapped
    for segment in segments:
        name = segment[0]
        taken = FIELDS.get(name, _NOTHING)
        for number, value in enumerate(segment):
            if value and number and number not in taken:
                unmapped[f"{name}.{number}"] += 1
        read = READERS.get(name)
        if read is None:
            continue
        if len(segment) < len(_BLANKS):
            segment += _BLANKS[len(segment) :]
        ctx.taken = taken
        if ctx.subject is None and name in _NEED_PERSON:
            ctx.leave(segment)
            continue
        read(ctx, segment)
        if ctx.waiting and ctx.noted is not None:
            roles.give_waiting(ctx)
        if name == "TQ1" and ctx.appointment is not None and ctx.group is ctx.appointment:
            appointments.add_time(ctx, ctx.appointment)
        elif name == "PID":
            if ctx.appointment is not None:
                appointments.attach_patient(ctx, ctx.appointment)
            if ctx.referred:
                referrals.give_referral(ctx)
    return Mapped(ctx.finish(), unmapped)
