"""The watcher killed with -9 again and again while critical results come: no alert is lost, none is made twice, and what a receiver
is told twice bears the same idempotency key."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.test_critical import Receiver, all_judged, feed, potassium, receiver, rows, until  # noqa: F401
from tests.integration.test_live import Feed
from tests.integration.test_live_erasure import put

PROJECT = Path(__file__).resolve().parents[2]


class Killed:
    """A watcher in a process of its own, killed at random moments after it began to work and started again."""

    def __init__(self, feed: Feed, url: str, log: Path) -> None:  # noqa: F811
        self._log, self._random = log, random.Random(20261)
        self._environment = {
            **os.environ,
            "PLUMBLINE_HOME": str(feed.settings.home),
            "PLUMBLINE_SOURCES": str(feed.settings.sources_file),
            "PLUMBLINE_ALERT_WEBHOOK": url,
            "PYTHONPATH": str(PROJECT),
        }

    def start(self) -> subprocess.Popen:
        before = self._watching()
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "include.critical", "watch"], env=self._environment, stderr=log, cwd=PROJECT
            )
        until(lambda: self._watching() > before or process.poll() is not None, 300)
        assert process.poll() is None, self._log.read_text()
        return process

    def _watching(self) -> int:
        return self._log.read_text().count(" watching ") if self._log.exists() else 0

    def live_and_die(self, longest: float) -> None:
        process = self.start()
        time.sleep(self._random.uniform(0, longest))
        process.kill()
        process.wait(60)


def _soak(feed: Feed, receiver: Receiver, folder: Path, *, kills: int, messages: int, longest: float) -> None:  # noqa: F811
    watcher = Killed(feed, receiver.url, folder / "watch.log")
    number = 0
    for nth in range(kills):
        until_now = (nth + 1) * messages // kills
        put(feed, *(potassium(f"7.{each}", f"K{each}", number=each) for each in range(number, until_now)))
        number = until_now
        watcher.live_and_die(longest)
    last = watcher.start()
    try:
        until(lambda: all_judged(feed) and not rows(feed, "select 1 from critical.alert where state = 'new'"), 300)
    finally:
        last.terminate()
        assert last.wait(60) == 0
    made = [str(each) for (each,) in rows(feed, "select alert_id from critical.alert")]
    assert len(made) == messages, "an alert is lost or doubled"
    assert set(receiver.keys) == {f"{each}.alert.0" for each in made}, "an alert was not told, or under another key"
    assert rows(feed, "select sum(number)::int from critical.judged where what = 'messages'") == [(messages,)]
    assert rows(
        feed,
        "select count(*) from audit.entry where action = 'alert.made' and subject in (select alert_id::text from critical.alert)",
    ) == [(messages,)]
    log = (folder / "watch.log").read_text()
    assert not any(secret in log for secret in ("Quackenbush", "otassium", "7.1"))


def test_a_watcher_that_is_killed_loses_and_doubles_no_alert(feed, receiver, tmp_path):  # noqa: F811
    _soak(feed, receiver, tmp_path, kills=3, messages=90, longest=0.15)


@pytest.mark.slow
def test_watch_soak_under_kills(feed, receiver, tmp_path):  # noqa: F811
    _soak(feed, receiver, tmp_path, kills=40, messages=2_000, longest=0.6)
