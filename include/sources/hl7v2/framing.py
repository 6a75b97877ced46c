"""Cutting a stream into messages: batches, MLLP blocks, any line ends; one message in memory at a time.

A message begins with MSH at the start of a line (or of a block) and ends before the next header. FHS, BHS, BTS and FTS
are envelopes and hold no record; the count that a BTS announces is compared with what came.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

START_BLOCK, END_BLOCK = b"\x0b", b"\x1c"
_UTF8_MARK = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n\x0b\x00\x1a"
_HEADER = re.compile(rb"[\r\n\x0b\x1c](?:MSH|FHS|BHS|BTS|FTS)[^A-Za-z0-9\r\n]")
_LONGEST_HEADER = 5
_USUAL_HEADER = b"MSH|^~\\&"


class Cut(NamedTuple):
    """One stretch of a stream. ``kind``: message, envelope, stray (text that is no message), over_long.

    ``is_cut_off``: a block that was opened and not closed, or a message in whose last line the next one begins.
    ``sha256`` stands for the content of what was too long to hold.
    """

    kind: str
    content: bytes
    is_cut_off: bool = False
    sha256: str = ""


def cut_messages(blocks: Iterator[bytes], *, max_bytes: int) -> Iterator[Cut]:
    """Yield every stretch of a stream in order. What is longer than ``max_bytes`` is hashed and let go."""
    for piece, before in _pieces(_as_utf8(blocks), max_bytes):
        if isinstance(piece, Cut):
            yield piece
        else:
            yield from _sort(piece, is_opened=before == START_BLOCK)


def _pieces(blocks: Iterator[bytes], max_bytes: int) -> Iterator[tuple[bytes | Cut, bytes]]:
    """Stretches from header to header, each with the byte before it."""
    buffer, scanned, before = b"", 0, b""
    too_long = _TooLong()
    for block in blocks:
        buffer += block
        begin = 0
        for found in _HEADER.finditer(buffer, max(scanned - _LONGEST_HEADER, 0)):
            at = found.start() + 1
            yield _finish(too_long, buffer[begin:at], max_bytes), before
            before, begin = buffer[at - 1 : at], at
        buffer = buffer[begin:]
        if len(buffer) > max_bytes + _LONGEST_HEADER:
            too_long.add(buffer[:-_LONGEST_HEADER])
            buffer = buffer[-_LONGEST_HEADER:]
        scanned = len(buffer)
    if buffer or too_long.size:
        yield _finish(too_long, buffer, max_bytes), before


class _TooLong:
    """What was let go of a stretch over the limit."""

    def __init__(self) -> None:
        self.size, self.digest = 0, hashlib.sha256()

    def add(self, content: bytes) -> None:
        self.size += len(content)
        self.digest.update(content)


def _finish(too_long: _TooLong, content: bytes, max_bytes: int) -> bytes | Cut:
    if not too_long.size and len(content) <= max_bytes:
        return content
    too_long.add(content)
    cut = Cut("over_long", b"", sha256=too_long.digest.hexdigest())
    too_long.__init__()
    return cut


def _sort(piece: bytes, *, is_opened: bool) -> Iterator[Cut]:
    body, end, rest = piece.partition(END_BLOCK)
    body = body.strip(_BLANK)
    if body.startswith(b"MSH") and not body[3:4].isalnum():
        yield from _messages(body, is_cut_off=is_opened and not end)
    elif body.startswith((b"FHS", b"BHS", b"BTS", b"FTS")):
        line, _, more = body.replace(b"\n", b"\r").partition(b"\r")
        yield Cut("envelope", line)
        if more.strip(_BLANK):
            yield Cut("stray", more.strip(_BLANK))
    elif body:
        yield Cut("stray", body)
    if rest.strip(_BLANK + END_BLOCK):
        yield Cut("stray", rest.strip(_BLANK + END_BLOCK))


def _messages(body: bytes, *, is_cut_off: bool) -> Iterator[Cut]:
    """The message, or several where one begins in the middle of another's line: those before it were cut off."""
    at = body.find(_USUAL_HEADER, 1)
    while at > 0:
        yield Cut("message", body[:at], is_cut_off=True)
        body = body[at:]
        at = body.find(_USUAL_HEADER, 1)
    yield Cut("message", body, is_cut_off=is_cut_off)


# How streams of UTF-32 and UTF-16 begin: with their mark, or with the first letters of a header as senders write it who leave that out.
_WIDE = (
    *((mark, "utf-32") for mark in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)),
    *((mark, "utf-16") for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)),
    *(
        (name.encode(codec), codec)
        for codec in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
        for name in ("MSH", "FHS", "BHS")
    ),
)


def _as_utf8(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The stream without its byte order mark; UTF-16 and UTF-32 as UTF-8. Bytes that are neither become U+FFFD."""
    first = next(blocks, b"")
    for beginning, codec in _WIDE:
        if first.startswith(beginning):
            return _decoded(chain([first], blocks), codec)
    return chain([first.removeprefix(_UTF8_MARK)], blocks)


def _decoded(blocks: Iterator[bytes], codec: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(codec)(errors="replace")
    for block in blocks:
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()
