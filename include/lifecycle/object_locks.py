"""Keeps the store's own guards on archived objects in line with holds and policy: legal holds, and locks made longer."""

from __future__ import annotations

from collections.abc import Iterator

from include.lifecycle import ledger, store
from include.lifecycle.holds import read_holds
from include.lifecycle.units import Unit, read_files
from include.lifecycle.work import Work


def guard_objects(work: Work) -> dict[str, int]:
    """Set and lift legal holds, and extend locks where the policy keeps a class longer now. Returns how many of each."""
    archived = [unit for unit in read_files(work.hot) if unit.tier == "archive"]
    return {
        "legal_holds_changed": sum(_follow_holds(work, archived)),
        "locks_extended": sum(_follow_policy(work, unit) for unit in archived),
    }


def _follow_holds(work: Work, archived: list[Unit]) -> Iterator[int]:
    holds = read_holds(work.hot)
    marked = {row[0] for row in work.hot.execute("select file_id from lifecycle.cold_file where legal_hold").fetchall()}
    for unit in archived:
        held = any(hold.stops(unit) for hold in holds)
        if held == (unit.file_id in marked):
            continue
        store.set_legal_hold(work.s3, work.archive, unit.name, on=held)
        with work.hot.transaction():
            work.hot.execute("update lifecycle.cold_file set legal_hold = %s where file_id = %s", [held, unit.file_id])
            ledger.audit(work.hot, "object.hold_set" if held else "object.hold_lifted", unit.name, {})
        yield 1


def _follow_policy(work: Work, unit: Unit) -> bool:
    """A lock can only grow; a policy that would end a file before its lock was refused when the plan was made."""
    ends = work.retention.rule_of(unit).ends_after(unit.event_year)
    if unit.locked_until is None or ends <= unit.locked_until:
        return False
    store.extend_lock(work.s3, work.archive, unit.name, ends)
    with work.hot.transaction():
        work.hot.execute("update lifecycle.cold_file set locked_until = %s where file_id = %s", [ends, unit.file_id])
        ledger.audit(work.hot, "object.lock_extended", unit.name, {"until": str(ends)})
    return True
