"""The rows of alerts: one batch of judged messages becomes alerts, withdrawals, counts and marks in one transaction.

Before the commit nothing of it is there, after it everything; a watcher killed in between judges the batch again and makes the
same alerts, whose ids are made of what they say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

import psycopg

from include.audit.chain import append
from include.critical.decide import CRITICAL
from include.critical.findings import Finding, Judged, alert_id
from include.critical.follow import Consequence, Known, follow
from include.critical.policy import CriticalPolicy
from include.privacy import keys
from include.privacy.keyring import Keyring
from include.privacy.sealing import seal
from include.privacy.tokens import Tokeniser

NOBODY = keys.batch_key_id("critical-results")  # seals results that say nobody's
TOLD = ("unjudged", "unreadable")  # what people are told of once a day and source


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the inbox as judged."""

    live_no: int
    source: str
    received_at: datetime
    judged: Judged


@dataclass(slots=True)
class Written:
    """What a batch came to, as numbers for the log."""

    alerts: int = 0
    withdrawn: int = 0
    counts: Counter[tuple[date, str, str, str, str]] = field(default_factory=Counter)


class Ledger:
    """Writes judged messages down. ``hot`` is a connection of role watcher, ``books`` one of role sealer in autocommit mode."""

    def __init__(
        self,
        hot: psycopg.Connection,
        books: psycopg.Connection,
        keyring: Keyring,
        policy: CriticalPolicy,
        first_channel: str,
    ) -> None:
        self._hot, self._books, self._keyring, self._policy = hot, books, keyring, policy
        self._tokeniser = Tokeniser(keyring.token_key)
        self._first_channel = first_channel

    def write(self, messages: Sequence[Message]) -> Written:
        """Write a batch down, in the order of its messages."""
        written = Written()
        with self._hot.transaction():
            # An erasure waits for us, or has destroyed the key that we are about to ask for.
            self._hot.execute("select pg_advisory_xact_lock_shared(hashtext('critical.alert'))")
            known = self._known(finding.series_key for each in messages for finding in each.judged.findings)
            sealing = self._keys(messages)
            for message in messages:
                for (what, rule, reason), number in message.judged.counts.items():
                    written.counts[message.received_at.date(), message.source, what, rule, reason] += number
                for finding in message.judged.findings:
                    self._follow(message, finding, known, sealing, written)
            self._count(written.counts)
            self._hot.execute("select critical.mark_judged(%s)", [[message.live_no for message in messages]])
        return written

    def _known(self, series: Iterable[bytes]) -> dict[bytes, Known]:
        rows = self._hot.execute(
            """select series_key, alert_id, content_key, nth, result_rank, state = 'withdrawn'
               from critical.alert where series_key = any(%b) order by alerted_at""",
            [list(dict.fromkeys(series))],
            binary=True,
        ).fetchall()
        found: dict[bytes, Known] = {}
        for series_key, number, content_key, nth, rank, is_withdrawn in rows:
            times = found[series_key].times if series_key in found else {}
            times[content_key] = max(nth, times.get(content_key, 0))
            found[series_key] = Known(number, content_key, rank, is_withdrawn, times)
        return found

    def _keys(self, messages: Sequence[Message]) -> keys.DataKeys:
        critical = [
            _key_id(finding)
            for each in messages
            for finding in each.judged.findings
            if finding.verdict.kind == CRITICAL
        ]
        try:
            return keys.get_or_create(self._books, self._keyring, [NOBODY, *critical] if critical else [])
        except keys.DataKeyError:
            return self._keys_one_by_one(critical)

    def _keys_one_by_one(self, key_ids: Iterable[str]) -> keys.DataKeys:
        """A key that does not open must not keep an alert back: the alert is sealed as nobody's, and goes with an erasure all the same."""
        nobodys = keys.get_or_create(self._books, self._keyring, [NOBODY])
        found, destroyed = dict(nobodys.keys), set()
        for key_id in dict.fromkeys(key_ids):
            try:
                one = keys.get_or_create(self._books, self._keyring, [key_id])
            except keys.DataKeyError:
                continue
            found |= one.keys
            destroyed |= one.destroyed
        return keys.DataKeys(found, frozenset(destroyed))

    def _follow(
        self, message: Message, finding: Finding, known: dict[bytes, Known], sealing: keys.DataKeys, written: Written
    ) -> None:
        before = known.get(finding.series_key)
        so = follow(before, finding)
        day = message.received_at.date()
        if so.alert_nth and _key_id(finding) in sealing.destroyed:
            written.counts[day, message.source, "erased_person", "", ""] += 1
            return
        if so.counted:
            written.counts[day, message.source, so.counted, "", ""] += 1
        if so.is_seen:
            before.rank = max(before.rank, finding.rank)
            self._hot.execute(
                "update critical.alert set result_rank = %s where alert_id = %s", [before.rank, before.alert_id]
            )
        if so.withdraw_because:
            written.withdrawn += self._withdraw(finding.series_key, so.withdraw_because)
            before.is_withdrawn = True
        if so.alert_nth:
            made = self._alert(message, finding, so, before, sealing.keys)
            times = {**(before.times if before else {}), finding.content_key: so.alert_nth}
            known[finding.series_key] = Known(made, finding.content_key, _rank(before, finding), False, times)
            written.alerts += 1

    def _alert(
        self, message: Message, finding: Finding, so: Consequence, before: Known | None, sealing: Mapping[str, bytes]
    ) -> UUID:
        number = alert_id(self._tokeniser, finding.content_key, so.alert_nth)
        key_id = _key_id(finding) if _key_id(finding) in sealing else NOBODY
        self._hot.execute(
            """insert into critical.alert (alert_id, series_key, content_key, nth, source, person_token, live_no, rule, side,
                      policy_version, result_rank, route, observed_at, received_at, replaces, key_id, sealed)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                number, finding.series_key, finding.content_key, so.alert_nth, message.source, finding.person_token,
                message.live_no, finding.verdict.rule, finding.verdict.side, self._policy.version, _rank(before, finding),
                finding.route, finding.observed_at, message.received_at,
                before.alert_id if so.withdraw_because else None,
                key_id, seal(sealing[key_id], number, finding.content),
            ],
        )  # fmt: skip
        self._hot.execute(
            "insert into critical.delivery (alert_id, kind, channel) values (%s, 'alert', %s)",
            [number, self._first_channel],
        )
        append(self._hot, "alert.made", str(number), {"source": message.source, "route": finding.route})
        return number

    def _withdraw(self, series_key: bytes, because: str) -> int:
        """Withdraw what is open of a series; who may have been told is told that, unless the alert that replaces it says so.

        Several are open where a final result contradicted a final one.
        """
        rows = self._hot.execute(
            """update critical.alert set state = 'withdrawn', withdrawn_at = clock_timestamp(), withdrawn_because = %s
               where series_key = %s and state <> 'withdrawn' returning alert_id""",
            [because, series_key],
        ).fetchall()
        for (number,) in rows:
            # Taken from whoever is about to send them: after this no try begins, and an attempt counted before may have arrived.
            self._hot.execute(
                """update critical.delivery set dropped_at = clock_timestamp()
                   where alert_id = %s and kind in ('alert', 'escalation') and sent_at is null and dropped_at is null""",
                [number],
            )
            if because != "replaced":
                self._hot.execute(
                    """insert into critical.delivery (alert_id, kind, step, channel)
                       select alert_id, 'correction', row_number() over (order by channel) - 1, channel from (
                           select distinct alert_id, channel from critical.delivery
                           where alert_id = %s and kind in ('alert', 'escalation') and attempts > 0) told""",
                    [number],
                )
            append(self._hot, "alert.withdrawn", str(number), {"because": because})
        return len(rows)

    def _count(self, counts: Mapping[tuple[date, str, str, str, str], int]) -> None:
        rows = [(*key, number) for key, number in sorted(counts.items())]
        with self._hot.cursor() as cursor:
            cursor.executemany(
                """insert into critical.judged as j (day, source, what, rule, reason, number) values (%s, %s, %s, %s, %s, %s)
                   on conflict (day, source, what, rule, reason) do update set number = j.number + excluded.number""",
                rows,
            )
        for day, source in sorted({(key[0], key[1]) for key in counts if key[2] in TOLD}):
            self._hot.execute(
                """with told as (insert into critical.notice (day, source) values (%s, %s) on conflict do nothing returning notice_id)
                   insert into critical.delivery (notice_id, kind, channel) select notice_id, 'notice', %s from told""",
                [day, source, self._first_channel],
            )


def _rank(before: Known | None, finding: Finding) -> int:
    return max(before.rank, finding.rank) if before else finding.rank


def _key_id(finding: Finding) -> str:
    return keys.person_key_id(finding.person_token) if finding.person_token else NOBODY
