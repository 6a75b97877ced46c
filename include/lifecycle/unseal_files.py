"""Cold and archived files opened for an engine of one's own (DuckDB, Spark, Trino): plain Parquet, partitioned as the files are.

What is written is restricted data on a disk, so it takes a purpose and a name, goes to the trail file by file before anything is
opened, and lands in a new folder that only its owner may enter. Identifiers stay sealed inside each row unless ``whole`` is asked
for; rows of erased persons do not open and are counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from include.audit.refusals import refusals_told
from include.lifecycle import ledger, store
from include.lifecycle.cold_files import read_rows
from include.lifecycle.retrieve import BOOKS, RetrieveError, parsed
from include.lifecycle.row_seal import RowSeal, owner_of
from include.lifecycle.work import Work
from include.privacy.sealing import open_sealed, rebuild

ROWS_A_GROUP = 8_192


@dataclass(frozen=True, slots=True)
class Chosen:
    """A file to open: its place in the store, its partition, and what its rows take."""

    key: str
    key_id: str
    raw_table: str
    tier: str
    sha256: str
    records: int
    bytes: int


def choose_files(
    work: Work, *, data_class: str | None = None, event_year: int | None = None, raw_table: str | None = None
) -> list[Chosen]:
    """Files in cold and archive that match every criterion given, in order of their partition. Reads the catalogue only."""
    rows = work.hot.execute(
        """select object_key, key_id, raw_table, tier, sha256, records, bytes from lifecycle.cold_file
           where tier in ('cold', 'archive') and (%(class)s::text is null or data_class = %(class)s)
             and (%(year)s::int is null or event_year = %(year)s) and (%(table)s::text is null or raw_table = %(table)s)
           order by object_key""",
        {"class": data_class, "year": event_year, "table": raw_table},
    )
    return [Chosen(*row) for row in rows.fetchall()]


@refusals_told("file.unsealing_refused", role="lifecycle")
def unseal_files(
    work: Work, files: list[Chosen], folder: Path, *, purpose: str, actor: str, whole: bool = False, wait_seconds: float = 0
) -> dict[str, int]:  # fmt: skip
    """Write the rows of ``files`` under ``folder``, one plain file for each, at the same place. Returns counts: files, rows, unreadable.

    Columns are those of the sealed files with ``row`` (JSON) in place of ``sealed_row``: the raw row without its sealed part, or
    with ``whole`` the record as it was received. Memory stays at one row group. Raises RetrieveError without a purpose and a name or
    into a folder that holds something, NotRestoredError while the archive thaws.
    """
    _refuse(folder, purpose, actor)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    counts = {"files": 0, "rows": 0, "unreadable": 0}
    for file in files:
        told = {"actor": actor, "records": file.records, "whole": whole}
        ledger.audit(work.hot, "file.unsealed", file.key, told, purpose=purpose)
        rows, unreadable = _unseal(work, file, folder / file.key, whole=whole, wait_seconds=wait_seconds)
        counts = {
            "files": counts["files"] + 1,
            "rows": counts["rows"] + rows,
            "unreadable": counts["unreadable"] + unreadable,
        }
    return counts


def _unseal(work: Work, file: Chosen, target: Path, *, whole: bool, wait_seconds: float) -> tuple[int, int]:
    import pyarrow.parquet as pq

    bucket, path = work.bucket(file.tier), work.folder / "sealed.parquet"
    store.thaw(work.s3, bucket, file.key, wait_seconds=wait_seconds)
    if store.get_file(work.s3, bucket, file.key, path) != file.sha256:
        raise RetrieveError(
            found="a file has another checksum than the catalogue",
            expected="the bytes that were catalogued",
            action="restore the file from the bucket's replica or backup; nothing of it was opened",
        )
    for parent in (target.parents[1], target.parent):
        parent.mkdir(mode=0o700, exist_ok=True)
    rows = unreadable = 0
    with _private(target) as sink, pq.ParquetWriter(sink, _schema(), compression="zstd") as out:
        for opened, gone in _groups(work, file, path, whole):
            out.write_table(_table(opened))
            rows, unreadable = rows + len(opened), unreadable + gone
    path.unlink()
    return rows, unreadable


def _groups(work: Work, file: Chosen, path: Path, whole: bool) -> Iterator[tuple[list[dict], int]]:
    """Rows in lists of at most a row group, as dictionaries, and how many of them nobody can open."""
    waiting, gone = [], 0
    for read in read_rows(path, RowSeal(work.keys, file.key_id)):
        if read.row is None:
            gone += 1
            continue
        waiting.append(read.row)
        if len(waiting) == ROWS_A_GROUP:
            yield _shown(work, file, waiting, whole), gone
            waiting, gone = [], 0
    yield _shown(work, file, waiting, whole), gone


def _shown(work: Work, file: Chosen, rows: list[bytes], whole: bool) -> list[dict]:
    import msgspec

    encode, found = msgspec.json.Encoder(decimal_format="number").encode, [parsed(row) for row in rows]
    sealed = [row.pop("sealed", None) for row in found]
    owners = [owner_of(row["person_token"], row["batch_id"]) for row in found]
    keys = work.keys.fetch(set(owners)) if whole else {}
    shown = []
    for row, hidden, owner in zip(found, sealed, owners, strict=True):
        about = {
            name: row.get(name)
            for name in ("record_id", "source", "person_token", "batch_id", "received_at", "event_at")
        }
        dataset = row.get("resource_type") or file.raw_table.partition("__")[2]
        content = _as_received(row, hidden, keys.get(owner)) if whole else row
        shown.append({**about, "dataset": dataset, "row": encode(content).decode()})
    return shown


def _as_received(row: dict, sealed: str | None, key: bytes | None) -> object:
    clear = row["body"] if "body" in row else {name: value for name, value in row.items() if name not in BOOKS}
    if sealed is None:
        return clear
    return rebuild(clear, open_sealed(key, UUID(row["record_id"]), bytes.fromhex(sealed.removeprefix("\\x"))))


@contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    """A new file that only its owner may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file


def _schema():
    import pyarrow as pa

    text, moment = pa.string(), pa.timestamp("us", tz="UTC")
    return pa.schema(
        [
            pa.field("record_id", text, nullable=False), pa.field("source", text, nullable=False), pa.field("dataset", text),
            pa.field("person_token", text), pa.field("batch_id", text, nullable=False), pa.field("event_at", moment),
            pa.field("received_at", moment, nullable=False), pa.field("row", text, nullable=False),
        ]
    )  # fmt: skip


def _table(rows: list[dict]):
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in _schema().names}
    for name in ("event_at", "received_at"):
        columns[name] = pc.cast(columns[name], pa.timestamp("us", tz="UTC"))
    return pa.table(columns, schema=_schema())


def _refuse(folder: Path, purpose: str, actor: str) -> None:
    if not purpose.strip() or not actor.strip():
        raise RetrieveError(
            found="files to be opened without a purpose or a name",
            expected="who asks and what for; both go to the audit trail",
            action="say both",
        )
    if folder.exists() and any(folder.iterdir()):
        raise RetrieveError(
            found=f"{folder.name} is not empty",
            expected="a new folder, so that what was opened for a purpose stands apart and can be deleted with it",
            action="name another folder",
        )
