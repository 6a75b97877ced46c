"""Moves a file from cold to the archive: a frozen storage class, locked until its records may end."""

from __future__ import annotations

from include.lifecycle import ledger, store
from include.lifecycle.holds import refuse_held
from include.lifecycle.plan import Move
from include.lifecycle.work import BusyError, MoveError, Work


def archive(work: Work, move: Move) -> int:
    """Copy a file to the archive, compare, catalogue, remove it from cold. Returns records moved.

    Locked in COMPLIANCE mode to the last day its class keeps its event year; where that day has passed by the store's own
    clock it is not locked. Killed anywhere, the next run goes on.
    """
    unit = move.unit
    rule = work.retention.rule_of(unit)
    store.require_region(work.s3, work.archive, rule.regions, rule.data_class)
    move_id = take_up(work, move)
    if state_of(work, move_id) != "catalogued":
        _copy(work, unit.name, sha256_of_file(work, unit.file_id), rule.ends_after(unit.event_year))
        _catalogue(work, move, move_id)
    finish(work, move_id, unit.name)
    return unit.records


def finish(work: Work, move_id: int, key: str) -> None:
    """Remove a file that the archive now holds from cold, every version, and close the move."""
    store.remove_all_versions(work.s3, work.cold, key)
    ledger.advance(work.hot, move_id, "done")


def take_up(work: Work, move: Move) -> int:
    """The open move of this subject that does the same, or a new one.

    One that was to do something else is given up first: a file that was on its way to the archive when its retention ended is
    destroyed under a move of its own, so that whoever finishes it destroys it. One that the books already follow is not
    touched: it must be finished as what it is.
    """
    for known in ledger.open_moves(work.hot):
        if known.subject != move.unit.name:
            continue
        if known.action == move.action:
            ledger.reopen(work.hot, known.move_id)
            return known.move_id
        if known.state == "catalogued":
            raise BusyError(
                found=f"an earlier move of it ({known.action}) is catalogued and not finished",
                expected="one move of a file or month at a time",
                action="nothing was done; the next run finishes the earlier one first",
            )
        give_up(work, known)
    return ledger.begin(work.hot, work.night, move)


def give_up(work: Work, known: ledger.OpenMove) -> None:
    """Close a move that was never catalogued; copies of a month that it made are thrown away."""
    from include.lifecycle.tier_out import abandon

    if known.action == "tier_out":
        abandon(work, known.move_id)
    ledger.advance(work.hot, known.move_id, "given_up")


def state_of(work: Work, move_id: int) -> str:
    """How far a move has come."""
    return work.hot.execute("select state from lifecycle.move where move_id = %s", [move_id]).fetchone()[0]


def sha256_of_file(work: Work, file_id: int) -> str:
    """The checksum that the catalogue has of a file."""
    return work.hot.execute("select sha256 from lifecycle.cold_file where file_id = %s", [file_id]).fetchone()[0]


def people_held_in(hot, file_id: int) -> list[int]:
    """Ids of holds on persons who have a record in the file."""
    rows = hot.execute(
        """select distinct h.hold_id from lifecycle.held_person h join lifecycle.record r using (person_token)
           where r.file_id = %s""",
        [file_id],
    )
    return [row[0] for row in rows]


def _copy(work: Work, key: str, sha256: str, ends) -> None:
    """Stream the file through this machine, so that its bytes are compared with the catalogue on the way."""
    path = work.folder / "archive.parquet"
    if store.get_file(work.s3, work.cold, key, path) != sha256:
        raise MoveError(
            found="a file in cold has another checksum than the catalogue",
            expected="the bytes that were catalogued",
            action="restore the file from the bucket's replica or backup; it stays in cold until then",
        )
    store.put_file(work.s3, work.archive, key, path, sha256, lock_until=ends, archive=True)
    stored = store.look(work.s3, work.archive, key)
    if stored is None or stored.sha256 != sha256 or stored.bytes != path.stat().st_size:
        raise MoveError(
            found="the archive's copy of a file is missing or has another checksum or size",
            expected="the bytes that were uploaded",
            action="the file stays in cold; look at the archive's health and apply the plan again",
        )
    path.unlink()


def _catalogue(work: Work, move: Move, move_id: int) -> None:
    hot, unit = work.hot, move.unit
    stored = store.look(work.s3, work.archive, unit.name)
    with hot.transaction():
        refuse_held(hot, unit, people_held_in(hot, unit.file_id))
        hot.execute(
            """update lifecycle.cold_file set tier = 'archive', archived_night = %s, locked_until = %s
               where file_id = %s and tier = 'cold'""",
            [work.night, stored.locked_until, unit.file_id],
        )
        hot.execute("update lifecycle.record set tier = 'archive' where file_id = %s and tier = 'cold'", [unit.file_id])
        ledger.advance(hot, move_id, "catalogued")
        detail = {
            "move": move_id,
            "records": unit.records,
            "locked_until": str(stored.locked_until),
            "from": "cold",
            "to": "archive",
        }
        ledger.audit(hot, "file.archived", unit.name, detail)
