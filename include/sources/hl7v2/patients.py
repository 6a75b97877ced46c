"""PID, PD1, NK1 and MRG: who the message is about, their contacts, and which records were merged into theirs."""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.context import Context, Resource, make_id, reference
from include.sources.hl7v2.datatypes import compact, concepts, first, mapped, parts, plain, repeats
from include.sources.hl7v2.message import UnreadableMessageError
from include.sources.hl7v2.people import (
    addresses,
    communication,
    identifier,
    names,
    numbered,
    organization_reference,
    period,
    person_references,
    telecoms,
)

FIELDS = {
    "PID": {*range(1, 21), 22, 23, 24, 25, 26, 28, 29, 30, 40},
    "PD1": {3, 4, 14},
    "NK1": {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 15, 30, 31, 32, 40, 41},
    "MRG": {1, 4, 5},
}
_PATIENT_MERGES = frozenset({"A18", "A30", "A34", "A36", "A39", "A40", "A46", "A47"})
_LINKS = frozenset({"A24", "A37"})
_VISIT_ENDS = frozenset({"A42", "A50"})
_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
_FHIR = "http://hl7.org/fhir/StructureDefinition/"
_CDC_RACE = "urn:oid:2.16.840.1.113883.6.238"
_OWN_NUMBERS = ("MR", "PI", "PT", "AN", "MRN", "")
_OTHERS_NUMBERS = frozenset({"SS", "DL", "PPN", "BC", "MC", "MA"})


def read_pid(ctx: Context, f: list[str]) -> None:
    """PID: opens a person. Raises UnreadableMessageError where nothing says which person."""
    ctx.begin_person()
    key = _patient_key(f[3] or f[2] or f[4])
    if key is None:
        raise UnreadableMessageError("missing_patient_id")
    ctx.patient_id = make_id("Patient", key)
    ctx.subject = {"reference": f"Patient/{ctx.patient_id}"}
    ctx.account = first(f[18])
    ctx.patient = _patient(ctx, f, key)
    ctx.people.append(ctx.patient)
    if ctx.kind == "ADT" and ctx.event in _LINKS and len(ctx.people) == 2:
        ctx.at_end.append(lambda: _link(ctx))
    if ctx.event == "A29" and ctx.kind == "ADT":
        ctx.patient["meta"] = ctx.meta
        ctx.delete(ctx.patient)


def patient_id(value: str) -> str:
    """The id of the person of a CX, such as ``4711^^^GHH^MR``. Raises ValueError where it holds no number."""
    key = _patient_key(value)
    if key is None:
        raise ValueError("no number")
    return make_id("Patient", key)


def _patient_key(value: str) -> tuple[str, str] | None:
    """Number and authority of the identifier that a source knows its patients by: its own record number before others'."""
    found = [(parts(each, 5), place) for place, each in enumerate(repeats(value))]
    found = [(part, place) for part, place in found if part[0].strip()]
    if not found:
        return None
    part, _ = min(found, key=lambda each: (_rank(each[0][4].strip()), each[1]))
    return part[0].partition("&")[0].strip(), part[3].strip("&")


def _rank(identifier_type: str) -> int:
    if identifier_type in _OWN_NUMBERS:
        return min(_OWN_NUMBERS.index(identifier_type), 2)
    return 9 if identifier_type in _OTHERS_NUMBERS else 3


def _patient(ctx: Context, f: list[str], key: tuple[str, str]) -> Resource:
    died_at = ctx.moment(f[29], "PID.29")
    patient = ctx.make(
        "Patient",
        key,
        extension=_extensions(ctx, f),
        identifier=_identifiers(ctx, f),
        name=[*names(f[5], ctx.zone), *names(f[9], ctx.zone)],
        telecom=[*telecoms(f[13], use="home"), *telecoms(f[14], use="work"), *telecoms(f[40])],
        gender=mapped(f[8], codes.GENDER) or ("unknown" if f[8] else None),
        birthDate=ctx.day(f[7], "PID.7"),
        deceasedDateTime=died_at,
        deceasedBoolean=None if died_at or first(f[30]) not in ("Y", "N") else first(f[30]) == "Y",
        address=_addresses(ctx, f),
        maritalStatus=_marital_status(ctx, f[16]),
        multipleBirthInteger=int(f[25]) if f[25].isdecimal() and len(f[25]) < 3 else None,
        multipleBirthBoolean=first(f[24]) == "Y" if first(f[24]) in ("Y", "N") and not f[25].isdecimal() else None,
        communication=communication(f[15], ctx.source),
    )
    patient["meta"] = ctx.mention
    return patient


def _addresses(ctx: Context, f: list[str]) -> list[dict[str, Any]]:
    """PID-11, with the county of PID-12 where the only address names none. A county of more than one is nobody's."""
    found, county = addresses(f[11]), plain(f[12])
    if not county:
        return found
    if len(found) == 1 and "district" not in found[0]:
        return [{**found[0], "district": county}]
    if not any(each.get("district") == county for each in found):
        ctx.unmapped["PID.12"] += 1
    return found


def _identifiers(ctx: Context, f: list[str]) -> list[dict[str, Any]]:
    found = [identifier(each, ctx.authorities, ctx.zone) for value in (f[3], f[2], f[4]) for each in repeats(value)]
    found += [identifier(each, ctx.authorities, ctx.zone, "AN") for each in repeats(f[18])]
    found.append(numbered(f[19], "SS", codes.SSN))
    licence = parts(f[20], 3)
    found.append(numbered(licence[0], "DL", f"urn:hl7v2:{ctx.source}:DL:{licence[1].strip()}"))
    known: dict[tuple, dict] = {}
    for each in found:
        if each:
            known.setdefault((each["system"], each["value"]), each)
    return list(known.values())


def _extensions(ctx: Context, f: list[str]) -> list[dict[str, Any]]:
    found = [_races(f[10]), _ethnicity(f[22])]
    for value, url, shape in (
        (f[6], "patient-mothersMaidenName", "valueString"),
        (f[23], "patient-birthPlace", "valueAddress"),
        (f[17], "patient-religion", "valueCodeableConcept"),
    ):
        if value:
            told = {"valueString": plain(value), "valueAddress": {"text": plain(value)}}.get(shape)
            found.append({"url": _FHIR + url, shape: told or ctx.concept(value, "0006") or {"text": plain(value)}})
    for value, url in ((f[26], "patient-citizenship"), (f[28], "patient-nationality")):
        told = ctx.concept(value)
        if told:
            found.append({"url": _FHIR + url, "extension": [{"url": "code", "valueCodeableConcept": told}]})
    if len(f[7]) > 8 and (born_at := ctx.moment(f[7], "PID.7")):
        found.append({"url": _FHIR + "patient-birthTime", "valueDateTime": born_at})
    return [each for each in found if each]


def _races(value: str) -> dict[str, Any] | None:
    """PID-10 as US Core's race: OMB categories, else detailed codes; text where there is no code."""
    parts_of = []
    for each in repeats(value):
        code = first(each)
        display = compact(display=(parts(each, 2)[1].strip() or None))
        if code in codes.OMB_RACES:
            parts_of.append({"url": "ombCategory", "valueCoding": {"system": _CDC_RACE, "code": code, **display}})
        elif len(code) == 6 and code[4] == "-" and code[:4].isdecimal():
            parts_of.append({"url": "detailed", "valueCoding": {"system": _CDC_RACE, "code": code, **display}})
    text = plain(value)
    if not text:
        return None
    return {"url": _US_CORE + "us-core-race", "extension": [*parts_of, {"url": "text", "valueString": text}]}


def _ethnicity(value: str) -> dict[str, Any] | None:
    text = plain(value)
    if not text:
        return None
    code = codes.ETHNICITY.get(first(value).upper())
    coded = [{"url": "ombCategory", "valueCoding": {"system": _CDC_RACE, "code": code}}] if code else []
    return {"url": _US_CORE + "us-core-ethnicity", "extension": [*coded, {"url": "text", "valueString": text}]}


def _marital_status(ctx: Context, value: str) -> dict[str, Any] | None:
    known = codes.MARITAL.get(first(value).upper())
    if known:
        return {"coding": [{"system": codes.TERMINOLOGY + "v3-MaritalStatus", "code": known[0], "display": known[1]}]}
    return ctx.concept(value, "0002")


def read_pd1(ctx: Context, f: list[str]) -> None:
    """PD1: who looks after the patient."""
    if ctx.patient is None:
        ctx.leave(f)
        return
    facilities = [organization_reference(each, ctx.authorities) for each in repeats(f[3])]
    doctors = [*person_references(f[4], ctx.authorities), *(each for each in facilities if each)]
    if doctors:
        ctx.patient["generalPractitioner"] = doctors
    if f[14]:
        congregation = {"url": _FHIR + "patient-congregation", "valueString": plain(f[14])}
        ctx.patient.setdefault("extension", []).append(congregation)


def read_nk1(ctx: Context, f: list[str]) -> None:
    """NK1: a contact of the patient."""
    if ctx.patient is None:
        ctx.leave(f)
        return
    called = names(f[2], ctx.zone) or names(f[30], ctx.zone)
    for usual, spare in ((2, 30), (4, 32)):
        if f[usual] and f[spare]:
            ctx.unmapped[f"NK1.{spare}"] += 1
    contact = compact(
        relationship=[*concepts(f[3], ctx.source, "0063"), *concepts(f[7], ctx.source, "0131")],
        name=called[0] if called else None,
        telecom=[
            *telecoms(f[5], use="home"),
            *telecoms(f[6], use="work"),
            *telecoms(f[40], f[31], f[41]),
        ],
        address=(addresses(f[4]) or addresses(f[32]) or [None])[0],
        gender=mapped(f[15], codes.GENDER),
        organization=organization_reference(f[13], ctx.authorities) if f[13] else None,
        period=period(f[8], f[9], ctx.zone),
    )
    if contact:
        ctx.patient.setdefault("contact", []).append(contact)


def read_mrg(ctx: Context, f: list[str]) -> None:
    """MRG: the record that was merged into the patient's (or the visit that became another) ends here."""
    if ctx.patient is None:
        ctx.leave(f)
        return
    left = {1, 4, 5}
    if ctx.event in _PATIENT_MERGES:
        left -= {1, 4}
        _retire(ctx, f)
    if ctx.event in _VISIT_ENDS and first(f[5]):
        left -= {5}
        from include.sources.hl7v2.encounters import visit_key

        prior = ctx.make("Encounter", visit_key(f[5]), status="entered-in-error", subject=ctx.subject)
        ctx.delete(prior)
    for number in left:
        if f[number]:
            ctx.unmapped[f"MRG.{number}"] += 1


def _retire(ctx: Context, f: list[str]) -> None:
    """The prior record, replaced by the surviving one.

    It lists the survivor's numbers beside its own, so that both meet in identity without the survivor's record having to
    remember: later messages about the survivor do not list the old number any more.
    """
    survivor = ctx.patient
    key = _patient_key(f[1] or f[4])
    if key is None or make_id("Patient", key) == ctx.patient_id:
        return
    own = [identifier(each, ctx.authorities, ctx.zone) for value in (f[1], f[4]) for each in repeats(value)]
    old = [{"use": "old", **each} for each in own if each]
    prior = ctx.make(
        "Patient",
        key,
        identifier=[*old, *_record_numbers(survivor)],
        active=False,
        link=[{"other": reference(survivor), "type": "replaced-by"}],
    )
    survivor.setdefault("link", []).append({"other": reference(prior), "type": "replaces"})


def _link(ctx: Context) -> None:
    """Two records of one person that stay two (A24), or are so no more (A37).

    The link is a record of its own, which bears the numbers of both: later messages about either do not repeat it, and do
    not undo it.
    """
    one, other = sorted(ctx.people[:2], key=lambda each: each["id"])
    if one["id"] == other["id"]:
        return
    numbers = {(each["system"], each["value"]): each for who in (one, other) for each in _own_numbers(who)}
    link = ctx.make(
        "Patient",
        ("link", one["id"], other["id"]),
        identifier=list(numbers.values()),
        active=False,
        link=[{"other": reference(each), "type": "seealso"} for each in (one, other)],
    )
    if ctx.event == "A37":
        ctx.delete(link)


def _own_numbers(patient: Resource) -> list[dict[str, Any]]:
    """The record's own numbers, without those that others gave the person."""
    return [each for each in _record_numbers(patient) if not _kinds_of(each) & _OTHERS_NUMBERS]


def _kinds_of(number: dict[str, Any]) -> set[str | None]:
    return {coding.get("code") for coding in number.get("type", {}).get("coding", [])}


def _record_numbers(patient: Resource) -> list[dict[str, Any]]:
    """Identifiers of the person's record, without account numbers."""
    found = []
    for each in patient.get("identifier", []):
        if not _kinds_of(each) & {"AN", "VN"}:
            found.append(each)
    return found
