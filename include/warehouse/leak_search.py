"""Which columns of the marts the leak scan reads, and in whose rows it asks for what may be something else.

A single name, and a value that is nothing but a number, are identifiers only where they stand with whom they belong to: "Ray"
is an X-ray, 314076 a drug, 150000 a count of platelets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from include.privacy.leak_scan import (
    LONGEST_NUMBER,
    SHORTEST_NUMBER,
    SHORTEST_TELLING_NUMBER,
    Needles,
    bearers_of,
    holds_identifier,
    is_bare_number,
    names_in,
    owners_of,
)

# What this many people share as a value is vocabulary ("White", "May", a common code), not an identifier.
COMMON_VALUE_PEOPLE = 11
_VALUES_AT_ONCE = 2_000
_TEXTS = ("text", "character varying", "character", "json", "jsonb", "ARRAY", "bytea")
_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")


@dataclass(frozen=True, slots=True)
class _Column:
    """A column that is searched, as text; of a column of numbers only whole ones that are long enough."""

    schema: str
    table: str
    name: str
    has_person: bool
    is_number: bool

    def values(self) -> sql.Composable:
        """The distinct values as text."""
        return sql.SQL("select distinct {} from {} where {}").format(self._text, self._place, self._searched)

    def people(self) -> sql.Composable:
        """Of the values asked for, those that few people share, with these people."""
        return sql.SQL(
            "select {text}, array_agg(distinct person_key) from {place} where {searched} and {text} = any(%s) "
            "group by 1 having count(distinct person_key) < %s"
        ).format(text=self._text, place=self._place, searched=self._searched)

    @property
    def _place(self) -> sql.Composable:
        return sql.Identifier(self.schema, self.table)

    @property
    def _text(self) -> sql.Composable:
        text = "trunc(abs({}::numeric))::text" if self.is_number else "{}::text"
        return sql.SQL(text).format(sql.Identifier(self.name))

    @property
    def _searched(self) -> sql.Composable:
        if not self.is_number:
            return sql.SQL("{} is not null").format(sql.Identifier(self.name))
        return sql.SQL(
            "{column} not between -{short} and {short} and {column} between -{long} and {long} and mod({column}, 1) = 0"
        ).format(
            column=sql.SQL("{}::numeric").format(sql.Identifier(self.name)),
            short=sql.Literal(10 ** (SHORTEST_NUMBER - 1) - 1),
            long=sql.Literal(10**LONGEST_NUMBER - 1),
        )


def search_tables(hot: psycopg.Connection, schemas: Sequence[str], needles: Needles) -> tuple[int, dict[str, int]]:
    """Search every column of texts or numbers of these schemas.

    Returns how many distinct values were read, and schema.table.column -> how many values in it hold an identifier.
    """
    scanned, leaking = 0, {}
    for column in _searched_columns(hot, schemas):
        found = 0
        for values in _distinct_values(hot, column):
            scanned += len(values)
            found += _count_leaks(hot, column, values, needles)
        if found:
            leaking[f"{column.schema}.{column.table}.{column.name}"] = found
    return scanned, leaking


def _searched_columns(hot: psycopg.Connection, schemas: Sequence[str]) -> list[_Column]:
    rows = hot.execute(
        """select c.table_schema, c.table_name, c.column_name, exists (
               select from information_schema.columns p where p.column_name = 'person_key'
               and (p.table_schema, p.table_name) = (c.table_schema, c.table_name)), c.data_type = any(%s)
           from information_schema.columns c
           where c.table_schema = any(%s) and c.data_type = any(%s)
           order by 1, 2, 3""",
        [list(_NUMBERS), list(schemas), [*_TEXTS, *_NUMBERS]],
    ).fetchall()
    return [_Column(*row) for row in rows]


def _distinct_values(hot: psycopg.Connection, column: _Column) -> Iterator[list[str]]:
    """Some thousand at a time: a column of texts may be larger than memory."""
    with hot.cursor(name="values") as cursor:
        cursor.execute(column.values())
        while rows := cursor.fetchmany(_VALUES_AT_ONCE):
            yield [row[0] for row in rows]


def _count_leaks(hot: psycopg.Connection, column: _Column, values: list[str], needles: Needles) -> int:
    """How many values hold an identifier. Bare numbers and single names are asked whose rows they stand in, where rows are
    about people; where they are not, a number in a column of numbers is a count unless it is as long as one that tells somebody."""
    bare = {value for value in values if column.is_number or (column.has_person and is_bare_number(value))}
    leaking = sum(holds_identifier(value, needles) for value in values if value not in bare)
    if column.has_person:
        return leaking + _own(hot, column, values, bare, needles)
    return leaking + sum(len(value) >= SHORTEST_TELLING_NUMBER and bool(owners_of(value, needles)) for value in bare)


def _own(
    hot: psycopg.Connection, column: _Column, values: Iterable[str], bare: Collection[str], needles: Needles
) -> int:
    """How many rare values stand in a row about the very person who bears the name in them or whose number they are."""
    suspect = {value: owners for value in bare if (owners := owners_of(value, needles))}
    suspect |= {value: bearers_of(value, needles) for value in values if value not in bare and names_in(value, needles)}
    if not suspect:
        return 0
    rows = hot.execute(column.people(), [list(suspect), COMMON_VALUE_PEOPLE]).fetchall()
    return sum(
        (value in bare and len(value) >= SHORTEST_TELLING_NUMBER) or not suspect[value].isdisjoint(people)
        for value, people in rows
    )
