"""Deciding whether a result is critical: a pure function of an Observation (FHIR R4), an age and the policy.

The rules, in their order:
1. cancelled and entered-in-error results say nothing any more: VOID, and withdraw an alert of the same result.
2. a limit or an answer of the policy makes it CRITICAL; so does the sender's own flag, whatever code and value say.
3. of a watched test, what cannot be held against the limits (unit, text, a comparator or range that reaches over a limit) is
   UNJUDGED, never taken for normal. An unknown age is judged by every line that might hold: one that is critical suffices.
4. preliminary, final, corrected, amended and unknown statuses are judged alike; a registered result without a value is none yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from include.critical.policy import Answers, CriticalPolicy, Limit, Test, Unit, plain_words

CRITICAL, NOT_CRITICAL, UNJUDGED, UNWATCHED, VOID = "critical", "not_critical", "unjudged", "unwatched", "void"
FLAGGED = "flagged"  # the rule of an alert that only the sender's flag made
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
_VOID = frozenset({"cancelled", "entered-in-error"})
# A later version of a result overrules an earlier one of at most its rank; a repetition of an old message does not.
_RANKS = {"registered": 0, "preliminary": 1, "amended": 3, "corrected": 3, "cancelled": 3, "entered-in-error": 3}
_FINAL = 2
_ORDER = (CRITICAL, UNJUDGED, NOT_CRITICAL, UNWATCHED)


class Verdict(NamedTuple):
    """``side``: low, high, answer or flag of a critical result. ``reason``: why one could not be judged, in words without values."""

    kind: str
    rule: str = ""
    side: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Age:
    """Days since birth when the specimen was taken: between two numbers, as exact as the birth date was told."""

    least_days: int
    most_days: int


class Interval(NamedTuple):
    """What a result may be: from ``low`` to ``high``, None for no end; open ends do not belong to it."""

    low: Decimal | None
    is_low_open: bool
    high: Decimal | None
    is_high_open: bool


def rank_of(status: object) -> int:
    """0 registered, 1 preliminary, 2 final and whatever is not known, 3 what changes a final result."""
    return _RANKS.get(str(status), _FINAL)


def judge(
    observation: Mapping[str, Any],
    age: Age | None,
    policy: CriticalPolicy,
    local_codes: Mapping[tuple[str, str], str] | None = None,
) -> Verdict:
    """Whether a result is critical, and by which rule. ``local_codes``: reviewed (system, code) -> LOINC. No I/O, no clock."""
    if observation.get("status") in _VOID:
        return Verdict(VOID)
    parts = [observation, *observation.get("component", ())]
    verdicts = [_judge_part(part, age, policy, local_codes or {}) for part in parts]
    if len(parts) > 1 and verdicts[0].kind == UNJUDGED and not _has_value(observation):
        del verdicts[0]  # its components are its value
    return min(verdicts, key=lambda verdict: _ORDER.index(verdict.kind))


def _judge_part(part: Mapping[str, Any], age: Age | None, policy: CriticalPolicy, local_codes: Mapping) -> Verdict:
    test = _test_of(part, policy, local_codes)
    flags = set(_flags_of(part))
    by_value = _by_value(part, age, test) if test and not test.flag_only else None
    if by_value and by_value.kind == CRITICAL:
        return by_value
    if flags & policy.flag_codes or policy.flag_words & set(_flag_words_of(part)) or (test and flags & test.flag_codes):
        return Verdict(CRITICAL, test.name if test else FLAGGED, "flag")
    if by_value:
        return by_value
    return Verdict(NOT_CRITICAL, test.name) if test else Verdict(UNWATCHED)


def _test_of(part: Mapping[str, Any], policy: CriticalPolicy, local_codes: Mapping) -> Test | None:
    for coding in (part.get("code") or {}).get("coding", ()):
        system, code = coding.get("system") or "", str(coding.get("code"))
        if system != LOINC:
            code = local_codes.get((system, code)) or local_codes.get(("*", code), "")
        if code in policy.tests:
            return policy.tests[code]
    return None


def _flags_of(part: Mapping[str, Any]) -> Iterator[str]:
    for concept in part.get("interpretation", ()):
        yield from (str(coding.get("code", "")).strip().upper() for coding in concept.get("coding", ()))


def _flag_words_of(part: Mapping[str, Any]) -> Iterator[str]:
    for concept in part.get("interpretation", ()):
        yield plain_words(str(concept.get("text", "")))
        for coding in concept.get("coding", ()):
            yield from (plain_words(str(coding.get(word, ""))) for word in ("display", "code"))


def _has_value(part: Mapping[str, Any]) -> bool:
    return any(name.startswith("value") for name in part)


def _by_value(part: Mapping[str, Any], age: Age | None, test: Test) -> Verdict:
    if not _has_value(part):
        if part.get("status") == "registered":
            return Verdict(NOT_CRITICAL, test.name)
        return Verdict(UNJUDGED, test.name, reason="it has no value")
    if "valueCodeableConcept" in part or "valueString" in part:
        return _by_answer(part, test)
    if not test.units:
        return Verdict(UNJUDGED, test.name, reason="a number where a word is expected")
    interval, units = _interval_of(part)
    if interval is None:
        return Verdict(UNJUDGED, test.name, reason="a kind of value that has no limits")
    return _by_limits(interval, units, age, test)


def _by_answer(part: Mapping[str, Any], test: Test) -> Verdict:
    concept = part.get("valueCodeableConcept") or {"text": part.get("valueString")}
    codes = {(str(each.get("system")), str(each.get("code"))) for each in concept.get("coding", ())}
    words = {
        plain_words(str(text))
        for text in (concept.get("text"), *(each.get("display") for each in concept.get("coding", ())))
        if text
    }
    known = test.answers
    if known is None:
        return Verdict(UNJUDGED, test.name, reason="a word where a number is expected")
    if codes & known.critical_codes or words & known.critical_words:
        return Verdict(CRITICAL, test.name, "answer")
    if codes & known.other_codes or words & known.other_words:
        return Verdict(NOT_CRITICAL, test.name)
    return _by_other_code(codes, known, test)


def _by_other_code(codes: set[tuple[str, str]], known: Answers, test: Test) -> Verdict:
    if codes and known.any_other_code_is_critical:
        return Verdict(CRITICAL, test.name, "answer")
    return Verdict(UNJUDGED, test.name, reason="an answer that the policy does not list")


def _interval_of(part: Mapping[str, Any]) -> tuple[Interval | None, set[str]]:
    """What the value may be, and its unit or units as told; no interval where it is no number."""
    if "valueInteger" in part:
        return _exactly(part["valueInteger"]), set()
    if "valueQuantity" in part:
        quantity = part["valueQuantity"]
        return _of_quantity(quantity), _unit_names(quantity)
    if "valueRange" in part:
        ends = [part["valueRange"].get(name) for name in ("low", "high")]
        low, high = (_number(end.get("value")) if end else None for end in ends)
        units = set().union(*(_unit_names(end) for end in ends if end))
        is_said = low is not None or high is not None
        return (Interval(low, False, high, False) if is_said else None), units
    return None, set()


def _of_quantity(quantity: Mapping[str, Any]) -> Interval | None:
    number = _number(quantity.get("value"))
    comparator = quantity.get("comparator")
    if number is None:
        return None
    ends = {
        None: (number, False, number, False), "<": (None, False, number, True), "<=": (None, False, number, False),
        ">": (number, True, None, False), ">=": (number, False, None, False),
    }  # fmt: skip
    return Interval(*ends[comparator]) if comparator in ends else None


def _exactly(value: object) -> Interval | None:
    number = _number(value)
    return None if number is None else Interval(number, False, number, False)


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    number = Decimal(str(value))
    return number if number.is_finite() else None


def _unit_names(quantity: Mapping[str, Any]) -> set[str]:
    """The unit a quantity is in: the code where it is UCUM's, the word otherwise."""
    coded = quantity.get("code") if quantity.get("system") == UCUM else None
    name = coded or quantity.get("unit") or quantity.get("code")
    return {str(name)} if name else set()


def _by_limits(interval: Interval, units: set[str], age: Age | None, test: Test) -> Verdict:
    if not any(_may_hold(limit, age) for unit in test.units for limit in unit.limits):
        return Verdict(NOT_CRITICAL, test.name)
    unit, factor, reason = _unit_for(units, test)
    if unit is None:
        return Verdict(UNJUDGED, test.name, reason=reason)
    limits = [limit for limit in unit.limits if _may_hold(limit, age)]
    if not limits:
        return Verdict(UNJUDGED, test.name, reason="no limit in its unit for this age")
    found = [_against(interval, limit, factor) for limit in limits]
    for side in ("low", "high"):
        if side in found:
            return Verdict(CRITICAL, test.name, side)
    if "open" in found:
        return Verdict(UNJUDGED, test.name, reason="a comparator or range that reaches over a limit")
    return Verdict(NOT_CRITICAL, test.name)


def _may_hold(limit: Limit, age: Age | None) -> bool:
    if age is None:
        return True
    return age.most_days >= limit.from_days and (limit.under_days is None or age.least_days < limit.under_days)


def _unit_for(units: set[str], test: Test) -> tuple[Unit | None, Decimal, str]:
    """The policy's unit of a result and how many of the result's make one of it; or why there is none."""
    if len(units) > 1:
        return None, Decimal(1), "its ends are in two units"
    for unit in test.units:
        if not units and unit.is_without_unit:
            return unit, Decimal(1), ""
        for name in units & unit.factors.keys():
            return unit, unit.factors[name], ""
    return None, Decimal(1), "a unit that the policy does not list" if units else "it has no unit"


def _against(interval: Interval, limit: Limit, factor: Decimal) -> str:
    """low, high or inside where all that a result may be is there; open where it may be on both sides of a limit."""
    beyond_low, within_low = _sides(interval.high, interval.is_high_open, interval.low, interval.is_low_open,
                                    limit.low, limit.is_low_itself, factor, 1)  # fmt: skip
    beyond_high, within_high = _sides(interval.low, interval.is_low_open, interval.high, interval.is_high_open,
                                      limit.high, limit.is_high_itself, factor, -1)  # fmt: skip
    if beyond_low or beyond_high:
        return "low" if beyond_low else "high"
    return "inside" if within_low and within_high else "open"


def _sides(
    near: Decimal | None, is_near_open: bool, far: Decimal | None, is_far_open: bool,
    bound: Decimal | None, is_itself: bool, factor: Decimal, sign: int,
) -> tuple[bool, bool]:  # fmt: skip
    """Whether a result is surely beyond a bound, and surely not. ``near`` is its end on the side of normal, ``sign`` -1 for a high bound."""
    if bound is None:
        return False, True
    bound = bound * factor * sign
    is_beyond = near is not None and (near * sign < bound or (near * sign == bound and (is_near_open or is_itself)))
    is_within = far is not None and (far * sign > bound or (far * sign == bound and (is_far_open or not is_itself)))
    return is_beyond, is_within
