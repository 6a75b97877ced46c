"""Legal holds: what may not move, end or be erased, whatever the rules say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from include.audit.refusals import refusals_told
from include.errors import PlumblineError

if TYPE_CHECKING:
    from include.lifecycle.units import Unit


class HoldError(PlumblineError):
    """A hold that cannot be set or lifted as asked."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold in force. Every criterion given must match; one that is None matches everything."""

    hold_id: int
    person_token: UUID | None = None
    data_class: str | None = None
    source: str | None = None
    event_from: date | None = None
    event_to: date | None = None

    def stops(self, unit: Unit) -> bool:
        """True where any record in the unit might be meant: a unit moves whole, so one held record holds it."""
        return (
            (self.person_token is None or self.hold_id in unit.held_people)
            and (self.data_class is None or not unit.data_classes or self.data_class in unit.data_classes)
            and (self.source is None or self.source in unit.sources)
            and (self.event_from is None or unit.last_event is None or unit.last_event >= self.event_from)
            and (self.event_to is None or unit.first_event is None or unit.first_event <= self.event_to)
        )


def read_holds(hot) -> tuple[Hold, ...]:
    """Every hold in force."""
    rows = hot.execute(
        """select hold_id, person_token, data_class, source, event_from, event_to
           from lifecycle.hold where lifted_at is null order by hold_id"""
    ).fetchall()
    return tuple(Hold(*row) for row in rows)


def refuse_held(hot, unit: Unit, people_held: Collection[int]) -> None:
    """Within a move's transaction: wait for a hold that is being set, then raise ChangedError if any hold stops the unit.

    ``people_held`` are the ids of holds whose person has a record in the unit, read by the caller in the same transaction.
    """
    from include.lifecycle.work import ChangedError

    hot.execute("select pg_advisory_xact_lock_shared(hashtext('lifecycle.hold'))")
    now = replace(unit, held_people=frozenset(people_held))
    stopping = [str(hold.hold_id) for hold in read_holds(hot) if hold.stops(now)]
    if stopping:
        raise ChangedError(
            found=f"hold {', '.join(stopping)} was set since the plan was made",
            expected="no hold on what moves",
            action="nothing was moved; the next plan shows the hold",
        )


@refusals_told("hold.refused", role="privacy_officer")
def set_hold(
    night: date,
    *,
    reason: str,
    requested_by: str,
    approved_by: str,
    person_token: UUID | None = None,
    data_class: str | None = None,
    source: str | None = None,
    event_from: date | None = None,
    event_to: date | None = None,
    settings=None,
) -> int:
    """Put a hold in force at once and return its number. Two names are needed, and at least one criterion.

    Raises HoldError where a name, the reason or every criterion is missing, or the class is unknown.
    """
    from include.lifecycle.policy import load_retention
    from include.warehouse.connect import connect

    criteria = (person_token, data_class, source, event_from, event_to)
    _refuse_empty_hold(criteria)
    refuse_one_name(requested_by, approved_by, reason, doing="a hold")
    if data_class is not None:
        load_retention().rule(data_class)
    with connect("privacy_officer", settings=settings) as hot:
        # The same lock that a move takes before it catalogues: a hold is either seen by a move or waits for its end.
        hot.execute("select pg_advisory_xact_lock(hashtext('lifecycle.hold'))")
        hold_id = hot.execute(
            """insert into lifecycle.hold (person_token, data_class, source, event_from, event_to, reason, requested_by,
                                           approved_by, set_night)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s) returning hold_id""",
            [*criteria, reason, requested_by, approved_by, night],
        ).fetchone()[0]
        _audit(hot, "hold.set", hold_id, reason, requested_by, approved_by)
    return hold_id


@refusals_told("hold.lift_refused", role="privacy_officer")
def lift_hold(hold_id: int, night: date, *, reason: str, requested_by: str, approved_by: str, settings=None) -> None:
    """End a hold. Raises HoldError where it is not in force, or two names and a reason are not given."""
    from include.warehouse.connect import connect

    refuse_one_name(requested_by, approved_by, reason, doing="lifting a hold")
    with connect("privacy_officer", settings=settings) as hot:
        hot.execute("select pg_advisory_xact_lock(hashtext('lifecycle.hold'))")
        lifted = hot.execute(
            """update lifecycle.hold set lifted_night = %s, lifted_at = clock_timestamp(), lift_reason = %s,
                      lift_requested_by = %s, lift_approved_by = %s
               where hold_id = %s and lifted_at is null returning hold_id""",
            [night, reason, requested_by, approved_by, hold_id],
        ).fetchone()
        if lifted is None:
            raise HoldError(
                found=f"hold {hold_id} is not in force",
                expected="a hold that was set and not lifted yet",
                action="list them with 'python -m include.lifecycle holds'",
            )
        _audit(hot, "hold.lifted", hold_id, reason, requested_by, approved_by)


def refuse_one_name(requested_by: str, approved_by: str, reason: str, *, doing: str) -> None:
    """Raise HoldError unless two different names and a reason are given."""
    missing = [
        name
        for name, text in (("reason", reason), ("requested_by", requested_by), ("approved_by", approved_by))
        if not text.strip()
    ]
    is_alone = not missing and requested_by.strip().lower() == approved_by.strip().lower()
    if missing or is_alone:
        raise HoldError(
            found=f"{doing} without {', '.join(missing) or 'a second person'}",
            expected="a reason and two different names",
            action="have a second person approve it" if is_alone else "say what is missing",
        )


def _refuse_empty_hold(criteria: tuple) -> None:
    if all(criterion is None for criterion in criteria):
        raise HoldError(
            found="a hold that names no person, class, source or period",
            expected="at least one criterion",
            action="say what is to be kept: --person, --class, --source, --event-from, --event-to",
        )


def _audit(hot, action: str, hold_id: int, reason: str, requested_by: str, approved_by: str) -> None:
    hot.execute(
        """select audit.append(%s, 'hold ' || %s::text,
                               jsonb_build_object('requested_by', %s::text, 'approved_by', %s::text), %s)""",
        [action, hold_id, requested_by, approved_by, reason],
    )
