"""Kind database: tables of any database that SQLAlchemy reaches, under a contract; each night the rows that are new, changed or gone.

  - name: east
    kind: database
    url_secret: east_database             # file in PLUMBLINE_SECRETS_DIR that holds the SQLAlchemy URL; or, of an SQLite file,
    sqlite_file: east/east.sqlite         # which has no password: its path, relative to sources.yml
    contract: east.yml                    # tables with 'from' (see the head of contracts.py), each with a key
    timeout_seconds: 60                   # to connect
    query_minutes: 60                     # a statement may take, where the database can be told
    tries: 3                              # to connect, with waits from wait_seconds (5) doubling

All tables are read in one read-only transaction that sees one moment. What landed of a table is a file of JSON arrays, its header
first: the declared columns as texts, then when the row was first seen in this form and its how-manieth form it is; a file apart
for rows that are gone, and one for rows whose key another row has. Later forms win in the marts, whenever they are loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from include.sources.byte_stream import LongLine, read_blocks, read_line_blocks
from include.sources.contracts import SEEN_AT, SEEN_VERSION, Column, Contract, Table
from include.sources.csv_files import PART, Header, TypedRows
from include.sources.csv_lines import Record
from include.sources.declared import Complaints
from include.sources.entities import OWN_ID
from include.sources.fhir_options import is_secret_name
from include.sources.items import Item, Notice, Reject, Row, broken, refuse
from include.sources.listing import Landed, Listing, OpenStream, SourceFile, number
from include.sources.pulling import Pulled, PullJob
from include.sources.resource_checks import json_reason, refuse_long

if TYPE_CHECKING:
    from include.sources.registry import Source

HAS_CONTRACT = True
WORDS = {"url_secret", "sqlite_file", "timeout_seconds", "query_minutes", "tries", "wait_seconds"}
# Word -> (least, most, default).
_NUMBERS = {
    "timeout_seconds": (1, 3600, 60),
    "query_minutes": (1, 10_080, 60),
    "tries": (1, 100, 3),
    "wait_seconds": (0.001, 3600, 5.0),
}
ADDED_COLUMNS = (
    Column(SEEN_AT, "timestamp", "quasi_identifier", SEEN_AT),
    Column(SEEN_VERSION, "integer", "quasi_identifier", SEEN_VERSION),
)
# Role of a file -> what its name ends in.
ENDINGS = {"data": ".rows.ndjson", "deleted": ".gone.ndjson", "doubles": ".doubles.ndjson"}


@dataclass(frozen=True, slots=True)
class DatabaseOptions:
    """How a database is reached. The URL itself is in a secret file, unless none is needed."""

    url_secret: str
    timeout_seconds: int
    query_minutes: int
    tries: int
    wait_seconds: float
    told: Path | str | None = (
        None  # where no secret is needed: an SQLite file, or a URL without a password told to a command
    )


def read_options(entry: dict, where: str, folder: Path, complaints: Complaints) -> DatabaseOptions:
    """The entry's own words; what is wrong goes to ``complaints``."""
    file = entry.get("sqlite_file")
    if file is not None and ("url_secret" in entry or not isinstance(file, str) or not file):
        complaints.add(
            f"{where}: 'sqlite_file' is no path, or stands beside 'url_secret'; one of both says where to read"
        )
    elif file is None and not is_secret_name(entry.get("url_secret")):
        complaints.add(
            f"{where}: 'url_secret' does not name a file in PLUMBLINE_SECRETS_DIR with the SQLAlchemy URL (never the URL itself)"
        )
    return DatabaseOptions(
        str(entry.get("url_secret")),
        **{word: _number(entry, word, where, complaints) for word in _NUMBERS},
        told=folder / file if isinstance(file, str) else None,
    )


def _number(entry: dict, word: str, where: str, complaints: Complaints) -> Any:
    least, most, usual = _NUMBERS[word]
    value = entry.get(word, usual)
    kinds = (int,) if isinstance(usual, int) else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
        complaints.add(f"{where}: '{word}' is not a number from {least} to {most:,}")
        return usual
    return value


def fit_contract(contract: Contract, where: str, complaints: Complaints) -> Contract:
    """The contract as its files will have it: an empty cell is null, and every table tells which version of a row is newer."""
    for table in contract.tables:
        _check_table(table, f"{where}, table {table.name}", complaints)
    tables = tuple(
        replace(table, columns=(*table.columns, *ADDED_COLUMNS), updated_at=SEEN_AT) for table in contract.tables
    )
    return replace(contract, tables=tables, null_values=contract.null_values | {""})


def _check_table(table: Table, where: str, complaints: Complaints) -> None:
    if table.origin is None:
        complaints.add(f"{where}: 'from' is missing; kind database reads a table or query")
    if table.files:
        complaints.add(f"{where}: 'files' is for kinds that read files")
    if not table.key:
        complaints.add(f"{where}: 'key' is missing; without it no change or deletion can be seen")
    if table.updated_at:
        complaints.add(
            f"{where}: 'updated_at' is for kinds that read files; a database's rows are ordered by when they were seen"
        )
    for name in {column.name for column in table.columns} & {SEEN_AT, SEEN_VERSION}:
        complaints.add(f"{where}: column '{name}' is added by kind database itself; rename it and say 'header'")


def kept_columns(table: Table) -> tuple[str, ...]:
    """Columns that the news of a row's deletion must tell: its key and person, and by what maps know it."""
    needed = {*table.key, table.person, table.event_at}
    for entity_map in table.maps:
        needed |= {entity_map.fields.get(OWN_ID.get(entity_map.to, "")), *entity_map.where}
    return tuple(column.name for column in table.columns if column.name in needed)


def pull(source: Source, job: PullJob) -> Pulled:
    """Read what is new into the job's folder. What fails is told in ``Pulled.notes``; a broken setup raises SettingsError."""
    from include.sources.database_pull import pull_database

    return pull_database(source, job)


def place_word(file: Landed) -> str:
    """What ``place`` counts in such a file."""
    return "deletion" if file.role == "deleted" else "line"


def list_files(source: Source) -> Listing:
    """What a pull left, table by table: rows, rows that are gone, rows with another's key. A table without news has none."""
    folder = source.path if source.path.is_dir() else source.path.parent
    found = [
        SourceFile(path, role, table.name, file_type=".ndjson")
        for table in source.contract.tables
        for role, ending in ENDINGS.items()
        if (path := folder / f"{table.name}{ending}").is_file()
    ]
    return Listing(number(found))


def read(source: Source, open_stream: OpenStream, file: Landed) -> Iterator[Item]:
    """Yield every row of a file as a Row or a Reject, in order. Raises BrokenContainerError on a file without its header."""
    table = source.contract.table(file.dataset)
    if file.role == "deleted":
        table = replace(table, columns=tuple(replace(column, is_required=False) for column in table.columns))
    with open_stream() as stream:
        batches = _batches(stream, source.max_record_bytes)
        first = next(batches, [])
        if not first or isinstance(first[0], Reject):
            raise broken("no_header")
        header = Header(first[0][1], table)
        if file.role == "data":
            yield from header.notices()
        rows = TypedRows(source, table, header)
        yield from _judge(rows.convert(first[1:]), file.role)
        for batch in batches:
            yield from _judge(rows.convert(batch), file.role)
    if rows.blank:
        yield Notice("blank_line", rows.blank, (), table.name)


def _judge(rows: Iterator[Row | Reject], role: str) -> Iterator[Row | Reject]:
    for row in rows:
        if isinstance(row, Reject) or role == "data":
            yield row
        elif role == "deleted":
            yield row._replace(is_deleted=True)
        else:
            yield refuse(row.place, "duplicate_key", row.content)


def _batches(stream, max_bytes: int) -> Iterator[list[Record | Reject]]:
    place = 0
    for lines, _ in read_line_blocks(read_blocks(stream, is_named_gzip=False), max_bytes=max_bytes):
        yield [_cells(at, line) for at, line in enumerate(lines, place + 1)]
        place += len(lines)


_NUL = re.compile(rb"\\u0000")


def _cells(place: int, line: bytes | LongLine) -> Record | Reject:
    if isinstance(line, LongLine):
        return refuse_long(place, line)
    if not line.strip():  # a person who was erased stood here
        return place, []
    try:
        cells = orjson.loads(line)
    except orjson.JSONDecodeError as problem:
        return refuse(place, json_reason(line, problem.msg), line)
    if not isinstance(cells, list) or not all(isinstance(cell, str) for cell in cells):
        return refuse(place, "malformed_json", line)
    if _NUL.search(line) and any("\0" in cell for cell in cells):
        return refuse(place, "nul", line)
    return place, cells


def join_key(cells: list[str]) -> str:
    """A row's key as its reader will have it."""
    return PART.join(cells)
