"""What ``make alerts`` shows: open alerts with their age, what could not be judged, and how long telling and answering take. No value."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import psycopg

DAYS = 30  # over which times are measured
_SILENT_AFTER = timedelta(seconds=60)


class OpenAlert(NamedTuple):
    """An alert that waits for somebody. ``age`` since its message was received."""

    alert_id: UUID
    state: str
    age: timedelta
    source: str
    route: str
    escalations: int
    tries: int


class Times(NamedTuple):
    """Seconds between two moments of alerts: how many, the median, the 95th percentile."""

    what: str
    alerts: int
    median: float | None
    p95: float | None


class Waiting(NamedTuple):
    """Messages that nobody has judged, and when the watcher last said that it lives."""

    messages: int
    oldest: datetime | None
    watched_since: datetime | None
    seen_at: datetime | None
    now: datetime

    @property
    def is_watched(self) -> bool:
        """True where a watcher was heard of lately."""
        return self.seen_at is not None and self.now - self.seen_at < _SILENT_AFTER


def read_open(hot: psycopg.Connection) -> list[OpenAlert]:
    """Alerts that nobody has closed, the oldest first."""
    rows = hot.execute(
        """select a.alert_id, a.state, clock_timestamp() - a.received_at, a.source, a.route, a.escalations,
                  coalesce((select sum(d.attempts) from critical.delivery d where d.alert_id = a.alert_id), 0)
           from critical.alert a where a.state in ('new', 'sent', 'acknowledged') order by a.received_at"""
    ).fetchall()
    return [OpenAlert(*row) for row in rows]


def read_times(hot: psycopg.Connection) -> list[Times]:
    """How long it took to tell and to answer, of alerts of the last 30 days."""
    row = hot.execute(
        """with seconds as (
               select extract(epoch from sent_at - received_at)::float8 as sent,
                      extract(epoch from acknowledged_at - sent_at)::float8 as answered
               from critical.alert where alerted_at > clock_timestamp() - %s * interval '1 day')
           select count(sent), percentile_cont(0.5) within group (order by sent), percentile_cont(0.95) within group (order by sent),
                  count(answered), percentile_cont(0.5) within group (order by answered),
                  percentile_cont(0.95) within group (order by answered) from seconds""",
        [DAYS],
    ).fetchone()
    return [Times("received to sent", *row[:3]), Times("sent to acknowledged", *row[3:])]


def read_waiting(hot: psycopg.Connection) -> Waiting:
    """What waits to be judged, and whether somebody judges."""
    messages, oldest = hot.execute("select * from critical.waiting()").fetchone()
    since, seen_at = hot.execute("select max(since), max(seen_at) from critical.watching").fetchone()
    (now,) = hot.execute("select clock_timestamp()").fetchone()
    return Waiting(messages, oldest, since, seen_at, now)


def read_unjudged(hot: psycopg.Connection, days: int = 2) -> list[tuple[str, str, str, int]]:
    """Source, rule, reason and number of results (rule '' : messages) that could not be judged lately."""
    return hot.execute(
        """select source, rule, reason, sum(number)::bigint from critical.judged
           where what in ('unjudged', 'unreadable') and day > current_date - %s group by 1, 2, 3 order by 4 desc, 1, 2, 3""",
        [days],
    ).fetchall()


def read_unwatched(hot: psycopg.Connection, days: int = 2) -> list[tuple[str, int]]:
    """Sources all of whose results are of tests that the policy does not watch: perhaps codes that nobody mapped to LOINC."""
    return hot.execute(
        """select source, sum(number) filter (where what = 'results')::bigint from critical.judged where day > current_date - %s
           group by 1 having sum(number) filter (where what = 'results') > 0
             and coalesce(sum(number) filter (where what = 'watched'), 0) = 0 order by 1""",
        [days],
    ).fetchall()


def tell(hot: psycopg.Connection) -> Iterator[str]:
    """The lines of ``make alerts``: what needs somebody first."""
    yield from _tell_waiting(read_waiting(hot))
    for source, rule, reason, number in read_unjudged(hot):
        what = f"result(s) of {rule}" if rule else "message(s)"
        yield f"COULD NOT BE JUDGED: {number} {what} of {source} since yesterday: {reason}; look at them in the laboratory's system"
    for source, number in read_unwatched(hot):
        yield f"{source}: none of its {number} results since yesterday is of a test that the policy watches; does it send LOINC codes?"
    alerts = read_open(hot)
    yield f"{len(alerts)} open alert(s)" + ("" if alerts else ", nothing waits for anybody")
    for each in alerts:
        yield (
            f"  {str(each.alert_id)[:8]}  {each.state:<12} {shown(each.age)} old  {each.source} for {each.route}"
            f"  {each.escalations} escalation(s), {each.tries} message(s) tried"
        )
    for times in read_times(hot):
        if times.alerts:
            yield f"{times.what}: median {times.median:.1f} s, 95th percentile {times.p95:.1f} s ({times.alerts} alert(s), {DAYS} days)"
    if alerts:
        yield "open one: make alert ID=… BY=you; ACK=1 reads it back and takes it on; CLOSE=treated ends it"


def _tell_waiting(waiting: Waiting) -> Iterator[str]:
    if waiting.is_watched:
        if waiting.messages:
            yield f"{waiting.messages} message(s) are being judged"
        return
    seen = f"last seen {waiting.seen_at:%Y-%m-%d %H:%M} UTC" if waiting.seen_at else "never seen"
    yield f"NOBODY WATCHES ({seen}): {waiting.messages} message(s) wait to be judged; start it with 'make watch'"


def shown(age: timedelta) -> str:
    """A span of time as people say it."""
    minutes = int(age.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes < 2880 else f"{minutes // 1440} days"
