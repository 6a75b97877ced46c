"""Subjects: what a kind of record looks like flat, and every check of it, generated from reviewed tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from include.quality.catalogue.check_types import FOLDER, CheckType, Instance, is_share, read_check_types, refuse
from include.quality.reference_values import ReferenceValues
from include.quality.suites import SUITES, Column, Suites, read_columns, read_suites
from include.yaml_text import parse_yaml

SUBJECTS = FOLDER / "subjects"
_WORDS = {"owner", "resource_type", "entity", "columns", "checks", "concept", "visit", "core"}
_CHECK_WORDS = {
    "column", "other", "values", "low", "high", "regex", "days", "length", "where", "threshold", "why", "to", "same", "by",
    "code", "dates", "only",
}  # fmt: skip
# Columns that every flat row has besides the subject's own.
OF_EVERY_ROW = ("resource_id", "born", "died", "sex", "visit_start", "visit_end")


@dataclass(frozen=True, slots=True)
class Subject:
    """A kind of record: a FHIR resource type, the entity tables are mapped to, its flat columns and its checks.

    ``concept`` names the columns of code, system, unit and value; ``visit`` those of a visit's start and end. ``is_core``: every source of documents is expected to bring it.
    """

    name: str
    resource_type: str
    entity: str | None
    columns: Mapping[str, Column]
    concept: Mapping[str, str]
    visit: Mapping[str, str]
    instances: tuple[Instance, ...]
    is_core: bool = True

    @property
    def is_looked_up(self) -> bool:
        """Whether other subjects' rows are joined with this one's: patients and visits."""
        return self.resource_type == "Patient" or bool(self.visit)

    @property
    def references(self) -> dict[str, str]:
        """Columns that refer to another record -> the kind of record they refer to."""
        return {each.column: each.arguments["to"] for each in self.instances if each.check.name == "isForeignKey"}


@dataclass(frozen=True, slots=True)
class Tables:
    """The reviewed tables that instances are generated from."""

    references: ReferenceValues
    sex_specific: Mapping[str, Mapping[str, Any]]
    systems: Mapping[str, Mapping[str, str]]
    standard: Mapping[str, tuple[str, ...]]


@lru_cache(maxsize=2)
def read_subjects(folder: Path = SUBJECTS) -> tuple[Subject, ...]:
    """Every subject with all its checks but those that the gate judges. Raises SuiteError with all that is wrong."""
    problems: list[str] = []
    types, suites, tables = read_check_types(), read_suites(), read_tables()
    read = [
        _subject(file.stem, parse_yaml(file.read_text()) or {}, types, suites, tables, problems)
        for file in sorted(folder.glob("*.yml"))
    ]
    refuse(problems, "the catalogue's subjects")
    # Patients first, visits next: the others look both up.
    order = {"Patient": 0, "Encounter": 1}
    return tuple(sorted(read, key=lambda subject: (order.get(subject.resource_type, 2), subject.name)))


@lru_cache(maxsize=1)
def read_tables() -> Tables:
    """The reviewed tables beside the subjects."""
    sexes = parse_yaml((FOLDER / "sex_specific_codes.yml").read_text())["codes"]
    terms = parse_yaml((FOLDER / "terminology.yml").read_text())
    standard = {kind: tuple(systems) for kind, systems in terms["standard"].items()}
    return Tables(read_suites(SUITES).references, sexes, terms["systems"], standard)


def _subject(
    name: str, said: Mapping, types: Mapping[str, CheckType], suites: Suites, tables: Tables, problems: list[str]
) -> Subject:
    problems += [f"{name}: unknown word {word}" for word in sorted(set(said) - _WORDS)]
    problems += [
        f"{name} does not say {word}" for word in ("owner", "resource_type", "columns", "checks") if not said.get(word)
    ]
    columns = {column.name: column for column in read_columns(name, said.get("columns") or {}, problems)}
    columns["unfit"] = Column("unfit", "tokens", row="unfit")
    subject = Subject(
        name,
        said.get("resource_type", ""),
        said.get("entity"),
        columns,
        said.get("concept") or {},
        said.get("visit") or {},
        (),
        said.get("core", True),
    )
    listed = [*_always(subject, types), *instances_of(subject, said.get("checks") or {}, types, tables, problems)]
    judged = _judged_by_gate(subject, suites)
    pairs = _pairs_judged_by_gate(subject, suites)
    kept = [
        each
        for each in listed
        if _meaning(each.check.name, columns.get(each.column or "")) not in judged and _pair(each) not in pairs
    ]
    kept += _lower_halves([each for each in listed if each not in kept], subject, suites, types)
    required = {each.column for each in kept if each.check.name == "isRequired" and not each.where}
    kept = [
        each
        for each in kept
        if each.check.name != "measureValueCompleteness" or each.where or each.column not in required
    ]
    names = [each.name for each in kept]
    problems += [f"{each} is there twice" for each in sorted({name for name in names if names.count(name) > 1})]
    return replace(subject, instances=tuple(kept))


def _judged_by_gate(subject: Subject, suites: Suites) -> set[tuple]:
    """What the gate's rules ask of the same elements: it stays theirs, for no rule lives in both."""
    from include.quality.catalogue.gate_rules import check_of

    suite = suites.for_resource_type(subject.resource_type)
    if suite.resource_type != subject.resource_type:
        return set()
    return {_meaning(check_of(rule), suite.columns[rule.columns[0]]) for rule in suite.rules if len(rule.columns) == 1}


def _lower_halves(
    left_out: list[Instance], subject: Subject, suites: Suites, types: Mapping[str, CheckType]
) -> Iterator[Instance]:
    """The gate asks of most dates only that they are not in the future; that they are in any record's time stays to be asked."""
    suite = suites.for_resource_type(subject.resource_type)
    bounded = {suite.columns[rule.columns[0]].paths for rule in suite.rules if "min_value" in rule.arguments}
    kind = types["plausibleDateLow"]
    for each in left_out:
        if each.check.name == "plausibleDateRange" and subject.columns[each.column].paths not in bounded:
            name = each.name.replace(each.check.name, kind.name)
            yield replace(each, name=name, check=kind)


def _pairs_judged_by_gate(subject: Subject, suites: Suites) -> set[tuple]:
    """The same for rules over two columns, which carry the same names here as there."""
    from include.quality.catalogue.gate_rules import check_of

    suite = suites.for_resource_type(subject.resource_type)
    if suite.resource_type != subject.resource_type:
        return set()
    return {(check_of(rule), frozenset(rule.columns)) for rule in suite.rules if len(rule.columns) == 2}


def _pair(instance: Instance) -> tuple | None:
    other = "born" if instance.check.name == "plausibleAfterBirth" else instance.arguments.get("other")
    return (instance.check.name, frozenset((instance.column, other))) if other and not instance.where else None


def _meaning(check: str, column: Column | None) -> tuple:
    # A required element may be asked for by two kinds; both mean that it must be there.
    asked = "there" if check in ("isRequired", "measureValueCompleteness", "sourceConceptRecordCompleteness") else check
    return asked, (column.paths or column.field or column.row or column.name) if column else None


def instances_of(
    subject: Subject, said: Mapping[str, Any], types: Mapping[str, CheckType], tables: Tables, problems: list[str]
) -> Iterator[Instance]:
    """Every instance that the ``checks:`` of a subject say. What is wrong is added to ``problems`` and left out."""
    for check, uses in said.items():
        if check not in types:
            problems.append(f"{subject.name}: {check} is no check type")
            continue
        for use in uses:
            words = {"column": use} if isinstance(use, str) else dict(use)
            wrong = list(_use_problems(subject, types[check], words, tables))
            problems += [f"{subject.name}.{check}: {problem}" for problem in wrong]
            if not wrong:
                yield from _spread(subject, types[check], words, tables)


def _always(subject: Subject, types: Mapping[str, CheckType]) -> Iterator[Instance]:
    for check, column in (("cdmTable", None), ("fitsItsType", "unfit")):
        kind = types[check]
        yield Instance(f"{subject.resource_type}.{check}", kind, subject.name, column, kind.threshold)


def _use_problems(subject: Subject, kind: CheckType, words: Mapping, tables: Tables) -> Iterator[str]:
    yield from (f"unknown word {word}" for word in sorted(set(words) - _CHECK_WORDS))
    named = [words[word] for word in ("column", "other", "length", "by", "code") if words.get(word)]
    named += [*words.get("same", ()), *words.get("dates", ()), *(words.get("where") or {})]
    known = {*subject.columns, *OF_EVERY_ROW}
    yield from (f"{name} is no column here" for name in named if name not in known)
    text = f"{kind.applies or ''}{kind.fails or ''}{kind.tested or ''}{kind.failed or ''}"
    yield from (f"does not say {piece}" for piece in ("column", "other", "values", "low", "high", "regex", "days", "length")
                if "{" + piece + "}" in text and piece not in words)  # fmt: skip
    if "threshold" in words and not is_share(words["threshold"]):
        yield "threshold is a share from 0 to 1"
    values = words.get("values")
    if (
        isinstance(values, str)
        and values != "$standard"
        and values.removeprefix("$") not in tables.references.value_sets
    ):
        yield f"{values} is no value set"


def _spread(subject: Subject, kind: CheckType, words: dict, tables: Tables) -> Iterator[Instance]:
    """The instances of one use: one, or one a code where a reviewed table lists codes."""
    by_code = {
        "plausibleValueLow": _ranges,
        "plausibleValueHigh": _ranges,
        "plausibleUnitConceptIds": _units,
        "plausibleGender": _sexes,
        "plausibleGenderUseDescendants": _sexes,
        "isStandardValidConcept": _systems,
    }.get(kind.name)
    if by_code is None:
        yield _instance(subject, kind, words, tables)
        return
    for label, arguments in by_code(subject, kind, tables):
        yield Instance(
            f"{subject.resource_type}.{kind.name}.{label}", kind, subject.name, words.get("column"),
            float(words.get("threshold", kind.threshold)), arguments,
        )  # fmt: skip


def _instance(subject: Subject, kind: CheckType, words: dict, tables: Tables) -> Instance:
    values = words.get("values")
    if values == "$standard":
        words["values"] = tables.standard[subject.resource_type]
    elif isinstance(values, str):
        words["values"] = tables.references.value_sets[values.removeprefix("$")]
    where = {column: tuple(map(str, allowed)) for column, allowed in (words.get("where") or {}).items()}
    parts = [subject.resource_type, kind.name, *([words["column"]] if words.get("column") else [])]
    if kind.name in ("plausibleTemporalAfter", "plausibleStartBeforeEnd", "orderOfValues", "plausibleDuration"):
        parts[-1] += f"~{words['other']}"
    if kind.name == "plausibleDuration":
        parts[-1] += f"~{words['days']}d"
    name = ".".join(parts) + "".join(f"[{column}={'|'.join(allowed)}]" for column, allowed in where.items())
    arguments = {
        word: value for word, value in words.items() if word not in ("column", "where", "threshold", "only", "why")
    }
    threshold = float(words.get("threshold", kind.threshold))
    return Instance(name, kind, subject.name, words.get("column"), threshold, arguments, where, words.get("only"))


def _ranges(subject: Subject, kind: CheckType, tables: Tables) -> Iterator[tuple[str, dict]]:
    for (code, unit), each in tables.references.ranges.items():
        bound = each.low if kind.name == "plausibleValueLow" else each.high
        yield f"{code}[{unit}]", {"code": code, "unit": unit, "bound": bound}


def _units(subject: Subject, kind: CheckType, tables: Tables) -> Iterator[tuple[str, dict]]:
    units: dict[str, list[str]] = {}
    for code, unit in tables.references.ranges:
        units.setdefault(code, []).append(unit)
    for code, allowed in units.items():
        yield code, {"code": code, "units": tuple(allowed)}


def _sexes(subject: Subject, kind: CheckType, tables: Tables) -> Iterator[tuple[str, dict]]:
    said = tables.sex_specific.get(subject.resource_type, {})
    word = "prefix" if kind.name == "plausibleGenderUseDescendants" else "code"
    for sex in ("female", "male"):
        for code in (said.get(sex) or {}).get(word, ()):
            yield f"{code}[{sex}]", {word: code, "sex": sex, "system": said["system"]}


def _systems(subject: Subject, kind: CheckType, tables: Tables) -> Iterator[tuple[str, dict]]:
    for system in tables.standard.get(subject.resource_type, ()):
        if system in tables.systems:
            yield system, {"system": system, **tables.systems[system]}
