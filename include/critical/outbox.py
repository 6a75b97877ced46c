"""Telling: deliveries that are due go to their channel, are tried again with growing pauses, and go up a step while nobody answers.

A try is written down before it is made and its success after: killed in between it is made again, under the same idempotency
key. Each channel has a connection and a thread of its own, so that one which hangs holds up no other.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import psycopg

from include.alerts.channels import AlertError, Mail, Webhook
from include.audit.chain import append
from include.critical.message import CriticalMessage
from include.critical.policy import CriticalPolicy, Telling
from include.critical.policy import Step as TellingStep

_log = logging.getLogger("plumbline.watch")
_AT_ONCE = 20


class Due(NamedTuple):
    """A delivery whose try was written down."""

    delivery_id: int
    alert_id: UUID | None
    attempts: int
    message: CriticalMessage


def steps_of(telling: Telling, channels: Sequence[Webhook | Mail]) -> tuple[TellingStep, ...]:
    """The policy's steps, without those whose channel is not configured."""
    configured = {channel.name for channel in channels}
    return tuple(step for step in telling.steps if step.channel in configured)


def tell_due(hot: psycopg.Connection, channel: Webhook | Mail, policy: CriticalPolicy) -> tuple[int, int]:
    """Make the tries of a channel that are due; (sent, failed). ``hot`` is of role watcher, in autocommit mode."""
    sent = failed = 0
    for due in _claim(hot, channel.name, policy):
        try:
            channel.send(due.message)
        except AlertError as problem:
            failed += 1
            _log.warning(
                "%s of alert %s: try %d failed: %s", due.message.kind, due.message.number, due.attempts, problem.found
            )
            continue
        _mark_sent(hot, due)
        sent += 1
    return sent, failed


def _claim(hot: psycopg.Connection, channel: str, policy: CriticalPolicy) -> list[Due]:
    """Write down that tries begin, and when the next ones are due if they fail."""
    telling = policy.telling
    rows = hot.execute(
        """with due as (
               select delivery_id from critical.delivery d left join critical.alert a using (alert_id)
               where d.channel = %(channel)s and d.sent_at is null and d.dropped_at is null and d.next_try_at <= clock_timestamp()
                 and (d.kind in ('correction', 'notice') or a.state in ('new', 'sent'))
               order by d.next_try_at limit %(most)s)
           update critical.delivery d set attempts = d.attempts + 1,
                  next_try_at = clock_timestamp() + least(%(last)s, %(first)s * 2.0 ^ least(d.attempts, 20)) * interval '1 second'
           from due where due.delivery_id = d.delivery_id and d.sent_at is null and d.dropped_at is null
           returning d.delivery_id, d.alert_id, d.notice_id, d.kind, d.step, d.attempts""",
        {"channel": channel, "most": _AT_ONCE, "first": telling.first_seconds, "last": telling.most_seconds},
    ).fetchall()
    return [_due(hot, *row, policy) for row in rows]


def _due(
    hot: psycopg.Connection, delivery_id: int, alert_id: UUID | None, notice_id: UUID | None, kind: str, step: int, attempts: int,
    policy: CriticalPolicy,
) -> Due:  # fmt: skip
    if alert_id is None:
        (source,) = hot.execute("select source from critical.notice where notice_id = %s", [notice_id]).fetchone()
        return Due(delivery_id, None, attempts, CriticalMessage(kind, notice_id, step, source))
    source, route, received_at, rule, side, replaces = hot.execute(
        "select source, route, received_at, rule, side, replaces from critical.alert where alert_id = %s", [alert_id]
    ).fetchone()
    title = policy.title(rule, side) if policy.telling.name_the_test else None
    told = CriticalMessage(kind, alert_id, step, source, route, received_at, title, replaces is not None)
    return Due(delivery_id, alert_id, attempts, told)


def _mark_sent(hot: psycopg.Connection, due: Due) -> None:
    with hot.transaction():
        hot.execute(
            "update critical.delivery set sent_at = clock_timestamp() where delivery_id = %s and sent_at is null",
            [due.delivery_id],
        )
        if due.message.kind in ("alert", "escalation"):
            hot.execute(
                """update critical.alert set state = case state when 'new' then 'sent' else state end,
                          sent_at = coalesce(sent_at, clock_timestamp()) where alert_id = %s""",
                [due.alert_id],
            )


def escalate(hot: psycopg.Connection, steps: Sequence[TellingStep], telling: Telling) -> int:
    """Go a step up where nobody acknowledged in time, or where a channel of the first round does not take the alert.

    Returns alerts that went up. ``steps`` are those of ``steps_of``.
    """
    with hot.transaction():
        rows = hot.execute(
            """insert into critical.delivery (alert_id, kind, step, channel)
               select a.alert_id, 'escalation', d.step + 1, (%(channels)s::text[])[(d.step + 1) %% %(steps)s + 1]
               from critical.alert a
               cross join lateral (
                   select step, attempts, sent_at, max(sent_at) over () as last_sent_at from critical.delivery
                   where alert_id = a.alert_id and kind in ('alert', 'escalation') order by step desc limit 1) d
               where a.state in ('new', 'sent') and d.step + 1 < %(steps)s * %(rounds)s
                 and case when d.sent_at is null and d.attempts < %(tries)s then false
                          when d.sent_at is null and d.step + 1 < %(steps)s then true
                          else coalesce(d.sent_at, d.last_sent_at) + (%(minutes)s::int[])[d.step %% %(steps)s + 1] * interval '1 minute'
                               <= clock_timestamp() end
               on conflict do nothing returning alert_id, step""",
            {
                "channels": [step.channel for step in steps], "minutes": [step.minutes for step in steps], "steps": len(steps),
                "rounds": telling.rounds, "tries": telling.tries_before_next_step,
            },
        ).fetchall()  # fmt: skip
        for alert_id, step in rows:
            hot.execute("update critical.alert set escalations = escalations + 1 where alert_id = %s", [alert_id])
            append(hot, "alert.escalated", str(alert_id), {"step": step})
    return len(rows)
