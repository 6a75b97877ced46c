"""The watcher: judges live messages as they come, tells whom the policy names, and goes on where a kill left it.

It reads the inbox and never writes to it but for its mark, so that the listener's acknowledgement neither waits for it nor knows
of it. Of several watchers one works, the others stand by.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg

from include.alerts.channels import Mail, Webhook
from include.critical.findings import Judge, Judged, read_local_codes
from include.critical.ledger import Ledger, Message, Written
from include.critical.metrics import critical_metrics_file, write_critical_metrics
from include.critical.outbox import escalate, steps_of, tell_due
from include.critical.policy import CriticalPolicy, Step
from include.errors import PlumblineError, lines_of_ours
from include.privacy.keyring import Keyring
from include.privacy.tokens import Tokeniser
from include.settings import Settings
from include.sources.registry import Source
from include.warehouse.connect import connect

_log = logging.getLogger("plumbline.watch")
LOOK_SECONDS = 0.5  # how often the inbox is looked at while nothing comes
_SEEN_SECONDS = 5.0
_METRICS_SECONDS = 15.0
_AGAIN_SECONDS = 2.0
_AT_ONCE, _BYTES_AT_ONCE = 200, 16 << 20


class WatchError(PlumblineError):
    """The watcher cannot go on."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What a watcher works with."""

    settings: Settings
    sources: Mapping[str, Source]
    policy: CriticalPolicy
    keyring: Keyring
    channels: Sequence[Webhook | Mail]

    @property
    def steps(self) -> tuple[Step, ...]:
        """Whom alerts go to, one after the other."""
        return steps_of(self.policy.telling, self.channels)


def serve(watch: Watch, stopping: threading.Event) -> None:
    """Watch until stopped. A database that goes away is waited for; what a person has to correct ends it."""
    while not stopping.is_set():
        try:
            with connect("watcher", "hot", watch.settings, autocommit=True) as hot:
                if not _is_alone(hot):
                    _log.info("another watcher is at work; standing by")
                while not _is_alone(hot):
                    if stopping.wait(_AGAIN_SECONDS):
                        return
                _work(watch, hot, stopping)
        except psycopg.OperationalError as problem:
            _log.error("the database does not answer (%s); trying again", type(problem).__name__)
            stopping.wait(_AGAIN_SECONDS)
        except (PlumblineError, psycopg.errors.InsufficientPrivilege):
            raise
        except Exception as problem:  # a mistake of ours must not end what others rely on
            _log.error("judging stumbled (%s in %s); trying again", type(problem).__name__, lines_of_ours(problem))
            stopping.wait(_AGAIN_SECONDS)


def _is_alone(hot: psycopg.Connection) -> bool:
    return hot.execute("select pg_try_advisory_lock(hashtext('critical.watch'))").fetchone()[0]


def _work(watch: Watch, hot: psycopg.Connection, stopping: threading.Event) -> None:
    """Judge here, tell in threads; when one of them ends for whatever reason, all end."""
    ending = threading.Event()
    tellers = [
        threading.Thread(target=_tell, args=(watch, channel, ending), name=f"tell-{channel.name}", daemon=True)
        for channel in watch.channels
        if channel.name in {step.channel for step in watch.steps}
    ]
    for teller in tellers:
        teller.start()
    try:
        with connect("sealer", "keys", watch.settings, autocommit=True) as books:
            judging = Judging(watch, hot, books)
            _log.info("watching %s", ", ".join(sorted(watch.sources)))
            while not stopping.is_set():
                judging.say_alive()
                judging.tell_metrics()
                if not judging.judge_some():
                    escalate(hot, watch.steps, watch.policy.telling)
                    stopping.wait(LOOK_SECONDS)
    finally:
        ending.set()
        for teller in tellers:
            teller.join(20)


def _tell(watch: Watch, channel: Webhook | Mail, ending: threading.Event) -> None:
    """Hand over what is due at one channel, until the judging ends."""
    while not ending.is_set():
        try:
            with connect("watcher", "hot", watch.settings, autocommit=True) as hot:
                while not ending.is_set():
                    if not any(tell_due(hot, channel, watch.policy)):
                        ending.wait(LOOK_SECONDS)
        except Exception as problem:  # a teller that died quietly would be alerts that nobody gets
            _log.error(
                "telling by %s stumbled (%s in %s); trying again",
                channel.name,
                type(problem).__name__,
                lines_of_ours(problem),
            )
            ending.wait(_AGAIN_SECONDS)


class Judging:
    """Takes messages out of the inbox's queue, some at a time. ``hot`` of role watcher and ``books`` of role sealer, autocommit."""

    def __init__(self, watch: Watch, hot: psycopg.Connection, books: psycopg.Connection) -> None:
        self._watch, self._hot = watch, hot
        self._judge = Judge(watch.policy, Tokeniser(watch.keyring.token_key), read_local_codes())
        self._ledger = Ledger(hot, books, watch.keyring, watch.policy, watch.steps[0].channel)
        self._seen_at, self._told_at = -_SEEN_SECONDS, -_METRICS_SECONDS
        self.totals: Counter[str] = Counter()

    def say_alive(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Write down every few seconds that somebody watches: unjudged messages keep their bytes from then on."""
        if clock() - self._seen_at >= _SEEN_SECONDS:
            self._seen_at = clock()
            self._hot.execute(
                """insert into critical.watching default values
                   on conflict (only_row) do update set seen_at = clock_timestamp()"""
            )

    def tell_metrics(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Write the metrics every some seconds. A folder that cannot be written is told, and stops no alert."""
        if clock() - self._told_at < _METRICS_SECONDS:
            return
        self._told_at = clock()
        try:
            write_critical_metrics(self._hot, critical_metrics_file(self._watch.settings.home))
        except OSError as problem:
            _log.warning("metrics cannot be written (%s)", type(problem).__name__)

    def judge_some(self) -> int:
        """Judge what waits, at most some hundreds. Returns messages judged."""
        rows = self._hot.execute(
            """select live_no, source, received_at, sealed from (
                   select live_no, source, received_at, sealed, sum(bytes) over (order by live_no) - bytes as before from (
                       select live_no, source, received_at, sealed, bytes from intake.live
                       where judged_at is null and sealed is not null and source = any(%b) order by live_no limit %b) waiting
               ) sized where before < %b order by live_no""",
            [list(self._watch.sources), _AT_ONCE, _BYTES_AT_ONCE],
            binary=True,
        ).fetchall()
        opened = [self._open(sealed) for *_, sealed in rows]
        if rows and not any(opened):
            # Not one message that is past opening, but the wrong keys: marking these as judged would lose their alerts.
            raise WatchError(
                found=f"none of {len(rows)} waiting messages opens with the keyring's landing identity",
                expected="the keyring that the listener seals messages for",
                action="mount that keyring; the messages wait",
            )
        if rows:
            self._write([self._judged(*row[:3], content) for row, content in zip(rows, opened, strict=True)])
        return len(rows)

    def _open(self, sealed: bytes) -> bytes | None:
        import pyrage

        try:
            return pyrage.decrypt(
                bytes(sealed), [pyrage.x25519.Identity.from_str(self._watch.keyring.landing_identity)]
            )
        except pyrage.DecryptError:
            return None

    def _judged(self, live_no: int, source: str, received_at: datetime, content: bytes | None) -> Message:
        if content is None:
            return Message(live_no, source, received_at, _unreadable("it does not open"))
        return Message(
            live_no, source, received_at, self._judge.judge_message(self._watch.sources[source], content, received_at)
        )

    def _write(self, messages: Sequence[Message]) -> None:
        """Write a batch; where that fails, message by message, so that one cannot stop the others.

        A message is given up where the database refuses its data, or where it fails and others do not. Where all fail, the
        fault is not theirs: they wait, and the error goes on to whoever can do something about it.
        """
        try:
            self._note(self._ledger.write(messages))
            return
        except (psycopg.OperationalError, PlumblineError):
            raise
        except Exception as problem:
            failed = {message.live_no: problem for message in messages}
        if len(messages) > 1:
            failed = {message.live_no: problem for message in messages if (problem := self._try(message))}
        theirs = {
            at for at, problem in failed.items() if isinstance(problem, (psycopg.DataError, psycopg.IntegrityError))
        }
        if failed and len(failed) == len(messages) and not theirs:
            raise next(iter(failed.values()))
        for message in messages:
            if message.live_no in (failed if len(failed) < len(messages) else theirs):
                problem = failed[message.live_no]
                _log.error(
                    "a message could not be written down (%s in %s)", type(problem).__name__, lines_of_ours(problem)
                )
                self._note(self._ledger.write([replace(message, judged=_unreadable("it could not be written down"))]))

    def _try(self, message: Message) -> Exception | None:
        """Write one message; what went wrong with it, where that may be its own fault."""
        try:
            self._note(self._ledger.write([message]))
        except (psycopg.OperationalError, PlumblineError):
            raise
        except Exception as problem:
            return problem
        return None

    def _note(self, written: Written) -> None:
        for (_, _, what, _, _), number in written.counts.items():
            self.totals[what] += number
        if written.alerts or written.withdrawn:
            _log.info("%d alerts made, %d withdrawn", written.alerts, written.withdrawn)


def _unreadable(reason: str) -> Judged:
    return Judged(counts=Counter({("messages", "", ""): 1, ("unreadable", "", reason): 1}))


def stop_watching(settings: Settings) -> int:
    """Say that nobody watches any more; returns messages that were kept for the watcher only and are emptied now."""
    with connect("watcher", "hot", settings) as hot:
        return hot.execute("select critical.stop_watching()").fetchone()[0]
