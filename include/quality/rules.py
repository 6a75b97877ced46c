"""Rules: what must hold for every row, read from a suite or a contract, every word checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Any

from include.quality.expectations import KNOWN
from include.quality.reference_values import PLAUSIBLE_RANGES, VALUE_SETS, ReferenceValues

LATEST = "$latest"
DIMENSIONS = ("completeness", "accuracy", "consistency", "timeliness", "validity")
SEVERITIES = ("critical", "warning")
SHAPES = ("documents", "table")
NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
_RULE_WORDS = {
    "name",
    "column",
    "columns",
    "expectation",
    "severity",
    "dimension",
    "why",
    "found",
    "expected",
    "action",
    "only",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that must hold for every row. ``found``, ``expected`` and ``action`` are texts without values."""

    suite: str
    name: str
    columns: tuple[str, ...]
    expectation: str
    arguments: Mapping[str, Any]
    severity: str
    dimension: str
    why: str
    found: str
    expected: str
    action: str
    only: str | None = None


def read_rules(
    suite: str, listed: list[Any], columns: Mapping[str, Any], references: ReferenceValues, problems: list[str]
) -> Iterator[Rule]:
    """Yield the rules that are right; what is wrong with the others is added to ``problems``, all of it."""
    names: set[str] = set()
    for said in listed:
        label = (
            f"{suite}.{said.get('name', '(a rule without a name)')}" if isinstance(said, dict) else f"{suite}: a rule"
        )
        found = list(_rule_problems(said, columns, references, names))
        problems += [f"{label}: {problem}" for problem in found]
        if not found:
            names.add(said["name"])
            yield _rule(suite, said, references)


def _rule_problems(
    said: Any, columns: Mapping[str, Any], references: ReferenceValues, names: set[str]
) -> Iterator[str]:
    if not isinstance(said, dict):
        yield "is not a mapping"
        return
    if not NAME.fullmatch(str(said.get("name"))):
        yield "its name is lower case letters, digits and _"
    if said.get("name") in names:
        yield "is there twice"
    yield from (f"does not say {word}" for word in ("severity", "dimension", "why") if not said.get(word))
    if said.get("severity") and said["severity"] not in SEVERITIES:
        yield f"severity is one of {', '.join(SEVERITIES)}"
    if said.get("dimension") and said["dimension"] not in DIMENSIONS:
        yield f"dimension is one of {', '.join(DIMENSIONS)}"
    if said.get("only", SHAPES[0]) not in SHAPES:
        yield f"only is one of {', '.join(SHAPES)}"
    expectation = KNOWN.get(said.get("expectation"))
    if expectation is None:
        yield f"expectation is one of {', '.join(KNOWN)}"
        return
    given = set(said) - _RULE_WORDS
    yield from (
        f"unknown word {word}" for word in sorted(given - expectation.required - expectation.optional - {"plausible"})
    )
    if "plausible" in given and expectation.name != "expect_column_values_to_be_between":
        yield "plausible belongs to expect_column_values_to_be_between"
    yield from (f"does not say {word}" for word in sorted(expectation.required - given))
    yield from _rule_column_problems(said, columns, expectation.columns)
    yield from _argument_problems(said, references)


def _rule_column_problems(said: Mapping[str, Any], columns: Mapping[str, Any], wanted: int) -> Iterator[str]:
    named = _columns_of(said)
    if len(named) != wanted:
        yield f"needs {wanted} column(s), names {len(named)}"
    yield from (f"{name} is no column here" for name in named if name not in columns)


def _columns_of(said: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(said.get("columns") or ([said["column"]] if said.get("column") else []))


def _argument_problems(said: Mapping[str, Any], references: ReferenceValues) -> Iterator[str]:
    values = said.get("value_set")
    if isinstance(values, str) and values.removeprefix("$") not in references.value_sets:
        yield f"{values} is no value set of {VALUE_SETS}"
    plausible = said.get("plausible")
    if plausible is not None and _range_of(plausible, references) is None:
        yield f"plausible names no code and unit of {PLAUSIBLE_RANGES}"
    bounds = [said[word] for word in ("min_value", "max_value") if word in said]
    if not all(_is_bound(bound) for bound in bounds):
        yield f"a bound is a number, a day or {LATEST}"
    if "regex" in said:
        try:
            re.compile(said["regex"])
        except (re.error, TypeError):
            yield "regex is not a regular expression"


def _is_bound(bound: Any) -> bool:
    return bound == LATEST or (isinstance(bound, int | float | date) and not isinstance(bound, bool))


def _range_of(plausible: Any, references: ReferenceValues):
    if not isinstance(plausible, dict) or set(plausible) != {"code", "unit"}:
        return None
    return references.ranges.get((plausible["code"], plausible["unit"]))


def _rule(suite: str, said: Mapping[str, Any], references: ReferenceValues) -> Rule:
    arguments = {word: value for word, value in said.items() if word not in _RULE_WORDS and word != "plausible"}
    if isinstance(arguments.get("value_set"), str):
        arguments["value_set"] = references.value_sets[arguments["value_set"].removeprefix("$")]
    for word in ("min_value", "max_value"):
        if isinstance(arguments.get(word), date):
            arguments[word] = datetime.combine(arguments[word], time(), UTC)
    if "plausible" in said:
        within = _range_of(said["plausible"], references)
        arguments |= {"min_value": float(within.low), "max_value": float(within.high)}
    columns = _columns_of(said)
    texts = _texts(said["expectation"], columns)
    return Rule(
        suite=suite,
        name=said["name"],
        columns=columns,
        expectation=said["expectation"],
        arguments=arguments,
        severity=said["severity"],
        dimension=said["dimension"],
        why=" ".join(said["why"].split()),
        found=said.get("found", texts[0]),
        expected=said.get("expected", texts[1]),
        action=said.get("action", "have the source correct the record and send it again"),
        only=said.get("only"),
    )


def _texts(expectation: str, columns: tuple[str, ...]) -> tuple[str, str]:
    """What was found and expected when a rule fails, said with names of columns only."""
    first, second = columns[0], columns[-1]
    return {
        "expect_column_values_to_not_be_null": (f"{first} is missing", f"every record to have {first}"),
        "expect_column_values_to_be_in_set": (
            f"{first} is not one of the allowed values",
            f"{first} from its value set",
        ),
        "expect_column_values_to_not_be_in_set": (f"{first} is one of the refused values", f"{first} other than those"),
        "expect_column_values_to_be_between": (f"{first} is out of its bounds", f"{first} within the rule's bounds"),
        "expect_column_values_to_match_regex": (f"{first} is not written as it must be", f"{first} in the rule's form"),
        "expect_column_pair_values_a_to_be_greater_than_b": (
            f"{first} is below {second}",
            f"{first} not below {second}",
        ),
    }[expectation]


def at_night(rule: Rule, latest: Any) -> Rule:
    """The rule with ``$latest`` replaced by the last moment a fact of that night can have."""
    arguments = {word: latest if value == LATEST else value for word, value in rule.arguments.items()}
    return replace(rule, arguments=arguments)
