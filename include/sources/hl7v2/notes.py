"""TXA and the OBX after it as DocumentReference."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.context import Context, Resource, make_id
from include.sources.hl7v2.datatypes import compact, concepts, first, free_text, mapped, plain
from include.sources.hl7v2.people import entity_identifier, person_references
from include.sources.hl7v2.values import ATTACHED, attachment

FIELDS = {"TXA": {1, 2, 3, 4, 5, 6, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 22, 25}}
_TEXT = frozenset({"TX", "FT", "ST", ""})
_LINES = "lines"  # of an attachment that is still open
_RELATES = {"T05": "appends", "T06": "appends", "T09": "replaces", "T10": "replaces"}


def read_txa(ctx: Context, f: list[str]) -> None:
    """TXA: opens a document; its content follows."""
    own = _document_key(ctx, f[12]) if f[12] else ("txa", ctx.patient_id, f[14] or f[15], f[2], f[4])
    parent = f[13]
    relation = _RELATES.get(ctx.event, "appends")
    target = {"reference": f"DocumentReference/{make_id('DocumentReference', _document_key(ctx, parent))}"}
    orders = [
        each
        for value, kind in ((f[14], "PLAC"), (f[15], "FILL"))
        if (each := entity_identifier(value.partition("~")[0], ctx.authorities, kind))
    ]
    if f[22] and f[10]:
        ctx.unmapped["TXA.10"] += 1
    is_cancelled = ctx.event == "T11"
    document = ctx.make(
        "DocumentReference",
        own,
        masterIdentifier=entity_identifier(f[12], ctx.authorities),
        identifier=orders,
        status="entered-in-error" if is_cancelled else mapped(f[19], codes.AVAILABILITY) or "current",
        docStatus=mapped(f[17], codes.DOCUMENT_STATUS),
        type=ctx.concept(f[2], "0270"),
        subject=ctx.subject,
        date=ctx.instant(f[6], "TXA.6") or ctx.instant(f[4], "TXA.4"),
        author=[*person_references(f[9], ctx.authorities), *person_references(f[5], ctx.authorities)],
        authenticator=(person_references(f[22] or f[10], ctx.authorities) or [None])[0],
        relatesTo=[{"code": relation, "target": target}] if parent else None,
        description=plain(f[25]),
        securityLabel=concepts(f[18], ctx.source, "0272"),
        content=[{"attachment": _about(ctx, f)}],
        context=compact(encounter=[ctx.visit] if ctx.visit else None, period=compact(start=ctx.moment(f[4], "TXA.4"))),
    )
    if not ctx.is_result:  # among results it tells of the one before it, and the report stays open
        ctx.end_group()
        ctx.group, ctx.group_key, ctx.noted = document, own, document


def _document_key(ctx: Context, value: str) -> tuple[str, ...]:
    return ("txa", first(value))


def _about(ctx: Context, f: list[str]) -> dict[str, Any]:
    kind = first(f[3]).upper()
    known = {"TX": "text/plain", "FT": "text/plain", "ST": "text/plain", "AP": "application/octet-stream"}
    return compact(
        contentType=known.get(kind) or _plain_type(kind),
        title=plain(f[16]),
        creation=ctx.moment(f[6], "TXA.6"),
    )


def _plain_type(kind: str) -> str | None:
    return {"TEXT": "text/plain", "PDF": "application/pdf"}.get(kind)


def add_content(ctx: Context, document: Resource, f: list[str]) -> bool:
    """Put an OBX into the document that is open. False where it is a result and no content."""
    kind = f[2].partition("^")[0].strip()
    if kind in ATTACHED and f[5]:
        _add(document, attachment(kind, f[5].partition("~")[0]))
        return True
    if kind in _TEXT and f[5]:
        _append_text(ctx, document, free_text(f[5]))
        return True
    return False


def _add(document: Resource, found: dict[str, Any]) -> None:
    """The first attachment keeps what TXA said of it."""
    slot = document["content"][0]["attachment"]
    if slot.keys() & {"data", "url", _LINES}:
        document["content"].append({"attachment": found})
    else:
        document["content"][0] = {"attachment": {**slot, **found}}


def _append_text(ctx: Context, document: Resource, text: str) -> None:
    """Lines of a text come one OBX each: they are one attachment, encoded when all are there."""
    for entry in document["content"]:
        if _LINES in entry["attachment"]:
            entry["attachment"][_LINES].append(text)
            return
    attachment = {"contentType": "text/plain", _LINES: [text]}
    _add(document, attachment)
    ctx.at_end.append(lambda: _encode(document))


def _encode(document: Resource) -> None:
    for entry in document["content"]:
        lines = entry["attachment"].pop(_LINES, None)
        if lines is not None:
            entry["attachment"]["data"] = _encoded("\n".join(lines))


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
