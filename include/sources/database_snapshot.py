"""One moment of a source database: a read-only transaction in which every table is read, streamed through server-side cursors.

Which isolation gives one moment, and how a transaction is kept from writing, is each database's own; those known are below.
Nothing that a driver says in an error is passed on: it may quote values.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from include.errors import SettingsError
from include.sources.contracts import SEEN_AT, SEEN_VERSION, Column, Table
from include.sources.database_values import begin_after
from include.sources.pulling import PullError

if TYPE_CHECKING:
    from include.sources.database import DatabaseOptions
    from include.sources.registry import Source

_ROWS_AT_ONCE = 2_000
_ISOLATION = {"postgresql": "REPEATABLE READ", "mssql": "SNAPSHOT"}
_BEGIN = {
    "sqlite": "BEGIN",
    "mysql": "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    "mariadb": "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}
_COLON = re.compile(r"(?<![:\\]):(?=\w)")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a table is read: declared columns that are there, names of those undeclared, and what rows and keys are selected from."""

    name: str
    columns: tuple[Column, ...]
    undeclared: tuple[str, ...]
    rows: sa.Select
    keys: sa.Select
    watermark: sa.ColumnElement | None
    overlap_minutes: float


@contextmanager
def open_snapshot(source: Source, secret: Callable[[str], str]) -> Iterator[Snapshot]:
    """Connect, and hold one moment of the database. Raises PullError where it cannot be reached, SettingsError for its URL."""
    options: DatabaseOptions = source.options
    told = options.told or secret(options.url_secret)
    engine = _engine(options, sa.URL.create("sqlite", database=str(told)) if isinstance(told, Path) else told)
    try:
        with _connect(engine, options) as connection:
            _begin(connection, options)
            yield Snapshot(connection)
    except SQLAlchemyError as problem:
        raise _unreachable(problem) from None
    finally:
        engine.dispose()


class Snapshot:
    """The open transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    @contextmanager
    def apart(self) -> Iterator[None]:
        """What fails inside leaves the transaction fit for the next table. Raises PullError for what a driver raises."""
        with _value_free(), self._connection.begin_nested():
            yield

    def plan(self, table: Table) -> Plan:
        """Find the table's columns. Raises PullError where it is not there or lacks declared ones."""
        origin = table.origin
        with _value_free():
            there = self._columns_of(table)
            relation = _relation(table, there)
        found = {column.name: _find(column.header, there) for column in table.columns}
        declared = [column for column in table.columns if column.name not in (SEEN_AT, SEEN_VERSION)]
        missing = [column.header for column in declared if found[column.name] is None and not column.is_optional]
        watermark = _find(origin.watermark, there) if origin.watermark else None
        if origin.watermark and watermark is None:
            missing.append(f"{origin.watermark} (watermark)")
        if missing:
            raise PullError(
                found=f"declared columns that are not there: {', '.join(missing[:20])}",
                expected="every column that the contract names and does not call optional",
                action="have the source bring them back, or change the contract",
            )
        columns = tuple(column for column in declared if found[column.name] is not None)
        known = {found[column.name] for column in columns}
        left_out = table.not_loaded
        undeclared = tuple(name for name in there if name not in known and name not in left_out and "*" not in left_out)
        selected = [relation.c[found[column.name]].label(f"c{place}") for place, column in enumerate(columns)]
        mark = relation.c[watermark] if watermark else None
        return Plan(
            name=table.name,
            columns=columns,
            undeclared=undeclared,
            rows=sa.select(*selected, *([mark.label("watermark")] if mark is not None else [])),
            keys=sa.select(*(relation.c[found[name]] for name in table.key)),
            watermark=mark,
            overlap_minutes=origin.overlap_minutes,
        )

    def rows(self, plan: Plan, since: list[str] | None, zone: ZoneInfo) -> Iterator[list[Any]]:
        """The table's rows some thousand at a time: all, or those that changed since a mark less the overlap, or have none."""
        chosen = plan.rows
        if since is not None and plan.watermark is not None:
            begin = begin_after(since, plan.overlap_minutes)
            chosen = chosen.where(sa.or_(plan.watermark >= begin, plan.watermark.is_(None)))
        return self._stream(chosen)

    def keys(self, plan: Plan) -> Iterator[list[Any]]:
        """The key columns of every row."""
        return self._stream(plan.keys)

    def _stream(self, chosen: sa.Select) -> Iterator[list[Any]]:
        streaming = {"stream_results": True, "yield_per": _ROWS_AT_ONCE}
        with _value_free(), self._connection.execute(chosen, execution_options=streaming) as result:
            yield from result.partitions(_ROWS_AT_ONCE)

    def _columns_of(self, table: Table) -> list[str]:
        if table.origin.query:
            nothing = sa.select(sa.text("*")).select_from(_query(table).columns().subquery("q")).where(sa.false())
            return list(self._connection.execute(nothing).keys())
        schema, name = _split(table.origin.table)
        try:
            return [column["name"] for column in sa.inspect(self._connection).get_columns(name, schema)]
        except NoSuchTableError:
            raise PullError(
                found="no such table or view, or none that we may read",
                expected="the table that the contract names",
                action="correct 'from' in the contract, or have the source grant us to read it",
            ) from None


def _relation(table: Table, there: list[str]) -> Any:
    columns = [sa.column(name) for name in there]
    if table.origin.query:
        return _query(table).columns(*columns).subquery("q")
    schema, name = _split(table.origin.table)
    return sa.table(name, *columns, schema=schema)


def _query(table: Table) -> sa.TextClause:
    """The contract's query; its colons are no placeholders."""
    return sa.text(_COLON.sub(r"\\:", table.origin.query.strip().rstrip(";")))


def _split(named: str) -> tuple[str | None, str]:
    schema, _, name = named.rpartition(".")
    return schema or None, name


def _find(wanted: str, there: list[str]) -> str | None:
    """A column by its name, else the only one whose name differs in case."""
    if wanted in there:
        return wanted
    alike = [name for name in there if name.casefold() == wanted.casefold()]
    return alike[0] if len(alike) == 1 else None


@contextmanager
def _value_free() -> Iterator[None]:
    """Turn a driver's error into one of ours, by its class: its text may quote what it read.

    Drivers raise ValueError and the like for what Python has no value for, such as days after the year 9999.
    """
    try:
        yield
    except (SQLAlchemyError, ValueError, ArithmeticError) as problem:
        kind = type(getattr(problem, "orig", None) or problem).__name__
        raise PullError(
            found=f"the database refused to read it or broke off ({kind})",
            expected="rows",
            action="try the table or query as the same user; the next night reads it again",
        ) from None


def _engine(options: DatabaseOptions, said: str | sa.URL) -> sa.Engine:
    try:
        url = sa.make_url(said)
        if url.get_backend_name() == "sqlite":
            return sa.create_engine(url, creator=_open_sqlite(url, options), poolclass=NullPool, hide_parameters=True)
        return sa.create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=_connect_args(url, options))
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as problem:
        raise SettingsError(
            found=f"the secret {options.url_secret} is no SQLAlchemy URL that can be used here ({type(problem).__name__})",
            expected="dialect+driver://user:password@host:port/database, its driver installed",
            action="correct the file in PLUMBLINE_SECRETS_DIR, or install the driver",
        ) from None


def _connect_args(url: sa.URL, options: DatabaseOptions) -> dict[str, Any]:
    word = {"postgresql": "connect_timeout", "mysql": "connect_timeout", "mariadb": "connect_timeout"}.get(
        url.get_backend_name()
    )
    return {word: options.timeout_seconds} if word and word not in url.query else {}


def _open_sqlite(url: sa.URL, options: DatabaseOptions) -> Callable[[], sqlite3.Connection]:
    """SQLite opened so that it can neither write nor make a database that is not there."""

    def connect() -> sqlite3.Connection:
        path = Path(url.database or "").absolute()
        opened = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro",
            uri=True,
            timeout=options.timeout_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        opened.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        return opened

    return connect


def _connect(engine: sa.Engine, options: DatabaseOptions) -> sa.Connection:
    backend = engine.url.get_backend_name()
    wait = options.wait_seconds
    for attempt in range(1, options.tries + 1):
        try:
            connection = engine.connect()
            if backend in _ISOLATION:
                connection = connection.execution_options(isolation_level=_ISOLATION[backend])
            return connection.execution_options(postgresql_readonly=True) if backend == "postgresql" else connection
        except SQLAlchemyError as problem:
            if attempt == options.tries:
                raise _unreachable(problem) from None
            time.sleep(wait)
            wait *= 2
    raise AssertionError("tries is at least 1")


def _begin(connection: sa.Connection, options: DatabaseOptions) -> None:
    backend = connection.engine.url.get_backend_name()
    if backend in _BEGIN:
        connection.exec_driver_sql(_BEGIN[backend])
    if backend == "postgresql":
        connection.exec_driver_sql(f"set local statement_timeout = {options.query_minutes * 60_000}")
    if backend == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")


def _unreachable(problem: SQLAlchemyError) -> PullError:
    kind = type(getattr(problem, "orig", None) or problem).__name__
    return PullError(
        found=f"the database cannot be reached ({kind})",
        expected="a database that lets us in",
        action="see that it is up, and that the URL in the secret file and the user's rights are right",
    )
