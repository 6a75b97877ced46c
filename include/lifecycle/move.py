"""Does what the night's plan says, no more, and says what has changed since it was made."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import date
from functools import partial

from include.errors import PlumblineError
from include.lifecycle import archive, destroy, expire_landing, ledger, rehydrate, tier_out
from include.lifecycle.abandoned import is_watching, sweep_abandoned
from include.lifecycle.erase import resume_erasures
from include.lifecycle.erase_objects import erase_what_came_again
from include.lifecycle.object_locks import guard_objects
from include.lifecycle.plan import Move, plan_moves
from include.lifecycle.policy import load_retention
from include.lifecycle.units import read_state
from include.lifecycle.work import (
    BusyError,
    ChangedError,
    MoveError,
    Work,
    open_work,
    store_troubles,
    where_the_store_answers,
)
from include.warehouse.connect import connect

_DOERS: dict[str, Callable[[Work, Move], int]] = {
    "tier_out": tier_out.tier_out,
    "archive": archive.archive,
    "destroy": destroy.destroy,
    "remove_bytes": destroy.remove_bytes,
    "expire_landing": expire_landing.expire_landing,
    "return_loan": rehydrate.return_loan,
}

_NOTHING = {"done": 0, "changed": 0, "waiting": 0, "failed": 0, "new_since_plan": 0, "records": 0, "bytes": 0}


ALERTS_CLASS = "lab_results"  # an alert is kept like the results it tells of
_UNGUARDED = {"legal_holds_changed": 0, "locks_extended": 0}


class PlanError(MoveError):
    """There is no plan to apply, or it was made under another policy."""


def apply_plan(night: date) -> dict[str, int]:
    """Apply the newest plan of ``night``. Returns counts: done by action, changed, waiting, failed, records and bytes moved.

    What a killed run left open is finished first. A line whose reason is gone, or that a hold has stopped since, is marked
    'changed' and not done; what has become due since waits for the next plan. A move that meets a busy table or store is
    marked 'waiting'. Raises MoveError at the end, after every other line was done, if any move failed or, on a night that moved
    something, a record is not in the one place that the catalogue says.
    """
    from include.nights import step

    with step(night, "tier", role="lifecycle") as running:
        if _nothing_to_do(night):
            return dict(_NOTHING)
        with open_work(night) as work:
            counts = apply_with(work)
        if counts["done"] or counts["resumed"]:
            counts["misplaced"] = _misplaced()
        running.count(**counts)
        _refuse_bad_end(night, counts)
    return counts


def _refuse_bad_end(night: date, counts: dict[str, int]) -> None:
    if counts.get("misplaced"):
        raise MoveError(
            found=f"{counts['misplaced']} record(s) or file(s) are not in the one place that the catalogue says",
            expected="every record in exactly one place",
            action="list them with 'python -m include.lifecycle reconcile' before anything else moves",
        )
    if counts["failed"]:
        raise MoveError(
            found=f"{counts['failed']} move(s) of the night failed; the data is where it was: {_why_failed(night)}",
            expected="every planned move done or waiting",
            action="correct the cause and apply the plan again; lifecycle.plan_line has every line's outcome",
        )


def _why_failed(night: date, most: int = 3) -> str:
    """The reasons of a night's failed moves, each once, with how many moves it stopped."""
    with connect("lifecycle") as hot:
        rows = hot.execute(
            """select outcome_note, count(*) from lifecycle.plan_line
               where outcome = 'failed' and plan_id = (select max(plan_id) from lifecycle.plan where night = %s)
               group by 1 order by 2 desc, 1""",
            [night],
        ).fetchall()
    told = [f"{note} ({times})" for note, times in rows[:most]]
    return "; ".join(told + ([f"and {len(rows) - most} other reasons"] if len(rows) > most else []))


def _nothing_to_do(night: date) -> bool:
    """Most nights: a plan without a line, nothing left open, nothing archived. Answers without a store or a key."""
    with connect("lifecycle") as hot:
        plan = ledger.newest_plan(hot, night)
        if plan is None or plan.lines or plan.policy_sha256 != load_retention().sha256 or ledger.open_moves(hot):
            return False
        if is_watching(hot) or _waits_to_be_erased(hot):
            return False
        return hot.execute("select not exists (select from lifecycle.cold_file where tier = 'archive')").fetchone()[0]


def _waits_to_be_erased(hot) -> bool:
    return hot.execute(
        """select exists (select from lifecycle.erasure where state <> 'done')
               or exists (select from quality.quarantine where reason_code = 'erased_person' and state = 'open')"""
    ).fetchone()[0]


def apply_with(work: Work, *, turn_seconds: float = 30) -> dict[str, int]:
    """The same with what the movers need at hand, for callers who bring their own store or policy."""
    one_at_a_time(work, turn_seconds)
    counts = dict(_NOTHING)
    counts["late_copies_removed"] = sweep_abandoned(work)
    counts["erasures_finished"] = resume_erasures(work)
    counts["objects_without_erased"] = where_the_store_answers(
        work, "erasure.again", lambda: erase_what_came_again(work), 0
    )
    counts["alerts_expired"] = expire_alerts(work)
    counts["resumed"] = resume(work)
    plan = ledger.newest_plan(work.hot, work.night)
    if plan is None or plan.policy_sha256 != work.retention.sha256:
        raise PlanError(
            found=f"no plan for {work.night}" if plan is None else f"a plan for {work.night} made under another policy",
            expected="a plan made for this night under the policy in force",
            action=f"make one with 'python -m include.lifecycle plan --day {work.night} --save' and look at it",
        )
    now = {move.unit.name: move for move in _plan_again(work)}
    for line in plan.lines:
        if line.outcome == "done" or line.stopped_by:
            continue
        _apply_line(work, plan.plan_id, line, now.get(line.unit), counts)
    counts |= where_the_store_answers(work, "objects.guard", lambda: guard_objects(work), _UNGUARDED)
    counts["late_copies_removed"] += sweep_abandoned(work)
    planned = {line.unit for line in plan.lines}
    counts["new_since_plan"] = sum(move.happens and name not in planned for name, move in now.items())
    return counts


def expire_alerts(work: Work) -> int:
    """Remove alerts about critical results whose class's retention ended. Returns how many."""
    rule = work.retention.rule(ALERTS_CLASS)
    asked = [ALERTS_CLASS, rule.retention_days, json.dumps(dict(rule.sources)), work.night]
    return work.hot.execute("select critical.expire(%s, %s, %s, %s)", asked).fetchone()[0]


def _misplaced() -> int:
    from include.lifecycle.reconcile import LOSSES, check_places

    return sum(finding.count for finding in check_places() if finding.kind in LOSSES)


def resume(work: Work) -> int:
    """Finish moves that were catalogued when a run was killed. Returns how many. Unproven copies are left to their plan line."""
    finished = 0
    for known in ledger.open_moves(work.hot):
        if known.state == "catalogued":
            finished += where_the_store_answers(work, "move.resume", partial(_finish, work, known), 0)
    return finished


def _finish(work: Work, known: ledger.OpenMove) -> int:
    if known.action == "archive":
        archive.finish(work, known.move_id, known.subject)
    elif known.action == "destroy":
        destroy.finish(work, known.move_id)
    else:
        tier_out.finish(work, known.move_id)
    return 1


def _plan_again(work: Work) -> tuple[Move, ...]:
    state = read_state(work.hot, work.retention, work.night)
    return plan_moves(state.units, work.retention, state.holds, today=work.night)


def _apply_line(work: Work, plan_id: int, line: ledger.PlanLine, move: Move | None, counts: dict[str, int]) -> None:
    outcome, note = "changed", None
    if move is None:
        # A unit that is gone because a resumed move finished it was done, not changed.
        outcome = "done" if _was_done(work, line) else "changed"
        note = None if outcome == "done" else "gone since the plan"
    elif move.action != line.action or not move.happens:
        done = _was_done(work, line)
        outcome, note = ("done", None) if done else ("changed", move.stopped_by or f"now: {move.action}")
    else:
        outcome, note = _do(work, move, counts)
    counts[outcome] += 1
    ledger.mark_outcome(work.hot, plan_id, line.line_no, outcome, note)


def _do(work: Work, move: Move, counts: dict[str, int]) -> tuple[str, str | None]:
    try:
        counts["records"] += _DOERS[move.action](work, move)
        counts["bytes"] += move.unit.bytes
        counts[move.action] = counts.get(move.action, 0) + 1
        return "done", None
    except ChangedError as change:
        return "changed", change.found
    except BusyError as busy:
        return "waiting", busy.found
    except store_troubles() as trouble:
        return _noted(work, move, "waiting", type(trouble).__name__)
    except PlumblineError as failure:
        return _noted(work, move, "failed", type(failure).__name__, failure.found)


def _noted(
    work: Work, move: Move, outcome: str, code: str, found: str = "the store or disk did not answer"
) -> tuple[str, str]:
    for known in ledger.open_moves(work.hot):
        if known.subject == move.unit.name:
            ledger.failed(work.hot, known.move_id, code)
    ledger.audit(work.hot, f"move.{outcome}", move.unit.name, {"error": code}, outcome="failure")
    return outcome, f"{code}: {found}"


def _was_done(work: Work, line: ledger.PlanLine) -> bool:
    return (
        work.hot.execute(
            "select from lifecycle.move where subject = %s and action = %s and state = 'done' and finished_at >= (select max(made_at) from lifecycle.plan where night = %s)",
            [line.unit, line.action, work.night],
        ).fetchone()
        is not None
    )


def one_at_a_time(work: Work, turn_seconds: float) -> None:
    """Take the one turn there is, for as long as the connection lasts; again by the same connection is fine. The session of a killed run keeps it for the moment Postgres needs to notice."""
    deadline = time.monotonic() + turn_seconds
    while not work.hot.execute("select pg_try_advisory_lock(hashtext('lifecycle.apply'))").fetchone()[0]:
        if time.monotonic() >= deadline:
            raise MoveError(
                found="another run is moving data",
                expected="one at a time",
                action="wait for it to end and apply the plan again",
            )
        time.sleep(0.2)
