"""Columns of tables: a suite's fields looked up through the mapping that the source's contract declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from psycopg import sql

from include.quality.batches import Batch
from include.quality.check_table import derived, named, persons_of, range_join
from include.quality.reference_values import ReferenceValues
from include.quality.suites import Column
from include.sources.contracts import EntityMap, Table
from include.sources.entities import ENTITIES, REQUIRED_FIELDS
from include.warehouse.mapped_views import cast, translate

_NUMBERS = ("numeric", "bigint", "integer")
_MOMENTS = ("date", "timestamptz")
# The suite type that a contract's column has in the contract's own checks.
_CHECK_TYPES = {
    "text": "text",
    "bigint": "number",
    "numeric": "number",
    "boolean": "boolean",
    "uuid": "uuid",
    "date": "moment",
    "timestamptz": "moment",
}


class MappedColumns:
    """Columns of a table's rows, seen through one mapping; without a mapping, the table's own columns.

    Values are translated and cast by the functions that make ``mapped.<entity>``, so that the gate judges what dbt will see.
    """

    def __init__(
        self,
        table: Table,
        mapping: EntityMap | None,
        references: ReferenceValues,
        columns: Mapping[str, Column],
        *,
        timezone: str,
    ) -> None:
        self._types = {column.name: column.postgres_type for column in table.clear_columns}
        self._mapping = mapping
        self._references = references
        self._columns = columns
        self._data_class = table.data_class
        self._has_person = table.person is not None
        self._timezone = timezone

    def has(self, column: Column) -> bool:
        """Whether the table brings what the column needs, in a type that can be read that way."""
        if column.derive == "person_known" or column.derive == "birth_moment":
            return self._has_person
        if column.derive:
            return all(self.has(self._columns[name]) for name in column.of)
        if column.row:
            return True
        kind = self._type_of(column.field) if column.field else None
        return kind is not None and kind in {
            "number": _NUMBERS,
            "moment": _MOMENTS,
            "last_moment": _MOMENTS,
            "readable": (),  # loading refuses a cell that is not of its column's type
            "boolean": ("boolean",),
            "uuid": ("uuid",),
        }.get(column.type, (kind,))

    def expression(self, column: Column) -> sql.Composable:
        """The column's value for a row ``i`` and its person ``p``."""
        if column.derive:
            return derived(column)
        if column.row:
            return sql.SQL("i.{}").format(sql.Identifier(column.row))
        if column.type == "present":
            return sql.SQL("({} is not null)").format(self._given(column.field))
        value = self._field(column.field)
        if column.type == "last_moment" and self._own_type(column.field) == "date":
            return sql.SQL("({}::timestamptz + {})").format(value, sql.SQL(self._length_of_day(column)))
        typed = sql.SQL("({}::{})").format(value, sql.SQL(column.sql_type))
        if column.unless and self.has(self._columns[column.unless[0]]):
            refused = sql.SQL(", ").join(map(sql.Literal, column.unless[1]))
            guard = self.expression(self._columns[column.unless[0]])
            return sql.SQL("case when {} in ({}) then null else {} end").format(guard, refused, typed)
        return typed

    def select(self, batch: Batch, columns: Iterable[Column], rows: sql.Composable) -> sql.Composable:
        """The whole SELECT that fills a partition."""
        columns = tuple(columns)
        values = [named(self.expression(column), column) for column in columns]
        return sql.SQL(
            """select i.record_id, {data_class}::text as data_class{values} from {intake} i
               left join {persons} p on p.person_token = i.person_token {ranges}
               where {rows} and not i.is_deleted"""
        ).format(
            persons=persons_of(batch),
            data_class=sql.Literal(self._data_class),
            values=sql.SQL("").join(values),
            intake=batch.intake,
            ranges=range_join(columns, self.expression, self._columns, self._references),
            rows=rows,
        )

    def _length_of_day(self, column: Column) -> str:
        other = self._columns[column.against].field if column.against else None
        if other is not None and self._own_type(other) == "timestamptz":
            return "interval '36 hours'"
        return "interval '1 day -1 microsecond'"

    def _own_type(self, field: str) -> str | None:
        """The type that the table's own column has, before it is cast."""
        return self._types.get(self._mapping.fields.get(field, "") if self._mapping else field)

    def _type_of(self, field: str) -> str | None:
        """The type that the column's value has for the rule; None where the table does not bring it."""
        if self._mapping is None:
            return self._types.get(field)
        is_there = field in self._mapping.constants or self._own_type(field) is not None
        return ENTITIES[self._mapping.to].get(field) if is_there else None

    def _given(self, field: str) -> sql.Composable:
        """What the source gave, before it is translated: a code that the contract cannot translate is still a code."""
        own = self._mapping.fields.get(field) if self._mapping and field not in self._mapping.constants else None
        return sql.SQL("i.{}").format(sql.Identifier(own)) if own else self._field(field)

    def _field(self, field: str) -> sql.Composable:
        if self._mapping is None:
            return sql.SQL("i.{}").format(sql.Identifier(field))
        wanted = ENTITIES[self._mapping.to][field]
        if field in self._mapping.constants:
            return sql.SQL("{}::{}").format(sql.Literal(self._mapping.constants[field]), sql.SQL(wanted))
        own = sql.SQL("i.{}").format(sql.Identifier(self._mapping.fields[field]))
        words = self._mapping.values.get(field)
        if words:
            return cast(translate(own, words), "text", wanted, self._timezone)
        return cast(own, self._own_type(field), wanted, self._timezone)


def row_condition(table: Table, mapping: EntityMap) -> sql.Composable:
    """Which rows of the table count as the mapped entity: the mapping's ``where`` and the entity's required values."""
    return sql.SQL(" and ").join([sql.SQL("true"), *_conditions(table, mapping)])


def _conditions(table: Table, mapping: EntityMap) -> Iterator[sql.Composable]:
    for column, allowed in mapping.where.items():
        values = sql.SQL(", ").join(map(sql.Literal, allowed))
        yield sql.SQL("i.{}::text in ({})").format(sql.Identifier(column), values)
    clear = {column.name for column in table.clear_columns}
    for one_of in REQUIRED_FIELDS.get(mapping.to, ()):
        named = [mapping.fields[field] for field in one_of if mapping.fields.get(field) in clear]
        if named and not any(field in mapping.constants for field in one_of):
            given = [sql.SQL("i.{} is not null").format(sql.Identifier(name)) for name in named]
            yield sql.SQL("({})").format(sql.SQL(" or ").join(given))


def entity_types_of(table: Table) -> dict[str, str]:
    """The table's clear columns with the suite types that its own checks judge them as."""
    return {column.name: _CHECK_TYPES[column.postgres_type] for column in table.clear_columns}
