"""DG1, PRB, PR1, AL1 and IAM: diagnoses, problems, procedures and allergies."""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2 import code_systems as codes
from include.sources.hl7v2.context import Context, Resource, reference
from include.sources.hl7v2.datatypes import compact, first, mapped, parts, plain, repeats
from include.sources.hl7v2.people import entity_identifier, person_references

FIELDS = {
    "DG1": {1, 2, 3, 4, 5, 6, 15, 16, 19, 20, 21},
    "PRB": {1, 2, 3, 4, 7, 9, 13, 14, 16},
    "PR1": {1, 2, 3, 4, 5, 6, 8, 11, 12, 15, 19},
    "AL1": {1, 2, 3, 4, 5, 6},
    "IAM": {1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 17, 27},
}
_CONDITION = "http://terminology.hl7.org/CodeSystem/condition-"
_ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-"
_USE = {"A": ("AD", "Admission diagnosis"), "F": ("DD", "Discharge diagnosis"), "W": ("CM", "Comorbidity diagnosis")}
_METHODS = {
    "I9": "I9C",
    "I9C": "I9C",
    "I10": "I10",
    "I10C": "I10",
    "ICD10": "I10",
    "SCT": "SCT",
    "C4": "C4",
    "CPT": "C4",
    "HPC": "HPC",
}
_DELETES = frozenset({"D", "DE"})


def _status(base: str, code: str) -> dict[str, Any]:
    system, _, value = f"{base}{code}".rpartition("/")
    name, _, value = value.partition("=")
    return {"coding": [{"system": f"{system}/{name}", "code": value}]}


def _text(code: dict[str, Any] | None, text: str) -> dict[str, Any] | None:
    """A concept with the words that came beside it."""
    if not text:
        return code
    return {**(code or {}), "text": text}


def read_dg1(ctx: Context, f: list[str]) -> None:
    """DG1 as Condition of the encounter."""
    code = _text(ctx.concept(_with_method(f[3], first(f[2]))), plain(f[4]))
    own = entity_identifier(f[20], ctx.authorities)
    told = f[3] or f[4]
    visit = ctx.visit["reference"] if ctx.visit else ""
    key = ("dg1", ctx.patient_id, f[20]) if own else ("dg1", ctx.patient_id, visit, told, first(f[6]))
    is_deleted = first(f[21]) in _DELETES
    condition = ctx.make(
        "Condition",
        (*key, ctx.nth(*key)),
        identifier=[own] if own else None,
        clinicalStatus=_status(_CONDITION, "clinical=active"),
        verificationStatus=_status(_CONDITION, "ver-status=" + ("provisional" if first(f[6]) == "W" else "confirmed")),
        category=[{"coding": [{"system": _CONDITION + "category", "code": "encounter-diagnosis"}]}],
        code=code,
        subject=ctx.subject,
        encounter=ctx.visit,
        onsetDateTime=ctx.moment(f[5], "DG1.5"),
        recordedDate=ctx.moment(f[19], "DG1.19"),
        asserter=(person_references(f[16], ctx.authorities) or [None])[0],
    )
    if is_deleted:
        ctx.delete(condition)
    elif ctx.encounter is not None:
        ctx.encounter.setdefault("diagnosis", []).append(_use(condition, f))


def _with_method(value: str, method: str) -> str:
    """DG1-3 with the coding method of DG1-2 where it names no system itself."""
    part = parts(value.partition("~")[0], 3)
    if part[0] and not part[2] and method.upper() in _METHODS:
        part[2] = _METHODS[method.upper()]
    return "^".join(part)


def _use(condition: Resource, f: list[str]) -> dict[str, Any]:
    known = _USE.get(first(f[6]))
    coding = {"system": codes.TERMINOLOGY + "diagnosis-role", "code": known[0], "display": known[1]} if known else None
    rank = first(f[15])
    return compact(
        condition=reference(condition),
        use={"coding": [coding]} if coding else None,
        rank=int(rank) if rank.isdecimal() and 0 < len(rank) < 4 and int(rank) else None,
    )


def read_prb(ctx: Context, f: list[str]) -> None:
    """PRB as Condition of the problem list."""
    ended = ctx.moment(f[9], "PRB.9")
    key = ("prb", ctx.patient_id, f[4] or f[3])
    condition = ctx.make(
        "Condition",
        (*key, ctx.nth(*key)),
        identifier=[own] if (own := entity_identifier(f[4], ctx.authorities)) else None,
        clinicalStatus=_status(_CONDITION, "clinical=" + _life_cycle(f[14], ended)),
        verificationStatus=_status(
            _CONDITION, "ver-status=" + ("provisional" if first(f[13]) in ("P", "W") else "confirmed")
        ),
        category=[{"coding": [{"system": _CONDITION + "category", "code": "problem-list-item"}]}],
        code=ctx.concept(f[3]),
        subject=ctx.subject,
        encounter=ctx.visit,
        onsetDateTime=ctx.moment(f[16], "PRB.16") or ctx.moment(f[7], "PRB.7"),
        abatementDateTime=ended,
        recordedDate=ctx.moment(f[2], "PRB.2"),
    )
    if first(f[1]) in _DELETES:
        ctx.delete(condition)


def _life_cycle(value: str, ended: str | None) -> str:
    said = plain(value).lower()
    if "inactive" in said:
        return "inactive"
    return "resolved" if ended or "resolved" in said else "active"


def read_pr1(ctx: Context, f: list[str]) -> None:
    """PR1 as Procedure."""
    visit = ctx.visit["reference"] if ctx.visit else ""
    key = ("pr1", ctx.patient_id, f[19] or f"{visit} {f[3] or f[4]} {f[5]}")
    performers = [each for field in (8, 11, 12) for each in person_references(f[field], ctx.authorities)]
    ctx.make(
        "Procedure",
        (*key, ctx.nth(*key)),
        identifier=[own] if (own := entity_identifier(f[19], ctx.authorities)) else None,
        status="completed",
        category=ctx.concept(f[6], "0230"),
        code=_text(ctx.concept(_with_method(f[3], first(f[2]))), plain(f[4])),
        subject=ctx.subject,
        encounter=ctx.visit,
        performedDateTime=ctx.moment(f[5], "PR1.5"),
        performer=[{"actor": each} for each in performers],
        reasonCode=[reason] if (reason := ctx.concept(f[15])) else None,
    )


def read_al1(ctx: Context, f: list[str]) -> None:
    """AL1 as AllergyIntolerance."""
    _allergy(ctx, kind=f[2], code=f[3], severity=f[4], reactions=f[5], onset=ctx.moment(f[6], "AL1.6"))


def read_iam(ctx: Context, f: list[str]) -> None:
    """IAM as AllergyIntolerance, which may also end it."""
    allergy = _allergy(
        ctx,
        kind=f[2],
        code=f[3],
        severity=f[4],
        reactions=f[5],
        onset=ctx.moment(f[11], "IAM.11"),
        own=f[7],
    )
    sensitivity = first(f[9])
    allergy |= compact(
        type={"AL": "allergy", "IN": "intolerance"}.get(sensitivity),
        recordedDate=ctx.moment(f[13], "IAM.13"),
        code=_merged(allergy.get("code"), ctx.concept(f[27])),
    )
    if first(f[17]) in ("I", "R"):
        allergy["clinicalStatus"] = _status(_ALLERGY, "clinical=" + ("inactive" if first(f[17]) == "I" else "resolved"))
    if first(f[6]) in _DELETES:
        ctx.delete(allergy)


def _merged(code: dict[str, Any] | None, more: dict[str, Any] | None) -> dict[str, Any] | None:
    """IAM-27, the clinician's own code, beside that of IAM-3."""
    if not code or not more:
        return code or more
    codings = [each for each in more.get("coding", []) if each not in code.get("coding", [])]
    return compact(coding=[*code.get("coding", []), *codings], text=code.get("text") or more.get("text"))


def _allergy(
    ctx: Context,
    *,
    kind: str,
    code: str,
    severity: str,
    reactions: str,
    onset: str | None,
    own: str = "",
) -> Resource:
    key = ("allergy", ctx.patient_id, own or code)
    category = mapped(kind, codes.ALLERGY_CATEGORY)
    manifestations = [told for each in repeats(reactions) if (told := ctx.concept(each))]
    return ctx.make(
        "AllergyIntolerance",
        (*key, ctx.nth(*key)),
        identifier=[number] if own and (number := entity_identifier(own, ctx.authorities)) else None,
        clinicalStatus=_status(_ALLERGY, "clinical=active"),
        verificationStatus=_status(_ALLERGY, "verification=confirmed"),
        type="allergy" if first(kind) in codes.ALLERGY_CATEGORY else None,
        category=[category] if category else None,
        criticality=mapped(severity, codes.CRITICALITY),
        code=ctx.concept(code),
        patient=ctx.subject,
        encounter=ctx.visit,
        onsetDateTime=onset,
        reaction=[compact(manifestation=manifestations, severity=_severity(severity))] if manifestations else None,
    )


def _severity(value: str) -> str | None:
    return {"SV": "severe", "MO": "moderate", "MI": "mild"}.get(first(value))
