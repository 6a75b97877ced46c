"""Turning the policy's YAML into what decides, with a complaint for every slip."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from include.critical.policy import (
    Answers,
    CriticalPolicy,
    CriticalPolicyError,
    Limit,
    Step,
    Telling,
    Test,
    Unit,
    plain_words,
)
from include.sources.declared import Complaints

CHANNELS = ("webhook", "mail")
_LOINC = re.compile(r"(\d{1,7})-(\d)")
_ROUTE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_LIMIT_WORDS = {"below", "at_most", "above", "at_least", "from_days", "under_days", "source"}


def read_policy(said: Mapping[str, Any], file: Path) -> CriticalPolicy:
    """The policy that a file says. Raises CriticalPolicyError naming everything that is wrong."""
    wrong = Complaints(file)
    wrong.refuse_unknown("the file", said, {"owner", "version", "sources", "flags", "telling", "tests"})
    if not _is_text(said.get("owner")):
        wrong.add("owner is missing")
    if not isinstance(said.get("version"), date):
        wrong.add("version is not a day written YYYY-MM-DD")
    sources = _mapping(wrong, "sources", said.get("sources"))
    flags = _mapping(wrong, "flags", said.get("flags"))
    wrong.refuse_unknown("flags", flags, {"codes", "words", "reason"})
    policy = CriticalPolicy(
        version=str(said.get("version")),
        flag_codes=frozenset(_texts(wrong, "flags: codes", flags.get("codes"))),
        flag_words=frozenset(map(plain_words, _texts(wrong, "flags: words", flags.get("words", [])))),
        tests=_read_tests(wrong, _mapping(wrong, "tests", said.get("tests")), sources),
        telling=_read_telling(wrong, _mapping(wrong, "telling", said.get("telling"))),
    )
    wrong.raise_any(CriticalPolicyError, expected="a policy as the head of the file explains it")
    return policy


def _read_tests(wrong: Complaints, said: Mapping[str, Any], sources: Mapping[str, Any]) -> dict[str, Test]:
    by_code: dict[str, Test] = {}
    if not said:
        wrong.add("tests: there is none, so nothing would ever be critical")
    for name, entry in said.items():
        where = f"test {name}"
        test = _read_test(wrong, where, str(name), _mapping(wrong, where, entry), sources)
        for code in sorted(test.codes):
            found = _LOINC.fullmatch(code)
            if found is None or check_digit(found[1]) != int(found[2]):
                wrong.add(f"{where}: '{code}' is no LOINC code (its check digit is wrong, or its form)")
            if code in by_code:
                wrong.add(f"{where}: code {code} is that of {by_code[code].name} already")
            by_code[code] = test
    return by_code


def check_digit(digits: str) -> int:
    """The digit after a LOINC code's dash: Mod 10 (LOINC Users' Guide, appendix C)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return -total % 10


def _read_test(wrong: Complaints, where: str, name: str, said: Mapping[str, Any], sources: Mapping) -> Test:
    wrong.refuse_unknown(where, said, {"title", "codes", "units", "answers", "flag_codes", "flag_only"})
    if not _is_text(said.get("title")):
        wrong.add(f"{where}: title is missing")
    units = _mapping(wrong, f"{where}: units", said.get("units", {}))
    read = tuple(_read_unit(wrong, f"{where}, {unit}", str(unit), entry, sources) for unit, entry in units.items())
    answers = said.get("answers")
    flag_only = said.get("flag_only", False)
    if bool(read or answers) == bool(flag_only):
        wrong.add(f"{where}: has neither units nor answers" if not flag_only else f"{where}: flag_only beside limits")
    names = [known for unit in read for known in unit.factors]
    for unit in sorted({each for each in names if names.count(each) > 1}):
        wrong.add(f"{where}: unit {unit} stands twice")
    if sum(unit.is_without_unit for unit in read) > 1:
        wrong.add(f"{where}: two units are said to be without one")
    return Test(
        name=name,
        title=str(said.get("title")),
        codes=frozenset(_texts(wrong, f"{where}: codes", said.get("codes"))),
        units=read,
        answers=_read_answers(wrong, f"{where}: answers", answers, sources) if answers is not None else None,
        flag_codes=frozenset(_texts(wrong, f"{where}: flag_codes", said.get("flag_codes", []))),
        flag_only=bool(flag_only),
    )


def _read_unit(wrong: Complaints, where: str, name: str, entry: Any, sources: Mapping) -> Unit:
    said = _mapping(wrong, where, entry)
    wrong.refuse_unknown(where, said, {"also", "times", "is_without_unit", "limits"})
    times = _mapping(wrong, f"{where}: times", said.get("times", {}))
    factors = {name: Decimal(1), **dict.fromkeys(_texts(wrong, f"{where}: also", said.get("also", [])), Decimal(1))}
    for other, factor in times.items():
        number = _number(wrong, f"{where}: times {other}", factor)
        if number is not None and number <= 0:
            wrong.add(f"{where}: times {other} is not above 0")
        if other in factors:
            wrong.add(f"{where}: unit {other} stands twice")
        factors[str(other)] = number or Decimal(1)
    lines = said.get("limits")
    if not isinstance(lines, list) or not lines:
        wrong.add(f"{where}: limits are missing")
        lines = []
    limits = tuple(_read_limit(wrong, f"{where}, limit {nth}", line, sources) for nth, line in enumerate(lines, 1))
    _refuse_overlap(wrong, where, limits)
    return Unit(name, factors, said.get("is_without_unit") is True, limits)


def _read_limit(wrong: Complaints, where: str, entry: Any, sources: Mapping) -> Limit:
    said = _mapping(wrong, where, entry)
    wrong.refuse_unknown(where, said, _LIMIT_WORDS)
    bounds = {
        word: _number(wrong, f"{where}: {word}", said[word]) for word in ("below", "at_most", "above", "at_least")
        if word in said
    }  # fmt: skip
    for one, other in (("below", "at_most"), ("above", "at_least")):
        if one in bounds and other in bounds:
            wrong.add(f"{where}: {one} and {other} are both said")
    if not bounds:
        wrong.add(f"{where}: says no bound")
    low, high = bounds.get("below", bounds.get("at_most")), bounds.get("above", bounds.get("at_least"))
    if low is not None and high is not None and low >= high:
        wrong.add(f"{where}: its low limit is not below its high one")
    ages = [said.get("from_days", 0), said.get("under_days")]
    if not _is_days(ages[0]) or not (ages[1] is None or (_is_days(ages[1]) and ages[1] > ages[0])):
        wrong.add(f"{where}: from_days and under_days are not whole days, the first below the second")
        ages = [0, None]
    if said.get("source") not in sources:
        wrong.add(f"{where}: its source is none of those listed ({', '.join(sorted(sources)) or 'none is'})")
    return Limit(low, "at_most" in bounds, high, "at_least" in bounds, *ages, str(said.get("source")))


def _refuse_overlap(wrong: Complaints, where: str, limits: tuple[Limit, ...]) -> None:
    in_order = sorted(limits, key=lambda limit: limit.from_days)
    for one, other in zip(in_order, in_order[1:], strict=False):
        if one.under_days is None or one.under_days > other.from_days:
            wrong.add(f"{where}: two limits hold at {other.from_days} days")


def _read_answers(wrong: Complaints, where: str, entry: Any, sources: Mapping) -> Answers:
    said = _mapping(wrong, where, entry)
    wrong.refuse_unknown(where, said, {"any_other_code", "critical", "not_critical", "source"})
    wrong.choice(f"{where}: any_other_code", said.get("any_other_code", "unjudged"), ("critical", "unjudged"))
    if said.get("source") not in sources:
        wrong.add(f"{where}: its source is none of those listed")
    read = []
    for word in ("critical", "not_critical"):
        half = _mapping(wrong, f"{where}: {word}", said.get(word))
        wrong.refuse_unknown(f"{where}: {word}", half, {"codes", "words"})
        systems = _mapping(wrong, f"{where}: {word}: codes", half.get("codes", {}))
        listed = [
            (str(system), code)
            for system in systems
            for code in _texts(wrong, f"{where}: {word}: codes", systems[system])
        ]
        read += [
            frozenset(listed),
            frozenset(map(plain_words, _texts(wrong, f"{where}: {word}: words", half.get("words", [])))),
        ]
    if read[0] & read[2] or read[1] & read[3]:
        wrong.add(f"{where}: an answer is critical and not critical")
    return Answers(*read, said.get("any_other_code") == "critical")


def _read_telling(wrong: Complaints, said: Mapping[str, Any]) -> Telling:
    words = {"steps", "rounds", "retry", "name_the_test", "routes", "default_route", "reason"}
    wrong.refuse_unknown("telling", said, words)
    steps = said.get("steps")
    if not isinstance(steps, list) or not steps:
        wrong.add("telling: steps are missing, so nobody would be told")
        steps = []
    retry = _mapping(wrong, "telling: retry", said.get("retry"))
    wrong.refuse_unknown("telling: retry", retry, {"first_seconds", "most_seconds", "tries_before_next_step"})
    routes = _mapping(wrong, "telling: routes", said.get("routes", {}))
    for key in (*routes.values(), said.get("default_route")):
        if not isinstance(key, str) or not _ROUTE.fullmatch(key):
            wrong.add(f"telling: '{key}' is no key of a route (small letters, digits and dashes)")
    if not isinstance(said.get("name_the_test"), bool):
        wrong.add("telling: name_the_test is not true or false")
    telling = Telling(
        steps=tuple(_read_step(wrong, nth, _mapping(wrong, f"step {nth}", step)) for nth, step in enumerate(steps, 1)),
        rounds=_count(wrong, "telling: rounds", said.get("rounds"), 1, 100),
        first_seconds=_count(wrong, "retry: first_seconds", retry.get("first_seconds"), 1, 3600),
        most_seconds=_count(wrong, "retry: most_seconds", retry.get("most_seconds"), 1, 3600),
        tries_before_next_step=_count(
            wrong, "retry: tries_before_next_step", retry.get("tries_before_next_step"), 1, 1000
        ),
        name_the_test=said.get("name_the_test") is True,
        routes={str(key): str(value) for key, value in routes.items()},
        default_route=str(said.get("default_route")),
    )
    if telling.most_seconds < telling.first_seconds:
        wrong.add("retry: most_seconds is below first_seconds")
    return telling


def _read_step(wrong: Complaints, nth: int, said: Mapping[str, Any]) -> Step:
    wrong.refuse_unknown(f"step {nth}", said, {"channel", "acknowledge_within_minutes"})
    wrong.choice(f"step {nth}: channel", said.get("channel"), CHANNELS)
    minutes = _count(wrong, f"step {nth}: acknowledge_within_minutes", said.get("acknowledge_within_minutes"), 1, 1440)
    return Step(str(said.get("channel")), minutes)


def _mapping(wrong: Complaints, where: str, said: Any) -> Mapping[str, Any]:
    if isinstance(said, dict):
        return said
    wrong.add(f"{where} is {'missing' if said is None else 'no mapping'}")
    return {}


def _texts(wrong: Complaints, where: str, said: Any) -> list[str]:
    if isinstance(said, list) and all(_is_text(each) for each in said):
        return said
    wrong.add(f"{where} is not a list of words (put codes in quotes)")
    return []


def _number(wrong: Complaints, where: str, said: Any) -> Decimal | None:
    if isinstance(said, (int, float)) and not isinstance(said, bool) and Decimal(str(said)).is_finite():
        return Decimal(str(said))
    wrong.add(f"{where} is not a number")
    return None


def _count(wrong: Complaints, where: str, said: Any, least: int, most: int) -> int:
    if isinstance(said, int) and not isinstance(said, bool) and least <= said <= most:
        return said
    wrong.add(f"{where} is not a whole number from {least} to {most}")
    return least


def _is_text(said: Any) -> bool:
    return isinstance(said, str) and bool(said.strip())


def _is_days(said: Any) -> bool:
    return isinstance(said, int) and not isinstance(said, bool) and said >= 0
