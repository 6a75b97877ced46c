"""ACC as an Observation of the accident: what happened when and where, in the words of the hospital.

HL7's guide has no map of it. DB1 has none either and is left: it says what an insurer or employer was told of a disability, which is
not what HHS's six questions ask (decisions/0723), and must not look like their answer.
"""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.context import Context
from include.sources.hl7v2.datatypes import compact, first, free_text, plain
from include.sources.hl7v2.people import entity_identifier, person_references

FIELDS = {"ACC": {1, 2, 3, 5, 6, 7, 9, 10, 11, 12}}
_DESCRIPTION = {"system": codes.LOINC, "code": "11374-6", "display": "Injury incident description Narrative"}
_YES_NO = {"Y": "Yes", "N": "No"}
_ASKED = {5: "job related", 6: "death", 10: "police notified"}


def read_acc(ctx: Context, f: list[str]) -> None:
    """ACC: the accident that the visit is about."""
    components = [
        *_told(ctx, f),
        *(_component(_ASKED[number], valueCodeableConcept=_yes_no(f[number])) for number in _ASKED if f[number]),
    ]
    for number in _ASKED:
        if f[number] and _yes_no(f[number]) is None:
            ctx.unmapped[f"ACC.{number}"] += 1
    key = ("acc", ctx.patient_id, f[12] or f[1])
    own = entity_identifier(f[12], ctx.authorities, "accident")
    noted = ctx.noted
    ctx.make(
        "Observation",
        (*key, ctx.nth(*key)),
        identifier=[own] if own else None,
        status="final",
        code={"coding": [_DESCRIPTION]},
        subject=ctx.subject,
        encounter=ctx.visit,
        effectiveDateTime=ctx.moment(f[1], "ACC.1"),
        performer=person_references(f[7], ctx.authorities),
        valueString=free_text(f[9]),
        component=[each for each in components if len(each) > 1],
    )
    ctx.noted = noted


def _told(ctx: Context, f: list[str]) -> list[dict[str, Any]]:
    """The kind of accident by table 0050, and where it was."""
    where = "; ".join(each for each in (plain(f[3]), plain(f[11], ", ")) if each)
    return [
        _component("kind", valueCodeableConcept=ctx.concept(f[2], "0050")),
        _component("place", valueString=where),
    ]


def _component(name: str, **value: Any) -> dict[str, Any]:
    return {"code": {"text": name}, **compact(**value)}


def _yes_no(value: str) -> dict[str, Any] | None:
    code = first(value).upper()
    if code not in _YES_NO:
        return None
    return {"coding": [{"system": f"{codes.V2_TABLES}0136", "code": code, "display": _YES_NO[code]}]}
