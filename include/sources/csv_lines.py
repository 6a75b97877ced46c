"""Delimited text as records of cells, each with the line it begins on, going on after what cannot be read.

A record may span lines inside quotes. Where a quote does not close properly, only the line it opens on is refused and
reading goes on with the next line: one bad quote must not swallow the rest of a file.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator

from include.sources.byte_stream import LongLine, read_line_blocks
from include.sources.contracts import Contract
from include.sources.items import Reject, refuse
from include.sources.resource_checks import refuse_long

Record = tuple[int, list[str]]  # first line, cells


class _BadLineError(Exception):
    """A line that cannot be part of a record."""


class _SwallowedError(Exception):
    """A record that took in other records through a quote that did not close."""


class _TooLongError(Exception):
    """A record that grew over the limit before its quote closed."""


class Records:
    """The records of a delimited file, some thousands at a time; what cannot be read stands among them as a Reject.

    Lines end in LF, CRLF or, throughout a file, CR. A blank line is a record without cells. The header's ``width`` is
    what others should have: a record over several lines that misses it is taken for a quote that did not close, where a
    later line alone fits.
    """

    def __init__(self, blocks: Iterator[bytes], contract: Contract, max_bytes: int) -> None:
        csv.field_size_limit(max(max_bytes, 1 << 20))
        lines = read_line_blocks(_with_line_feeds(blocks), max_bytes=max_bytes)
        self.lines = _Lines(lines, contract, max_bytes)
        self.width: int | None = None
        self.dialect: dict = {"delimiter": contract.delimiter, "strict": True}
        if contract.quotechar:
            self.dialect["quotechar"] = contract.quotechar
        else:
            self.dialect["quoting"] = csv.QUOTE_NONE

    def __iter__(self) -> Iterator[list[Record | Reject]]:
        lines = self.lines
        while lines.load():
            yield self._read_simply() or self._read_carefully()

    def _read_simply(self) -> list[Record | Reject] | None:
        """The lines waiting as one record each; None where they are not that."""
        lines = self.lines
        if not lines.is_text:
            return None
        try:
            records = list(enumerate(csv.reader(lines.waiting, **self.dialect), lines.number + 1))
        except csv.Error:
            return None
        if len(records) != len(lines.waiting):
            return None
        lines.take_all()
        self.width = self.width or next((len(cells) for _, cells in records if cells), None)
        return records

    def _read_carefully(self) -> list[Record | Reject]:
        """The records that begin in the lines waiting; the last may go on into lines that come later."""
        lines, records = self.lines, []
        reader = csv.reader(lines, **self.dialect)
        while lines.waiting:
            lines.begin_record()
            try:
                cells = next(reader)
                self.width = self.width or len(cells)
                if len(cells) != self.width and lines.number > lines.first and self._has_swallowed():
                    raise _SwallowedError
                records.append((lines.first, cells))
            except (_BadLineError, _TooLongError, _SwallowedError, csv.Error) as problem:
                records.append(lines.refuse_first(problem))
                reader = csv.reader(lines, **self.dialect)
        return records

    def _has_swallowed(self) -> bool:
        """True where one of the record's later lines is a whole record on its own."""
        if self.width is None:
            return False
        try:
            alone = csv.reader(self.lines.held[1:], **self.dialect)
            return any(len(cells) == self.width for cells in alone)
        except csv.Error:
            return True


def _with_line_feeds(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Files whose lines end in CR alone come out with LF; others as they are."""
    ends_in_cr = None
    for block in blocks:
        if ends_in_cr is None:
            ends_in_cr = b"\r" in block[:-1] and b"\n" not in block
        yield block.replace(b"\r", b"\n") if ends_in_cr else block


class _Lines:
    """The lines of a file as text, remembering those of the record in hand so that they can be read again."""

    def __init__(
        self, blocks: Iterator[tuple[list[bytes | LongLine], bool]], contract: Contract, max_chars: int
    ) -> None:
        self.blocks, self.max_chars = blocks, max_chars
        self.encoding = contract.encoding.lower().replace("_", "-").removesuffix("-sig")
        self.quotechar = contract.quotechar
        self.waiting: deque[str | Reject] = deque()
        self.held: list[str | Reject] = []
        self.held_chars = 0
        self.number = 0  # of the line given last
        self.first = 1
        self.is_text = False  # the lines waiting are all texts

    def load(self) -> bool:
        """Have some lines wait; False at the end of the file."""
        if not self.waiting:
            lines = next(self.blocks, None)
            if lines is None:
                return False
            self._decode(lines[0])
        return True

    def take_all(self) -> None:
        """Count the waiting lines as given."""
        self.number += len(self.waiting)
        self.waiting.clear()

    def begin_record(self) -> None:
        self.held, self.held_chars, self.first = [], 0, self.number + 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if not self.load():
            raise StopIteration
        line = self.waiting.popleft()
        self.number += 1
        self.held.append(line)
        if line.__class__ is not str:
            raise _BadLineError
        self.held_chars += len(line)
        if self.held_chars > self.max_chars:
            raise _TooLongError
        return line

    def refuse_first(self, problem: Exception) -> Reject:
        """The reason for the record's first line; the lines after it wait to be read on their own."""
        first, later = self.held[0], self.held[1:]
        self.waiting.extendleft(reversed(later))
        self.number -= len(later)
        if isinstance(first, Reject):
            return first._replace(place=self.first)
        reason = "over_long" if isinstance(problem, _TooLongError) and not later else "unterminated_quote"
        return refuse(self.first, reason, first.rstrip("\n").encode())

    def _decode(self, lines: list[bytes | LongLine]) -> None:
        self.is_text = False
        try:
            text = b"\n".join(lines).decode(self.encoding)
        except (UnicodeDecodeError, TypeError):
            self.waiting.extend(self._decode_line(line) for line in lines)
            return
        if "\0" in text:
            self.waiting.extend(self._decode_line(line) for line in lines)
        elif self.quotechar and self.quotechar in text:
            self.waiting.extend([line + "\n" for line in text.split("\n")])
            self.is_text = True
        else:
            self.waiting.extend(text.split("\n"))
            self.is_text = True

    def _decode_line(self, line: bytes | LongLine) -> str | Reject:
        if isinstance(line, LongLine):
            return refuse_long(0, line)
        try:
            text = line.decode(self.encoding)
        except UnicodeDecodeError:
            return refuse(0, "invalid_utf8" if self.encoding in ("utf-8", "utf8") else "invalid_encoding", line)
        return refuse(0, "nul", line) if "\0" in text else text + "\n"
