"""Erases a person: out of landing, hot, restricted layers and marts; their keys destroyed, so that what stays is noise.

begun         the ledger in the audit bucket has the tokens; from here on every restored backup forgets the person again
landing_done  no object of landing holds them, in any version
keys_gone     their data keys are destroyed: sealed rows in cold, the archive and backups cannot be opened by anyone
hot_done      no row of raw, intake, the restricted layers or the published marts is about them
done          the receipt is written

Killed anywhere, the next run (or the next night's tiering) goes on from the state written down; every step may be done
twice. A hold stops it before anything is erased, and again before the keys go.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID, uuid4

from include.audit.refusals import refusals_told
from include.errors import PlumblineError
from include.lifecycle import ledger
from include.lifecycle.erase_rows import destroy_person_keys, person_of, remove_rows
from include.lifecycle.erasure_ledger import LedgerEntry, write_entry
from include.lifecycle.holds import refuse_one_name
from include.lifecycle.work import Work, store_troubles

AGGREGATES = ("measures.", "equity.")


class ErasureError(PlumblineError):
    """A person who cannot be erased as asked; nothing was erased that the state does not say."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a person is found, as counts: what a dry run shows. ``held`` are the reasons of holds that forbid it."""

    tokens: tuple[UUID, ...]
    person_keys: tuple[UUID, ...]
    sources: tuple[str, ...]
    records: dict[str, int]
    files: int
    held: tuple[str, ...]


def reach_of(work: Work, person_token: UUID) -> Reach:
    """Find a person by one of their tokens, in every source and tier. Changes nothing.

    Raises ErasureError where no record, link or key of the token is known.
    """
    people = person_of(work.hot, [person_token])
    tokens = tuple(sorted(people, key=str))
    rows = work.hot.execute(
        """select tier, count(*), array_agg(distinct source), count(distinct file_id) from lifecycle.record
           where person_token = any(%s) group by 1""",
        [list(tokens)],
    ).fetchall()
    if not rows:
        raise ErasureError(
            found="no record of this person token",
            expected="the token of a person whose records were received here",
            action="ask for the token with 'python -m include.lifecycle token --source NAME', which reads the id from standard input",
        )
    return Reach(
        tokens=tokens,
        person_keys=tuple(sorted({key for key in people.values() if key}, key=str)),
        sources=tuple(sorted({source for row in rows for source in row[2]})),
        records={row[0]: row[1] for row in rows},
        files=sum(row[3] for row in rows),
        held=_holds_on(work.hot, tokens),
    )


@refusals_told("erasure.refused", role="lifecycle")
def erase_person(work: Work, person_token: UUID, *, reason: str, requested_by: str, approved_by: str) -> UUID:
    """Erase a person for good and return the erasure's number, whose receipt is in ``lifecycle.erasure``.

    Takes up an erasure of the same person that was begun before. Raises ErasureError where a hold forbids it, HoldError
    where two names and a reason are not given.
    """
    refuse_one_name(requested_by, approved_by, reason, doing="an erasure")
    erasure_id = _begun_before(work, person_token)
    if erasure_id is None:
        erasure_id = _begin(work, reach_of(work, person_token), reason, requested_by, approved_by)
    carry_on(work, erasure_id)
    return erasure_id


def erase_asked(night: date, asked: Mapping[str, str]) -> str:
    """The same as a run of the DAG asks for it: person_token, reason, requested_by, approved_by. Returns the number as text."""
    from include.lifecycle.work import open_work

    with open_work(night) as work:
        names = {name: asked[name] for name in ("reason", "requested_by", "approved_by")}
        return str(erase_person(work, UUID(asked["person_token"]), **names))


def carry_on(work: Work, erasure_id: UUID) -> None:
    """Do what is left of an erasure that was begun."""
    from include.lifecycle.erase_objects import erase_from_landing

    hot = work.hot
    _keep_movers_out(work)
    state = _state(hot, erasure_id)
    tokens, person_keys = people_of(hot, erasure_id)
    # Written first, and again by every try: it is what later restores go by.
    write_entry(work.settings, LedgerEntry(erasure_id, work.night, tokens, person_keys))
    if state == "begun":
        _refuse_held(hot, tokens)
        _advance(work, erasure_id, "landing_done", erase_from_landing(work, erasure_id, tokens))
    if _state(hot, erasure_id) == "landing_done":
        _refuse_held(hot, tokens)
        _give_up_copies(work)
        _advance(work, erasure_id, "keys_gone", {"keys_destroyed": destroy_person_keys(work.settings, tokens)})
    if _state(hot, erasure_id) == "keys_gone":
        _advance(work, erasure_id, "hot_done", _out_of_databases(work, erasure_id, tokens, person_keys))
    if _state(hot, erasure_id) == "hot_done":
        _write_receipt(work, erasure_id)


def resume_erasures(work: Work) -> int:
    """Finish erasures that a kill left open. Returns how many; one that a hold or the store stops stays open, and the trail says so."""
    rows = work.hot.execute(
        "select erasure_id from lifecycle.erasure where state <> 'done' order by begun_at"
    ).fetchall()
    finished = 0
    for (erasure_id,) in rows:
        try:
            carry_on(work, erasure_id)
            finished += 1
        except (ErasureError, *store_troubles()) as stopped:
            ledger.audit(
                work.hot, "erasure.waiting", str(erasure_id), {"error": type(stopped).__name__}, outcome="failure"
            )
    return finished


def people_of(hot, erasure_id: UUID) -> tuple[tuple[UUID, ...], tuple[UUID, ...]]:
    """Tokens and person keys that an erasure covers."""
    rows = hot.execute(
        "select person_token, person_key from lifecycle.erasure_person where erasure_id = %s order by 1", [erasure_id]
    ).fetchall()
    return tuple(row[0] for row in rows), tuple(sorted({row[1] for row in rows if row[1]}, key=str))


def _begun_before(work: Work, person_token: UUID) -> UUID | None:
    row = work.hot.execute(
        """select erasure_id from lifecycle.erasure_person join lifecycle.erasure using (erasure_id)
           where person_token = %s and state <> 'done'""",
        [person_token],
    ).fetchone()
    return row and row[0]


def _begin(work: Work, reach: Reach, reason: str, requested_by: str, approved_by: str) -> UUID:
    erasure_id, hot = uuid4(), work.hot
    with hot.transaction():
        hot.execute("select pg_advisory_xact_lock_shared(hashtext('lifecycle.hold'))")
        _refuse_held(hot, reach.tokens)
        hot.execute(
            """insert into lifecycle.erasure (erasure_id, night, reason, requested_by, approved_by)
               values (%s, %s, %s, %s, %s)""",
            [erasure_id, work.night, reason, requested_by, approved_by],
        )
        hot.execute(
            """insert into lifecycle.erasure_person select %s, t, l.person_key
               from unnest(%s::uuid[]) t left join restricted.person_link l on l.person_token = t""",
            [erasure_id, list(reach.tokens)],
        )
        names = {"requested_by": requested_by, "approved_by": approved_by}
        ledger.audit(hot, "erasure.begun", str(erasure_id), names, purpose=reason)
    return erasure_id


def _state(hot, erasure_id: UUID) -> str:
    return hot.execute("select state from lifecycle.erasure where erasure_id = %s", [erasure_id]).fetchone()[0]


def _advance(work: Work, erasure_id: UUID, state: str, counts: dict[str, int]) -> None:
    with work.hot.transaction():
        work.hot.execute(
            "update lifecycle.erasure set state = %s, counts = counts || %s where erasure_id = %s",
            [state, json.dumps(counts), erasure_id],
        )
        ledger.audit(work.hot, f"erasure.{state}", str(erasure_id), counts)


def _holds_on(hot, tokens: Collection[UUID]) -> tuple[str, ...]:
    """Holds that any record of the person matches, by the year of its event."""
    rows = hot.execute(
        """select distinct h.hold_id, h.reason from lifecycle.hold h join lifecycle.record r on r.person_token = any(%(tokens)s)
           where h.lifted_at is null
             and (h.person_token is null or exists (
                 select from lifecycle.held_person p where p.hold_id = h.hold_id and p.person_token = any(%(tokens)s)))
             and (h.data_class is null or h.data_class = r.data_class) and (h.source is null or h.source = r.source)
             and (h.event_from is null or r.event_year is null or r.event_year >= extract(year from h.event_from))
             and (h.event_to is null or r.event_year is null or r.event_year <= extract(year from h.event_to))
             and r.tier not in ('destroyed', 'erased')
           order by 1""",
        {"tokens": list(tokens)},
    ).fetchall()
    return tuple(f"hold {hold_id} ({reason})" for hold_id, reason in rows)


def _refuse_held(hot, tokens: Collection[UUID]) -> None:
    held = _holds_on(hot, tokens)
    if held:
        raise ErasureError(
            found=f"the person's records are under {', '.join(held)}",
            expected="no legal hold on what is erased",
            action="tell who asked that a hold forbids it, and ask again when it was lifted",
        )


def _keep_movers_out(work: Work) -> None:
    from include.lifecycle.move import one_at_a_time, resume

    one_at_a_time(work, 30)
    resume(work)


def _give_up_copies(work: Work) -> None:
    """Copies of months that were not catalogued hold the person's rows: they could not be proven without the key."""
    from include.lifecycle.archive import give_up

    for known in ledger.open_moves(work.hot):
        if known.action == "tier_out" and known.state in ("copying", "verified"):
            give_up(work, known)


def _out_of_databases(
    work: Work, erasure_id: UUID, tokens: Collection[UUID], person_keys: Collection[UUID]
) -> dict[str, int]:
    counts = remove_rows(work.settings, tokens, person_keys)
    with work.hot.transaction():
        counts["raw"] = work.hot.execute("select raw.erase_rows(%s)", [erasure_id]).fetchone()[0]
        counts["alerts"] = work.hot.execute("select critical.erase_rows(%s)", [erasure_id]).fetchone()[0]
        tiers = work.hot.execute(
            """with was as (select record_id, tier from lifecycle.record where person_token = any(%(tokens)s)
                            and tier not in ('erased', 'destroyed') for update),
                    gone as (update lifecycle.record r set tier = 'erased' from was where was.record_id = r.record_id)
               select tier, count(*) from was group by 1""",
            {"tokens": list(tokens)},
        ).fetchall()
    return {**counts, **{f"records_in_{tier}": count for tier, count in tiers}}


def _write_receipt(work: Work, erasure_id: UUID) -> None:
    hot = work.hot
    night, reason, requested_by, approved_by, counts = hot.execute(
        "select night, reason, requested_by, approved_by, counts from lifecycle.erasure where erasure_id = %s",
        [erasure_id],
    ).fetchone()
    final_on = _final_on(work)
    content = {
        "erasure": str(erasure_id), "night": str(night), "reason": reason, "requested_by": requested_by,
        "approved_by": approved_by, "counts": counts, "final_on": str(final_on),
        "landing": _landing_hashes(hot, erasure_id), "unreadable_files": _unreadable_files(hot, erasure_id),
        "method": "NIST SP 800-88 Purge by Cryptographic Erase for sealed copies, Clear for rows and landing objects",
        "stays": "aggregates already published, which name nobody; sealed rows in locked files, which no key opens; "
                 "tokens by which the person is refused when sent again",
        "aggregates": _aggregates(work),
    }  # fmt: skip
    text = json.dumps(content, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    with hot.transaction():
        hot.execute(
            """update lifecycle.erasure set state = 'done', done_at = clock_timestamp(), final_on = %s, receipt = %s,
                      receipt_sha256 = %s where erasure_id = %s""",
            [final_on, text, digest, erasure_id],
        )
        ledger.audit(hot, "person.erased", str(erasure_id), {"receipt_sha256": digest, "final_on": str(final_on)})


def _final_on(work: Work) -> date:
    """The day after the last backup of keys that was made before now expires: one on the books, in the bucket, or being made."""
    from include.backups.policy import load_backup_policy
    from include.backups.vault import read_manifests

    on_the_books, being_made = work.hot.execute(
        """select (select max(expires_on) from lifecycle.backup where kind = 'keys' and removed_at is null),
                  exists (select from lifecycle.step where step = 'back_up' and state = 'running')"""
    ).fetchone()
    # Signatures do not matter here: whatever says that it is a backup of keys is waited for.
    lasts = [date.fromisoformat(each.expires_on) for each in read_manifests(work.settings, "keys", None)]
    lasts += [on_the_books] if on_the_books else []
    lasts += [work.night + timedelta(days=load_backup_policy().keys_keep_days)] if being_made else []
    return max(work.night, max(lasts) + timedelta(days=1)) if lasts else work.night


def _landing_hashes(hot, erasure_id: UUID) -> list[dict[str, str | None]]:
    rows = hot.execute(
        """select sha256, rewritten_sha256 from lifecycle.landing_object
           where object_key like '%%' || %s order by sha256""",
        [suffix_of(erasure_id)],
    ).fetchall()
    return [{"received": was, "now": now} for was, now in rows]


def _unreadable_files(hot, erasure_id: UUID) -> list[dict[str, object]]:
    rows = hot.execute(
        """select f.sha256, f.tier, count(*), f.locked_until::text from lifecycle.erasure_person p
           join lifecycle.record r using (person_token) join lifecycle.cold_file f using (file_id)
           where p.erasure_id = %s and f.tier in ('cold', 'archive') group by f.file_id order by f.sha256""",
        [erasure_id],
    ).fetchall()
    names = ("sha256", "tier", "rows_unreadable", "locked_until")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _aggregates(work: Work) -> list[str]:
    from include.warehouse.connect import connect

    with connect("publisher", "warm", work.settings) as warm:
        rows = warm.execute(
            """select p.relation, p.night from governance.published_version p
               where not exists (select from pg_attribute a where a.attrelid = to_regclass(p.relation) and a.attname = 'person_key')
               order by 1"""
        ).fetchall()
    return [f"{relation} of {night}" for relation, night in rows if relation.startswith(AGGREGATES)]


def suffix_of(erasure_id: UUID) -> str:
    """What the key of an object ends in that this erasure wrote anew."""
    return f".without-{str(erasure_id)[:13]}"
