"""RF1 and PRD as a referral: ServiceRequest, with who refers and to whom as PractitionerRole; CTD as a contact of the patient.

HL7's guide has no map of these yet; the elements follow the v2 column of FHIR's own ReferralRequest and PractitionerRole. In REF
messages they stand before PID, so they wait for whom they are about.
"""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.context import Context, reference
from include.sources.hl7v2.datatypes import compact, concepts, first, free_text, mapped, parts, repeats
from include.sources.hl7v2.people import (
    addresses,
    entity_identifier,
    names,
    organization_reference,
    period,
    person_references,
    place_reference,
    telecoms,
)

FIELDS = {
    "RF1": {1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 14, 19, 20, 24, 25},
    "PRD": {1, 2, 4, 5, 7, 8, 9, 10},
    "CTD": {1, 2, 3, 5},
}
# Table 0283. A referral that waits for an answer is on hold; one that nobody acts on any more is revoked.
_STATUS = {"A": "active", "P": "on-hold", "R": "revoked", "E": "revoked"}
_PATIENT_REFERRAL = {"coding": [{"system": "http://snomed.info/sct", "code": "3457005", "display": "Patient referral"}]}
_CANCELS = "I14"  # the event, whatever RF1-1 says
_DELETES = ("D", "DE")
_REFERS, _LOOKS_AFTER = "RP", "PP"  # table 0286: referring provider, primary care provider
_CONTACTS_OF_PATIENT = ("C", "N")  # table 0131: emergency contact, next of kin


def read_rf1(ctx: Context, f: list[str]) -> None:
    """RF1: the referral. Who refers and to whom comes in PRD."""
    if _waits(ctx, f):
        return
    noted = ctx.noted
    numbers = [
        entity_identifier(f[6], ctx.authorities, "PLAC"),
        entity_identifier(f[11], ctx.authorities, "FILL"),
    ]
    key = ("rf1", ctx.patient_id, f[6] or f[11] or f"{f[9]} {f[7]} {f[3]} {f[10]}")
    reasons = [*concepts(f[10], ctx.source, "0336"), *([{"text": free_text(f[14])}] if f[14] else [])]
    kind = ctx.concept(f[3], "0281")
    place = ctx.concept(f[5], "0284")
    who = [
        organization_reference(f[19], ctx.authorities) if f[19] else None,
        *person_references(f[20], ctx.authorities),
    ]
    request = ctx.referral = ctx.make(
        "ServiceRequest",
        (*key, ctx.nth(*key)),
        identifier=[each for each in numbers if each],
        status="revoked" if ctx.event == _CANCELS else mapped(f[1], _STATUS) or "unknown",
        intent="order",
        category=[_PATIENT_REFERRAL, *([kind] if kind else [])],
        priority=mapped(f[2], codes.PRIORITY),
        subject=ctx.subject,
        occurrencePeriod=compact(start=ctx.moment(f[7], "RF1.7"), end=ctx.moment(f[8], "RF1.8")),
        authoredOn=ctx.moment(f[9], "RF1.9"),
        performer=[each for each in who if each],
        locationCode=[place] if place else None,
        reasonCode=reasons,
        note=[{"text": free_text(f[24])}] if f[24] else None,
    )
    if first(f[25]).upper() in _DELETES:
        ctx.delete(request)
    ctx.at_end.append(lambda: request.update(compact(encounter=ctx.visit)))
    ctx.noted = noted  # what follows is of the patient or visit, not of the referral


def read_prd(ctx: Context, f: list[str]) -> None:
    """PRD: somebody of the referral, or the patient's primary care provider."""
    if _waits(ctx, f):
        return
    code, request = first(f[1]).upper(), ctx.referral
    if request is None and code != _LOOKS_AFTER:
        ctx.leave(f)
        return
    about, noted = request or ctx.patient, ctx.noted
    told, place = ctx.concept(f[1], "0286"), place_reference(f[4], ctx.authorities)
    number = _number(ctx, f[7])
    role = ctx.make(
        "PractitionerRole",
        ("prd", about["resourceType"], about["id"], code, number.get("value") or f[2] or f[10]),
        practitioner=compact(identifier=number, display=_called(ctx, f[2])),
        code=[told] if told else None,
        organization=organization_reference(f[10], ctx.authorities) if f[10] else None,
        location=[place] if place else None,
        telecom=telecoms(f[5], use="work"),
        period=period(f[8], f[9], ctx.zone),
    )
    ctx.noted = noted
    if code == _LOOKS_AFTER:
        ctx.patient.setdefault("generalPractitioner", []).append(reference(role))
    elif code == _REFERS:
        request["requester"] = reference(role)
    else:
        request.setdefault("performer", []).append(reference(role))


def read_ctd(ctx: Context, f: list[str]) -> None:
    """CTD: whom to call about the patient. Contacts of providers, insurers and agencies are left."""
    if _waits(ctx, f):
        return
    if ctx.patient is None or first(f[1]).upper() not in _CONTACTS_OF_PATIENT:
        ctx.leave(f)
        return
    called = names(f[2], ctx.zone)
    contact = compact(
        relationship=concepts(f[1], ctx.source, "0131"),
        name=called[0] if called else None,
        telecom=telecoms(f[5]),
        address=(addresses(f[3]) or [None])[0],
    )
    ctx.patient.setdefault("contact", []).append(contact)


def give_referral(ctx: Context) -> None:
    """What stood before PID, now that it is known whom it is about."""
    waiting, ctx.referred = ctx.referred, []
    for segment, ctx.taken in waiting:
        _READERS[segment[0]](ctx, segment)


def _waits(ctx: Context, f: list[str]) -> bool:
    if ctx.subject is None:
        ctx.referred.append((f, ctx.taken))
    return ctx.subject is None


def _called(ctx: Context, value: str) -> str:
    """The first name as it is spoken."""
    told = next(iter(names(value, ctx.zone)), {})
    written = [*told.get("prefix", []), *told.get("given", []), told.get("family"), *told.get("suffix", [])]
    return " ".join(each for each in written if each)


def _number(ctx: Context, value: str) -> dict[str, Any]:
    """The first PLN: number, kind (table 0338), state or other information."""
    for each in repeats(value):
        number, kind, state, *_ = (part.strip() for part in parts(each, 3))
        if number:
            return compact(system=ctx.authorities.system(state, kind or "provider"), value=number)
    return {}


_READERS = {"RF1": read_rf1, "PRD": read_prd, "CTD": read_ctd}
