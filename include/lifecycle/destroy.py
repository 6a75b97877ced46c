"""Ends what the policy has ended: shreds the file's key, removes every version, and issues a certificate.

A person's own key is left alone: the person may come back, and a destroyed key is never made again. The file's key is
enough, since a row opens only under both.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date

from include.lifecycle import ledger, store
from include.lifecycle.archive import people_held_in, state_of, take_up
from include.lifecycle.holds import refuse_held
from include.lifecycle.plan import Move
from include.lifecycle.work import ChangedError, Work

METHOD = (
    "NIST SP 800-88 Purge by Cryptographic Erase: the AES-256 key of the file was destroyed in the only database that "
    "held it; then Clear: every version of the object was deleted"
)
METHOD_LOCKED = METHOD.replace("every version", "every version, once the store's lock ends,").replace(
    "was deleted", "is deleted"
)


def destroy(work: Work, move: Move) -> int:
    """Destroy a file whose retention is over. Returns records destroyed. Killed anywhere, the next run goes on.

    The catalogue says 'destroyed' before anything is: from then on nobody is promised the records. Bytes that the store
    keeps locked cannot be opened any more and are removed by the first plan after the lock.
    """
    unit = move.unit
    move_id = take_up(work, move)
    if state_of(work, move_id) != "catalogued":
        _catalogue(work, move, move_id)
    finish(work, move_id)
    return unit.records


def finish(work: Work, move_id: int) -> None:
    """Carry out a destruction that is catalogued: key, bytes, certificate."""
    file_id, key_id, key = work.hot.execute(
        """select f.file_id, f.key_id, f.object_key from lifecycle.move_file join lifecycle.cold_file f using (file_id)
           where move_id = %s""",
        [move_id],
    ).fetchone()
    work.keys.destroy(key_id)
    remain = _remove_bytes(work, key)
    with work.hot.transaction():
        work.hot.execute("update lifecycle.cold_file set bytes_remain_until = %s where file_id = %s", [remain, file_id])
        _certify(work, move_id, file_id, remain)
        ledger.advance(work.hot, move_id, "done")


def remove_bytes(work: Work, move: Move) -> int:
    """Remove what a lock had kept of a destroyed file. Returns 0: its records ended before."""
    remain = _remove_bytes(work, move.unit.name)
    with work.hot.transaction():
        work.hot.execute(
            "update lifecycle.cold_file set bytes_remain_until = %s where file_id = %s", [remain, move.unit.file_id]
        )
        ledger.audit(work.hot, "file.bytes_removed", move.unit.name, {"remain_until": str(remain)})
    if remain is not None:
        raise ChangedError(
            found=f"the store keeps the bytes locked until {remain}",
            expected="a lock that has ended by the store's clock",
            action="nothing: they cannot be opened, and a plan after that day removes them",
        )
    return 0


def _catalogue(work: Work, move: Move, move_id: int) -> None:
    hot, unit = work.hot, move.unit
    with hot.transaction():
        refuse_held(hot, unit, people_held_in(hot, unit.file_id))
        _refuse_lent(hot, unit.file_id)
        hot.execute("insert into lifecycle.move_file values (%s, %s) on conflict do nothing", [move_id, unit.file_id])
        hot.execute(
            "update lifecycle.cold_file set tier = 'destroyed', destroyed_night = %s where file_id = %s",
            [work.night, unit.file_id],
        )
        hot.execute("update lifecycle.record set tier = 'destroyed' where file_id = %s", [unit.file_id])
        ledger.advance(hot, move_id, "catalogued")
        detail = {"move": move_id, "records": unit.records, "from": unit.tier, "rule": move.rule}
        ledger.audit(hot, "file.destruction_decided", unit.name, detail)


def _refuse_lent(hot, file_id: int) -> None:
    hot.execute("select from lifecycle.cold_file where file_id = %s for update", [file_id])
    if hot.execute("select from lifecycle.loan where file_id = %s", [file_id]).fetchone():
        raise ChangedError(
            found="rows of the file are on loan to hot",
            expected="a file that nobody works with",
            action="the file is destroyed after the loan is returned",
        )


def _remove_bytes(work: Work, key: str) -> date | None:
    """Remove a key from both buckets; the day to which the store keeps it, or None when nothing is left."""
    store.remove_all_versions(work.s3, work.cold, key)
    locked = store.look(work.s3, work.archive, key)
    if locked and locked.legal_hold:
        store.set_legal_hold(work.s3, work.archive, key, on=False)
    try:
        store.remove_all_versions(work.s3, work.archive, key)
    except store.LockedError:
        return locked.locked_until if locked else None
    return None


def _certify(work: Work, move_id: int, file_id: int, remain: date | None) -> None:
    hot = work.hot
    content = hot.execute(
        """select jsonb_build_object(
               'object', f.object_key, 'sha256', f.sha256, 'rows_sha256', f.rows_sha256, 'records', f.records, 'bytes', f.bytes,
               'data_class', f.data_class, 'event_year', f.event_year, 'received_month', f.received_month, 'rule', m.rule,
               'night', %(night)s::date, 'policy_owner', %(owner)s::text, 'policy_sha256', %(policy)s::text,
               'requested_by', a.requested_by, 'approved_by', a.approved_by, 'approval_reason', a.reason,
               'method', %(method)s::text, 'bytes_remain_until', %(remain)s::date)
           from lifecycle.cold_file f join lifecycle.move m on m.move_id = %(move)s
           left join lifecycle.approval a using (file_id) where f.file_id = %(file)s""",
        {
            "night": work.night, "owner": work.retention.owner, "policy": work.retention.sha256, "move": move_id,
            "method": METHOD_LOCKED if remain else METHOD, "remain": remain, "file": file_id,
        },
    ).fetchone()[0]  # fmt: skip
    text = json.dumps(content, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    issued = hot.execute(
        """insert into lifecycle.certificate (move_id, night, content, sha256) values (%s, %s, %s, %s)
           on conflict (move_id) do nothing returning certificate_id""",
        [move_id, work.night, text, digest],
    ).fetchone()
    if issued:
        detail = {"certificate": issued[0], "sha256": digest, "records": content["records"]}
        ledger.audit(hot, "file.destroyed", content["object"], detail)
