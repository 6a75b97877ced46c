"""The table that is judged: every column that a rule reads, taken out of the batch's rows in one pass a suite.

Nothing here can fail on a value: what cannot be read as its type becomes null, and a column of type ``readable`` says so.
So no value ever gets into an error text of the server.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import psycopg
from psycopg import sql

from include.quality.batches import WORKSHOP, Batch
from include.quality.moments import first_moment, last_moment, readable, with_slack
from include.quality.reference_values import ReferenceValues
from include.quality.rules import Rule
from include.quality.sessions import at_once
from include.quality.suites import Column, Suite

SCHEMA = WORKSHOP
_ELEMENT = re.compile(r"\$\.([A-Za-z]+)")
# Stands for a code that was sealed because it is none of its element's codes; no value set holds it.
UNFIT = "(unfit)"


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one suite in one batch: which rules apply, and where each column comes from.

    ``label`` names the partition; it is the suite's name unless the same suite applies differently to two mappings. ``rows``
    is how many it may have at most.
    """

    label: str
    suite: Suite
    rules: tuple[Rule, ...]
    selects: tuple[sql.Composable, ...]
    unassessed: tuple[Rule, ...] = ()
    rows: int = 0

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that the part's rules read, in the order of their names."""
        return columns_of(self.suite, self.rules)


def columns_of(suite: Suite, rules: Iterable[Rule]) -> tuple[Column, ...]:
    """The columns that these rules read, in the order of their names."""
    named = sorted({name for rule in rules for name in rule.columns})
    return tuple(suite.columns[name] for name in named)


def table_of(batch: Batch) -> str:
    """The name of the batch's table in schema ``checks``: short, and the same every time."""
    return "batch_" + hashlib.sha256(batch.batch_id.encode()).hexdigest()[:16]


def place_of(batch: Batch, suffix: str = "") -> sql.Identifier:
    """The batch's table, or with a suffix one that belongs to it."""
    return sql.Identifier(batch.workshop, table_of(batch) + suffix)


def made(batch: Batch) -> sql.Composable:
    """How tables of the workshop are made: unlogged, except a session's own, which are temporary by their place."""
    return sql.SQL("create unlogged table" if batch.workshop == SCHEMA else "create table")


def persons_of(batch: Batch) -> sql.Identifier:
    """The table of persons that the batch may refer to (persons.py fills it)."""
    return place_of(batch, "_persons")


def build(
    books: psycopg.Connection, batch: Batch, parts: Iterable[Part], beside: psycopg.Connection | None = None
) -> None:
    """Make and fill the table, one partition a part. The caller has dropped what an earlier attempt left.

    ``beside``: another session that fills partitions at the same time; both commit each statement.
    """
    parts = tuple(parts)
    types = dict(sorted({column.name: column.sql_type for part in parts for column in part.columns}.items()))
    declared = [sql.SQL(", {} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in types.items()]
    books.execute(
        sql.SQL("create table {} (suite text, record_id uuid, data_class text{}) partition by list (suite)").format(
            place_of(batch), sql.SQL("").join(declared)
        )
    )
    waiting = deque(sorted(enumerate(parts), key=lambda each: -each[1].rows))
    at_once(*(partial(_fill_next, each, batch, waiting, types) for each in (books, beside) if each))
    for number, part in enumerate(parts):
        attach = sql.SQL("alter table {} attach partition {} for values in ({})")
        books.execute(attach.format(place_of(batch), place_of(batch, f"_{number}"), sql.Literal(part.label)))


def _fill_next(
    books: psycopg.Connection, batch: Batch, waiting: deque[tuple[int, Part]], types: Mapping[str, str]
) -> None:
    while True:
        try:
            number, part = waiting.popleft()
        except IndexError:
            return
        try:
            _fill(books, batch, number, part, types)
        except BaseException:
            waiting.clear()
            raise


def _fill(books: psycopg.Connection, batch: Batch, number: int, part: Part, types: Mapping[str, str]) -> None:
    """Fill one partition, by CREATE TABLE AS, which is faster than INSERT."""
    own = {column.name for column in part.columns}
    values = [
        sql.SQL(", {}").format(sql.Identifier(name) if name in own else sql.SQL("null::{}").format(sql.SQL(kind)))
        for name, kind in types.items()
    ]
    names = [sql.SQL(", {}").format(sql.Identifier(name)) for name in types]
    books.execute(
        sql.SQL(
            "{made} {child} (suite, record_id, data_class{names}) as select {label}::text, record_id, data_class{values} from ({selects}) s"
        ).format(
            made=made(batch),
            child=place_of(batch, f"_{number}"),
            names=sql.SQL("").join(names),
            label=sql.Literal(part.label),
            values=sql.SQL("").join(values),
            selects=sql.SQL(" union all ").join(part.selects),
        )
    )


def drop(books: psycopg.Connection, batch: Batch) -> None:
    """Remove the batch's tables, also partitions that a killed attempt had not attached yet."""
    left = books.execute(
        "select tablename from pg_tables where schemaname = %s and (tablename = %s or tablename like %s) order by tablename",
        [SCHEMA, table_of(batch), table_of(batch).replace("_", r"\_") + r"\_%"],
    ).fetchall()
    for (name,) in left:
        books.execute(sql.SQL("drop table if exists {}").format(sql.Identifier(SCHEMA, name)))


class DocumentColumns:
    """Columns of JSON documents: one JSON_TABLE a select, every path in it once."""

    def __init__(self, references: ReferenceValues, columns: Mapping[str, Column], *, tells_unfit: bool) -> None:
        """``tells_unfit``: the intake names, in ``unfit``, the elements it sealed because their value fits no type."""
        self._columns = columns
        self._references = references
        self._tells_unfit = tells_unfit
        self._paths: dict[tuple[str, str], str] = {}

    def expression(self, column: Column) -> sql.Composable:
        """The column's value for a row ``i`` with its JSON_TABLE ``j`` and its person ``p``."""
        if column.derive:
            return self._derived(column)
        if column.row:
            return sql.SQL("i.{}").format(sql.Identifier(column.row))
        value = self._from_paths(column)
        if column.against:
            value = with_slack(self._text(column), value, self._text(self._columns[column.against]))
        if column.unless:
            guard = self.expression(self._columns[column.unless[0]])
            refused = sql.SQL(", ").join(map(sql.Literal, column.unless[1]))
            return sql.SQL("case when {} in ({}) then null else {} end").format(guard, refused, value)
        return value

    def select(self, batch: Batch, columns: Iterable[Column], rows: sql.Composable) -> sql.Composable:
        """The whole SELECT that fills a partition."""
        columns = tuple(columns)
        values = [named(self.expression(column), column) for column in columns]
        ranges = range_join(columns, self.expression, self._columns, self._references)  # may ask for more paths
        return sql.SQL(
            """select i.record_id, i.data_class{values} from {intake} i
               left join lateral json_table(i.body, '$' columns ({paths})) j on true
               left join {persons} p on p.person_token = i.person_token {ranges}
               where {rows} and not i.is_deleted"""
        ).format(
            persons=persons_of(batch),
            values=sql.SQL("").join(values),
            intake=batch.intake,
            paths=self.paths(),
            ranges=ranges,
            rows=rows,
        )

    def paths(self) -> sql.Composable:
        """The column list of the JSON_TABLE ``j`` that the expressions asked for so far read."""
        return sql.SQL(", ").join(self._declared_paths()) if self._paths else sql.SQL("nothing text path '$.nothing'")

    def _declared_paths(self) -> Iterator[sql.Composable]:
        for (path, kind), alias in self._paths.items():
            form = sql.SQL("{} boolean exists path {}") if kind == "present" else sql.SQL("{} " + kind + " path {}")
            yield form.format(sql.Identifier(alias), sql.Literal(path))

    def _path(self, path: str, kind: str) -> sql.Composable:
        alias = self._paths.setdefault((path, kind), f"c{len(self._paths)}")
        return sql.SQL("j.{}").format(sql.Identifier(alias))

    def _from_paths(self, column: Column) -> sql.Composable:
        one = {
            "text": lambda path: self._path(path, "text"),
            "number": lambda path: self._path(path, "numeric"),
            "boolean": lambda path: self._path(path, "boolean"),
            "uuid": lambda path: self._path(path, "uuid"),
            "present": lambda path: self._path(path, "present"),
            "moment": lambda path: first_moment(self._path(path, "text"), self._path(path, "timestamptz")),
            "last_moment": lambda path: last_moment(self._path(path, "text"), self._path(path, "timestamptz")),
            "readable": lambda path: readable(self._path(path, "text"), self._path(path, "timestamptz")),
        }[column.type]
        keys = [_ELEMENT.fullmatch(path) for path in column.paths]
        if column.type == "present" and all(keys):
            # One look at the document's keys is cheaper than a JSON path each.
            return sql.SQL("i.body ?| array[{}]").format(sql.SQL(", ").join(sql.Literal(key.group(1)) for key in keys))
        found = [one(path) for path in column.paths]
        unfit = self._unfit(column)
        if unfit is not None and column.type == "readable":
            return sql.SQL("case when {} then false else coalesce({}) end").format(unfit, sql.SQL(", ").join(found))
        if unfit is not None and column.type == "text":
            return sql.SQL("coalesce({}, case when {} then {} end)").format(found[0], unfit, sql.Literal(UNFIT))
        if len(found) == 1:
            return found[0]
        if column.type == "present":
            return sql.SQL("({})").format(sql.SQL(" or ").join(found))
        return sql.SQL("coalesce({})").format(sql.SQL(", ").join(found))

    def _text(self, column: Column) -> sql.Composable:
        return sql.SQL("coalesce({})").format(sql.SQL(", ").join(self._path(path, "text") for path in column.paths))

    def _unfit(self, column: Column) -> sql.Composable | None:
        """Whether one of the column's elements was sealed as unfit. Text is asked only where it is the whole element, or says
        what its value is called then."""
        if column.unfit:
            return sql.SQL("i.unfit && array[{}]").format(sql.Literal(column.unfit)) if self._tells_unfit else None
        matches = [_ELEMENT.match(path) for path in column.paths]
        whole = all(match and match.end() == len(path) for match, path in zip(matches, column.paths, strict=True))
        if not self._tells_unfit or not matches or not all(matches) or (column.type == "text" and not whole):
            return None
        elements = sql.SQL(", ").join(sql.Literal(match.group(1)) for match in matches)
        return sql.SQL("i.unfit && array[{}]").format(elements)

    def _derived(self, column: Column) -> sql.Composable:
        return derived(column)


def named(value: sql.Composable, column: Column) -> sql.Composable:
    """A value of a select's list, under the column's name."""
    return sql.SQL(", {} as {}").format(value, sql.Identifier(column.name))


def derived(column: Column) -> sql.Composable:
    """What a derived column is, given the joins of known persons ``p`` and plausible ranges ``r``."""
    return {
        "person_known": sql.SQL("case when i.person_token is not null then p.person_token is not null end"),
        "birth_moment": sql.SQL("p.born"),
        "value_possible": sql.SQL("r.is_possible"),
        "unit_known": sql.SQL("r.is_unit"),
    }[column.derive]


def range_join(columns, expression, all_columns: Mapping[str, Column], references: ReferenceValues) -> sql.Composable:
    """A lateral join ``r`` with the plausible range of a row's code and unit, where a column asks ``of`` code, unit and value."""
    asking = next((column for column in columns if column.derive and column.of), None)
    if asking is None:
        return sql.SQL("")
    code, unit, value = (expression(all_columns[name]) for name in asking.of)
    rows = sql.SQL(", ").join(
        sql.SQL("({}, {}, {}::numeric, {}::numeric)").format(*map(sql.Literal, (r.code, r.unit, r.low, r.high)))
        for r in references.ranges.values()
    )
    return sql.SQL(
        """left join (values {rows}) a (code, unit, low, high) on a.code = {code} and a.unit = {unit}
           left join (select distinct code from (values {rows}) v (code, unit, low, high)) b on b.code = {code}
           left join lateral (select {value} between a.low and a.high as is_possible,
                              case when b.code is not null and {value} is not null
                                   then a.code is not null end as is_unit) r on true"""
    ).format(rows=rows, code=code, unit=unit, value=value)
