"""Suites: reviewed YAML that says what a batch's rows must satisfy, read into values that cannot be misspelt.

A suite belongs to a FHIR resource type, to an entity that tables are mapped to, or to both. A word that is not known
here is refused, and everything wrong in the folder is said at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from include.quality.errors import SuiteError
from include.quality.reference_values import PLAUSIBLE_RANGES, VALUE_SETS, ReferenceValues, read_reference_values
from include.quality.rules import NAME, Rule, read_rules
from include.yaml_text import parse_yaml

SUITES = Path(__file__).parent / "suites"
SHARED = "shared.yml"
# What a column holds in the table that is judged, by the type a suite gives it.
SQL_TYPES = {
    "text": "text",
    "number": "numeric",
    "boolean": "boolean",
    "uuid": "uuid",
    "moment": "timestamptz",
    "last_moment": "timestamptz",
    "readable": "boolean",
    "present": "boolean",
    "tokens": "text[]",
}
DERIVED_TYPES = {
    "person_known": "boolean",
    "birth_moment": "timestamptz",
    "value_possible": "boolean",
    "unit_known": "boolean",
}
_OF_A_RANGE = ("value_possible", "unit_known")
ROW_COLUMNS = ("person_token", "event_at", "last_updated", "match_tokens", "unfit")
_SUITE_WORDS = {"owner", "resource_type", "entity", "uses", "columns", "rules"}
_COLUMN_WORDS = {"type", "path", "field", "row", "derive", "of", "unless", "against", "unfit"}
ANY_OTHER = "any other"


@dataclass(frozen=True, slots=True)
class Column:
    """Where a checked column comes from: a JSON path, a mapped field, a column of the row, or a derivation.

    ``unless``: null where another column has one of these values. ``against``: the moment that a ``last_moment`` will be
    compared with; a day against a time lasts half a day longer, since the zone of the day is not told. ``unfit``: what the intake
    calls the value of a text that it sealed because it does not fit (``element=system`` for a code of a public system).
    """

    name: str
    type: str
    paths: tuple[str, ...] = ()
    field: str | None = None
    row: str | None = None
    derive: str | None = None
    of: tuple[str, ...] = ()
    unless: tuple[str, tuple[str, ...]] | None = None
    against: str | None = None
    unfit: str | None = None

    @property
    def sql_type(self) -> str:
        """The Postgres type of the column in the table that is judged."""
        return DERIVED_TYPES[self.derive] if self.derive else SQL_TYPES[self.type]


@dataclass(frozen=True, slots=True)
class Suite:
    """The rules for one resource type, one entity of tables, or both."""

    name: str
    owner: str
    resource_type: str | None
    entity: str | None
    columns: Mapping[str, Column]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Suites:
    """All suites of a folder and the values they refer to."""

    all: tuple[Suite, ...]
    references: ReferenceValues

    def for_resource_type(self, resource_type: str) -> Suite:
        """The suite of a resource type, or the one for any other."""
        for suite in self.all:
            if suite.resource_type == resource_type:
                return suite
        return next(suite for suite in self.all if suite.resource_type == ANY_OTHER)

    def for_entity(self, entity: str) -> Suite | None:
        """The suite of an entity that tables are mapped to, if there is one."""
        return next((suite for suite in self.all if suite.entity == entity), None)


@lru_cache(maxsize=4)
def read_suites(folder: Path = SUITES) -> Suites:
    """Read every suite of a folder. Raises SuiteError naming everything that is wrong at once."""
    problems: list[str] = []
    references = read_reference_values(folder, problems)
    shared = read_yaml(folder / SHARED, problems) if (folder / SHARED).is_file() else {}
    files = sorted(file for file in folder.glob("*.yml") if file.name not in {SHARED, VALUE_SETS, PLAUSIBLE_RANGES})
    read = tuple(_read_suite(file.stem, read_yaml(file, problems), shared, references, problems) for file in files)
    _refuse_ambiguous(read, problems)
    if problems:
        raise SuiteError(
            found=f"{len(problems)} problem(s) in the suites: {'; '.join(problems)}",
            expected="suites that use the words of include/quality/suites/README.md",
            action="correct the YAML; nothing is judged with suites that are only partly understood",
        )
    return Suites(read, references)


def rules_of_table(
    name: str, checks: Any, column_types: Mapping[str, str], references: ReferenceValues, problems: list[str]
) -> Suite:
    """A suite from a contract's own ``checks:`` over its columns. Adds what is wrong to ``problems``."""
    columns = {column: Column(column, kind, field=column) for column, kind in column_types.items()}
    rules = tuple(read_rules(name, checks or [], columns, references, problems))
    return Suite(name, "contract", None, None, columns, rules)


def read_yaml(file: Path, problems: list[str]) -> Mapping[str, Any]:
    """A file's mapping; empty, with what is wrong and in which line added to ``problems``, where it is none."""
    try:
        content = parse_yaml(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as broken:
        mark, why = getattr(broken, "problem_mark", None), getattr(broken, "problem", None) or type(broken).__name__
        problems.append(f"{file.name} is not YAML (line {mark.line + 1 if mark else '?'}: {why})")
        return {}
    if not isinstance(content, dict):
        problems.append(f"{file.name} is not a mapping")
        return {}
    return content


def _read_suite(
    name: str, said: Mapping[str, Any], shared: Mapping[str, Any], references: ReferenceValues, problems: list[str]
) -> Suite:
    problems += [f"{name}: unknown word {word}" for word in sorted(set(said) - _SUITE_WORDS)]
    if not said.get("owner"):
        problems.append(f"{name} does not say its owner")
    if not said.get("resource_type") and not said.get("entity"):
        problems.append(f"{name} says neither resource_type nor entity")
    blocks = [_block(name, each, shared, problems) for each in said.get("uses") or []]
    columns: dict[str, Column] = {}
    for block in [*blocks, said]:
        columns |= {each.name: each for each in read_columns(name, block.get("columns") or {}, problems)}
    listed = [rule for block in [*blocks, said] for rule in block.get("rules") or []]
    _refuse_unknown_references(name, columns, problems)
    rules = tuple(read_rules(name, listed, columns, references, problems))
    return Suite(name, str(said.get("owner")), said.get("resource_type"), said.get("entity"), columns, rules)


def _block(suite: str, name: str, shared: Mapping[str, Any], problems: list[str]) -> Mapping[str, Any]:
    block = (shared.get("blocks") or {}).get(name)
    if not isinstance(block, dict) or set(block) - {"columns", "rules"}:
        problems.append(f"{suite}: uses {name}, which is no block of {SHARED}")
        return {}
    return block


def read_columns(suite: str, said: Mapping[str, Any], problems: list[str]) -> Iterator[Column]:
    """Yield the columns that are right; what is wrong with the others is added to ``problems``."""
    for name, words in said.items():
        found = list(_column_problems(name, words))
        problems += [f"{suite}.{name}: {problem}" for problem in found]
        if found:
            continue
        paths = words.get("path") or ()
        unless = words.get("unless")
        yield Column(
            name=name,
            type=words.get("type", ""),
            paths=(paths,) if isinstance(paths, str) else tuple(paths),
            field=words.get("field"),
            row=words.get("row"),
            derive=words.get("derive"),
            of=tuple(words.get("of") or ()),
            unless=next(((column, tuple(values)) for column, values in unless.items()), None) if unless else None,
            against=words.get("against"),
            unfit=words.get("unfit"),
        )


def _column_problems(name: str, words: Any) -> Iterator[str]:
    if not NAME.fullmatch(str(name)):
        yield "a column's name is lower case letters, digits and _"
    if not isinstance(words, dict):
        yield "a column says where it comes from"
        return
    yield from (f"unknown word {word}" for word in sorted(set(words) - _COLUMN_WORDS))
    if "derive" in words:
        if words["derive"] not in DERIVED_TYPES:
            yield f"derive is one of {', '.join(DERIVED_TYPES)}"
        elif words["derive"] in _OF_A_RANGE and len(words.get("of") or ()) != 3:
            yield "of names the columns of code, unit and value"
        return
    if words.get("type") not in SQL_TYPES:
        yield f"type is one of {', '.join(SQL_TYPES)}"
    if not {"path", "field", "row"} & set(words):
        yield "says none of path, field, row, derive"
    if "unfit" in words and (words.get("type") != "text" or "path" not in words):
        yield "unfit belongs to a text with a path"
    if "row" in words and words["row"] not in ROW_COLUMNS:
        yield f"row is one of {', '.join(ROW_COLUMNS)}"


def _refuse_unknown_references(suite: str, columns: Mapping[str, Column], problems: list[str]) -> None:
    for column in columns.values():
        needed = [
            *column.of,
            *([column.unless[0]] if column.unless else []),
            *([column.against] if column.against else []),
        ]
        problems += [f"{suite}.{column.name}: {each} is no column here" for each in needed if each not in columns]


def _refuse_ambiguous(suites: tuple[Suite, ...], problems: list[str]) -> None:
    for said in ("resource_type", "entity"):
        named = [getattr(suite, said) for suite in suites if getattr(suite, said)]
        problems += [f"two suites for {said} {each}" for each in sorted({n for n in named if named.count(n) > 1})]
    if not any(suite.resource_type == ANY_OTHER for suite in suites):
        problems.append(f"no suite for resource_type '{ANY_OTHER}'")
    types: dict[str, str] = {}
    for suite in suites:
        for column in suite.columns.values():
            if types.setdefault(column.name, column.sql_type) != column.sql_type:
                problems.append(f"{suite.name}.{column.name} is of another type in another suite")
