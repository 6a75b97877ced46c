"""Opening again what stayed outside: a held-back batch after the policy changed, or records after the source was corrected.

Nothing is let in here. A batch goes back to 'landed', and a landing object is put on the list of those to read again; the
next load takes both from landing, and the gate judges them like any other. Every opening names who asked and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from include.quality.errors import ReplayError
from include.settings import Settings
from include.warehouse.connect import connect

# One request a landing object; each chosen row remembers the request that asks for it.
_ASK = """
with chosen as (
    select q.quarantine_id, q.dataset, q.object_sha256, q.records
    from quality.quarantine q join lifecycle.batch b using (batch_id)
    where b.state = 'promoted' and q.state = 'open' and q.object_sha256 is not null and q.source = %(source)s
      and q.reason_code = coalesce(%(code)s, q.reason_code) and q.batch_id = coalesce(%(batch)s, q.batch_id)),
asked as (
    insert into quality.replay_request (source, dataset, object_sha256, reason, asked_by)
    select distinct %(source)s, dataset, object_sha256, %(reason)s, %(by)s from chosen
    returning request_no, dataset, object_sha256),
marked as (
    update quality.quarantine q set state = 'replayed', state_changed_at = clock_timestamp(), replay_no = a.request_no
    from chosen c join asked a using (dataset, object_sha256) where q.quarantine_id = c.quarantine_id
    returning q.records)
select (select count(*) from asked), coalesce((select sum(records) from marked), 0)::bigint"""


@dataclass(frozen=True, slots=True)
class Reopened:
    """How much was opened again: batches, landing objects, and the quarantined records that they stand for."""

    batches: int = 0
    objects: int = 0
    records: int = 0


def reopen_batch(batch_id: str, *, asked_by: str, reason: str, settings: Settings | None = None) -> Reopened:
    """Send a held-back batch back to 'landed', its counts to nothing. Raises ReplayError unless it is held back."""
    with connect("checker", "hot", settings) as books:
        row = books.execute(
            "select state, quarantined from lifecycle.batch where batch_id = %s for update", [batch_id]
        ).fetchone()
        if row is None or row[0] != "held_back":
            raise ReplayError(
                found=f"batch {batch_id} is {row[0] if row else 'not known'}",
                expected="a batch that is held back",
                action="list them with: select batch_id, held_reason from governance.batches where state = 'held_back'",
            )
        for table in ("quarantine", "gate_result", "dimension_count"):
            _forget(books, table, batch_id)
        books.execute(
            """update lifecycle.batch set state = 'landed', received = 0, loaded = 0, duplicate = 0, quarantined = 0,
                   quality_share = null, held_reason = null, checked_at = null where batch_id = %s""",
            [batch_id],
        )
        books.execute(
            """update lifecycle.batch_object set received = null, loaded = null, duplicate = null, quarantined = null
               where batch_id = %s""",
            [batch_id],
        )
        _remember(books, "batch.reopened", batch_id, asked_by, reason, row[1])
    return Reopened(batches=1, records=row[1])


def reopen_held_back(source: str, *, asked_by: str, reason: str, settings: Settings | None = None) -> Reopened:
    """Send every held-back batch of a source back to 'landed', oldest night first."""
    with connect("checker", "hot", settings) as books:
        held = books.execute(
            "select batch_id from lifecycle.batch where source = %s and state = 'held_back' order by night, batch_id",
            [source],
        ).fetchall()
    done = [reopen_batch(batch_id, asked_by=asked_by, reason=reason, settings=settings) for (batch_id,) in held]
    return Reopened(batches=len(done), records=sum(each.records for each in done))


def reopen_records(
    source: str, *, asked_by: str, reason: str, reason_code: str | None = None, batch_id: str | None = None,
    settings: Settings | None = None,
) -> Reopened:  # fmt: skip
    """Ask for quarantined records of promoted batches to be read again, all of a source or those of a rule or batch.

    Their landing objects are read whole by the next load of the source; what was not asked for comes out as duplicates, so
    that counts add up. The rows are marked 'replayed'; a record refused again gets a new row in its new batch.
    """
    asked = {"source": source, "code": reason_code, "batch": batch_id, "reason": reason, "by": asked_by}
    with connect("checker", "hot", settings) as books:
        found = books.execute(_ASK, asked).fetchone()
        if found[1] == 0:
            raise ReplayError(
                found=f"no open quarantined record of source {source} in a promoted batch matches",
                expected="a source, rule or batch with open rows in quality.quarantine",
                action="look at governance.quarantine; records of held-back batches come back with their batch",
            )
        _remember(books, "records.reopened", source, asked_by, reason, found[1])
    return Reopened(objects=found[0], records=found[1])


def reopen_asked(asked: Mapping[str, str | None], settings: Settings | None = None) -> Reopened:
    """Do what a request says: ``source``, ``what`` (records or held_back), ``reason_code`` (records only), ``asked_by``, ``reason``."""
    who = {"asked_by": asked["asked_by"], "reason": asked["reason"], "settings": settings}
    if asked["what"] == "held_back":
        return reopen_held_back(asked["source"], **who)
    return reopen_records(asked["source"], reason_code=asked.get("reason_code"), **who)


def _forget(books: psycopg.Connection, table: str, batch_id: str) -> None:
    books.execute(sql.SQL("delete from quality.{} where batch_id = %s").format(sql.Identifier(table)), [batch_id])


def _remember(books: psycopg.Connection, action: str, subject: str, asked_by: str, reason: str, records: int) -> None:
    books.execute(
        "select audit.append(%s, %s, jsonb_build_object('records', %s::bigint), purpose => %s, actor => %s)",
        [action, subject, records, reason, asked_by],
    )
