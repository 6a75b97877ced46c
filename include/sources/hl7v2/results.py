"""ORC, OBR, OBX, SPM and NTE: reports with all their results, orders, specimens and what was noted."""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.categories import category_of
from include.sources.hl7v2.context import Context, Resource, reference
from include.sources.hl7v2.datatypes import (
    compact,
    concepts,
    first,
    free_text,
    mapped,
    parts,
    plain,
    quantity,
    remembered,
    repeats,
    unit_of,
)
from include.sources.hl7v2.people import entity_identifier, identifier, organization_reference, person_references
from include.sources.hl7v2.values import value_of

FIELDS = {
    "ORC": {1, 2, 3, 4, 5, 9, 12},
    "OBR": {1, 2, 3, 4, 5, 6, 7, 8, 16, 22, 24, 25, 31, 32, 34, 35, 44},
    "OBX": {1, 2, 3, 4, 5, 6, 7, 8, 11, 14, 15, 16, 17, 18, 20, 21, 23, 25},
    "SPM": {1, 2, 3, 4, 6, 7, 8, 11, 12, 14, 17, 18, 20, 24, 27, 30, 31, 32},
    "NTE": {1, 3, 5, 6},
    "TQ1": {1, 3, 7, 8, 9},
}
_NOTED = frozenset(
    {
        "Observation",
        "ServiceRequest",
        "Specimen",
        "AllergyIntolerance",
        "MedicationRequest",
        "MedicationDispense",
        "Immunization",
        "Condition",
        "Procedure",
    }
)
_NOTED_ELSEWHERE = {"DiagnosticReport": "conclusion", "Appointment": "comment", "DocumentReference": "description"}


def read_orc(ctx: Context, f: list[str]) -> None:
    """ORC: opens an order group; what it orders comes in the segments after it."""
    ctx.end_group()
    ctx.order = f


def read_tq1(ctx: Context, f: list[str]) -> None:
    """TQ1: when, for the order or appointment it stands with."""
    ctx.timing = f
    resource = ctx.group
    if resource is None:
        return
    if resource["resourceType"] == "MedicationRequest":
        from include.sources.hl7v2.medications import add_timing

        add_timing(ctx, resource)
    elif resource["resourceType"] == "ServiceRequest":
        _add_request_timing(ctx, resource)
    elif resource["resourceType"] != "Appointment":
        ctx.leave(f)


def _add_request_timing(ctx: Context, request: Resource) -> None:
    f = ctx.timing
    request |= compact(
        occurrenceDateTime=request.get("occurrenceDateTime") or ctx.moment(f[7], "TQ1.7"),
        priority=mapped(f[9], codes.PRIORITY) or request.get("priority"),
    )


def read_obr(ctx: Context, f: list[str]) -> None:
    """OBR: a report where results are told, an order where something is asked for."""
    if ctx.group is not None and ctx.group["resourceType"] in ("DiagnosticReport", "ServiceRequest"):
        ctx.end_group()
    order = ctx.order or _NO_ORDER
    placer, filler = f[2] or order[2], f[3] or order[3]
    numbers = [
        each
        for each in (
            entity_identifier(placer, ctx.authorities, "PLAC"),
            entity_identifier(filler, ctx.authorities, "FILL"),
            entity_identifier(order[4], ctx.authorities, "PGN") if ctx.is_result else None,
        )
        if each
    ]
    code = f[4] or f[44]
    if f[4] and f[44]:
        ctx.unmapped["OBR.44"] += 1
    ctx.group_key = _order_key(ctx, filler or placer, code, f[7])
    ctx.group_time = ctx.moment(f[7], "OBR.7")
    if ctx.is_result:
        _open_report(ctx, f, numbers)
    else:
        _open_request(ctx, f, numbers, order)
        if ctx.timing:
            _add_request_timing(ctx, ctx.group)


_NO_ORDER = [""] * 60


def order_status(order: list[str]) -> str:
    """ORC-5, unless ORC-1 ends or holds the order."""
    control = mapped(order[1], codes.ORDER_CONTROL)
    if control in ("revoked", "on-hold"):
        return control
    return mapped(order[5], codes.ORDER_STATUS) or control or "active"


def _order_key(ctx: Context, own_number: str, code: str, time: str) -> tuple[str, ...]:
    code = code.partition("^")[0] or code
    key = (ctx.patient_id, own_number, code) if own_number else (ctx.patient_id, "", code, time)
    return (*key, ctx.nth("order", *key))


def _open_report(ctx: Context, f: list[str], numbers: list[dict]) -> None:
    ended = ctx.moment(f[8], "OBR.8")
    is_period = ctx.group_time and ended
    service = ctx.concept(f[24], "0074")
    ctx.section = first(f[24]).upper()
    ctx.group = ctx.make(
        "DiagnosticReport",
        ("report", *ctx.group_key),
        identifier=numbers,
        status=mapped(f[25], codes.REPORT_STATUS) or "unknown",
        category=[service] if service else None,
        code=ctx.concept(f[4] or f[44]),
        subject=ctx.subject,
        encounter=ctx.visit,
        effectiveDateTime=None if is_period else ctx.group_time or ended,
        effectivePeriod={"start": ctx.group_time, "end": ended} if is_period else None,
        issued=ctx.instant(f[22], "OBR.22"),
        resultsInterpreter=_principals(ctx, f[32]),
        performer=_principals(ctx, f[34]) + _principals(ctx, f[35]),
    )
    for field in (5, 6, 16, 31):
        if f[field]:
            ctx.unmapped[f"OBR.{field}"] += 1


def _principals(ctx: Context, value: str) -> list[dict[str, Any]]:
    """OBR-32 is an NDL: the name's components stand one level lower."""
    names = "~".join(each.partition("^")[0].replace("&", "^") for each in repeats(value))
    return person_references(names, ctx.authorities)


def _open_request(ctx: Context, f: list[str], numbers: list[dict], order: list[str]) -> None:
    ctx.group = ctx.make(
        "ServiceRequest",
        ("request", *ctx.group_key),
        identifier=numbers,
        status=order_status(order),
        intent="order",
        category=[service] if (service := ctx.concept(f[24], "0074")) else None,
        priority=mapped(f[5], codes.PRIORITY),
        code=ctx.concept(f[4] or f[44]),
        subject=ctx.subject,
        encounter=ctx.visit,
        occurrenceDateTime=ctx.moment(f[6], "OBR.6") or ctx.group_time,
        authoredOn=ctx.moment(order[9], "ORC.9"),
        requester=(person_references(f[16] or order[12], ctx.authorities) or [None])[0],
        reasonCode=concepts(f[31], ctx.source),
        requisition=entity_identifier(order[4], ctx.authorities, "PGN"),
    )
    for field in (8, 22, 25, 32, 34, 35):
        if f[field]:
            ctx.unmapped[f"OBR.{field}"] += 1


def read_obx(ctx: Context, f: list[str]) -> None:
    """OBX: a result, wherever it stands; the content of a document where one is open."""
    if ctx.group is not None and ctx.group["resourceType"] == "DocumentReference":
        from include.sources.hl7v2.notes import add_content

        if add_content(ctx, ctx.group, f):
            return
    observed_at = ctx.moment(f[14], "OBX.14")
    code = f[3].split("^", 3)
    group = ctx.group_key or (ctx.patient_id, ctx.visit["reference"] if ctx.visit else "", f[14])
    key = ("obx", *group, code[0] or f[3], code[2] if len(code) > 2 else "", f[4])
    observation = ctx.make("Observation", (*key, ctx.nth(*key)))
    if f[21]:
        observation["identifier"] = [
            own for each in repeats(f[21]) if (own := entity_identifier(each, ctx.authorities))
        ]
    observation["status"] = mapped(f[11], codes.OBSERVATION_STATUS) or "unknown"
    told = ctx.concept(f[3])
    if told:
        observation["code"] = told
    category = category_of(code, ctx.section)
    if category:
        observation["category"] = category
    if ctx.subject:
        observation["subject"] = ctx.subject
    if ctx.visit:
        observation["encounter"] = ctx.visit
    effective = observed_at or ctx.group_time
    if effective:
        observation["effectiveDateTime"] = effective
    _add_details(ctx, observation, f)
    value_of(ctx, observation, f)
    _belong(ctx, observation, f)


def _add_details(ctx: Context, observation: Resource, f: list[str]) -> None:
    if f[16] or f[23]:
        performers = person_references(f[16], ctx.authorities)
        laboratory = organization_reference(f[23], ctx.authorities) if f[23] else None
        if performers or laboratory:
            observation["performer"] = [*performers, laboratory] if laboratory else performers
    if f[15] or f[18] or f[25]:
        _add_producer(ctx, observation, f)
    if f[8]:
        observation["interpretation"] = _interpretations(f[8], ctx.source)
    if f[17] and (method := ctx.concept(f[17])):
        observation["method"] = method
    if f[20] and (site := ctx.concept(f[20], "0163")):
        observation["bodySite"] = site


def _add_producer(ctx: Context, observation: Resource, f: list[str]) -> None:
    """OBX-15, OBX-25 and OBX-18: the laboratory, its director and the instrument."""
    producer = f[15].partition("~")[0].split("^")
    laboratory = organization_reference("^".join([*producer[1:2], *[""] * 8, producer[0]]), ctx.authorities)
    told = [*([laboratory] if laboratory else []), *person_references(f[25], ctx.authorities)]
    if told:
        observation["performer"] = [*observation.get("performer", []), *told]
    device = entity_identifier(f[18].partition("~")[0], ctx.authorities, "device") if f[18] else None
    if device:
        observation["device"] = {"identifier": device}


@remembered(2_000)
def _interpretations(value: str, source: str) -> list[dict[str, Any]]:
    found = []
    for each in repeats(value):
        part = parts(each, 3)
        system = codes.TERMINOLOGY + "v3-ObservationInterpretation"
        found.append({"coding": [compact(system=system, code=part[0].strip(), display=part[1].strip())]})
    return found


def _belong(ctx: Context, observation: Resource, f: list[str]) -> None:
    """Tie a result to the report, order or immunization that is open."""
    group = ctx.group
    if group is None:
        return
    kind = group["resourceType"]
    if kind == "DiagnosticReport":
        group.setdefault("result", []).append(reference(observation))
    elif kind == "Immunization":
        from include.sources.hl7v2.immunizations import add_observation

        observation["partOf"] = [reference(group)]
        add_observation(ctx, group, f)
    elif kind in ("ServiceRequest", "MedicationRequest"):
        observation["basedOn"] = [reference(group)]


def read_spm(ctx: Context, f: list[str]) -> None:
    """SPM: a specimen of the order or report that is open. Results after it still belong to that."""
    start, end = _collected(ctx, f[17])
    amount, _, unit = f[12].partition("^")
    key = ("spm", ctx.patient_id, f[2] or "", *(() if f[2] else (*ctx.group_key, f[4])))
    numbers = [
        *_pair(ctx, f[2]),
        *(own for each in repeats(f[31]) if (own := identifier(each, ctx.authorities, ctx.zone))),
        *(own for each in repeats(f[32]) if (own := entity_identifier(each, ctx.authorities, "SHIP"))),
    ]
    additives = concepts(f[6], ctx.source, "0371")
    specimen = ctx.make(
        "Specimen",
        (*key, ctx.nth(*key)),
        identifier=numbers,
        accessionIdentifier=(_pair(ctx, f[30]) or [None])[0],
        status=_AVAILABLE.get(first(f[20])),
        type=ctx.concept(f[4], "0487"),
        subject=ctx.subject,
        receivedTime=ctx.moment(f[18], "SPM.18"),
        parent=[{"identifier": own} for each in repeats(f[3]) for own in _pair(ctx, each)],
        collection=compact(
            collectedDateTime=None if end else start,
            collectedPeriod=compact(start=start, end=end) if end else None,
            method=ctx.concept(f[7], "0488"),
            bodySite=ctx.concept(f[8]),
            quantity=quantity(amount, unit_of(unit.replace("&", "^"), ctx.source)) if amount else None,
        ),
        container=[compact(type=ctx.concept(f[27]), additiveCodeableConcept=additives[0] if additives else None)]
        if f[27] or additives
        else None,
        condition=concepts(f[24], ctx.source, "0493"),
        # SPM-11 says whether it is a patient's specimen or a control
        note=[{"text": plain(value)} for value in (f[11], f[14]) if value],
    )
    if ctx.group is not None and ctx.group["resourceType"] in ("DiagnosticReport", "ServiceRequest"):
        ctx.group.setdefault("specimen", []).append(reference(specimen))


_AVAILABLE = {"Y": "available", "N": "unavailable"}


def _collected(ctx: Context, value: str) -> tuple[str | None, str | None]:
    start, _, end = value.partition("^")
    return ctx.moment(start, "SPM.17"), ctx.moment(end, "SPM.17")


def _pair(ctx: Context, value: str) -> list[dict[str, Any]]:
    """An EIP: the placer's and the filler's number."""
    found = zip(parts(value, 2), ("PLAC", "FILL"), strict=False)
    told = [entity_identifier(part.replace("&", "^"), ctx.authorities, kind) for part, kind in found]
    return [each for each in told if each]


def read_nte(ctx: Context, f: list[str]) -> None:
    """NTE: a note on what stands before it."""
    text = free_text(f[3])
    noted = ctx.noted
    if not text or noted is None:
        ctx.leave(f)
        return
    kind = noted["resourceType"]
    if kind in _NOTED:
        author = (person_references(f[5], ctx.authorities) or [None])[0] if f[5] else None
        time = ctx.moment(f[6], "NTE.6")
        noted.setdefault("note", []).append(compact(authorReference=author, time=time, text=text))
    elif kind in _NOTED_ELSEWHERE:
        ctx.add_line(noted, _NOTED_ELSEWHERE[kind], text)
        for number in (5, 6):
            if f[number]:
                ctx.unmapped[f"NTE.{number}"] += 1
    else:
        ctx.leave(f)
