"""Takes a person out of the bytes as received: finds the objects that contain them and writes each anew without them.

A record is found by the same reading, splitting and tokens as when it was loaded, so nothing is guessed. What could not be
read as a record is searched for the ids that the source knows the person by. Lines and entries keep their places (an erased
line is left blank, an erased entry empty), so that the quarantine's places of other people's records stay true.

An object that no reader here can rewrite in part is removed whole, and counted as such.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tempfile
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

from include.intake.reading import Opener, read_items, read_pieces
from include.landing.catalogue import LandedObject
from include.landing.encryption import encrypt
from include.landing.object_store import Upload
from include.privacy.tokens import Tokeniser
from include.sources.byte_stream import read_blocks
from include.sources.hl7v2.framing import START_BLOCK, Cut, cut_messages
from include.sources.items import BrokenContainerError, Notice, Reject, Row
from include.sources.json_entries import Entries
from include.sources.registry import Source, reader_of

_BLOCK = 1 << 20
_IN_MEMORY = 8 << 20
_NO_MESSAGE = b"MSH|^~\\&|\r\n"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom to look for: person tokens, and the raw ids the source knows them by (secret; only ever in memory)."""

    tokens: frozenset[str]
    raw_ids: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Found:
    """Where a person stands in an object: places of records. ``whole`` where the object cannot be taken apart."""

    places: frozenset[int]
    whole: bool = False

    def __bool__(self) -> bool:
        return bool(self.places) or self.whole


@dataclass(frozen=True, slots=True)
class Rewritten:
    """An object after a person was taken out: its new hash and size, and records taken out. ``sha256`` None: removed whole."""

    sha256: str | None
    bytes_stored: int
    records: int


def find_person(source: Source, opener: Opener, landed: LandedObject, wanted: Wanted, tokeniser: Tokeniser) -> Found:
    """Read an object to its end and say where the person stands in it."""
    places: set[int] = set()
    unread: set[int] = set()
    try:
        if source.contract is not None:
            _look_in_rows(source, opener, landed, wanted, tokeniser, places, unread)
        else:
            _look_in_documents(source, opener, landed, wanted, tokeniser, places, unread)
    except BrokenContainerError:
        # Nothing of it was loaded. It stays for replay unless the person's ids stand in it.
        return Found(frozenset(), whole=_mentions(opener, landed, wanted))
    if unread and wanted.raw_ids:
        places |= _places_with_ids(source, opener, landed, wanted, unread)
    return Found(frozenset(places), whole=bool(places) and _rewriter(source, landed) is None)


def rewrite(
    source: Source, opener: Opener, landed: LandedObject, found: Found, key: str, *, store, bucket: str, recipient: str
) -> Rewritten:
    """Write the object without what was found, under ``key``, encrypted like the first. The old one is left alone."""
    rewriter = _rewriter(source, landed)
    if found.whole or rewriter is None:
        return Rewritten(None, 0, len(found.places))
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as sealed, ThreadPoolExecutor(3) as threads:
        # Only encrypted bytes ever touch the disk.
        content = _Hashed(rewriter(opener, landed, found.places))
        encrypt(content, sealed, recipient)
        sealed.seek(0)
        mark = hashlib.sha256(recipient.encode()).hexdigest()[:16]
        upload = Upload(store, bucket, key, {"recipient": mark}, threads)
        try:
            while block := sealed.read(_BLOCK):
                upload.write(block)
            stored = upload.finish().bytes
        except BaseException:
            upload.abandon()
            raise
    return Rewritten(content.digest.hexdigest(), stored, len(found.places))


def _look_in_documents(source, opener, landed, wanted: Wanted, tokeniser, places: set[int], unread: set[int]) -> None:
    from include.privacy.classification import load_classification
    from include.privacy.documents import DocumentSplitter

    splitter = DocumentSplitter(load_classification(), tokeniser, source.name)
    for piece in read_pieces(opener, landed):
        if isinstance(piece, Reject):
            unread.add(piece.place)
        elif not isinstance(piece, Notice):
            groups, unreadable = splitter.split(piece.texts)
            unread |= {piece.places[index] for index in unreadable}
            for group in groups:
                pairs = zip(group.indexes, group.persons, strict=True)
                places |= {piece.places[index] for index, person in pairs if person in wanted.tokens}


def _look_in_rows(source, opener, landed, wanted: Wanted, tokeniser, places: set[int], unread: set[int]) -> None:
    table = source.contract.table(landed.file.dataset)
    if table.person is None:
        return
    at, token = table.position(table.person), tokeniser.id_token
    for item in read_items(opener, landed):
        if isinstance(item, Reject):
            unread.add(item.place)
        elif isinstance(item, Row) and token(source.name, "Patient", item.values[at] or "") in wanted.tokens:
            places.add(item.place)


def _places_with_ids(source, opener, landed, wanted: Wanted, unread: Collection[int]) -> set[int]:
    """Of records nobody could read, those in whose bytes the person's ids stand."""
    parts = {_without_entries: _entries, _without_messages: _messages}.get(_rewriter(source, landed), _lines)
    texts = enumerate(parts(opener, landed), 1)
    return {place for place, text in texts if place in unread and _has_id(text, wanted)}


def _mentions(opener: Opener, landed: LandedObject, wanted: Wanted) -> bool:
    """Whether the person's ids stand anywhere in an object that cannot be read as records."""
    longest = max(map(len, wanted.raw_ids), default=0)
    tail = b""
    with opener.open(landed) as stream:
        while block := stream.read(_BLOCK):
            if _has_id(tail + block, wanted):
                return True
            tail = block[-longest:] if longest else b""
    return False


def _has_id(text: object, wanted: Wanted) -> bool:
    return isinstance(text, bytes) and any(raw_id in text for raw_id in wanted.raw_ids)


Rewriter = Callable[[Opener, LandedObject, Collection[int]], Iterator[bytes]]


def _rewriter(source: Source, landed: LandedObject) -> Rewriter | None:
    """How an object of this kind is written anew in part; None where it can only go whole."""
    reader = reader_of(source)
    if reader.HAS_CONTRACT or (getattr(reader, "READS_LINES", False) and landed.file.role == "data"):
        return _without_lines
    return {"fhir_bundles": _without_entries, "hl7v2": _without_messages}.get(source.kind)


def _without_lines(opener: Opener, landed: LandedObject, places: Collection[int]) -> Iterator[bytes]:
    """The file with the lines of these records left blank. A record of a table may go on over several lines."""
    lines = _lines(opener, landed)
    if opener.source.contract is not None:
        starts = [item.place for item in read_items(opener, landed) if isinstance(item, (Row, Reject))]
        following = dict(zip(starts, [*starts[1:], None], strict=True))
        spans = [(place, following[place]) for place in sorted(places)]
    else:
        spans = [(place, place + 1) for place in sorted(places)]
    erased = (line if not gone else b"" for line, gone in _marked(lines, spans))
    joined = _joined(erased)
    yield from _packed(joined) if landed.file.is_gzip else joined


def _marked(lines: Iterator[bytes], spans: list[tuple[int, int | None]]) -> Iterator[tuple[bytes, bool]]:
    waiting, span = iter(spans), None
    span = next(waiting, None)
    for number, line in enumerate(lines, 1):
        while span is not None and span[1] is not None and number >= span[1]:
            span = next(waiting, None)
        yield line, span is not None and number >= span[0]


def _without_entries(opener: Opener, landed: LandedObject, places: Collection[int]) -> Iterator[bytes]:
    """The bundle with the entries of these records emptied; a file that is a single resource becomes an empty bundle."""
    bundle = _bundle(opener, landed, places)
    yield from _packed(bundle) if landed.file.is_gzip else bundle


def _bundle(opener: Opener, landed: LandedObject, places: Collection[int]) -> Iterator[bytes]:
    with opener.open(landed) as stream:
        entries = Entries(_plain(stream, landed), opener.source.max_record_bytes)
        yield b'{"entry":['
        for place, text in enumerate(entries, 1):
            kept = text if isinstance(text, bytes) and place not in places else b"{}"
            yield b"," + kept if place > 1 else kept
        head = {name: value for name, value in entries.head.items() if name != "resourceType"}
        if entries.head.get("resourceType") != b'"Bundle"':
            head = {"type": b'"collection"'}
        yield b'],"resourceType":"Bundle"' + b"".join(b',"%b":%b' % (n.encode(), v) for n, v in head.items()) + b"}"


def _without_messages(opener: Opener, landed: LandedObject, places: Collection[int]) -> Iterator[bytes]:
    """The file with an empty header in the place of these messages, so that those after them keep their numbers."""
    written = _framed(_cuts(opener, landed), places)
    yield from _packed(written) if landed.file.is_gzip else written


def _framed(cuts: Iterator[Cut], places: Collection[int]) -> Iterator[bytes]:
    place = 0
    for cut in cuts:
        is_message = cut.kind in ("message", "over_long")
        place += is_message
        if is_message and (place in places or cut.kind == "over_long"):
            yield _NO_MESSAGE
        else:
            # A block that was never closed stays so: it must not become a whole message.
            yield (START_BLOCK if cut.is_cut_off else b"") + cut.content.rstrip(b"\r\n") + b"\r\n"


def _messages(opener: Opener, landed: LandedObject) -> Iterator[bytes]:
    return (cut.content for cut in _cuts(opener, landed) if cut.kind in ("message", "over_long"))


def _cuts(opener: Opener, landed: LandedObject) -> Iterator[Cut]:
    with opener.open(landed) as stream:
        blocks = read_blocks(stream, is_named_gzip=landed.file.is_gzip)
        yield from cut_messages(blocks, max_bytes=opener.source.max_record_bytes)


def _entries(opener: Opener, landed: LandedObject) -> Iterator[object]:
    with opener.open(landed) as stream:
        yield from Entries(_plain(stream, landed), opener.source.max_record_bytes)


def _plain(stream: BinaryIO, landed: LandedObject) -> Iterator[bytes]:
    blocks = read_blocks(stream, is_named_gzip=landed.file.is_gzip)
    first = next(blocks, b"")
    yield first.removeprefix(b"\xef\xbb\xbf")
    yield from blocks


def _lines(opener: Opener, landed: LandedObject) -> Iterator[bytes]:
    """Lines as the readers count them; where they end in CR alone throughout, at those."""
    rest, feed = b"", None
    with opener.open(landed) as stream:
        for block in read_blocks(stream, is_named_gzip=landed.file.is_gzip):
            if feed is None:
                feed = b"\r" if opener.source.contract and b"\r" in block[:-1] and b"\n" not in block else b"\n"
            *whole, rest = (rest + block).split(feed)
            yield from whole
    if rest:
        yield rest


def _joined(lines: Iterator[bytes]) -> Iterator[bytes]:
    waiting, size = [], 0
    for line in lines:
        waiting.append(line)
        size += len(line) + 1
        if size >= _BLOCK:
            yield b"\n".join(waiting) + b"\n"
            waiting, size = [], 0
    if waiting:
        yield b"\n".join(waiting) + b"\n"


def _packed(blocks: Iterator[bytes]) -> Iterator[bytes]:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packing:
        for block in blocks:
            packing.write(block)
            if out.tell() >= _BLOCK:
                yield out.getvalue()
                out.seek(0)
                out.truncate()
    yield out.getvalue()


class _Hashed(io.RawIOBase):
    """Blocks as a readable stream that hashes what is read from it."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks, self._waiting, self.digest = blocks, memoryview(b""), hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._waiting:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._waiting = memoryview(block)
        taken = bytes(self._waiting if size < 0 else self._waiting[:size])
        self._waiting = self._waiting[len(taken) :]
        self.digest.update(taken)
        return taken
