"""Ends the bytes as received when landing's days are over. The catalogue row stays, so the same bytes are still known."""

from __future__ import annotations

from datetime import date

from include.lifecycle import ledger, store
from include.lifecycle.archive import take_up
from include.lifecycle.holds import refuse_held
from include.lifecycle.plan import Move
from include.lifecycle.units import Unit, held_in_landing
from include.lifecycle.work import Work


def expire_landing(work: Work, move: Move) -> int:
    """Remove every version of what a source delivered in a night. Returns objects removed; repeatable after a kill."""
    unit = move.unit
    source, night = unit.sources[0], unit.received_month
    move_id = take_up(work, move)
    # Held to the last object: who sets a hold waits for the end, or is seen here. People may be held since the plan was made.
    work.hot.execute("select pg_advisory_lock_shared(hashtext('lifecycle.hold'))")
    try:
        refuse_held(work.hot, unit, held_in_landing(work.hot).get((source, night), ()))
        return _remove(work, unit, source, night, move_id)
    finally:
        work.hot.execute("select pg_advisory_unlock_shared(hashtext('lifecycle.hold'))")


def _remove(work: Work, unit: Unit, source: str, night: date, move_id: int) -> int:
    objects = work.hot.execute(
        """select sha256, object_key from lifecycle.landing_object
           where source = %s and first_night = %s and removed_night is null order by sha256""",
        [source, night],
    ).fetchall()
    for sha256, key in objects:
        for listed in store.keys_below(work.s3, work.settings.bucket_landing, key):
            store.remove_all_versions(work.s3, work.settings.bucket_landing, listed)
        work.hot.execute(
            "update lifecycle.landing_object set removed_night = %s where source = %s and sha256 = %s",
            [work.night, source, sha256],
        )
    with work.hot.transaction():
        ledger.advance(work.hot, move_id, "done")
        ledger.audit(work.hot, "landing.expired", unit.name, {"move": move_id, "objects": len(objects)})
    return len(objects)
