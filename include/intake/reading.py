"""Reading landed objects of documents in pieces: whole lines where the kind allows it, single documents otherwise.

A bulk export's lines are handed on unparsed, because the splitter parses them anyway; a line it cannot split goes back
to the reader's own judge, who says why.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO

import orjson

from include.landing.catalogue import LandedObject
from include.landing.encryption import Decrypted, open_name
from include.landing.object_store import open_store, read_blocks
from include.privacy.keyring import load_keyring
from include.settings import Settings
from include.sources.byte_stream import may_hold_nul, read_line_blocks
from include.sources.byte_stream import read_blocks as unpack_blocks
from include.sources.items import BrokenContainerError, Document, Item, Notice, Reject, refuse
from include.sources.registry import Source, reader_of
from include.sources.resource_checks import judge_line

PIECE_BYTES = 1 << 19  # what is made of one stays near the processor
_PIECE_DOCUMENTS = 2_000
_BUFFER_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Piece:
    """Some documents of an object. ``contents`` are what identity is hashed over, ``texts`` their JSON."""

    places: Sequence[int]
    contents: Sequence[bytes]
    texts: Sequence[bytes]
    is_deleted: bool = False


class Opener:
    """Opens landed objects of a source, many of them over one connection to the store."""

    def __init__(self, source: Source, settings: Settings) -> None:
        self.source = source
        self._bucket = settings.bucket_landing
        self._store = open_store(settings)
        self._identity = load_keyring(settings.keyring_dir).landing_identity

    def open(self, landed: LandedObject) -> BinaryIO:
        """The object as the bytes once received: a stream that decrypts and checks as it is read."""
        blocks = partial(read_blocks, self._store, self._bucket, landed.object_key)
        return io.BufferedReader(Decrypted(blocks, self._identity, landed.content_sha256), _BUFFER_BYTES)

    def name_of(self, landed: LandedObject) -> str | None:
        """The name that the object was delivered under, in this process's memory only."""
        return open_name(landed.name_sealed, self._identity) if landed.name_sealed else None


def read_items(opener: Opener, landed: LandedObject) -> Iterator[Item]:
    """What the kind's reader yields of an object. Raises BrokenContainerError."""
    reader, file = reader_of(opener.source), landed.file
    if getattr(reader, "NEEDS_NAME", False):
        file = replace(file, name=opener.name_of(landed))
    return reader.read(opener.source, partial(opener.open, landed), file)


def read_pieces(opener: Opener, landed: LandedObject) -> Iterator[Piece | Reject | Notice]:
    """Documents of an object in pieces of some megabytes. Raises BrokenContainerError."""
    if _reads_lines(opener.source, landed):
        return _read_lines(opener, landed)
    return _gather(read_items(opener, landed))


def judge(source: Source, landed: LandedObject, place: int, content: bytes) -> Reject:
    """Why a document that could not be split is refused."""
    is_line = _reads_lines(source, landed)
    judged = judge_line(place, content, landed.file.resource_type if is_line else None)
    if isinstance(judged, Reject):
        return judged
    # The reader takes any name for a type and any depth it can parse; here it has to be R4 and to fit the splitter.
    return refuse(place, "nested_too_deep" if _is_deep(content) else "bad_resource_type", content)


def _reads_lines(source: Source, landed: LandedObject) -> bool:
    """Whether every line of the object is one resource."""
    return getattr(reader_of(source), "READS_LINES", False) and landed.file.role == "data"


def place_word(source: Source, landed: LandedObject) -> str:
    """What places count in an object: line, entry, deletion."""
    return reader_of(source).place_word(landed.file)


def _is_deep(content: bytes) -> bool:
    return max(content.count(b"["), content.count(b"{")) > 400


def _read_lines(opener: Opener, landed: LandedObject) -> Iterator[Piece | Reject | Notice]:
    first, blank, waiting, size = 1, 0, [], 0
    with opener.open(landed) as stream:
        for lines, is_suspect in _line_blocks(opener, landed, stream):
            places: Sequence[int] = range(first, first + len(lines))
            first += len(lines)
            if is_suspect or set(map(type, lines)) != {bytes} or not all(map(bytes.strip, lines)):
                places, lines, rejects, empty = _sort_out(places, lines, landed.file.resource_type)
                yield from rejects
                blank += empty
            waiting.append((places, lines))
            size += sum(map(len, lines))
            if size >= PIECE_BYTES:
                yield _join(waiting)
                waiting, size = [], 0
    if waiting:
        yield _join(waiting)
    if blank:
        yield Notice("blank_line", blank)


def _line_blocks(opener: Opener, landed: LandedObject, stream: BinaryIO) -> Iterator[tuple[list, bool]]:
    """Lines as the reader cuts them; a broken container says how many there were before."""
    seen = 0
    blocks = unpack_blocks(stream, is_named_gzip=landed.file.is_gzip)
    try:
        for lines, is_suspect in read_line_blocks(blocks, max_bytes=opener.source.max_record_bytes):
            seen += len(lines)
            yield lines, is_suspect
    except BrokenContainerError as problem:
        problem.place = max(problem.place, seen)
        raise


def _join(waiting: list[tuple[Sequence[int], Sequence[bytes]]]) -> Piece:
    lines = [line for _, lines in waiting for line in lines]
    return Piece([place for places, _ in waiting for place in places], lines, lines)


def _sort_out(
    places: Sequence[int], lines: Sequence, expected: str | None
) -> tuple[list[int], list[bytes], list[Reject], int]:
    """Take out blank lines, lines over the limit and lines with a NUL that the splitter would not notice."""
    kept_places, kept, rejects, blank = [], [], [], 0
    for place, line in zip(places, lines, strict=True):
        if isinstance(line, bytes) and not line.strip():
            blank += 1
            continue
        judged = judge_line(place, line, expected) if not isinstance(line, bytes) or may_hold_nul(line) else None
        if isinstance(judged, Reject):
            rejects.append(judged)
        else:
            kept_places.append(place)
            kept.append(line)
    return kept_places, kept, rejects, blank


def _gather(items: Iterator[Item]) -> Iterator[Piece | Reject | Notice]:
    waiting: list[Document] = []
    size = 0
    for item in items:
        if not isinstance(item, Document):
            yield item
            continue
        if waiting and item.is_deleted != waiting[-1].is_deleted:
            yield _piece(waiting)
            waiting, size = [], 0
        waiting.append(item)
        size += len(item.content)
        if size >= PIECE_BYTES or len(waiting) >= _PIECE_DOCUMENTS:
            yield _piece(waiting)
            waiting, size = [], 0
    if waiting:
        yield _piece(waiting)


def _piece(documents: list[Document]) -> Piece:
    contents = [document.content for document in documents]
    is_deleted = documents[0].is_deleted
    texts = [orjson.dumps(document.resource) for document in documents] if is_deleted else contents
    return Piece([document.place for document in documents], contents, texts, is_deleted)
