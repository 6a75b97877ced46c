"""Writes down what was planned and what was moved, in the transaction that does it. Every entry also goes to the audit trail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from include.audit.chain import append
from include.lifecycle.cold_files import Written
from include.lifecycle.plan import Move

OPEN_STATES = ("copying", "verified", "catalogued")


@dataclass(frozen=True, slots=True)
class OpenMove:
    """A move that was begun and not finished: what a killed run leaves behind."""

    move_id: int
    action: str
    subject: str
    state: str
    detached_table: str | None
    from_tier: str
    to_tier: str


def save_plan(hot, night: date, policy_sha256: str, moves: Iterable[Move]) -> int:
    """Save what a night's plan would change or is kept from changing; units that stay are not written. Returns its id."""
    with hot.transaction():
        plan_id = hot.execute(
            "insert into lifecycle.plan (night, policy_sha256) values (%s, %s) returning plan_id",
            [night, policy_sha256],
        ).fetchone()[0]
        lines = [move for move in moves if move.action != "stay"]
        with hot.cursor() as cursor:
            cursor.executemany(
                """insert into lifecycle.plan_line (plan_id, line_no, unit, kind, data_class, tier, due_tier, action, rule,
                                                    age_days, records, bytes, stopped_by)
                   values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                [(plan_id, number, *_line(move)) for number, move in enumerate(lines, start=1)],
            )
        hot.execute(
            "select audit.append('plan.made', %s, jsonb_build_object('plan', %s::bigint, 'lines', %s::int, 'policy', %s::text))",
            [str(night), plan_id, len(lines), policy_sha256],
        )
    return plan_id


def _line(move: Move) -> tuple:
    unit = move.unit
    classes = " + ".join(unit.data_classes) or "-"
    return (
        unit.name, unit.kind, classes, unit.tier, move.due_tier, move.action, move.rule, move.age_days, unit.records, unit.bytes,
        move.stopped_by,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A line of a saved plan."""

    line_no: int
    unit: str
    action: str
    stopped_by: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """The newest plan of a night."""

    plan_id: int
    policy_sha256: str
    lines: tuple[PlanLine, ...]


def newest_plan(hot, night: date) -> SavedPlan | None:
    """The plan that applies to a night, None where none was made."""
    row = hot.execute(
        "select plan_id, policy_sha256 from lifecycle.plan where night = %s order by plan_id desc limit 1", [night]
    ).fetchone()
    if row is None:
        return None
    lines = hot.execute(
        "select line_no, unit, action, stopped_by, outcome from lifecycle.plan_line where plan_id = %s order by line_no",
        [row[0]],
    ).fetchall()
    return SavedPlan(row[0], row[1], tuple(PlanLine(*line) for line in lines))


def mark_outcome(hot, plan_id: int, line_no: int, outcome: str, note: str | None = None) -> None:
    """Write down what became of a line of a plan. ``note`` is a reason in words or an error's class, never a value."""
    hot.execute(
        "update lifecycle.plan_line set outcome = %s, outcome_note = %s where plan_id = %s and line_no = %s",
        [outcome, note, plan_id, line_no],
    )


def begin(hot, night: date, move: Move) -> int:
    """Open a move; from here on its subject is stated to be on the way. Returns its id."""
    unit = move.unit
    return hot.execute(
        """insert into lifecycle.move (night, action, subject, data_class, from_tier, to_tier, rule, records, bytes)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s) returning move_id""",
        [
            night, move.action, unit.name, " + ".join(unit.data_classes) or "-", unit.tier, move.due_tier, move.rule,
            unit.records, unit.bytes,
        ],
    ).fetchone()[0]  # fmt: skip


def open_moves(hot) -> list[OpenMove]:
    """Moves begun and not finished, oldest first."""
    rows = hot.execute(
        """select move_id, action, subject, state, detached_table, from_tier, to_tier from lifecycle.move
           where state = any(%s) order by move_id""",
        [list(OPEN_STATES)],
    ).fetchall()
    return [OpenMove(*row) for row in rows]


def reopen(hot, move_id: int) -> None:
    """Count another attempt at a move."""
    hot.execute("update lifecycle.move set attempts = attempts + 1, error_code = null where move_id = %s", [move_id])


def advance(hot, move_id: int, state: str, *, detached_table: str | None = None) -> None:
    """Write down how far a move has come."""
    hot.execute(
        """update lifecycle.move set state = %s, detached_table = coalesce(%s, detached_table),
               finished_at = case when %s in ('done', 'given_up') then clock_timestamp() end
           where move_id = %s""",
        [state, detached_table, state, move_id],
    )


def failed(hot, move_id: int, error_code: str) -> None:
    """Write down that an attempt failed, by the class of its error; the move stays open and is taken up again."""
    hot.execute("update lifecycle.move set error_code = %s where move_id = %s", [error_code, move_id])


def stage_file(hot, night: date, move_id: int, raw_table: str, month: date, written: Written) -> tuple[int, str]:
    """Announce a file before it is uploaded, so that whatever lies in the store is known. Returns its id and key."""
    key = (
        f"data_class={written.data_class}/event_year={written.event_year}/"
        f"{raw_table}-{month:%Y%m}-{written.sha256[:32]}.parquet"
    )
    with hot.transaction():
        file_id = hot.execute(
            """insert into lifecycle.cold_file (object_key, raw_table, data_class, event_year, received_month, with_person,
                   sources, first_event, last_event, records, bytes, sha256, rows_sha256, key_id, tiered_night)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning file_id""",
            [
                key, raw_table, written.data_class, written.event_year, month, written.with_person, list(written.sources),
                written.first_event, written.last_event, written.records, written.bytes, written.sha256, written.rows_sha256,
                written.file_key_id, night,
            ],
        ).fetchone()[0]  # fmt: skip
        hot.execute("insert into lifecycle.move_file values (%s, %s)", [move_id, file_id])
    return file_id, key


def audit(
    hot, action: str, subject: str | None, detail: dict, *, purpose: str | None = None, outcome: str = "success"
) -> None:
    """Append to the audit trail: names and counts, no values."""
    append(hot, action, subject, detail, purpose=purpose, outcome=outcome)
