"""What a delimited file is like, found by reading all of it: encoding, delimiter, and of each column what its cells have in common.

Nothing here keeps a cell beyond what counting needs, and nothing tells one.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from include.sources.byte_stream import read_blocks
from include.sources.contracts import Column, Contract
from include.sources.csv_lines import Records
from include.sources.csv_values import ConvertCells, make_converter

DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_LINES = 200
_MAX_RECORD = 10_000_000
_MOST_WORDS = 50  # different cells up to which a column may be a list of categories
_MOST_KEYS = 1_000_000  # cells remembered to tell whether they repeat
_LONG_NUMBER = re.compile(r"\d(?:[ .()-]{0,2}\d){5,}")
_LEADING_ZERO = re.compile(r"[+-]?0\d")
_UTC = ZoneInfo("UTC")
_NUMBERS = ("integer", "decimal")
COMPACT = ("%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S")
_SLIPS = 0.01  # the share of cells that may be slips of those who typed them
_FEW, _MANY = 50, 0.05  # a reading that misses more is given up while reading
Reading = tuple[str, str | None]
# Type -> layouts tried, None for ISO 8601, in the order of preference. Two that fit leave it to a person.
_LAYOUTS: dict[str, tuple[str | None, ...]] = {
    "integer": (None,),
    "decimal": (None,),
    "boolean": (None,),
    "date": (None, "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%y", "%d-%b-%Y", "%Y%m%d"),
    "timestamp": (
        None, "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M %p",
        "%d.%m.%Y %H:%M", "%Y%m%d%H%M", "%Y%m%d%H%M%S",
    ),
}  # fmt: skip
READINGS: tuple[Reading, ...] = tuple((kind, layout) for kind, layouts in _LAYOUTS.items() for layout in layouts)


@dataclass
class ColumnProfile:
    """One column over all its cells. ``misses``: (type, layout) -> how many cells cannot be read as that; what too many
    cannot is gone from it. ``repeats``: cells met before, None where they were too many to be an id's or nobody asks."""

    header: str
    cells: int = 0
    known: int = 0
    longest: int = 0
    with_blanks: int = 0
    with_long_number: int = 0
    with_leading_zero: int = 0
    words: set[str] | None = field(default_factory=set)
    misses: dict[Reading, int] = field(default_factory=lambda: dict.fromkeys(READINGS, 0))
    repeats: int | None = 0
    seen: set[int] = field(default_factory=set)
    is_seen_whole: bool = True
    header_among_cells: bool = False

    @property
    def not_told_apart(self) -> int | None:
        """Rows that lack the cell or repeat it, None where they are too many for a key."""
        if self.repeats is None or not self.known:
            return None
        lost = self.cells - self.known + self.repeats
        return lost if lost <= _SLIPS * self.cells else None

    @property
    def is_required(self) -> bool:
        """Every row has a cell."""
        return 0 < self.known == self.cells

    @property
    def readings(self) -> dict[Reading, int]:
        """What the column can be read as but for a few cells, with how many; numbers that begin with 0 are codes."""
        return {
            each: missed
            for each, missed in self.misses.items()
            if self.known and missed <= _SLIPS * self.known and not (self.with_leading_zero and each[0] in _NUMBERS)
        }

    def add(self, cells: Sequence[str], nulls: frozenset[str]) -> None:
        """Take in some rows' cells."""
        self.cells += len(cells)
        known = [cell for cell in cells if cell not in nulls]
        if not known:
            return
        self.known += len(known)
        distinct = Counter(known)
        self.longest = max(self.longest, max(map(len, distinct)))
        self.with_blanks += sum(" " in cell.strip() for cell in distinct)
        self.with_long_number += sum(bool(_LONG_NUMBER.search(cell)) for cell in distinct)
        self.with_leading_zero += sum(bool(_LEADING_ZERO.match(cell)) for cell in distinct)
        self.header_among_cells |= self.header.strip().casefold() in {cell.strip().casefold() for cell in distinct}
        self._add_words(set(distinct))
        self._add_keys(known)
        for each in list(self.misses):
            self.misses[each] += _unread(each, distinct)
            if self.misses[each] > max(_FEW, _MANY * self.known):
                del self.misses[each]

    def _add_words(self, distinct: set[str]) -> None:
        if self.words is not None:
            self.words |= distinct if len(distinct) <= _MOST_WORDS else set()
            if len(distinct) > _MOST_WORDS or len(self.words) > _MOST_WORDS:
                self.words = None

    def _add_keys(self, known: list[str]) -> None:
        if self.repeats is None or not self.is_seen_whole:
            return
        keys = set(map(hash, known))
        self.repeats += len(known) - len(keys - self.seen)
        self.seen |= keys
        if self.repeats > max(_FEW, _MANY * self.known):
            self.repeats, self.seen = None, set()
        elif len(self.seen) > _MOST_KEYS:
            self.is_seen_whole = False

    def join(self, other: ColumnProfile) -> None:
        """Take in the same column of another file."""
        for word in ("cells", "known", "with_blanks", "with_long_number", "with_leading_zero"):
            setattr(self, word, getattr(self, word) + getattr(other, word))
        self.longest = max(self.longest, other.longest)
        self.words = None if self.words is None or other.words is None else self.words | other.words
        self.misses = {
            each: missed + other.misses[each] for each, missed in self.misses.items() if each in other.misses
        }
        if self.repeats is not None:
            both = len(self.seen & other.seen)
            self.repeats = None if other.repeats is None else self.repeats + other.repeats + both
            self.seen = self.seen | other.seen
        self.is_seen_whole &= other.is_seen_whole


def _unread(reading: Reading, cells: Counter[str]) -> int:
    """How many of the cells cannot be read so, each as often as it occurs."""
    kind, layout = reading
    if kind == "boolean" and len(cells) < 2:
        return cells.total()  # a column of nothing but F is a sex and no answer
    _, thorough = make_converter(Column("c", kind, "clinical", "c", format=layout), _contract("utf-8", ","), _UTC)
    try:
        if not any(_is_other(reading, cell) for cell in cells):
            thorough(list(cells))
            return 0
    except ValueError:
        pass
    return sum(times for cell, times in cells.items() if _is_other(reading, cell) or not _converts(thorough, cell))


def _is_other(reading: Reading, cell: str) -> bool:
    """What a converter takes and the type does not mean: a day alone for a time, a number for a day without separators."""
    kind, layout = reading
    if kind == "timestamp" and layout is None:
        return len(cell) <= 10
    return layout in COMPACT and not "1900" <= cell[:4] <= "2100"


def _converts(convert: ConvertCells, cell: str) -> bool:
    try:
        convert([cell])
    except ValueError:
        return False
    return True


@dataclass
class FileProfile:
    """One file: how its bytes are text, how its text is rows, and its columns."""

    path: Path
    encoding: str
    delimiter: str
    columns: list[ColumnProfile]
    rows: int = 0
    refused: int = 0


class UnreadableError(Exception):
    """A file of which nothing can be proposed; the text says why and quotes nothing."""


def profile(
    path: Path, nulls: frozenset[str], may_be_key: Callable[[str, int], bool], progress: Callable[[int], None]
) -> FileProfile:
    """Read a whole file. ``may_be_key`` says of a header and its place whether repeats are looked for, ``progress`` gets rows.

    Raises UnreadableError, BrokenContainerError, OSError.
    """
    encoding = _encoding(path)
    delimiter = _delimiter(path, encoding)
    with path.open("rb") as stream:
        blocks = read_blocks(stream, is_named_gzip=path.name.lower().endswith(".gz"))
        found: FileProfile | None = None
        for batch in Records(blocks, _contract(encoding, delimiter), _MAX_RECORD):
            rows = [record[1] for record in batch if record.__class__ is tuple and record[1]]
            refused = sum(record.__class__ is not tuple for record in batch)
            if found is None and rows:
                header = rows.pop(0)
                columns = [
                    ColumnProfile(cell, repeats=0 if may_be_key(cell, at) else None) for at, cell in enumerate(header)
                ]
                found = FileProfile(path, encoding, delimiter, columns)
            if found is None:
                continue
            found.refused += refused
            _add_rows(found, rows, nulls)
            progress(len(rows))
    if found is None:
        raise UnreadableError("it holds no line")
    return found


def _add_rows(found: FileProfile, rows: list[list[str]], nulls: frozenset[str]) -> None:
    width = len(found.columns)
    whole = [row for row in rows if len(row) == width]
    found.rows += len(whole)
    found.refused += len(rows) - len(whole)
    for column, cells in zip(found.columns, zip(*whole, strict=True), strict=bool(whole)):
        column.add(cells, nulls)


def _contract(encoding: str, delimiter: str) -> Contract:
    return Contract(Path("draft"), "draft", (), encoding=encoding, delimiter=delimiter)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from read_blocks(stream, is_named_gzip=path.name.lower().endswith(".gz"))


def _encoding(path: Path) -> str:
    """utf-8 where all of it is, or nearly; else cp1252 where that has a letter for every byte, else latin-1, which has one always."""
    start = next(_blocks(path), b"")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableError("it is UTF-16; save it as UTF-8")
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    letters, broken, is_cp1252 = 0, 0, True
    as_utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for block in _blocks(path):
        text = as_utf8.decode(block)
        if not text.isascii():
            bad = sum("\udc80" <= letter <= "\udcff" for letter in text)
            broken, letters = broken + bad, letters + sum(letter > "\x7f" for letter in text) - bad
        is_cp1252 = is_cp1252 and not any(byte in block for byte in b"\x81\x8d\x8f\x90\x9d")
    # Text of another encoding is hardly ever UTF-8 by accident; damage to a line of it is not rare.
    if letters >= 10 * broken:
        return "utf-8"
    return "cp1252" if is_cp1252 else "latin-1"


def _delimiter(path: Path, encoding: str) -> str:
    """The one that cuts the first lines into the most cells, the same number in nearly every row."""
    text = next(_blocks(path), b"").decode(encoding, "replace")
    lines = text.splitlines(keepends=True)[: _SAMPLE_LINES + 1]
    lines = lines[:-1] if len(lines) > 1 and len(text) > 1 << 14 else lines  # the last may be cut by the block's end
    return max(DELIMITERS, key=lambda each: _fit(lines, each))


def _fit(lines: list[str], delimiter: str) -> float:
    try:
        widths = [len(row) for row in islice(csv.reader(lines, delimiter=delimiter), _SAMPLE_LINES) if row]
    except csv.Error:
        return 0.0
    if not widths or widths[0] < 2:
        return 0.0
    return widths[0] * (sum(width == widths[0] for width in widths) / len(widths)) ** 2
