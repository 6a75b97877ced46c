"""Moves a month of raw out of Postgres into sealed files in cold.

copying     rows stream out, are sealed, written, uploaded, read back and compared; hot is the place of every row
verified    every file is proven; hot is still the place
catalogued  one transaction: the catalogue names the files, the month is detached, ledger and audit say so
done        the detached table is dropped

Killed anywhere, the next run goes on from the state written down: it throws away files of a copy that was not proven,
catalogues a proven one, drops a catalogued one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import psycopg
from psycopg import sql

from include.lifecycle import ledger, store
from include.lifecycle.archive import take_up
from include.lifecycle.cold_files import ColdFileWriter, ColdRow, Written, compare
from include.lifecycle.data_keys import new_file_key_id
from include.lifecycle.holds import refuse_held
from include.lifecycle.plan import Move
from include.lifecycle.policy import Retention
from include.lifecycle.row_seal import RowSeal
from include.lifecycle.units import EVENT_DAY, Unit, counted_year, rows_of
from include.lifecycle.work import BusyError, ChangedError, MoveError, Work
from include.warehouse.connect import connect

ROWS_A_CHUNK = 4_096
BYTES_A_CHUNK = 8 << 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long detaching waits for readers: readers behind us wait at most ``lock_seconds`` at a time."""

    lock_seconds: float = 1.0
    attempts: int = 20
    pause_seconds: float = 1.0


def tier_out(work: Work, move: Move, patience: Patience = Patience()) -> int:
    """Move the month that ``move`` names to cold. Returns records moved.

    Raises RegionError, ChangedError, BusyError, or MoveError; in each case hot still has every row.
    """
    for data_class in move.unit.data_classes:
        store.require_region(work.s3, work.cold, work.retention.rule(data_class).regions, data_class)
    move_id = _take_up(work, move)
    if _state(work, move_id) == "copying":
        _copy(work, move.unit, move_id)
        ledger.advance(work.hot, move_id, "verified")
    else:
        _prove_again(work, move_id)
    moved = _catalogue(work, move.unit, move_id, patience)
    finish(work, move_id)
    return moved


def finish(work: Work, move_id: int) -> None:
    """Drop what a catalogued move detached, and close the move."""
    detached = work.hot.execute("select detached_table from lifecycle.move where move_id = %s", [move_id]).fetchone()[0]
    if detached:
        work.hot.execute("select raw.drop_detached(%s)", [detached])
    ledger.advance(work.hot, move_id, "done")


def abandon(work: Work, move_id: int) -> None:
    """Throw away the files of a copy that was never catalogued; hot has their rows. What the store finishes later of an upload
    that a kill cut off is removed by ``abandoned.sweep_abandoned``."""
    for file_id, key, key_id in _files(work, move_id):
        store.remove_all_versions(work.s3, work.cold, key)
        work.keys.destroy(key_id)
        work.hot.execute(
            "update lifecycle.cold_file set tier = 'abandoned', abandoned_at = clock_timestamp() where file_id = %s",
            [file_id],
        )


def _take_up(work: Work, move: Move) -> int:
    move_id = take_up(work, move)
    if _state(work, move_id) == "copying":
        abandon(work, move_id)
    return move_id


def _state(work: Work, move_id: int) -> str:
    return work.hot.execute("select state from lifecycle.move where move_id = %s", [move_id]).fetchone()[0]


def _copy(work: Work, unit: Unit, move_id: int) -> None:
    _open_moved(work)
    with connect("lifecycle", settings=work.settings) as reader:
        for written in _write_files(work, unit, _read(reader, unit, work)):
            file_id, key = ledger.stage_file(
                work.hot, work.night, move_id, unit.raw_table, unit.received_month, written
            )
            store.put_file(work.s3, work.cold, key, written.path, written.sha256)
            written.path.unlink()
            _prove(work, file_id, key, written)


def _read(reader: psycopg.Connection, unit: Unit, work: Work) -> Iterator[list[ColdRow]]:
    """Rows of a month in chunks, sorted for files: by class, kind, source with days of its own, event year and record id."""
    query = sql.SQL("copy ({}) to stdout (format binary)").format(_select(unit, work))
    with reader.cursor() as cursor, cursor.copy(query) as copy:
        chunk, size = [], 0
        for row in copy.rows():
            cold = ColdRow(*row)
            if chunk and (len(chunk) >= ROWS_A_CHUNK or size >= BYTES_A_CHUNK or cold.group != chunk[-1].group):
                yield chunk
                chunk, size = [], 0
            chunk.append(cold)
            size += len(cold.row)
        if chunk:
            yield chunk


def _select(unit: Unit, work: Work) -> sql.Composed:
    documents = unit.raw_table == "resource"
    dataset = sql.SQL("resource_type") if documents else sql.Literal(unit.raw_table.partition("__")[2])
    kept = sorted({kind for rule in work.retention.rules.values() for kind in rule.kept_with_person})
    year = counted_year(work.retention.events)
    kind = sql.SQL("({} = any({}))").format(dataset, sql.Literal(kept))
    return sql.SQL(
        """select record_id::text, source::text, ({dataset})::text, data_class::text, ({year})::text,
                  case when {kind} then 't' else 'f' end, person_token::text, batch_id::text, received_at::text,
                  ({day} at time zone 'UTC')::date::text, {kept_as}, row_to_json(raw_row)::text
           from (select * {rows} order by data_class, {kind}, {kept_as}, {year}, record_id) raw_row"""
    ).format(dataset=dataset, year=year, kind=kind, day=EVENT_DAY, kept_as=_kept_as(work.retention), rows=rows_of(unit))


def _kept_as(retention: Retention) -> sql.Composed:
    """A row's source where its class keeps that source's records for days of their own, else ''."""
    own = sorted(f"{name} {source}" for name, rule in retention.rules.items() for source in rule.sources)
    return sql.SQL("(case when data_class || ' ' || source = any({}::text[]) then source else '' end)").format(
        sql.Literal(own)
    )


def _write_files(work: Work, unit: Unit, chunks: Iterator[list[ColdRow]]) -> Iterator[Written]:
    """Write chunks to files: a new one for each class, kind and year, and where one is full."""
    writer, group, numbers = None, None, count(1)
    for chunk in chunks:
        if writer is not None and (chunk[0].group != group or writer.is_full):
            yield writer.close()
            writer = None
        if writer is None:
            key_id, group = new_file_key_id(), chunk[0].group
            seal = RowSeal(work.keys, key_id, make=True)
            writer = ColdFileWriter(work.folder / f"{next(numbers)}.parquet", seal, key_id, unit.raw_table)
        writer.add(chunk)
    if writer is not None:
        yield writer.close()


def _open_moved(work: Work) -> None:
    work.hot.execute("drop table if exists pg_temp.moved")
    work.hot.execute("create temporary table moved (record_id uuid primary key, file_id bigint not null)")


def _prove(work: Work, file_id: int, key: str, written: Written) -> None:
    """Read a file back from the store, open every row under keys fetched anew, and note whose rows it has."""
    path = work.folder / "back.parquet"
    if store.get_file(work.s3, work.cold, key, path) != written.sha256:
        raise MoveError(
            found="a file read back from the store has another checksum",
            expected="the bytes that were uploaded",
            action="nothing was catalogued and hot still has every row; look at the store's health and apply the plan again",
        )
    seal = RowSeal(work.keys, written.file_key_id)
    with work.hot.cursor() as cursor, cursor.copy("copy pg_temp.moved from stdin") as moved:
        for record_id in compare(path, seal, records=written.records, rows_sha256=written.rows_sha256):
            moved.write_row((record_id, file_id))
    path.unlink()


def _prove_again(work: Work, move_id: int) -> None:
    """After a kill between proof and catalogue: the files must still be what was proven."""
    _open_moved(work)
    rows = work.hot.execute(
        """select f.file_id, f.object_key, f.data_class, f.event_year, f.with_person, f.records, f.bytes, f.sha256,
                  f.rows_sha256, f.sources, f.first_event, f.last_event, f.key_id
           from lifecycle.move_file join lifecycle.cold_file f using (file_id) where move_id = %s and f.tier = 'staged'""",
        [move_id],
    ).fetchall()
    for file_id, key, *rest in rows:
        _prove(work, file_id, key, Written(work.folder / "back.parquet", *rest))


def _files(work: Work, move_id: int) -> list[tuple[int, str, str]]:
    return work.hot.execute(
        """select f.file_id, f.object_key, f.key_id from lifecycle.move_file join lifecycle.cold_file f using (file_id)
           where move_id = %s and f.tier = 'staged'""",
        [move_id],
    ).fetchall()


def _catalogue(work: Work, unit: Unit, move_id: int, patience: Patience) -> int:
    """The one transaction in which the place of every row changes from the month to the files."""
    hot = work.hot
    try:
        with hot.transaction():
            hot.execute("select set_config('lock_timeout', %s, true)", [f"{int(patience.lock_seconds * 1000)}ms"])
            refuse_held(hot, unit, _held_in_moved(hot))
            hot.execute("select raw.freeze_partition(%s)", [unit.name])
            _refuse_changed(hot, unit)
            moved = _point_records_at_files(hot, move_id)
            detached = detach(hot, unit.name, patience)
            ledger.advance(hot, move_id, "catalogued", detached_table=detached)
            ledger.audit(
                hot, "partition.moved", unit.name, {"move": move_id, "records": moved, "from": "hot", "to": "cold"}
            )
    except psycopg.errors.LockNotAvailable as cause:
        raise _busy() from cause
    except ChangedError:
        abandon(work, move_id)
        ledger.advance(hot, move_id, "given_up")
        raise
    return moved


def _held_in_moved(hot) -> list[int]:
    rows = hot.execute(
        """select distinct h.hold_id from pg_temp.moved join lifecycle.record using (record_id)
           join lifecycle.held_person h using (person_token)"""
    )
    return [row[0] for row in rows]


def _refuse_changed(hot, unit: Unit) -> None:
    differing = hot.execute(
        sql.SQL(
            """select count(*) from (select record_id {rows}) here full join pg_temp.moved m using (record_id)
               where here.record_id is null or m.record_id is null"""
        ).format(rows=rows_of(unit))
    ).fetchone()[0]
    if differing:
        raise ChangedError(
            found=f"{differing} row(s) of the month came or went since it was copied",
            expected="a month that nobody writes to while it moves",
            action="nothing was moved; the next plan copies it again",
        )


def _point_records_at_files(hot, move_id: int) -> int:
    moved = hot.execute(
        """update lifecycle.record r set tier = 'cold', file_id = m.file_id from pg_temp.moved m
           where r.record_id = m.record_id and r.tier = 'hot'"""
    ).rowcount
    copied = hot.execute("select count(*) from pg_temp.moved").fetchone()[0]
    if moved != copied:
        raise MoveError(
            found=f"the catalogue knows {moved} of {copied} rows of the month as being in hot",
            expected="every row of raw to be in lifecycle.record",
            action="nothing was moved; run 'python -m include.lifecycle reconcile' and correct the catalogue first",
        )
    hot.execute(
        """update lifecycle.cold_file set tier = 'cold'
           where file_id in (select file_id from lifecycle.move_file where move_id = %s) and tier = 'staged'""",
        [move_id],
    )
    # The owner's function detaches only what a verified move names.
    hot.execute("update lifecycle.move set state = 'verified', records = %s where move_id = %s", [moved, move_id])
    return moved


def detach(hot, leaf: str, patience: Patience) -> str:
    """Detach, giving way to readers: a short wait, a pause so that readers behind us get through, again."""
    for attempt in range(1, patience.attempts + 1):
        try:
            with hot.transaction():
                return hot.execute("select raw.detach_partition(%s)", [leaf]).fetchone()[0]
        except psycopg.errors.LockNotAvailable as cause:
            if attempt == patience.attempts:
                raise _busy() from cause
            time.sleep(patience.pause_seconds * random.uniform(0.5, 1.5))
    raise _busy()


def _busy() -> BusyError:
    return BusyError(
        found="a session has been reading the month, or writing to it, for longer than the move may wait",
        expected="a moment in which nobody does",
        action="nothing was moved; the next run catalogues the files already copied. pg_stat_activity shows who reads",
    )
