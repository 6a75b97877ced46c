"""The bytes of a DICOM file read once, forwards: its header is kept, everything large is passed over.

Follows DICOM PS3.10 (file format) and PS3.5 (encoding). Nothing is decoded here; what is kept is at most ``most_header`` bytes,
whatever the size of the pictures, which are counted past and never held.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from include.sources.items import broken

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
MOST_UNPACKED = 4 << 30  # of a packed file: a study's largest pictures have less, a bomb would never end
_LARGE = 1 << 16  # a value over this is no header information: it is passed over
_PREAMBLE = 128
_UNDEFINED = 0xFFFFFFFF
_PICTURES = 0x50000000  # curves, waveforms, overlays and pixels, from here on
_META_GROUP = b"\x02\x00"
_LONG_FORM = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Header:
    """A file's header: ``meta`` (group 2, always explicit little endian) and ``elements``, without large values.

    ``transfer_syntax`` is as declared, or as guessed where the file has no group 2.
    """

    meta: bytes
    elements: bytes
    transfer_syntax: str
    is_implicit: bool
    is_little: bool


class _Element(NamedTuple):
    tag: int
    vr: bytes
    length: int
    head: bytes  # the element up to its value


class _EndError(Exception):
    """The stream ended within what was asked for."""


class ForwardBytes:
    """Bytes that can be looked at, taken and passed over, never gone back to."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._held, self._at = b"", 0

    def peek(self, size: int) -> bytes:
        """The next bytes without taking them; fewer only at the end."""
        while len(self._held) - self._at < size and (block := next(self._blocks, b"")):
            self._held, self._at = self._held[self._at :] + block, 0
        return self._held[self._at : self._at + size]

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        taken = self.peek(size)
        if len(taken) < size:
            raise _EndError
        self._at += size
        return taken

    def skip(self, size: int) -> None:
        """Pass over ``size`` bytes, holding one block of them at a time."""
        while size:
            here = len(self._held) - self._at
            if here >= size:
                self._at += size
                return
            size -= here
            self._held, self._at = next(self._blocks, b""), 0
            if not self._held:
                raise _EndError

    def rest(self) -> Iterator[bytes]:
        """Everything from here on, in blocks."""
        if self._at < len(self._held):
            yield self._held[self._at :]
        self._held, self._at = b"", 0
        yield from self._blocks


def read_header(blocks: Iterator[bytes], *, most_header: int, most_unpacked: int = MOST_UNPACKED) -> Header:
    """Read a DICOM file to its end and return its header.

    Raises BrokenContainerError on a file that is not DICOM, ends early, cannot be unpacked or has an endless header.
    """
    stream = ForwardBytes(blocks)
    if not stream.peek(1):
        raise broken("truncated_file", found="an empty file")
    try:
        meta, syntax = _read_meta(stream)
        if syntax == DEFLATED:
            stream = ForwardBytes(_inflate(stream.rest(), most_unpacked))
        is_implicit, is_little = _encoding(stream, syntax)
        elements = _Scan(stream, is_implicit, is_little, most_header).read()
        for _ in stream.rest():
            pass  # to the end, where landing says whether the object is whole
    except _EndError:
        raise broken("truncated_file") from None
    syntax = syntax or (IMPLICIT_LITTLE if is_implicit else EXPLICIT_LITTLE if is_little else EXPLICIT_BIG)
    return Header(meta, elements, syntax, is_implicit, is_little)


def _read_meta(stream: ForwardBytes) -> tuple[bytes, str]:
    """Group 2 and the transfer syntax that it declares; both empty where the file has none (before PS3.10: a bare data set)."""
    start = stream.peek(_PREAMBLE + 4)
    if start[_PREAMBLE:] == b"DICM":
        stream.skip(_PREAMBLE + 4)
    elif not _looks_bare(start):
        raise broken("not_dicom")
    return _read_group_2(stream)


def _looks_bare(start: bytes) -> bool:
    """A data set without preamble: it begins with an element of group 2 or 8, which is identification."""
    group, element = start[:2], start[2:4]
    return len(start) > 16 and (
        (group in (_META_GROUP, b"\x08\x00") and element[1:] == b"\0" and element[0] < 0x20)
        or (group == b"\x00\x08" and element[:1] == b"\0" and element[1] < 0x20)
    )


def _read_group_2(stream: ForwardBytes) -> tuple[bytes, str]:
    kept, syntax = bytearray(), ""
    while stream.peek(2) == _META_GROUP:
        element = _take_element(stream, is_implicit=False, is_little=True)
        if element.length > _LARGE:
            raise broken("truncated_file", found="a file header that does not end where it says")
        value = stream.take(element.length)
        kept += element.head + value
        if element.tag == 0x00020010:
            syntax = value.decode("ascii", "replace").strip("\0 ")
        if len(kept) > 4 * _LARGE:
            raise broken("over_long_header")
    return bytes(kept), syntax


def _encoding(stream: ForwardBytes, syntax: str) -> tuple[bool, bool]:
    """Whether value representations are implicit and whether bytes are little endian: as declared, corrected by what is there."""
    start = stream.peek(8)
    has_vr = start[4:6].isalpha() and start[4:6].isupper()
    is_big = syntax == EXPLICIT_BIG if syntax else start[:1] == b"\0"
    return not has_vr, not is_big


def _inflate(packed: Iterator[bytes], most: int) -> Iterator[bytes]:
    """Unpack a raw deflate stream (PS3.5 A.5) in steps, so that a bomb cannot fill the memory; a bomb that goes on ends too."""
    unpacker, made = zlib.decompressobj(-zlib.MAX_WBITS), 0
    for block in packed:
        while block and not unpacker.eof:
            try:
                out = unpacker.decompress(block, 1 << 20)
            except zlib.error:
                raise broken("broken_deflate") from None
            block = unpacker.unconsumed_tail
            made += len(out)
            if made > most:
                raise broken("unpacks_without_end")
            if out:
                yield out
    if not unpacker.eof:
        raise broken("truncated_file")


def _take_element(stream: ForwardBytes, *, is_implicit: bool, is_little: bool) -> _Element:
    """Tag, value representation and length of the next element (PS3.5 7.1)."""
    order = "little" if is_little else "big"
    head = stream.take(8)
    tag = int.from_bytes(head[:2], order) << 16 | int.from_bytes(head[2:4], order)
    vr = head[4:6]
    if is_implicit or tag >> 16 == 0xFFFE or not (b"AA" <= vr <= b"ZZ"):
        return _Element(tag, b"", int.from_bytes(head[4:], order), head)
    if vr in _LONG_FORM:
        more = stream.take(4)
        return _Element(tag, vr, int.from_bytes(more, order), head + more)
    return _Element(tag, vr, int.from_bytes(head[6:], order), head)


class _Scan:
    """Goes through the data set once. What is kept goes to ``kept``; a sequence that turns out large is taken back."""

    def __init__(self, stream: ForwardBytes, is_implicit: bool, is_little: bool, most: int) -> None:
        self._stream, self._most = stream, most
        self._implicit, self._little = is_implicit, is_little
        self._kept = bytearray()
        self._begun, self._is_kept = 0, True

    def read(self) -> bytes:
        """Everything up to the pictures, without large values; the stream is at its end, or past all that is known."""
        last = -1
        while self._stream.peek(1):
            if last >= _PICTURES and len(self._stream.peek(8)) < 8:
                break  # padding after the pictures
            element = _take_element(self._stream, is_implicit=self._implicit, is_little=self._little)
            if element.tag < last and last >= _PICTURES:
                break  # not an element any more: what follows the pictures is of no use here
            last = max(last, element.tag)
            self._pass(element)
            if len(self._kept) > self._most:
                raise broken("over_long_header")
        return bytes(self._kept)

    def _pass(self, element: _Element) -> None:
        self._begun = len(self._kept)
        is_large = element.length > _LARGE and element.length != _UNDEFINED
        self._is_kept = element.tag < _PICTURES and not is_large
        self._keep(element.head)
        if element.length == _UNDEFINED:
            self._pass_items(element, depth=1)
        else:
            self._pass_value(element.length)

    def _keep(self, taken: bytes) -> None:
        if self._is_kept:
            self._kept += taken
            if len(self._kept) - self._begun > 4 * _LARGE:
                del self._kept[self._begun :]
                self._is_kept = False

    def _pass_value(self, length: int) -> None:
        while self._is_kept and length:
            step = min(length, _LARGE)
            self._keep(self._stream.take(step))
            length -= step
        self._stream.skip(length)

    def _pass_items(self, element: _Element, depth: int) -> None:
        """Items up to their delimiter (PS3.5 7.5); those of pixels are fragments (PS3.5 A.4)."""
        if depth > _DEEPEST:
            raise broken("nested_deep_file")
        holds_elements = element.vr not in (b"OB", b"OW")
        form = {
            "is_implicit": self._implicit or element.vr == b"UN",
            "is_little": self._little or element.vr == b"UN",
        }
        while (item := _take_element(self._stream, **form)).tag == _ITEM:
            self._keep(item.head)
            if item.length != _UNDEFINED:
                self._pass_value(item.length)
            elif holds_elements:
                self._pass_item(form, depth)
            else:
                raise broken("truncated_file", found="a fragment of pixels without a length")
        self._keep(item.head)
        if item.tag != _SEQUENCE_END:
            raise broken("truncated_file", found="a sequence that holds something else than items")

    def _pass_item(self, form: dict[str, bool], depth: int) -> None:
        while (inner := _take_element(self._stream, **form)).tag != _ITEM_END:
            self._keep(inner.head)
            if inner.length == _UNDEFINED:
                self._pass_items(inner, depth + 1)
            else:
                self._pass_value(inner.length)
        self._keep(inner.head)
