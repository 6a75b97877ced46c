"""The expectations a suite may use: for each, which arguments it takes and how our own SQL states it.

Great Expectations judges the same rules by itself (judge.py). The predicates here never look at its results, so that
two counts that agree were made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql

Arguments = Mapping[str, Any]
Predicate = Callable[[tuple[sql.Identifier, ...], Arguments], sql.Composable]


@dataclass(frozen=True, slots=True)
class Expectation:
    """One kind of expectation. ``fails`` is only asked about rows for which ``applies`` is true."""

    name: str
    columns: int
    required: frozenset[str]
    optional: frozenset[str]
    applies: Predicate
    fails: Predicate


def _every_row(columns: tuple[sql.Identifier, ...], arguments: Arguments) -> sql.Composable:
    return sql.SQL("true")


def _all_given(columns: tuple[sql.Identifier, ...], arguments: Arguments) -> sql.Composable:
    return sql.SQL(" and ").join(sql.SQL("{} is not null").format(column) for column in columns)


def _is_null(columns: tuple[sql.Identifier, ...], arguments: Arguments) -> sql.Composable:
    return sql.SQL("{} is null").format(columns[0])


def _not_in_set(columns: tuple[sql.Identifier, ...], arguments: Arguments) -> sql.Composable:
    allowed = sql.SQL(", ").join(map(sql.Literal, arguments["value_set"]))
    return sql.SQL("{} not in ({})").format(columns[0], allowed)


def _in_set(columns: tuple[sql.Identifier, ...], arguments: Arguments) -> sql.Composable:
    refused = sql.SQL(", ").join(map(sql.Literal, arguments["value_set"]))
    return sql.SQL("{} in ({})").format(columns[0], refused)


def _outside(columns: tuple[sql.Identifier, ...], arguments: Arguments) -> sql.Composable:
    low, high = arguments.get("min_value"), arguments.get("max_value")
    parts = []
    if low is not None:
        parts.append(sql.SQL("{} < {}").format(columns[0], _bound(low)))
    if high is not None:
        parts.append(sql.SQL("{} > {}").format(columns[0], _bound(high)))
    return sql.SQL("({})").format(sql.SQL(" or ").join(parts))


def _bound(value: float | datetime) -> sql.Composable:
    if isinstance(value, datetime):
        return sql.SQL("{}::timestamptz").format(sql.Literal(value.isoformat()))
    return sql.SQL("{}::numeric").format(sql.Literal(value))


def _no_match(columns: tuple[sql.Identifier, ...], arguments: Arguments) -> sql.Composable:
    return sql.SQL("{} !~ {}").format(columns[0], sql.Literal(arguments["regex"]))


def _smaller(columns: tuple[sql.Identifier, ...], arguments: Arguments) -> sql.Composable:
    operator = sql.SQL("<") if arguments.get("or_equal") else sql.SQL("<=")
    return sql.SQL("{} {} {}").format(columns[0], operator, columns[1])


KNOWN: Mapping[str, Expectation] = {
    each.name: each
    for each in (
        Expectation("expect_column_values_to_not_be_null", 1, frozenset(), frozenset(), _every_row, _is_null),
        Expectation(
            "expect_column_values_to_be_in_set", 1, frozenset({"value_set"}), frozenset(), _all_given, _not_in_set
        ),
        Expectation(
            "expect_column_values_to_not_be_in_set", 1, frozenset({"value_set"}), frozenset(), _all_given, _in_set
        ),
        Expectation(
            "expect_column_values_to_be_between",
            1,
            frozenset(),
            frozenset({"min_value", "max_value"}),
            _all_given,
            _outside,
        ),
        Expectation("expect_column_values_to_match_regex", 1, frozenset({"regex"}), frozenset(), _all_given, _no_match),
        Expectation(
            "expect_column_pair_values_a_to_be_greater_than_b",
            2,
            frozenset(),
            frozenset({"or_equal"}),
            _all_given,
            _smaller,
        ),
    )
}
# Postgres keeps 32 compiled regular expressions; a statement with more compiles them again for every row.
REGULAR_EXPRESSIONS_A_STATEMENT = 30
