"""The gate's own count of the same rules, and the keys of every row that fails a critical one. Knows nothing of the judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from include.quality.batches import Batch
from include.quality.check_table import Part, place_of
from include.quality.expectations import KNOWN, REGULAR_EXPRESSIONS_A_STATEMENT
from include.quality.judge import Count
from include.quality.rules import Rule

_RULES_A_STATEMENT = 400  # two columns each; Postgres allows 1,664 in a select


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How often a rule was tested and failed among the rows of one data class."""

    label: str
    rule: str
    data_class: str
    tested: int
    failed: int


def count_by_class(books: psycopg.Connection, batch: Batch, parts: Sequence[Part]) -> list[ClassCount]:
    """Count every rule of every part in one scan of the part (more where regular expressions would be compiled anew)."""
    return [count for part in parts for rules in _bundles(part.rules) for count in _count(books, batch, part, rules)]


def total(counts: Sequence[ClassCount]) -> dict[tuple[str, str], Count]:
    """(part label, rule name) -> Count over all data classes."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for each in counts:
        tested, failed = sums.get((each.label, each.rule), (0, 0))
        sums[each.label, each.rule] = tested + each.tested, failed + each.failed
    return {key: Count(tested, failed) for key, (tested, failed) in sums.items()}


def list_failing(books: psycopg.Connection, batch: Batch, parts: Sequence[Part]) -> None:
    """Make the session's table ``failing(record_id, data_class, part_no, rules)``: every row that fails a critical rule.

    A row that several parts judge is listed once a part; ``rules`` are names in the order of the suite.
    """
    books.execute("drop table if exists failing")
    books.execute(
        """create temporary table failing
               (record_id uuid not null, data_class text not null, part_no integer not null, rules text[] not null)"""
    )
    for number, part in enumerate(parts):
        critical = [rule for rule in part.rules if rule.severity == "critical"]
        for rules in _bundles(critical):
            _list(books, batch, number, part, rules)


def keys_by_rule(books: psycopg.Connection, parts: Sequence[Part]) -> dict[tuple[str, str], int]:
    """(part label, rule name) -> how many keys were fetched for it."""
    rows = books.execute("select part_no, rule, count(*) from failing, unnest(rules) rule group by 1, 2").fetchall()
    return {(parts[number].label, rule): keys for number, rule, keys in rows}


def _list(books: psycopg.Connection, batch: Batch, number: int, part: Part, rules: Sequence[Rule]) -> None:
    named = sql.SQL(", ").join(
        sql.SQL("case when {} then {} end").format(fails(rule), sql.Literal(rule.name)) for rule in rules
    )
    books.execute(
        sql.SQL(
            """insert into failing
               select record_id, data_class, {number}, array_remove(array[{named}], null) from {table} where suite = {label} and ({any})"""
        ).format(
            number=sql.Literal(number),
            named=named,
            table=place_of(batch),
            label=sql.Literal(part.label),
            any=sql.SQL(" or ").join(map(fails, rules)),
        )
    )


def fails(rule: Rule) -> sql.Composable:
    """The condition under which a row fails a rule. Never null."""
    kind, columns = KNOWN[rule.expectation], _columns(rule)
    return sql.SQL("(({}) and ({}))").format(kind.applies(columns, rule.arguments), kind.fails(columns, rule.arguments))


def applies(rule: Rule) -> sql.Composable:
    """The condition under which a row is tested by a rule. Never null."""
    return sql.SQL("({})").format(KNOWN[rule.expectation].applies(_columns(rule), rule.arguments))


def _columns(rule: Rule) -> tuple[sql.Identifier, ...]:
    return tuple(sql.Identifier(name) for name in rule.columns)


def _bundles(rules: Sequence[Rule]) -> Iterator[tuple[Rule, ...]]:
    """Rules that one statement judges: no more regular expressions than Postgres keeps compiled."""
    bundle: list[Rule] = []
    expressions = 0
    for rule in rules:
        expressions += "regex" in rule.arguments
        if bundle and (expressions > REGULAR_EXPRESSIONS_A_STATEMENT or len(bundle) >= _RULES_A_STATEMENT):
            yield tuple(bundle)
            bundle, expressions = [], int("regex" in rule.arguments)
        bundle.append(rule)
    if bundle:
        yield tuple(bundle)


def _count(books: psycopg.Connection, batch: Batch, part: Part, rules: Sequence[Rule]) -> Iterator[ClassCount]:
    numbers = sql.SQL(", ").join(
        sql.SQL("count(*) filter (where {}), count(*) filter (where {})").format(applies(rule), fails(rule))
        for rule in rules
    )
    rows = books.execute(
        sql.SQL("select data_class, {} from {} where suite = {} group by data_class order by data_class").format(
            numbers, place_of(batch), sql.Literal(part.label)
        )
    ).fetchall()
    for data_class, *found in rows:
        for number, rule in enumerate(rules):
            yield ClassCount(part.label, rule.name, data_class, found[2 * number], found[2 * number + 1])
