"""Parquet files of sealed rows: written in a stream, read back and compared, read again years later.

A file holds rows of one data class, one event year and one month of receipt, sorted by record id, in row groups small
enough to fetch one record without the rest. What stands in clear is what finding a record needs: tokens, class, year, and
when it was received. Any Parquet reader lists it; only the sealing keys open ``sealed_row``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import NamedTuple

from include.errors import PlumblineError
from include.lifecycle.row_seal import RowSeal, owner_of

ROWS_A_GROUP = 8_192
BYTES_A_GROUP = 32 << 20
BYTES_A_FILE = 256 << 20
FORMAT_VERSION = "1"


class ColdFileError(PlumblineError):
    """A file read back is not the file that was written."""


class ColdRow(NamedTuple):
    """One raw row on its way out: ids and times as text, ``row`` its JSON as Postgres wrote it, all UTF-8 bytes."""

    record_id: bytes
    source: bytes
    dataset: bytes
    data_class: bytes
    event_year: bytes
    with_person: bytes
    person_token: bytes | None
    batch_id: bytes
    received_at: bytes
    event_day: bytes
    kept_as: bytes  # the source where it has a retention of its own, else empty
    row: bytes

    @property
    def group(self) -> tuple[bytes, bytes, bytes, bytes]:
        """What rows of one file share."""
        return self.data_class, self.with_person, self.kept_as, self.event_year


@dataclass(frozen=True, slots=True)
class Written:
    """A finished file, as its writer knows it."""

    path: Path
    data_class: str
    event_year: int
    with_person: bool
    records: int
    bytes: int
    sha256: str
    rows_sha256: str
    sources: tuple[str, ...]
    first_event: date
    last_event: date
    file_key_id: str


def schema():
    """Columns of every file, in order."""
    import pyarrow as pa

    text = pa.string()
    return pa.schema(
        [
            pa.field("record_id", text, nullable=False),
            pa.field("source", text, nullable=False),
            pa.field("dataset", text, nullable=False),
            pa.field("data_class", text, nullable=False),
            pa.field("event_year", pa.int16(), nullable=False),
            pa.field("person_token", text),
            pa.field("batch_id", text, nullable=False),
            pa.field("received_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("sealed_row", pa.binary(), nullable=False),
        ]
    )


@dataclass(slots=True)
class ColdFileWriter:
    """Writes one file. ``add`` takes chunks of rows of one group in order of record id; memory stays at one row group."""

    path: Path
    seal: RowSeal
    file_key_id: str
    raw_table: str
    _writer: object = None
    _rows: list[ColdRow] = field(default_factory=list)
    _sealed: list[bytes] = field(default_factory=list)
    _waiting_bytes: int = 0
    _records: int = 0
    _bytes: int = 0
    _digest: object = field(default_factory=hashlib.sha256)
    _sources: set[bytes] = field(default_factory=set)
    _days: tuple[bytes, bytes] | None = None
    _group: tuple[bytes, bytes, bytes] | None = None

    def add(self, rows: list[ColdRow]) -> None:
        """Seal rows and write out what fills a row group."""
        owners = [
            owner_of(row.person_token.decode() if row.person_token else None, row.batch_id.decode()) for row in rows
        ]
        gone = self.seal.prepare(set(owners), make=True)
        if gone:
            raise ColdFileError(
                found=f"{len(gone)} data key(s) of rows that are still in hot were destroyed",
                expected="the rows of an erased person to be gone from hot",
                action="finish the erasure, then apply the plan again",
            )
        for row, owner in zip(rows, owners, strict=True):
            sealed = self.seal.seal(owner, row.record_id.decode(), row.row)
            self._digest.update(len(row.row).to_bytes(4, "big"))
            self._digest.update(row.row)
            self._rows.append(row)
            self._sealed.append(sealed)
            self._waiting_bytes += len(sealed)
            if len(self._rows) >= ROWS_A_GROUP or self._waiting_bytes >= BYTES_A_GROUP:
                self._flush()

    @property
    def is_full(self) -> bool:
        """True where another file should be begun."""
        return self._bytes + self._waiting_bytes >= BYTES_A_FILE

    def close(self) -> Written:
        """Finish the file and say what it is."""
        self._flush()
        self._writer.close()
        data_class, with_person, _, year = self._group
        return Written(
            path=self.path,
            data_class=data_class.decode(),
            event_year=int(year),
            with_person=with_person == b"t",
            records=self._records,
            bytes=self.path.stat().st_size,
            sha256=sha256_of(self.path),
            rows_sha256=self._digest.hexdigest(),
            sources=tuple(sorted(source.decode() for source in self._sources)),
            first_event=date.fromisoformat(self._days[0].decode()),
            last_event=date.fromisoformat(self._days[1].decode()),
            file_key_id=self.file_key_id,
        )

    def _flush(self) -> None:
        if not self._rows:
            return
        self._remember(self._rows)
        self._open_writer().write_table(_table(self._rows, self._sealed))
        self._bytes += self._waiting_bytes
        self._rows, self._sealed, self._waiting_bytes = [], [], 0

    def _remember(self, rows: list[ColdRow]) -> None:
        self._group = rows[0].group
        self._records += len(rows)
        self._sources.update(row.source for row in rows)
        days = [row.event_day for row in rows]
        if self._days:
            days += self._days
        self._days = min(days), max(days)

    def _open_writer(self):
        import pyarrow.parquet as pq

        if self._writer is None:
            about = {
                "plumbline.format": FORMAT_VERSION,
                "plumbline.raw_table": self.raw_table,
                "plumbline.file_key_id": self.file_key_id,
            }
            codecs = dict.fromkeys((column.name for column in schema()), "zstd") | {"sealed_row": "none"}
            self._writer = pq.ParquetWriter(
                self.path,
                schema().with_metadata(about),
                compression=codecs,
                use_dictionary=["source", "dataset", "data_class", "batch_id"],
                write_statistics=["record_id", "person_token"],
                write_page_checksum=True,
                store_schema=False,
            )
        return self._writer


def _table(rows: list[ColdRow], sealed: list[bytes]):
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = list(zip(*rows, strict=True))
    names = ColdRow._fields
    texts = {
        name: pa.array(columns[names.index(name)], pa.string())
        for name in ("record_id", "source", "dataset", "data_class", "person_token", "batch_id", "received_at")
    }
    texts["received_at"] = pc.cast(texts["received_at"], pa.timestamp("us", tz="UTC"))
    years = pa.array([int(year) for year in columns[names.index("event_year")]], pa.int16())
    values = {**texts, "event_year": years, "sealed_row": pa.array(sealed, pa.binary())}
    return pa.table([values[column.name] for column in schema()], schema=schema())


class ReadRow(NamedTuple):
    """One row of a file: ``row`` is its JSON, or None where the key of its person was destroyed."""

    record_id: str
    person_token: str | None
    row: bytes | None


def read_rows(path: Path, seal: RowSeal, *, only: frozenset[str] | None = None) -> Iterator[ReadRow]:
    """Open the rows of a file, in its order. ``only`` names record ids and reads no more row groups than may hold them."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for group in _groups(file, only):
            yield from _opened(file.read_row_group(group), seal, only)


def _groups(file, only: frozenset[str] | None) -> Iterator[int]:
    place = schema().get_field_index("record_id")
    for group in range(file.metadata.num_row_groups):
        bounds = file.metadata.row_group(group).column(place).statistics
        if only is None or bounds is None or any(bounds.min <= wanted <= bounds.max for wanted in only):
            yield group


def _opened(table, seal: RowSeal, only: frozenset[str] | None) -> Iterator[ReadRow]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if only is not None:
        table = table.filter(pc.is_in(table.column("record_id"), pa.array(sorted(only), pa.string())))
    names = ("record_id", "person_token", "batch_id", "sealed_row")
    ids, people, batches, sealed = (table.column(name).to_pylist() for name in names)
    owners = [owner_of(*of) for of in zip(people, batches, strict=True)]
    gone = seal.prepare(set(owners))
    for record_id, person, owner, row in zip(ids, people, owners, sealed, strict=True):
        yield ReadRow(record_id, person, None if owner in gone else seal.open(owner, record_id, row))


def compare(path: Path, seal: RowSeal, *, records: int, rows_sha256: str) -> Iterable[str]:
    """Yield the record ids of a file read back while comparing it with what was written.

    Every row is opened under keys fetched anew. Raises ColdFileError where schema, order, count or any row differs.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        if not file.schema_arrow.equals(schema(), check_metadata=False):
            raise _differs("its columns")
    digest, seen, last = hashlib.sha256(), 0, ""
    for read in read_rows(path, seal):
        if read.row is None:
            raise _differs("a row whose key is gone")
        if read.record_id <= last:
            raise _differs("the order of its records, or a record twice")
        digest.update(len(read.row).to_bytes(4, "big"))
        digest.update(read.row)
        seen, last = seen + 1, read.record_id
        yield read.record_id
    if seen != records:
        raise _differs(f"its count ({seen} of {records})")
    if digest.hexdigest() != rows_sha256:
        raise _differs("the content of its rows")


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes, streamed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _differs(what: str) -> ColdFileError:
    return ColdFileError(
        found=f"a file read back from the store differs in {what}",
        expected="what was written",
        action="nothing was catalogued and hot still has every row; look at the store's health and apply the plan again",
    )
