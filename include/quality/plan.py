"""Which suites judge a batch: by resource type for documents, by mapped entity and the contract's own checks for tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from include.quality.batches import Batch, intake_columns
from include.quality.check_table import DocumentColumns, Part, columns_of
from include.quality.errors import SuiteError
from include.quality.mapped_columns import MappedColumns, entity_types_of, row_condition
from include.quality.rules import Rule, at_night
from include.quality.suites import Suite, Suites, rules_of_table
from include.sources.contracts import Table

CHECKS = "contract_checks"


@dataclass(frozen=True, slots=True)
class Plan:
    """What judges a batch, and how many of its rows are of each class of data."""

    parts: tuple[Part, ...]
    rows_by_class: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of one resource type and data class: how many, and the first and last of them as (block, row)."""

    resource_type: str
    data_class: str
    is_deleted: bool
    count: int
    first: tuple[int, int]
    last: tuple[int, int]


NOTHING = Plan((), {})


def plan_documents(books: psycopg.Connection, batch: Batch, suites: Suites) -> Plan:
    """One part a suite that any row of the batch falls under. Tombstones carry nothing to judge and are left out."""
    tells_unfit, found = "unfit" in intake_columns(books, batch), _survey(books, batch)
    by_suite: dict[str, list[_Rows]] = {}
    by_class: Counter[str] = Counter()
    for rows in found:
        by_class[rows.data_class] += rows.count
        if not rows.is_deleted:
            by_suite.setdefault(suites.for_resource_type(rows.resource_type).name, []).append(rows)
    parts = (
        _document_part(batch, suite, by_suite[suite.name], suites, tells_unfit)
        for suite in suites.all
        if suite.name in by_suite
    )
    return Plan(tuple(part for part in parts if part.rules), by_class)


def _survey(books: psycopg.Connection, batch: Batch) -> list[_Rows]:
    """What the batch holds, in one scan."""
    found = books.execute(
        sql.SQL(
            """select resource_type, data_class, is_deleted, count(*), min(ctid)::text, max(ctid)::text
               from {} group by 1, 2, 3 order by 1, 2, 3"""
        ).format(batch.intake)
    ).fetchall()
    return [_Rows(*said, _place(first), _place(last)) for *said, first, last in found]


def _place(tid: str) -> tuple[int, int]:
    block, row = tid.strip("()").split(",")
    return int(block), int(row)


def _places_of(found: list[_Rows]) -> sql.Composable:
    """Rows of these types. Exports come a type a file, so that a type's rows lie together and are found by their place."""
    types: dict[str, list[_Rows]] = {}
    for each in found:
        types.setdefault(each.resource_type, []).append(each)
    ranges = [
        sql.SQL("(i.resource_type = {} and i.ctid between {}::tid and {}::tid)").format(
            sql.Literal(resource_type),
            sql.Literal("({},{})".format(*min(each.first for each in rows))),
            sql.Literal("({},{})".format(*max(each.last for each in rows))),
        )
        for resource_type, rows in types.items()
    ]
    return ranges[0] if len(ranges) == 1 else sql.SQL("({})").format(sql.SQL(" or ").join(ranges))


def _document_part(batch: Batch, suite: Suite, found: list[_Rows], suites: Suites, tells_unfit: bool) -> Part:
    rules = tuple(
        at_night(rule, batch.latest)
        for rule in suite.rules
        if rule.only in (None, "documents") and all(_is_in_documents(suite, name) for name in rule.columns)
    )
    source = DocumentColumns(suites.references, suite.columns, tells_unfit=tells_unfit)
    select = source.select(batch, columns_of(suite, rules), _places_of(found))
    rows = sum(each.count for each in found)
    return Part(suite.name, suite, rules, (select,), _left_out(suite.rules, rules), rows)


def _is_in_documents(suite: Suite, name: str) -> bool:
    column = suite.columns[name]
    return bool(column.paths or column.row or column.derive)


def plan_table(batch: Batch, table: Table, suites: Suites, *, timezone: str) -> Plan:
    """One part an entity the table is mapped to (mappings with the same rules share one), and one for its own checks.

    Raises SuiteError where the contract's ``checks:`` say something the gate does not know.
    """
    parts: dict[str, Part] = {}
    for part in _mapped_parts(batch, table, suites, timezone):
        label = _free_label(parts, part)
        known = parts.get(label)
        parts[label] = replace(known, selects=known.selects + part.selects) if known else replace(part, label=label)
    own = _own_checks(batch, table, suites, timezone)
    return Plan((*parts.values(), *([own] if own else [])), {table.data_class: batch.loaded})


def _free_label(parts: Mapping[str, Part], part: Part) -> str:
    """The suite's name, or the first numbered one whose part judges exactly the same rules."""
    number, label = 1, part.suite.name
    while label in parts and parts[label].rules != part.rules:
        number += 1
        label = f"{part.suite.name}_{number}"
    return label


def _mapped_parts(batch: Batch, table: Table, suites: Suites, timezone: str) -> Iterator[Part]:
    for mapping in table.maps:
        suite = suites.for_entity(mapping.to)
        if suite is None:
            continue
        source = MappedColumns(table, mapping, suites.references, suite.columns, timezone=timezone)
        rules = tuple(
            at_night(rule, batch.latest)
            for rule in suite.rules
            if rule.only in (None, "table") and all(source.has(suite.columns[name]) for name in rule.columns)
        )
        if rules:
            select = source.select(batch, columns_of(suite, rules), row_condition(table, mapping))
            yield Part(suite.name, suite, rules, (select,), _left_out(suite.rules, rules), batch.loaded)


def _own_checks(batch: Batch, table: Table, suites: Suites, timezone: str) -> Part | None:
    if not table.checks:
        return None
    problems: list[str] = []
    suite = rules_of_table(CHECKS, table.checks, entity_types_of(table), suites.references, problems)
    if problems:
        raise SuiteError(
            found=f"table {table.name}: {'; '.join(problems)}",
            expected="checks: in the words of a suite's rules, over the table's own columns",
            action="correct the contract",
        )
    rules = tuple(at_night(rule, batch.latest) for rule in suite.rules)
    source = MappedColumns(table, None, suites.references, suite.columns, timezone=timezone)
    select = source.select(batch, columns_of(suite, rules), sql.SQL("true"))
    return Part(CHECKS, suite, rules, (select,), rows=batch.loaded)


def _left_out(every: tuple[Rule, ...], judged: tuple[Rule, ...]) -> tuple[Rule, ...]:
    names = {rule.name for rule in judged}
    return tuple(rule for rule in every if rule.name not in names)
