"""MLLP (HL7's Minimal Lower Layer Protocol) and its answers, without any input or output.

A block is <VT> message <FS><CR>. https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import uuid4

_START, _END = 0x0B, 0x1C
_BETWEEN = b"\r\n\x00 "
_TEXT_OF = {"AE": "207^Application error^HL70357", "AR": "200^Unsupported or unreadable message^HL70357"}


class Block(NamedTuple):
    """A whole block, or (``is_too_long``) the beginning of one over the limit, whose rest was let go."""

    content: bytes
    is_too_long: bool = False


class BlockReader:
    """Cuts what arrives into blocks, wherever the pieces end. ``held`` is how many bytes wait for their end."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._is_inside, self._is_skipping = False, False
        self.stray_bytes = 0

    @property
    def held(self) -> int:
        """Bytes of a block that has begun and not ended."""
        return len(self._buffer)

    @property
    def is_inside(self) -> bool:
        """True while a block has begun and not ended."""
        return self._is_inside

    def feed(self, data: bytes) -> list[Block]:
        """The blocks that end in ``data``. Bytes outside of blocks are counted in ``stray_bytes`` and dropped."""
        blocks: list[Block] = []
        at = 0
        while at < len(data):
            at = self._inside(data, at, blocks) if self._is_inside else self._outside(data, at)
        return blocks

    def _outside(self, data: bytes, at: int) -> int:
        start = data.find(_START, at)
        gap = data[at:] if start < 0 else data[at:start]
        self.stray_bytes += len(gap.strip(_BETWEEN))
        if start < 0:
            return len(data)
        self._is_inside = True
        return start + 1

    def _inside(self, data: bytes, at: int, blocks: list[Block]) -> int:
        end = data.find(_END, at)
        part = data[at:] if end < 0 else data[at:end]
        restart = part.rfind(_START)
        if restart >= 0:  # the sender gave up and began again
            self.stray_bytes += len(self._buffer) + restart
            self._buffer.clear()
            self._is_skipping = False
            part = part[restart + 1 :]
        self._keep(part, blocks)
        if end < 0:
            return len(data)
        if not self._is_skipping:
            blocks.append(Block(bytes(self._buffer)))
        self._buffer.clear()
        self._is_inside, self._is_skipping = False, False
        return end + 1

    def _keep(self, part: bytes, blocks: list[Block]) -> None:
        if self._is_skipping:
            return
        self._buffer += part
        if len(self._buffer) > self._max_bytes:
            blocks.append(Block(bytes(self._buffer[:4096]), is_too_long=True))
            self._buffer.clear()
            self._is_skipping = True


@dataclass(frozen=True, slots=True)
class Header:
    """MSH as raw fields, for answering: index is the field's number. Empty where a block has none."""

    fields: tuple[bytes, ...]
    separator: bytes = b"|"
    encoding: bytes = b"^~\\&"

    def field(self, number: int) -> bytes:
        """A field's bytes as they came; b'' where there is none."""
        return self.fields[number] if number < len(self.fields) else b""

    @property
    def control_id(self) -> bytes:
        """MSH-10."""
        return self.field(10).strip()


def read_header(content: bytes) -> Header:
    """The header of a message, as far as it can be read."""
    line = re.split(rb"[\r\n]", content.lstrip(b"\r\n \xef\xbb\xbf"), maxsplit=1)[0][:4096]
    if not line.startswith(b"MSH") or len(line) < 8 or line[3:4].isalnum():
        return Header(())
    separator = line[3:4]
    fields = line.split(separator)
    return Header((b"MSH", separator, *fields[1:]), separator, fields[1] or b"^~\\&")


def answer(header: Header, code: str, reason: str = "", *, now: datetime | None = None) -> bytes:
    """An acknowledgement (AA, AE or AR) as a block, in the sender's own delimiters. ``reason`` holds no value.

    MSA-3 and ERR both say the reason, because receivers read one or the other.
    """
    s = header.separator
    component = header.encoding[:1] or b"^"
    now = now or datetime.now(UTC)
    event = header.field(9).split(component)[1:2]
    head = [
        b"MSH",
        header.encoding,
        header.field(5),
        header.field(6),
        header.field(3),
        header.field(4),
        now.strftime("%Y%m%d%H%M%S+0000").encode(),
        b"",
        component.join([b"ACK", *event, b"ACK"]) if event else b"ACK",
        uuid4().hex[:20].encode(),
        header.field(11) or b"P",
        header.field(12) or b"2.5",
    ]
    said = _plain(reason, header)
    lines = [s.join(head), s.join([b"MSA", code.encode(), header.control_id, *([said] if said else [])])]
    if code != "AA":
        told = _TEXT_OF[code].encode().replace(b"^", component)
        lines.append(s.join([b"ERR", b"", b"", told, b"E", b"", b"", b"", said]))
    return b"\x0b" + b"\r".join(lines) + b"\r\x1c\r"


def _plain(reason: str, header: Header) -> bytes:
    """A reason without any character that delimits."""
    delimiters = header.separator + header.encoding
    return bytes(character for character in reason.encode("ascii", "replace") if character not in delimiters)
