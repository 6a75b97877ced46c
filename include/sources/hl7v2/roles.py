"""ROL and PRT: who did what for the patient, the visit, an order, a result or a procedure, as PractitionerRole."""

from __future__ import annotations

from typing import Any, NamedTuple

from include.sources.hl7v2.context import Context, Resource, reference
from include.sources.hl7v2.datatypes import compact, first
from include.sources.hl7v2.people import (
    entity_identifier,
    organization_reference,
    period,
    person_references,
    place_reference,
    telecoms,
)

FIELDS = {
    "ROL": {1, 2, 3, 4, 5, 6, 9, 12, 13, 14},
    "PRT": {1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 15, 16},
}
_OF_DEVICE = frozenset({10, 16})
_GENERAL = frozenset({"PP", "FHCP"})  # primary care provider, family health care professional (tables 0443 and 0912)
_ORDERING = frozenset({"OP", "OR"})
_ENDS = frozenset({"D", "DE"})
# Resource types whose performer is a list of actors, and those where each is a plain reference.
_ACTED = frozenset({"Procedure", "Immunization", "MedicationDispense"})
_PERFORMED = frozenset({"Observation", "DiagnosticReport", "ServiceRequest"})


class Role(NamedTuple):
    """A participation: ``number`` is its own, ``code`` says as what, ``people`` and ``organization`` who."""

    number: str
    action: str
    code: str
    people: list[dict[str, Any]]
    organization: dict[str, Any] | None
    details: dict[str, Any]
    table: str


def read_rol(ctx: Context, f: list[str]) -> None:
    """ROL: somebody's role for what stands before it."""
    role = Role(
        number=f[1],
        action=first(f[2]),
        code=f[3],
        people=person_references(f[4], ctx.authorities),
        organization=organization_reference(f[14], ctx.authorities) if f[14] else None,
        details=_details(ctx, dates=(f[5], f[6]), specialty=f[9], telecom=f[12], place=f[13]),
        table="0443",
    )
    if not _take(ctx, role):
        ctx.leave(f)


def _details(ctx: Context, *, dates: tuple[str, str], specialty: str, telecom: str, place: str) -> dict[str, Any]:
    """What both segments say of a role, each in fields of its own."""
    concept, location = ctx.concept(specialty), place_reference(place, ctx.authorities)
    return compact(
        period=period(*dates, ctx.zone),
        specialty=[concept] if concept else None,
        telecom=telecoms(telecom, use="work"),
        location=[location] if location else None,
    )


def read_prt(ctx: Context, f: list[str]) -> None:
    """PRT: the same since version 2.7; besides people it names a device that took part. After ORC it waits for what is ordered."""
    if ctx.noted is None and ctx.order:
        ctx.waiting.append((f, ctx.taken))
        return
    device = _device(ctx, f)
    role = Role(
        number=f[1],
        action=first(f[2]),
        code=f[4],
        people=person_references(f[5], ctx.authorities),
        organization=organization_reference(f[8], ctx.authorities) if f[8] else None,
        details=_details(ctx, dates=(f[11], f[12]), specialty=f[6], telecom=f[15], place=f[9]),
        table="0912",
    )
    is_taken = _take(ctx, role)
    takes_device = bool(device) and ctx.noted is not None and ctx.noted["resourceType"] == "Observation"
    if takes_device:
        ctx.noted.setdefault("device", device)
    left = (frozenset() if is_taken else FIELDS["PRT"] - _OF_DEVICE) | (frozenset() if takes_device else _OF_DEVICE)
    ctx.leave(f, frozenset(left))


def give_waiting(ctx: Context) -> None:
    """Give the roles that waited to the order that has come."""
    waiting, ctx.waiting = ctx.waiting, []
    for segment, ctx.taken in waiting:
        read_prt(ctx, segment)


def _device(ctx: Context, f: list[str]) -> dict[str, Any] | None:
    """The device by its UDI, else by its own number, and by name."""
    named = first(f[10])
    known = entity_identifier(f[16], ctx.authorities, "UDI") or entity_identifier(f[10], ctx.authorities, "device")
    return compact(identifier=known, display=named) or None


def _take(ctx: Context, role: Role) -> bool:
    """Give the role to what stands before it. False where that has no place for it."""
    about = ctx.noted
    if about is None or role.action in _ENDS or not (role.people or role.organization):
        return False
    code = first(role.code)
    kind = about["resourceType"]
    if kind == "Patient":
        if code not in _GENERAL:
            return False
        about.setdefault("generalPractitioner", []).extend(_actors(ctx, role, about))
    elif kind == "Encounter":
        told = ctx.concept(role.code, role.table)
        span = role.details.get("period")
        for actor in _actors(ctx, role, about):
            about.setdefault("participant", []).append(
                compact(type=[told] if told else None, period=span, individual=actor)
            )
    elif kind in ("ServiceRequest", "MedicationRequest") and code in _ORDERING:
        about["requester"] = _actors(ctx, role, about)[0]
    elif kind in _PERFORMED:
        about["performer"] = [*about.get("performer", []), *_actors(ctx, role, about)]
    elif kind in _ACTED:
        told = ctx.concept(role.code, role.table)
        about["performer"] = [
            *about.get("performer", []),
            *(compact(function=told, actor=actor) for actor in _actors(ctx, role, about)),
        ]
    else:
        return False
    return True


def _actors(ctx: Context, role: Role, about: Resource) -> list[dict[str, Any]]:
    """References to a PractitionerRole a person; to the organization alone where nobody is named."""
    if not role.people:
        return [role.organization]
    told = ctx.concept(role.code, role.table)
    own = entity_identifier(role.number, ctx.authorities, "role") if len(first(role.number)) > 3 else None
    found = []
    for person in role.people:
        number = person.get("identifier", {}).get("value") or person.get("display", "")
        made = ctx.make(
            "PractitionerRole",
            ("role", about["resourceType"], about["id"], first(role.code), number),
            identifier=[own] if own else None,
            practitioner=person,
            code=[told] if told else None,
            organization=role.organization,
            **role.details,
        )
        found.append(reference(made))
    ctx.noted = about  # more roles may follow
    return found
