"""Decides what is due to move, be destroyed or stay, and why. Changes nothing.

``plan_moves`` is pure: the same state, policy, holds and day give the same plan. ``plan_night`` reads the state, saves the
plan, and leaves the doing to ``move.apply_plan``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from include.lifecycle.costs import cost_lines, load_prices
from include.lifecycle.holds import Hold
from include.lifecycle.policy import PolicyError, Retention, Rule, load_retention
from include.lifecycle.units import Unit

REPLAY_REASON = "refused records wait in quarantine"


@dataclass(frozen=True, slots=True)
class Move:
    """What one unit is due: ``action`` is 'stay' or the verb of a move; ``stopped_by`` says what keeps it from happening."""

    unit: Unit
    action: str
    due_tier: str
    rule: str
    age_days: int
    stopped_by: str | None = None

    @property
    def happens(self) -> bool:
        """True where applying the plan would change something."""
        return self.action != "stay" and self.stopped_by is None


def plan_moves(units: Iterable[Unit], retention: Retention, holds: Iterable[Hold], *, today: date) -> tuple[Move, ...]:
    """One Move per unit, in the order of the units' names, always towards a colder tier or the end.

    A hold that matches anything in a unit stops the unit; an unapproved destruction waits where the class asks for approval.
    Raises PolicyError for a data class without a rule, and for a policy that would end files before their locks do.
    """
    holds, units = tuple(holds), tuple(units)
    refuse_shorter_than_locked(units, retention)
    return tuple(
        _decide(unit, retention, holds, today) for unit in sorted(units, key=lambda unit: (unit.kind, unit.name))
    )


def refuse_shorter_than_locked(units: Iterable[Unit], retention: Retention) -> None:
    """Raise PolicyError naming every class whose retention ends before a lock that was set under a longer one."""
    shorter: dict[str, int] = {}
    for unit in units:
        if unit.tier == "archive" and unit.locked_until is not None:
            rule = retention.rule_of(unit)
            if rule.ends_after(unit.event_year) < unit.locked_until:
                shorter[rule.data_class] = shorter.get(rule.data_class, 0) + 1
    if shorter:
        raise PolicyError(
            found="; ".join(
                f"{name}: {count} file(s) are locked for longer" for name, count in sorted(shorter.items())
            ),
            expected="retention_days no shorter than what is locked in the archive",
            action="keep the longer retention for what is locked: a lock cannot be taken back",
        )


def _decide(unit: Unit, retention: Retention, holds: tuple[Hold, ...], today: date) -> Move:
    due = {"partition": _partition_due, "file": _file_due, "landing": _landing_due}[unit.kind](unit, retention, today)
    action, due_tier, rule = due
    rule += _unbelieved(unit, retention)
    stopped = None
    if action not in ("stay", "return_loan", "remove_bytes"):
        stopped = _stopped_by(unit, action, retention, holds)
    return Move(unit, action, due_tier, rule, max((today - unit.last_received).days, 0), stopped)


def _unbelieved(unit: Unit, retention: Retention) -> str:
    """What is said of a unit in which an event is dated to a year from which nothing counts."""
    if unit.tier == "destroyed" or unit.first_event is None or unit.last_event is None:
        return ""
    latest = unit.received_month.year + retention.events.years_ahead
    odd = [str(unit.first_event)] if unit.first_event.year < retention.events.since_year else []
    odd += [str(unit.last_event)] if unit.last_event.year > latest else []
    return f"; events dated {' and '.join(odd)} count from receipt" if odd else ""


def _partition_due(unit: Unit, retention: Retention, today: date) -> tuple[str, str, str]:
    if unit.loan_until is not None:
        if unit.loan_until < today:
            return "return_loan", "cold", f"on loan to hot until {unit.loan_until}"
        return "stay", "hot", f"on loan to hot until {unit.loan_until}"
    if not unit.data_classes:
        return "stay", "hot", "empty"
    slowest = max((retention.rule(name) for name in unit.data_classes), key=lambda rule: rule.hot_days)
    due = slowest.leaves_hot_on(unit.received_month)
    if today < due:
        return "stay", "hot", f"{slowest.data_class}: hot_days {slowest.hot_days}, due {due}"
    return "tier_out", "cold", f"{slowest.data_class}: hot_days {slowest.hot_days} passed, due {due}"


def _file_due(unit: Unit, retention: Retention, today: date) -> tuple[str, str, str]:
    if unit.tier == "destroyed":
        return _remains_due(unit, today)
    rule = retention.rule_of(unit)
    ends = rule.ends_after(unit.event_year)
    if today > ends:
        return _end_of(unit, rule, ends, today)
    leaves = rule.leaves_cold_on(unit.received_month)
    if unit.tier == "cold" and today >= leaves:
        if _was_read_lately(unit, rule, today):
            return (
                "stay",
                "cold",
                f"{rule.data_class}: read on {unit.last_read}, kept in cold {rule.keep_cold_if_read_days} days",
            )
        return (
            "archive",
            "archive",
            f"{rule.data_class}: cold_days {rule.cold_days} passed, due {leaves}; kept to {ends}",
        )
    return (
        "stay",
        unit.tier,
        f"{rule.data_class}: kept to {ends}" + (f", archive {leaves}" if unit.tier == "cold" else ""),
    )


def _was_read_lately(unit: Unit, rule: Rule, today: date) -> bool:
    days = rule.keep_cold_if_read_days
    return days is not None and unit.last_read is not None and (today - unit.last_read).days < days


def _end_of(unit: Unit, rule: Rule, ends: date, today: date) -> tuple[str, str, str]:
    said = f"{rule.data_class}: retention_days {rule.retention_days} after {unit.event_year} ended {ends}"
    minors = rule.keeps_minor_until(unit.youngest_born) if unit.youngest_born else None
    if minors is not None and today <= minors:
        return "stay", unit.tier, f"{said}, kept to {minors} for a person under {rule.minors_until_age}"
    if unit.with_person and unit.person_lives:
        return "stay", unit.tier, f"{said}, kept with other records of its persons"
    if unit.loan_until is not None:
        return "stay", unit.tier, f"{said}, but its rows are on loan to hot until {unit.loan_until}"
    return "destroy", "destroyed", said


def _remains_due(unit: Unit, today: date) -> tuple[str, str, str]:
    if unit.bytes_remain_until is not None and today > unit.bytes_remain_until:
        return "remove_bytes", "destroyed", f"lock on unreadable bytes ended {unit.bytes_remain_until}"
    return "stay", "destroyed", f"unreadable bytes stay locked to {unit.bytes_remain_until}"


def _landing_due(unit: Unit, retention: Retention, today: date) -> tuple[str, str, str]:
    days, why = retention.landing_days, "landing: days"
    if unit.refused_waiting and "quarantine" in retention.rules:
        days = max(days, retention.rule("quarantine").retention_days)
        why = f"landing: {REPLAY_REASON}, days"
    due = unit.last_received + timedelta(days=days + 1)
    if unit.unfinished:
        return "stay", "landing", "landing: a batch made of it is not finished"
    if today < due:
        return "stay", "landing", f"{why} {days}, due {due}"
    return "expire_landing", "destroyed", f"{why} {days} passed, due {due}"


def _stopped_by(unit: Unit, action: str, retention: Retention, holds: tuple[Hold, ...]) -> str | None:
    held = [f"hold {hold.hold_id}" for hold in holds if hold.stops(unit)]
    if held:
        return ", ".join(held)
    if action == "destroy" and not unit.approved and retention.rule(unit.data_classes[0]).destruction == "approval":
        return "waits for approval"
    return None


def plan_night(night: date) -> dict[str, int]:
    """Decide and save the plan of ``night``. Returns counts: units seen, due by action, held, waiting for approval."""
    from include.lifecycle import ledger
    from include.lifecycle.units import read_state
    from include.nights import step
    from include.warehouse.connect import connect

    retention = load_retention()
    with step(night, "plan", role="lifecycle") as running, connect("lifecycle") as hot:
        state = read_state(hot, retention, night)
        moves = plan_moves(state.units, retention, state.holds, today=night)
        ledger.save_plan(hot, night, retention.sha256, moves)
        counts = count_moves(moves)
        running.count(**counts)
    return counts


def count_moves(moves: Iterable[Move]) -> dict[str, int]:
    """Counts by action, and of what is held and what waits; small enough for an XCom."""
    counts = {"units": 0, "due": 0, "held": 0, "waiting_for_approval": 0, "records_due": 0, "bytes_due": 0}
    for move in moves:
        counts["units"] += 1
        counts["held"] += bool(move.stopped_by and move.stopped_by.startswith("hold"))
        counts["waiting_for_approval"] += move.stopped_by == "waits for approval"
        if move.happens:
            counts["due"] += 1
            counts["records_due"] += move.unit.records
            counts["bytes_due"] += move.unit.bytes
            counts[move.action] = counts.get(move.action, 0) + 1
    return counts


_HEADS = (
    "unit",
    "class",
    "age",
    "last read",
    "tier",
    "due",
    "records",
    "MB",
    "USD/month",
    "action",
    "stopped by",
    "why",
)
_NUMBERS = ("age", "records", "MB", "USD/month")


def show_plan(moves: Iterable[Move], *, today: date) -> str:
    """The plan for a terminal: what it comes to, then every unit with what is due and why; what would change stands first."""
    moves = tuple(moves)
    parts = {
        "Would move or end": [move for move in moves if move.happens],
        "Due, but held or waiting": [move for move in moves if move.stopped_by],
        "Stays": [move for move in moves if move.action == "stay"],
    }
    shown = {title: [_shown(move) for move in of_part] for title, of_part in parts.items()}
    widths = [max(len(row[i]) for row in (_HEADS, *sum(shown.values(), []))) for i in range(len(_HEADS))]
    lines = [f"Plan for {today}", "", *_summary(moves)]
    for title, rows in shown.items():
        if rows:
            lines += ["", f"{title} ({len(rows)})", *(_aligned(row, widths) for row in (_HEADS, *rows))]
    return "\n".join(lines)


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    cells = zip(_HEADS, row, widths, strict=True)
    return "  ".join(
        text.rjust(width) if head in _NUMBERS else text.ljust(width) for head, text, width in cells
    ).rstrip()


def _shown(move: Move) -> tuple[str, ...]:
    unit = move.unit
    about = "~" if unit.is_estimate else ""
    return (
        unit.name,
        " + ".join(unit.data_classes) or "-",
        f"{move.age_days} d",
        str(unit.last_read or "-"),
        unit.tier,
        move.due_tier,
        f"{about}{unit.records}",
        f"{unit.bytes / 1e6:.1f}",
        f"{load_prices().monthly(unit.tier, unit.bytes):.2f}",
        move.action,
        move.stopped_by or "-",
        move.rule,
    )


def _summary(moves: tuple[Move, ...]) -> list[str]:
    due = [move for move in moves if move.happens]
    ending = [move for move in due if move.action == "destroy"]
    counts = count_moves(moves)
    return [
        f"{len(moves)} units; {len(due)} would move or end ({sum(m.unit.bytes for m in due) / 1e6:.1f} MB)",
        f"{counts['held']} stopped by a hold; {counts['waiting_for_approval']} wait for a second person's approval",
        f"{len(ending)} file(s) with {sum(m.unit.records for m in ending)} record(s) would be destroyed",
        "",
        *cost_lines([(m.unit.tier, m.due_tier if m.happens else m.unit.tier, m.unit.bytes) for m in moves]),
    ]


def show_difference(now: Iterable[Move], then: Iterable[Move], *, today: date) -> str:
    """What another policy would do differently on a day: units whose action or reason changes, and how many of each."""
    before = {move.unit.name: move for move in now}
    changed = [(before[move.unit.name], move) for move in then if _differs(before[move.unit.name], move)]
    lines = [
        f"Under this policy {len(changed)} of {len(before)} units are treated otherwise on {today}; nothing is in force yet",
        "",
    ]
    for old, new in changed:
        lines += [f"{new.unit.name} ({new.unit.records} records, {new.unit.bytes / 1e6:.1f} MB)"]
        lines += [f"    now:  {old.action:15} {old.rule}", f"    then: {new.action:15} {new.rule}"]
    ended = [new for old, new in changed if new.action == "destroy" and old.action != "destroy"]
    lines += [
        "",
        f"{len(ended)} file(s) with {sum(m.unit.records for m in ended)} record(s) would become due for destruction",
    ]
    return "\n".join(lines)


def _differs(old: Move, new: Move) -> bool:
    return (old.action, old.due_tier, old.rule) != (new.action, new.due_tier, new.rule)
