"""Brings a month back to hot as a copy on loan, and takes it away again.

The file stays the place of record: nothing about a loan can lose a row, and returning one is a delete. A full refresh of
staging over tiered months borrows them first; incremental staging has read its rows before and needs no loan.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from include.audit.refusals import refusals_told
from include.lifecycle import ledger, store
from include.lifecycle.archive import take_up
from include.lifecycle.cold_files import read_rows
from include.lifecycle.plan import Move
from include.lifecycle.row_seal import RowSeal
from include.lifecycle.tier_out import Patience, detach, finish
from include.lifecycle.work import MoveError, Work

ROWS_A_CALL = 2_000
BYTES_A_CALL = 8 << 20


@refusals_told("file.lending_refused", role="lifecycle")
def rehydrate(
    work: Work,
    *,
    raw_table: str,
    received_month: date,
    until: date,
    purpose: str,
    actor: str,
    data_class: str | None = None,
    wait_seconds: float = 0,
) -> dict[str, int]:
    """Copy the rows of a tiered month back into ``raw`` until a day. Returns counts: files, records, unreadable.

    ``unreadable`` are rows of erased persons, which no key opens. Repeatable: files already here are left alone. Raises
    NotRestoredError while the archive still thaws, MoveError where no file holds the month.
    """
    files = _files_of(work, raw_table, received_month, data_class)
    if not files:
        raise MoveError(
            found=f"no file holds rows of raw.{raw_table} received in {received_month:%Y-%m}",
            expected="a month that was moved out of hot",
            action="list what there is with 'python -m include.lifecycle files'",
        )
    counts = {"files": 0, "records": 0, "unreadable": 0}
    terms = _Terms(raw_table, received_month, until, purpose, actor)
    for file in files:
        if file.is_lent:
            continue
        lent, unreadable = _lend_file(work, file, terms, wait_seconds)
        counts = {
            "files": counts["files"] + 1,
            "records": counts["records"] + lent,
            "unreadable": counts["unreadable"] + unreadable,
        }
    return counts


def rehydrate_all(work: Work, *, until: date, purpose: str, actor: str, wait_seconds: float = 0) -> dict[str, int]:
    """Borrow every tiered month: what a full refresh of staging needs. Returns counts like ``rehydrate``."""
    months = work.hot.execute(
        """select distinct raw_table, received_month from lifecycle.cold_file where tier in ('cold', 'archive')
           order by received_month, raw_table"""
    ).fetchall()
    total = {"files": 0, "records": 0, "unreadable": 0}
    for raw_table, month in months:
        counts = rehydrate(
            work,
            raw_table=raw_table,
            received_month=month,
            until=until,
            purpose=purpose,
            actor=actor,
            wait_seconds=wait_seconds,
        )
        total = {name: total[name] + counts[name] for name in total}
    return total


@dataclass(frozen=True, slots=True)
class _Terms:
    raw_table: str
    received_month: date
    until: date
    purpose: str
    actor: str


@dataclass(frozen=True, slots=True)
class _File:
    file_id: int
    key: str
    tier: str
    key_id: str
    sha256: str
    data_class: str
    is_lent: bool


def _files_of(work: Work, raw_table: str, month: date, data_class: str | None) -> list[_File]:
    rows = work.hot.execute(
        """select f.file_id, f.object_key, f.tier, f.key_id, f.sha256, f.data_class, l.file_id is not null
           from lifecycle.cold_file f left join lifecycle.loan l using (file_id)
           where f.raw_table = %s and f.received_month = %s and f.tier in ('cold', 'archive')
             and (%s::text is null or f.data_class = %s) order by f.file_id""",
        [raw_table, month, data_class, data_class],
    )
    return [_File(*row) for row in rows]


def _lend_file(work: Work, file: _File, terms: _Terms, wait_seconds: float) -> tuple[int, int]:
    """Fetch, compare and insert one file's rows, all or none. Returns rows lent and rows nobody can read."""
    bucket, path = work.bucket(file.tier), work.folder / "lent.parquet"
    store.thaw(work.s3, bucket, file.key, wait_seconds=wait_seconds)
    if store.get_file(work.s3, bucket, file.key, path) != file.sha256:
        raise MoveError(
            found="a file has another checksum than the catalogue",
            expected="the bytes that were catalogued",
            action="restore the file from the bucket's replica or backup",
        )
    hot = work.hot
    hot.execute("select raw.ensure_partitions(%s, %s, %s)", [terms.raw_table, file.data_class, terms.received_month])
    with hot.transaction():
        _refuse_ended(hot, file)
        hot.execute(
            """insert into lifecycle.loan (raw_table, received_month, file_id, until, purpose, actor, taken_night)
               values (%s, %s, %s, %s, %s, %s, %s)""",
            [terms.raw_table, terms.received_month, file.file_id, terms.until, terms.purpose, terms.actor, work.night],
        )
        lent, unreadable = _lend(work, terms.raw_table, file.file_id, read_rows(path, RowSeal(work.keys, file.key_id)))
        hot.execute(
            "update lifecycle.loan set state = 'here', records = %s, unreadable = %s where file_id = %s",
            [lent, unreadable, file.file_id],
        )
        detail = {"records": lent, "unreadable": unreadable, "until": str(terms.until), "actor": terms.actor}
        ledger.audit(hot, "file.lent", file.key, detail, purpose=terms.purpose)
    path.unlink()
    return lent, unreadable


def _refuse_ended(hot, file: _File) -> None:
    """A destruction locks the same row first, so that a file is either lent or destroyed, never both."""
    (tier,) = hot.execute(
        "select tier from lifecycle.cold_file where file_id = %s for update", [file.file_id]
    ).fetchone()
    if tier not in ("cold", "archive"):
        raise MoveError(
            found=f"the file was {tier} meanwhile",
            expected="a file in cold or archive",
            action="list what there is with 'python -m include.lifecycle files'",
        )


def _lend(work: Work, raw_table: str, file_id: int, rows) -> tuple[int, int]:
    lent = unreadable = size = 0
    waiting: list[str] = []
    for read in rows:
        if read.row is None:
            unreadable += 1
            continue
        waiting.append(read.row.decode())
        size += len(read.row)
        if len(waiting) >= ROWS_A_CALL or size >= BYTES_A_CALL:
            lent += _insert(work, raw_table, file_id, waiting)
            waiting, size = [], 0
    return lent + (_insert(work, raw_table, file_id, waiting) if waiting else 0), unreadable


def _insert(work: Work, raw_table: str, file_id: int, rows: list[str]) -> int:
    return work.hot.execute("select raw.lend_rows(%s, %s, %b)", [raw_table, file_id, rows]).fetchone()[0]


def return_loan(work: Work, move: Move, patience: Patience = Patience()) -> int:  # noqa: B008 - frozen
    """Take the lent rows of a month away; drop the month where nothing else is in it. Returns rows returned."""
    unit, hot = move.unit, work.hot
    move_id = take_up(work, move)
    with hot.transaction():
        hot.execute("select set_config('lock_timeout', %s, true)", [f"{int(patience.lock_seconds * 1000)}ms"])
        files = hot.execute(
            """select file_id from lifecycle.loan join lifecycle.cold_file f using (file_id, raw_table, received_month)
               where raw_table = %s and received_month = %s and f.data_class = any(%s)""",
            [unit.raw_table, unit.received_month, list(unit.data_classes)],
        ).fetchall()
        returned = sum(
            hot.execute("select raw.return_rows(%s, %s, %s)", [unit.raw_table, unit.name, file_id]).fetchone()[0]
            for (file_id,) in files
        )
        hot.execute("delete from lifecycle.loan where file_id = any(%s)", [[file_id for (file_id,) in files]])
        hot.execute(
            "update lifecycle.move set state = 'verified', records = %s where move_id = %s", [returned, move_id]
        )
        detached = detach(hot, unit.name, patience) if _is_empty(hot, move) else None
        ledger.advance(hot, move_id, "catalogued", detached_table=detached)
        ledger.audit(hot, "month.loan_returned", unit.name, {"move": move_id, "records": returned})
    finish(work, move_id)
    return returned


def _is_empty(hot, move: Move) -> bool:
    from psycopg import sql

    from include.lifecycle.units import rows_of

    return hot.execute(sql.SQL("select not exists (select {})").format(rows_of(move.unit))).fetchone()[0]
