"""All checks of a subject's rows in one scan: two aggregates a check, and no more regular expressions a statement than
Postgres keeps compiled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import psycopg
from psycopg import sql

from include.quality.catalogue.check_types import Instance
from include.quality.catalogue.flat import Flat
from include.quality.catalogue.results import Result, error_of, result
from include.quality.expectations import REGULAR_EXPRESSIONS_A_STATEMENT

CHECKS_A_STATEMENT = 400  # two columns each; Postgres allows 1,664 in a select
EVIDENCE_KEYS = 1_000  # of a check; the counts say how many there are
_NULL = "null"


def count(books: psycopg.Connection, flat: Flat, instances: Sequence[Instance], latest: datetime) -> Iterator[Result]:
    """Results of every instance whose columns the source brings, in one scan a bundle; of others: not applicable.

    A bundle that fails is counted check by check, so that one mistake is one error and nothing else.
    """
    due = []
    for instance in instances:
        if flat.rows == 0 or not is_brought(flat, instance):
            yield result(instance, 0, 0, data_class=flat.data_class)
        else:
            due.append(instance)
    for bundle in bundles(due):
        try:
            yield from _count(books, flat, bundle, latest)
        except psycopg.Error:
            for instance in bundle:
                yield _count_alone(books, flat, instance, latest)


def is_brought(flat: Flat, instance: Instance) -> bool:
    """Whether the source brings the columns that the check needs."""
    needed = [instance.column, *(instance.arguments.get(word) for word in ("other", "length")), *instance.where]
    own = [name for name in needed if name in flat.subject.columns]
    return all(name in flat.brought for name in own)


def bundles(instances: Sequence[Instance]) -> Iterator[tuple[Instance, ...]]:
    """Checks that one statement counts."""
    bundle: list[Instance] = []
    expressions = 0
    for instance in instances:
        own = int("regex" in instance.arguments)
        if bundle and (expressions + own > REGULAR_EXPRESSIONS_A_STATEMENT or len(bundle) >= CHECKS_A_STATEMENT):
            yield tuple(bundle)
            bundle, expressions = [], 0
        bundle.append(instance)
        expressions += own
    if bundle:
        yield tuple(bundle)


def _count(books: psycopg.Connection, flat: Flat, bundle: Sequence[Instance], latest: datetime) -> list[Result]:
    numbers = sql.SQL(", ").join(sql.SQL("{}, {}").format(*aggregates(flat, each, latest)) for each in bundle)
    with books.transaction():
        found = books.execute(sql.SQL("select {} from {}").format(numbers, flat.table)).fetchone()
    return [
        result(each, found[2 * number], found[2 * number + 1], data_class=flat.data_class)
        for number, each in enumerate(bundle)
    ]


def _count_alone(books: psycopg.Connection, flat: Flat, instance: Instance, latest: datetime) -> Result:
    try:
        return _count(books, flat, (instance,), latest)[0]
    except psycopg.Error as problem:
        return result(instance, None, None, error=error_of(problem), data_class=flat.data_class)


def aggregates(flat: Flat, instance: Instance, latest: datetime) -> tuple[sql.Composable, sql.Composable]:
    """How many records are tested, and how many fail, as two aggregate expressions."""
    if instance.check.tested:
        return tuple(fill(text, flat, instance, latest) for text in (instance.check.tested, instance.check.failed))
    tests = applies(flat, instance, latest)
    breaks = sql.SQL("{} and ({})").format(tests, fill(instance.check.fails, flat, instance, latest))
    return tuple(sql.SQL("count(*) filter (where {})").format(each) for each in (tests, breaks))


def applies(flat: Flat, instance: Instance, latest: datetime) -> sql.Composable:
    """The condition under which a row is tested."""
    conditions = [sql.SQL("({})").format(fill(instance.check.applies, flat, instance, latest))]
    for column, allowed in instance.where.items():
        if allowed == (_NULL,):
            conditions.append(sql.SQL("{} is null").format(sql.Identifier(column)))
        else:
            values = sql.SQL(", ").join(map(sql.Literal, allowed))
            conditions.append(sql.SQL("{} in ({})").format(sql.Identifier(column), values))
    return sql.SQL(" and ").join(conditions)


def fill(text: str, flat: Flat, instance: Instance, latest: datetime) -> sql.Composable:
    """A piece of a check type with its names and values in place: names quoted, values as literals, nothing formatted."""
    said = instance.arguments
    column = f"{instance.column}_known" if instance.check.name == "isForeignKey" else instance.column
    values = {
        "column": sql.Identifier(column) if column else None,
        "values": sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, said["values"])))
        if "values" in said
        else None,
        "latest": sql.SQL("{}::timestamptz").format(sql.Literal(latest.isoformat())),
        **{word: sql.Identifier(said[word]) for word in ("other", "length") if word in said},
        **{word: sql.Literal(said[word]) for word in ("low", "high", "regex", "days") if word in said},
    }
    return sql.SQL(text).format(**{word: value for word, value in values.items() if value is not None})


def keep_keys(books: psycopg.Connection, flat: Flat, instances: Sequence[Instance], latest: datetime) -> None:
    """Add keys of rows that fail to the session's ``failing_keys (instance, record_id)``, in one scan a bundle."""
    for bundle in bundles([each for each in instances if each.check.is_of_rows]):
        named = sql.SQL(", ").join(
            sql.SQL("case when {} and ({}) then {} end").format(
                applies(flat, each, latest), fill(each.check.fails, flat, each, latest), sql.Literal(each.name)
            )
            for each in bundle
        )
        books.execute(
            sql.SQL(
                """insert into pg_temp.failing_keys select instance, record_id from (
                       select f.instance, t.record_id, row_number() over (partition by f.instance order by t.record_id) as n
                       from {table} t cross join lateral unnest(array[{named}]) f (instance) where f.instance is not null) k
                   where n <= {most}"""
            ).format(table=flat.table, named=named, most=sql.Literal(EVIDENCE_KEYS))
        )
