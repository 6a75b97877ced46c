"""Kind csv: delimited files under a declared contract.

Columns are found by the header's names, so their order may change. A column that the contract does not name is not
loaded, but counted and named; a declared one that is absent breaks the file unless it is optional.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import chain, repeat
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from include.sources.byte_stream import read_blocks
from include.sources.contracts import Column, Contract, Table
from include.sources.csv_lines import Record, Records
from include.sources.csv_values import make_converter
from include.sources.items import Item, Notice, Reject, Row, broken, refuse
from include.sources.listing import Landed, Listing, OpenStream, SourceFile, file_type, number, walk_files

if TYPE_CHECKING:
    from include.sources.registry import Source

HAS_CONTRACT = True
PART = "\x1f"  # between the cells of a content or key
_LOOKS_LIKE_A_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_MOST_NAMES = 20


def place_word(file: Landed) -> str:
    """What ``place`` counts in such a file: a record is placed at its first line."""
    return "line"


def list_files(source: Source) -> Listing:
    """The files of every declared table, in the contract's order; files of no table are passed over and counted."""
    paths, passed_over = walk_files(source.path, source.files)
    folder = source.path if source.path.is_dir() else source.path.parent
    of_table = {path: _table_of(path.relative_to(folder).as_posix(), source.contract) for path in paths}
    files = [
        SourceFile(path, "data", table.name, None, path.name.lower().endswith(".gz"), file_type(path.name))
        for table in source.contract.tables
        for path in paths
        if of_table[path] == table.name
    ]
    found = {file.dataset for file in files}
    absent = tuple(table.name for table in source.contract.tables if table.name not in found)
    return Listing(number(files), passed_over + len(paths) - len(files), absent)


def _table_of(inside: str, contract: Contract) -> str | None:
    bare = re.sub(r"\.gz$", "", inside, flags=re.IGNORECASE)
    names = {inside, bare, Path(inside).name, Path(bare).name}
    for table in contract.tables:
        if any(fnmatchcase(name, pattern) for name in names for pattern in table.files):
            return table.name
    return None


def read(source: Source, open_stream: OpenStream, file: Landed) -> Iterator[Item]:
    """Yield every row of a file as a Row or a Reject, in order, and what the header leaves open as Notices.

    Raises BrokenContainerError on a file that cannot be unpacked, has no readable header, or lacks a declared column.
    """
    table = source.contract.table(file.dataset)
    with open_stream() as stream:
        blocks = read_blocks(stream, is_named_gzip=file.is_gzip)
        batches = iter(Records(blocks, source.contract, source.max_record_bytes))
        header, rest = _read_header(batches, table)
        yield from header.notices()
        rows = TypedRows(source, table, header)
        for batch in chain([rest], batches):
            yield from rows.convert(batch)
    if rows.blank:
        yield Notice("blank_line", rows.blank, (), table.name)


def _read_header(batches: Iterator[list[Record | Reject]], table: Table) -> tuple[Header, list[Record | Reject]]:
    """The first line that is not blank, and what follows it in its batch."""
    for batch in batches:
        for index, record in enumerate(batch):
            if isinstance(record, Reject):
                raise broken("bad_header", found=f"a header line with {record.found}")
            if record[1]:
                return Header(record[1], table), batch[index + 1 :]
    raise broken("no_header")


class Header:
    """Which cell of a row is which declared column."""

    def __init__(self, cells: list[str], table: Table) -> None:
        self.table = table
        self.width = len(cells)
        names = [cell.strip() for cell in cells]
        self.positions = [self._find(column, names) for column in table.columns]
        self.undeclared = [
            name
            for place, name in enumerate(names)
            if place not in self.positions and name not in table.not_loaded and "*" not in table.not_loaded
        ]
        self.absent = [column for column, place in zip(table.columns, self.positions, strict=True) if place is None]
        self._refuse_missing()

    def _find(self, column: Column, names: list[str]) -> int | None:
        for wanted, known in ((column.header, names), (column.header.casefold(), [name.casefold() for name in names])):
            if known.count(wanted) > 1:
                raise broken("bad_header", found=f"a header that has column '{column.header}' more than once")
            if wanted in known:
                return known.index(wanted)
        return None

    def _refuse_missing(self) -> None:
        missing = [column.header for column in self.absent if not column.is_optional]
        if len(self.absent) == len(self.positions):  # all optional, and none there: the first row is no header of ours
            missing = [column.header for column in self.absent]
        if missing:
            named = ", ".join(missing[:_MOST_NAMES])
            raise broken(
                "missing_column",
                found=f"{len(missing)} of {len(self.positions)} declared columns are not in the file: {named}",
            )

    def notices(self) -> Iterator[Notice]:
        """What the header has besides the declared columns, and what it lacks of them."""
        if self.undeclared:
            names = tuple(name for name in self.undeclared if _LOOKS_LIKE_A_NAME.fullmatch(name))[:_MOST_NAMES]
            yield Notice("undeclared_column", len(self.undeclared), names, self.table.name)
        if self.absent:
            names = tuple(column.name for column in self.absent)
            yield Notice("missing_optional_column", len(names), names, self.table.name)


def _is_blank(cells: Sequence[str]) -> bool:
    """A line of nothing, or of spaces and tabs alone, as exports end in; under a header of one column that is a row."""
    return not cells or (len(cells) == 1 and not cells[0].strip())


class TypedRows:
    """Turns records into Rows some thousands at a time, column by column, and row by row only where a cell is wrong."""

    def __init__(self, source: Source, table: Table, header: Header) -> None:
        self.table, self.header, self.blank = table, header, 0
        self.nulls = source.contract.null_values
        self.converters = [make_converter(column, source.contract, source.zone) for column in table.columns]
        present = [place for place in header.positions if place is not None]
        self.take = itemgetter(*present) if len(present) > 1 else lambda cells: (cells[present[0]],)
        self.key_positions = [header.positions[table.position(name)] for name in table.key]

    def convert(self, records: list[Record | Reject]) -> Iterator[Row | Reject]:
        """One Row or Reject for every record that is not blank, in order."""
        width = self.header.width
        whole = [record for record in records if record.__class__ is tuple and len(record[1]) == width]
        rows = self._convert_whole(whole)
        if len(whole) == len(records):
            yield from rows
            return
        converted = iter(rows)
        for record in records:
            if record.__class__ is not tuple:
                yield record
            elif len(record[1]) == width:
                yield next(converted)
            elif _is_blank(record[1]):
                self.blank += 1
            else:
                yield self._refuse_width(*record)

    def _refuse_width(self, place: int, cells: list[str]) -> Reject:
        found = f"a row of {len(cells)} cells under a header of {self.header.width}"
        return refuse(place, "wrong_column_count", PART.join(cells).encode(), found=found)

    def _convert_whole(self, records: list[Record]) -> list[Row | Reject]:
        if not records:
            return []
        places = [place for place, _ in records]
        cells_of_column = list(zip(*[cells for _, cells in records], strict=True))
        contents = [PART.join(self.take(cells)).encode() for _, cells in records]
        refused: dict[int, Reject] = {}
        values = [
            self._convert_column(number, cells_of_column, places, contents, refused)
            for number in range(len(self.table.columns))
        ]
        keys = self._keys(cells_of_column, places, contents, refused)
        parts = zip(
            places, repeat(self.table.name), contents, zip(*values, strict=True), keys, repeat(False), strict=False
        )
        rows: list[Row | Reject] = list(map(tuple.__new__, repeat(Row), parts))
        for index, reject in refused.items():
            rows[index] = reject
        return rows

    def _convert_column(
        self, number: int, cells: Sequence[Sequence[str]], places: list[int], contents: list[bytes], refused: dict
    ) -> Sequence[str | None]:
        column, place = self.table.columns[number], self.header.positions[number]
        if place is None:
            return [None] * len(places)
        nulls = self.nulls
        known = [cell or None for cell in cells[place]] if nulls == {""} else _without_nulls(cells[place], nulls)
        fast, thorough = self.converters[number]
        is_short = max(map(len, cells[place])) <= column.max_length
        if is_short and not (column.is_required and None in known):
            try:
                return fast(known)
            except ValueError:
                pass
        return [
            self._convert_cell(column, thorough, *cell, refused)
            for cell in zip(known, places, contents, range(len(known)), strict=True)
        ]

    def _convert_cell(
        self, column: Column, convert, cell: str | None, place: int, content: bytes, index: int, refused: dict
    ) -> str | None:
        reason = None
        if cell is None:
            reason = "missing_required_value" if column.is_required else None
        elif len(cell) > column.max_length:
            reason = "over_long_field"
        else:
            try:
                return convert([cell])[0]
            except ValueError:
                reason = "bad_value_type"
        if reason and index not in refused:
            refused[index] = refuse(place, reason, content, found=_found(reason, column))
        return None

    def _keys(
        self, cells: Sequence[Sequence[str]], places: list[int], contents: list[bytes], refused: dict
    ) -> Sequence[str]:
        if not self.key_positions:
            return [hashlib.sha256(content).hexdigest() for content in contents]
        parts = [cells[position] for position in self.key_positions]
        keys = parts[0] if len(parts) == 1 else list(map(PART.join, zip(*parts, strict=True)))
        for part in parts:
            if not self.nulls.isdisjoint(part):
                for index, cell in enumerate(part):
                    if cell in self.nulls and index not in refused:
                        refused[index] = refuse(places[index], "missing_key", contents[index])
        return keys


def _without_nulls(cells: Sequence[str], nulls: frozenset[str]) -> list[str | None]:
    return [None if cell in nulls else cell for cell in cells]


def _found(reason: str, column: Column) -> str:
    if reason == "over_long_field":
        return f"more than {column.max_length:,} characters in column '{column.name}'"
    if reason == "bad_value_type":
        return f"a cell in column '{column.name}' that is not of type {column.type}"
    return f"no value in column '{column.name}', which is required"
