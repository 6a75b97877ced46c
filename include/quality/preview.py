"""Looking at what was refused: where it stands, why, and its shape, read from landing. Never a value; every look is audited."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import psycopg

from include.intake.reading import Opener, read_items
from include.landing.catalogue import LandedObject, find_object
from include.quality.redaction import redact
from include.settings import Settings
from include.sources.byte_stream import read_blocks, read_line_blocks
from include.sources.items import BrokenContainerError, Document
from include.sources.registry import Source, find_source, reader_of
from include.warehouse.connect import connect


@dataclass(frozen=True, slots=True)
class Refused:
    """One refused record: its night, dataset, reason, place within a landing object, and what was said of it."""

    night: date
    source: str
    dataset: str
    reason_code: str
    sha256: str | None
    place: str
    found: str
    expected: str
    action: str


@dataclass(frozen=True, slots=True)
class Preview:
    """A refused record and its shape; None where its bytes cannot be read one by one."""

    refused: Refused
    shape: str | None


def find_refused(
    books: psycopg.Connection, source: str, reason_code: str | None = None, *, most: int = 5
) -> list[Refused]:
    """Open refusals of a source, the newest nights first, in order of their place."""
    rows = books.execute(
        """select night, source, dataset, reason_code, object_sha256, place, found, expected, action
           from quality.quarantine where state = 'open' and source = %s and reason_code = coalesce(%s, reason_code)
           order by night desc, reason_code, object_sha256, place limit %s""",
        [source, reason_code, most],
    ).fetchall()
    return [Refused(*row) for row in rows]


def preview(
    sources: tuple[Source, ...], source: str, reason_code: str | None, *, most: int, by: str, settings: Settings
) -> list[Preview]:
    """Shapes of refused records of a source, for a steward named ``by``. Raises SourcesError, LandingError, KeyringError."""
    opener = Opener(find_source(sources, source), settings)
    with connect("checker", settings=settings) as books:
        found = find_refused(books, source, reason_code, most=most)
        books.execute(
            "select audit.append('quarantine.previewed', %s, jsonb_build_object('records', %s::int), purpose => %s, actor => %s)",
            [source, len(found), "see the form of refused records", by],
        )
    with connect("loader", settings=settings) as books:
        return [Preview(refused, _shape(books, opener, refused)) for refused in found]


def _shape(books: psycopg.Connection, opener: Opener, refused: Refused) -> str | None:
    if refused.sha256 is None or refused.place in ("file", "batch"):
        return None
    landed = find_object(books, refused.source, refused.sha256)
    content = _content_at(opener, landed, int(refused.place.rpartition(" ")[2]))
    return None if content is None else redact(content)


def _content_at(opener: Opener, landed: LandedObject, place: int) -> bytes | None:
    """The bytes of the record at a place. Of a kind that is not lines, only what its reader could take apart."""
    try:
        reader = reader_of(opener.source)
        if reader.HAS_CONTRACT or (getattr(reader, "READS_LINES", False) and landed.file.role == "data"):
            return _line_at(opener, landed, place)
        items = (item for item in read_items(opener, landed) if isinstance(item, Document))
        return next((item.content for item in items if item.place == place), None)
    except BrokenContainerError:
        return None


def _line_at(opener: Opener, landed: LandedObject, place: int) -> bytes | None:
    with opener.open(landed) as stream:
        for number, line in enumerate(_lines(opener, landed, stream), 1):
            if number == place:
                return line if isinstance(line, bytes) else None
    return None


def _lines(opener: Opener, landed: LandedObject, stream) -> Iterator:
    blocks = read_blocks(stream, is_named_gzip=landed.file.is_gzip)
    for lines, _ in read_line_blocks(blocks, max_bytes=opener.source.max_record_bytes):
        yield from lines
