"""Streams of bytes as the readers take them: unpacked where packed, in blocks, in lines, never whole."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from include.sources.items import broken

BLOCK_BYTES = 1 << 17  # stays near the processor
_PACKED_BYTES = 1 << 15  # 15 to 20 times as much comes out
_GZIP = 31  # zlib's word for "with a gzip header and trailer"
_GZIP_MARK = b"\x1f\x8b"
_ESCAPED_NUL = b"\\u0000"
_UTF8_MARK = b"\xef\xbb\xbf"


def read_blocks(stream: BinaryIO, *, is_named_gzip: bool) -> Iterator[bytes]:
    """Yield the stream's content in blocks of a megabyte at most, unpacked where it is gzip whatever its name says.

    A gzip file may have several members and zero padding at its end. Raises BrokenContainerError on a gzip file that is
    truncated, corrupt or followed by other bytes, and on one that is gzip in name only.
    """
    block = stream.read(_PACKED_BYTES)
    if block.startswith(_GZIP_MARK):
        yield from _unpack(block, stream)
        return
    if is_named_gzip:
        raise broken("broken_gzip" if block else "truncated_gzip")
    while block:
        yield block
        block = stream.read(BLOCK_BYTES)


def _unpack(packed: bytes, stream: BinaryIO) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP)
    is_first, in_member = True, False
    while packed:
        while packed:
            if not in_member:
                packed = packed if is_first else packed.lstrip(b"\0")
                if not packed:
                    break
                unpacker = zlib.decompressobj(_GZIP)
                in_member = True
            yield from _feed(unpacker, packed, is_first)
            packed = unpacker.unused_data
            if unpacker.eof:
                is_first, in_member = False, False
        packed = stream.read(_PACKED_BYTES)
    if in_member:
        raise broken("truncated_gzip")


def _feed(unpacker, packed: bytes, is_first: bool) -> Iterator[bytes]:
    """Unpack in steps, so that a bomb cannot fill the memory."""
    try:
        while packed and not unpacker.eof:
            block = unpacker.decompress(packed, 8 * BLOCK_BYTES)
            packed = unpacker.unconsumed_tail
            if block:
                yield block
    except zlib.error:
        raise broken("broken_gzip" if is_first else "gzip_trailing_garbage") from None


def may_hold_nul(content: bytes) -> bool:
    """True where JSON may hold an escaped NUL, which Postgres cannot load. Tells more than there is, never less."""
    return b"\\" in content and _ESCAPED_NUL in content  # one letter is found ten times as fast


class LongLine:
    """Stands in for a line over the limit: its hash and size, not its bytes."""

    __slots__ = ("sha256", "size")

    def __init__(self, sha256: str, size: int) -> None:
        self.sha256, self.size = sha256, size


def read_line_blocks(blocks: Iterator[bytes], *, max_bytes: int) -> Iterator[tuple[list[bytes | LongLine], bool]]:
    """Yield lists of whole lines without their line feed, and whether one of them ``may_hold_nul``.

    A line over ``max_bytes`` comes as a LongLine and is never held whole. A byte order mark at the start is dropped,
    and the last line needs no line feed.
    """
    tail = _Tail(max_bytes)
    is_first = True
    for block in blocks:
        if is_first:
            block, is_first = block.removeprefix(_UTF8_MARK), False
        lines: list[bytes | LongLine] = block.split(b"\n")
        rest = lines.pop()
        if lines:
            first, is_suspect = tail.close(lines[0])
            lines = _cap(lines, max_bytes) if len(block) > max_bytes else lines
            lines[0] = first
            yield lines, is_suspect or may_hold_nul(block)
        tail.add(rest)
    if tail.size:
        last, is_suspect = tail.close(b"")
        yield [last], is_suspect


class _Tail:
    """The beginning of a line whose end has not come yet."""

    __slots__ = ("digest", "max_bytes", "parts", "size")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.parts: list[bytes] = []
        self.size = 0
        self.digest = None

    def add(self, part: bytes) -> None:
        self.size += len(part)
        if self.digest is not None:
            self.digest.update(part)
        elif part:
            self.parts.append(part)
            if self.size > self.max_bytes:
                self._let_go()

    def _let_go(self) -> None:
        self.digest = hashlib.sha256()
        for part in self.parts:
            self.digest.update(part)
        self.parts = []

    def close(self, head: bytes) -> tuple[bytes | LongLine, bool]:
        is_joined = self.size > 0
        self.add(head)
        if self.digest is not None:
            line: bytes | LongLine = LongLine(self.digest.hexdigest(), self.size)
            is_suspect = False
        else:
            line = b"".join(self.parts)
            is_suspect = is_joined and may_hold_nul(line)
        self.parts, self.size, self.digest = [], 0, None
        return line, is_suspect


def _cap(lines: list[bytes], max_bytes: int) -> list[bytes | LongLine]:
    return [line if len(line) <= max_bytes else LongLine(hashlib.sha256(line).hexdigest(), len(line)) for line in lines]
