"""Flat rows: each kind of record of a delivery as one temporary table, its columns taken out of the rows in one parse.

Documents come through JSON_TABLE and tables through their contract's maps, by the same code that the gate reads with
(check_table.py, mapped_columns.py), so that nothing here can fail on a value. Temporary tables end with the session,
however it ends: nothing of a check outlives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import psycopg
from psycopg import sql

from include.quality.catalogue.subjects import Subject, Tables
from include.quality.check_table import DocumentColumns, named
from include.quality.mapped_columns import MappedColumns, row_condition
from include.quality.suites import Column
from include.sources.contracts import Table

BORN_EARLY = "interval '14 hours'"  # a child born just after midnight in the east is born on the day before in UTC


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource type lies in a table: its first and last row (as Postgres writes a ctid), and how many it has."""

    first: str
    last: str
    rows: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a delivery as intake has them: documents (``table`` is None) or rows of a declared table.

    ``places`` are those of each resource type that documents bring; None where they were not looked for.
    """

    relation: sql.Identifier
    table: Table | None = None
    timezone: str = "UTC"
    tells_unfit: bool = True
    places: Mapping[str, Place] | None = None

    def of_type(self, resource_type: str) -> sql.Composable:
        """The condition on a row ``i`` of documents: of that type and not deleted, read from its place only."""
        condition = sql.SQL("i.resource_type = {} and not i.is_deleted").format(sql.Literal(resource_type))
        if self.places is None:
            return condition
        place = self.places[resource_type]
        return sql.SQL("i.ctid between {}::tid and {}::tid and {}").format(
            sql.Literal(place.first), sql.Literal(place.last), condition
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is checked: all rows of one source in one night. ``source`` is None where nothing of earlier nights is known.

    ``kind`` is the source's, as sources.yml says it: what it can be expected to bring depends on it.
    """

    rows: tuple[Rows, ...]
    night: date
    source: str | None = None
    kind: str | None = None

    @property
    def latest(self) -> datetime:
        """The last moment that is still the night's own day somewhere on Earth (UTC-12)."""
        return datetime.combine(self.night + timedelta(days=1), time(12), UTC)


@dataclass(frozen=True, slots=True)
class Flat:
    """A subject's flat table: how many rows it has and which of the subject's columns the source brings at all.

    ``books`` is the session that has it.
    """

    subject: Subject
    rows: int
    brought: frozenset[str]
    data_class: str | None
    books: psycopg.Connection

    @property
    def table(self) -> sql.Identifier:
        """The temporary table, named like the subject."""
        return table_of(self.subject)


def table_of(subject: Subject) -> sql.Identifier:
    """Where a subject's flat rows are."""
    return sql.Identifier("pg_temp", subject.name)


def build(
    books: psycopg.Connection, delivery: Delivery, subject: Subject, tables: Tables, kinds: frozenset[str]
) -> Flat:
    """Make and fill the subject's flat table. People and visits are remembered for the subjects after them."""
    books.execute(sql.SQL("drop table if exists {}").format(table_of(subject)))
    selects = tuple(_selects(delivery, subject, tables))
    if not selects:
        _make_empty(books, subject)
        return Flat(subject, 0, frozenset(), None, books)
    joins, joined = _joins(subject, kinds)
    body = sql.SQL("select b.*{joined} from ({inner}) b{joins}").format(
        joined=joined, inner=sql.SQL(" union all ").join(select for select, _ in selects), joins=joins
    )
    made = sql.SQL("create temporary table {} as {}").format(sql.Identifier(subject.name), body)
    rows = books.execute(made).rowcount
    _gather_statistics(books, subject)
    brought = frozenset().union(*(names for _, names in selects))
    if rows and subject.resource_type == "Patient":
        _remember_people(books, subject, delivery)
    if rows and subject.visit:
        _remember_visits(books, subject)
    (data_class,) = books.execute(sql.SQL("select max(data_class) from {}").format(table_of(subject))).fetchone()
    return Flat(subject, rows, brought, data_class, books)


def _gather_statistics(books: psycopg.Connection, subject: Subject) -> None:
    """Temporary tables never get statistics by themselves; a check that joins two would compare each row with each."""
    keys = sql.SQL(", ").join(map(sql.Identifier, ("resource_id", "person_token", *subject.references)))
    books.execute(sql.SQL("analyze {} ({})").format(table_of(subject), keys))


def _make_empty(books: psycopg.Connection, subject: Subject) -> None:
    """A table without rows, so that checks in SQL may name every subject."""
    own = [(column.name, column.sql_type) for column in subject.columns.values()]
    own += [(f"{name}_known", "boolean") for name in subject.references]
    leading = [("record_id", "uuid"), ("resource_id", "text"), ("person_token", "uuid"), ("data_class", "text")]
    joined = [("born", "timestamptz"), ("died", "timestamptz"), ("sex", "text")]
    joined += [("visit_start", "timestamptz"), ("visit_end", "timestamptz")]
    columns = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in (*leading, *own, *joined)]
    books.execute(
        sql.SQL("create temporary table {} ({})").format(sql.Identifier(subject.name), sql.SQL(", ").join(columns))
    )


def projection(delivery: Delivery, subject: Subject, tables: Tables) -> sql.Composable | None:
    """The select that parses the subject's columns and does nothing else: what a benchmark compares with."""
    selects = [select for select, _ in _selects(delivery, subject, tables)]
    return sql.SQL(" union all ").join(selects) if selects else None


def _selects(delivery: Delivery, subject: Subject, tables: Tables) -> Iterator[tuple[sql.Composable, frozenset[str]]]:
    for rows in delivery.rows:
        if rows.table is None:
            if rows.places is None or subject.resource_type in rows.places:
                yield _of_documents(rows, subject, tables), _in_documents(subject)
            continue
        mappings = [mapping for mapping in rows.table.maps if mapping.to == subject.entity]
        for number, mapping in enumerate(mappings):
            source = MappedColumns(rows.table, mapping, tables.references, subject.columns, timezone=rows.timezone)
            brought = frozenset(name for name, column in subject.columns.items() if _is_brought(source, column))
            select = sql.SQL(
                "select i.record_id, {own_id} as resource_id, i.person_token, {data_class}::text as data_class{values} from {rows} i where {condition} and not i.is_deleted"
            ).format(
                # A row of vital signs becomes an observation a sign: each has an id of its own.
                own_id=sql.SQL("i.resource_id || {}").format(sql.Literal(f"#{number}"))
                if number
                else sql.SQL("i.resource_id"),
                data_class=sql.Literal(rows.table.data_class),
                values=sql.SQL("").join(_values(subject, source, brought)),
                rows=rows.relation,
                condition=row_condition(rows.table, mapping),
            )
            yield select, brought


def _in_documents(subject: Subject) -> frozenset[str]:
    return frozenset(name for name, column in subject.columns.items() if column.paths or column.row)


def _is_brought(source: MappedColumns, column: Column) -> bool:
    return bool(column.row) or (column.field is not None and source.has(column))


def _of_documents(rows: Rows, subject: Subject, tables: Tables) -> sql.Composable:
    source = DocumentColumns(tables.references, subject.columns, tells_unfit=rows.tells_unfit)
    values = list(_values(subject, source, _in_documents(subject)))
    return sql.SQL(
        """select i.record_id, i.resource_id, i.person_token, i.data_class{values} from {rows} i
           left join lateral json_table(i.body, '$' columns ({paths})) j on true
           where {condition}"""
    ).format(
        values=sql.SQL("").join(values),
        rows=rows.relation,
        paths=source.paths(),
        condition=rows.of_type(subject.resource_type),
    )


def _values(
    subject: Subject, source: DocumentColumns | MappedColumns, brought: frozenset[str]
) -> Iterator[sql.Composable]:
    """Every column of the subject; null where the source does not bring it. Present is true or null, a reference is an id."""
    for column in subject.columns.values():
        if column.name not in brought:
            yield named(sql.SQL("null::{}").format(sql.SQL(column.sql_type)), column)
            continue
        value = source.expression(column)
        if column.type == "present":
            value = sql.SQL("case when {} then true end").format(value)
        elif column.name.endswith("_ref"):
            # 'Type/token' of documents, the token alone of tables; what is contained or not tokenised is no reference here.
            value = sql.SQL("case when length({v}::text) >= 36 then right({v}::text, 36) end").format(v=value)
        yield named(value, column)


def _joins(subject: Subject, kinds: frozenset[str]) -> tuple[sql.Composable, sql.Composable]:
    """Joins to people, visits and known ids, and the columns that come of them."""
    if subject.resource_type == "Patient":
        empty = "null::timestamptz born, null::timestamptz died, b.gender as sex, null::timestamptz visit_start, null::timestamptz visit_end"
        return sql.SQL(""), sql.SQL(", " + empty)
    joins = [sql.SQL(" left join pg_temp.people p on p.person_token = b.person_token")]
    columns = [sql.SQL(", p.born, p.died, p.sex")]
    if "encounter_ref" in subject.columns:
        joins.append(sql.SQL(" left join pg_temp.visits v on v.id = b.encounter_ref"))
        columns.append(sql.SQL(", v.visit_start, v.visit_end"))
    else:
        columns.append(sql.SQL(", null::timestamptz visit_start, null::timestamptz visit_end"))
    for number, (column, kind) in enumerate(subject.references.items()):
        alias, name = sql.Identifier(f"k{number}"), sql.Identifier(f"{column}_known")
        if kind not in kinds:
            columns.append(sql.SQL(", null::boolean as {}").format(name))
            continue
        joins.append(
            sql.SQL(" left join pg_temp.known_ids {k} on {k}.id = b.{column} and {k}.kind = {kind}").format(
                k=alias, column=sql.Identifier(column), kind=sql.Literal(kind)
            )
        )
        columns.append(
            sql.SQL(", case when b.{} is not null then {}.id is not null end as {}").format(
                sql.Identifier(column), alias, name
            )
        )
    return sql.SQL("").join(joins), sql.SQL("").join(columns)


def _remember_people(books: psycopg.Connection, subject: Subject, delivery: Delivery) -> None:
    books.execute(
        sql.SQL(
            """insert into pg_temp.people select distinct on (person_token) person_token, birth_date - {}, died_last, gender
               from {} where person_token is not null order by person_token, birth_date"""
        ).format(sql.SQL(BORN_EARLY), table_of(subject))
    )
    if delivery.source is not None:
        books.execute(
            "insert into pg_temp.people select * from quality.known_people(%s) on conflict (person_token) do nothing",
            [delivery.source],
        )
    books.execute("analyze pg_temp.people")


def _remember_visits(books: psycopg.Connection, subject: Subject) -> None:
    starts, ends = (sql.Identifier(subject.visit[word]) for word in ("starts", "ends"))
    books.execute(
        sql.SQL(
            "insert into pg_temp.visits select distinct on (resource_id) resource_id, {}, {} from {} order by resource_id"
        ).format(starts, ends, table_of(subject))
    )
    books.execute("analyze pg_temp.visits")
