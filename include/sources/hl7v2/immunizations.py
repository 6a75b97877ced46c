"""RXA and the observations after it as Immunization."""

from __future__ import annotations

from include.sources.hl7v2.context import Context, Resource
from include.sources.hl7v2.datatypes import compact, concepts, first, number, parts, plain, unit_of
from include.sources.hl7v2.people import entity_identifier, person_references, place_reference

FIELDS = {"RXA": {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 15, 16, 17, 18, 20, 21, 27}}
_NOT_DONE = frozenset({"RE", "NA"})
_LOINC = {"64994-7": "programEligibility", "30963-3": "fundingSource", "30973-2": "dose", "59782-3": "series"}


def read_rxa(ctx: Context, f: list[str]) -> None:
    """RXA: a vaccine given, not given, or told of from memory."""
    order = ctx.order or [""] * 60
    key = ("rxa", ctx.patient_id, *((order[3],) if order[3] else (f[5].partition("^")[0], f[3])))
    ctx.group_key = (*key, ctx.nth(*key))
    dose = number(f[6])
    is_known_dose = dose is not None and dose not in (999, 0)
    codes_given = [coding for each in f[5].split("~") for coding in (ctx.concept(each) or {}).get("coding", [])]
    vaccine = compact(coding=codes_given, text=None if codes_given else plain(f[5]))
    numbers = [
        entity_identifier(order[2], ctx.authorities, "PLAC"),
        entity_identifier(order[3], ctx.authorities, "FILL"),
        entity_identifier(order[4], ctx.authorities, "PGN"),
    ]
    if f[11] and f[27]:
        ctx.unmapped["RXA.11"] += 1
    status = "not-done" if first(f[20]) in _NOT_DONE else "completed"
    origin = concepts(f[9], ctx.source)
    given_at = ctx.moment(f[3], "RXA.3") or ctx.moment(f[4], "RXA.4")
    ctx.group = shot = ctx.make(
        "Immunization",
        ctx.group_key,
        identifier=[each for each in numbers if each],
        status=status,
        statusReason=ctx.concept(f[18]),
        vaccineCode=vaccine,
        patient=ctx.subject,
        encounter=ctx.visit,
        occurrenceDateTime=given_at,
        occurrenceString=None if given_at else "unknown",
        primarySource=_is_primary(f[9]),
        reportOrigin=origin[0] if origin and not _is_primary(f[9]) else None,
        location=place_reference(f[27] or _as_place(f[11]), ctx.authorities) if f[27] or f[11] else None,
        manufacturer={"display": plain(f[17])} if f[17] else None,
        lotNumber=plain(f[15]),
        expirationDate=ctx.day(f[16], "RXA.16"),
        doseQuantity={"value": dose, **(unit_of(f[7], ctx.source) if f[7] else {})} if is_known_dose else None,
        performer=[{"actor": each} for each in person_references(f[10], ctx.authorities)],
        note=[{"text": told["text"]} for told in origin if "text" in told and "coding" not in told],
    )
    if first(f[21]) == "D":
        ctx.delete(shot)


def _is_primary(value: str) -> bool | None:
    """NIP001: 00 is a new administration, anything else is told from a record or from memory."""
    code = first(value)
    return code == "00" if code else None


def _as_place(value: str) -> str:
    """LA2, whose facility is its fourth component as in PL."""
    return "^".join(parts(value, 9)[:9])


def add_observation(ctx: Context, shot: Resource, f: list[str]) -> None:
    """What an OBX after RXA says of the immunization itself."""
    meaning = _LOINC.get(f[3].partition("^")[0])
    told = ctx.concept(f[5])
    if meaning == "programEligibility" and told:
        shot["programEligibility"] = [*shot.get("programEligibility", []), told]
    elif meaning == "fundingSource" and told:
        shot["fundingSource"] = told
    elif meaning in ("dose", "series"):
        count = number(first(f[5]))
        if isinstance(count, int) and count > 0:
            protocol = (shot.get("protocolApplied") or [{}])[0]
            name = "doseNumberPositiveInt" if meaning == "dose" else "seriesDosesPositiveInt"
            shot["protocolApplied"] = [{**protocol, name: count}]
