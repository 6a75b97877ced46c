"""PDA: that a patient died, of what, and whether there was an autopsy."""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.context import Context
from include.sources.hl7v2.datatypes import compact, first
from include.sources.hl7v2.people import person_references

FIELDS = {"PDA": {1, 4, 5, 6, 7, 8}}
# LOINC's codes of the death certificate, as in HL7's Vital Records Death Reporting guide.
_CAUSE, _AUTOPSY = (
    ("69453-9", "Cause of death [US Standard Certificate of Death]"),
    ("85699-7", "Autopsy was performed"),
)
_YES_NO = {"Y": ("Y", "Yes"), "N": ("N", "No")}


def read_pda(ctx: Context, f: list[str]) -> None:
    """PDA: the patient is dead, whatever PID-30 says or leaves out; when is PID-29's to say."""
    patient = ctx.patient
    if patient is None or not any(f[1:10]):
        ctx.leave(f)
        return
    if "deceasedDateTime" not in patient:
        patient["deceasedBoolean"] = True
    died_at = patient.get("deceasedDateTime")
    if f[1]:
        cause = _observe(ctx, _CAUSE, person_references(f[5], ctx.authorities))
        cause |= compact(
            effectiveDateTime=died_at, issued=ctx.instant(f[4], "PDA.4"), valueCodeableConcept=ctx.concept(f[1])
        )
    else:
        _count(ctx, f, 4, 5)
    said = _YES_NO.get(first(f[6]).upper())
    if said:
        autopsy = _observe(ctx, _AUTOPSY, person_references(f[8], ctx.authorities))
        coding = {"system": f"{codes.V2_TABLES}0136", "code": said[0], "display": said[1]}
        autopsy |= compact(valueCodeableConcept={"coding": [coding]}, **_period(ctx, f[7]))
    else:
        _count(ctx, f, 6, 7, 8)
    ctx.noted = patient


def _observe(ctx: Context, code: tuple[str, str], performers: list[dict[str, Any]]) -> dict[str, Any]:
    coding = {"system": codes.LOINC, "code": code[0], "display": code[1]}
    return ctx.make(
        "Observation",
        ("pda", ctx.patient_id, code[0]),
        status="final",
        code={"coding": [coding]},
        subject=ctx.subject,
        encounter=ctx.visit,
        performer=performers,
    )


def _period(ctx: Context, value: str) -> dict[str, Any]:
    start, _, end = value.partition("^")
    told = compact(start=ctx.moment(start, "PDA.7"), end=ctx.moment(end, "PDA.7"))
    return {"effectivePeriod": told} if told else {}


def _count(ctx: Context, f: list[str], *numbers: int) -> None:
    for number in numbers:
        if f[number]:
            ctx.unmapped[f"PDA.{number}"] += 1
