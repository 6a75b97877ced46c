"""A folder's records in temporary tables, without keeping anything of them: for checks before a source is let near the data.

Records take the same way in as in a night (reader, classification, tokens), but under a key that is made for the run and
forgotten with it, and what is sealed is thrown away at once. So no identifier is written anywhere, not even for a moment,
and nothing can be joined with anything later.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import psycopg
from psycopg import sql

from include.intake.batches import columns_of
from include.intake.document_rows import DocumentRows
from include.intake.feeding import feed
from include.intake.table_rows import TableRows
from include.privacy.classification import load_classification
from include.privacy.documents import DocumentSplitter
from include.privacy.tokens import Tokeniser
from include.quality.catalogue.flat import Rows
from include.sources.contracts import Table
from include.sources.items import BrokenContainerError, Notice, Reject
from include.sources.listing import Landed, SourceFile
from include.sources.registry import Source, reader_of


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the folder in the place of a landed object."""

    path: Path
    file: Landed
    sha256: str


@dataclass(frozen=True, slots=True)
class LocalOpener:
    """Opens files of a folder in the place of landed objects."""

    source: Source

    def open(self, landed: LocalFile) -> BinaryIO:
        """The file's bytes as they are."""
        return landed.path.open("rb")

    def name_of(self, landed: LocalFile) -> str:
        """The file's name below the source's folder, for kinds whose files say in their names whose they are."""
        root = self.source.path
        return landed.path.relative_to(root).as_posix() if root.is_dir() else landed.path.name


class NoKeys(dict):
    """In the place of people's data keys: nothing sealed is kept, so nothing is encrypted."""

    erased: frozenset[str] = frozenset()

    def ensure(self, persons: object) -> None:
        """Nothing to fetch."""

    def __missing__(self, person: str) -> Callable[[bytes, bytes, bytes], bytes]:
        return forget


def forget(nonce: bytes, plain: bytes, bound: bytes) -> bytes:
    """In the place of encryption: what would be sealed is dropped."""
    return b""


@dataclass
class Received:
    """What came of a folder: rows, refusals by reason and kind, duplicates, and what its shape said."""

    rows: list[Rows] = field(default_factory=list)
    loaded: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    reasons: dict[str, Reject | BrokenContainerError] = field(default_factory=dict)
    duplicate: int = 0
    notices: list[Notice] = field(default_factory=list)
    files: int = 0

    def add(self, landed: LocalFile, word: str, reject: Reject) -> None:
        """Count a refused record; the face of ``Refusals`` that row makers use."""
        self.refused[str(landed.file.dataset), reject.reason_code] += 1
        self.reasons.setdefault(reject.reason_code, reject)


def load_folder(books: psycopg.Connection, source: Source, tell: Callable[[str], None]) -> Received:
    """Read every file of the source into temporary tables of the session. ``tell`` is given a line a file."""
    listing = reader_of(source).list_files(source)
    received = Received(files=len(listing.files))
    tokeniser = Tokeniser(secrets.token_bytes(32))
    datasets: dict[str, list[SourceFile]] = {}
    for file in listing.files:
        if file.dataset is not None:
            datasets.setdefault(file.dataset, []).append(file)
    for number, (dataset, files) in enumerate(datasets.items()):
        table = source.contract.table(dataset) if source.contract and dataset != "resource" else None
        place = sql.Identifier("pg_temp", f"received_{number}")
        _make_table(books, place, table)
        maker = _maker(source, table, tokeniser)
        for file in files:
            count = _copy(
                books, place, table, maker, LocalFile(file.path, Landed.from_hint(file.hint()), file.label), received
            )
            tell(f"{file.label}: {count:,} records read")
        received.notices += maker.notices
        received.duplicate += _remove_repeats(books, place)
        received.rows.append(Rows(place, table, source.timezone))
    return received


def _make_table(books: psycopg.Connection, place: sql.Identifier, table: Table | None) -> None:
    columns = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns_of(table)]
    books.execute(sql.SQL("drop table if exists {}").format(place))
    books.execute(sql.SQL("create table {} ({})").format(place, sql.SQL(", ").join(columns)))


def _maker(source: Source, table: Table | None, tokeniser: Tokeniser) -> DocumentRows | TableRows:
    opener = LocalOpener(source)
    if table is not None:
        return TableRows(source, table, opener, tokeniser, NoKeys(), forget)
    splitter = DocumentSplitter(load_classification(), tokeniser, source.name)
    return DocumentRows(source, opener, tokeniser, splitter, NoKeys(), forget)


def _copy(
    books: psycopg.Connection, place: sql.Identifier, table: Table | None, maker, landed: LocalFile, received: Received
) -> int:
    columns = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns_of(table))
    statement = sql.SQL("copy {} ({}) from stdin with (format {})").format(
        place, columns, sql.SQL("binary" if table is None else "text")
    )
    counted: Counter[str] = Counter()
    before = received.refused.copy()
    try:
        with books.transaction(), books.cursor() as cursor, cursor.copy(statement) as copy:
            feed(_pieces(maker, landed, received, counted), copy.write)
    except BrokenContainerError as problem:
        received.refused = before
        received.refused[str(landed.file.dataset), problem.reason_code] += 1
        received.reasons.setdefault(problem.reason_code, problem)
        return 0
    received.loaded[str(landed.file.dataset)] += counted["rows"]
    return counted["rows"]


def _pieces(maker, landed: LocalFile, received: Received, counted: Counter) -> Iterator[bytes]:
    return maker.rows_of(landed, 1, received, counted)


def _remove_repeats(books: psycopg.Connection, place: sql.Identifier) -> int:
    """The same record word for word counts once, as in a night."""
    books.execute(sql.SQL("analyze {} (record_id, resource_id)").format(place))
    return books.execute(
        sql.SQL(
            """delete from {place} a using (select ctid, row_number() over (partition by record_id order by ctid) n from {place}) b
               where a.ctid = b.ctid and b.n > 1"""
        ).format(place=place)
    ).rowcount
