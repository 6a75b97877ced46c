"""The listener killed with -9 again and again while many peers send: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import date
from pathlib import Path

import pyrage
import pytest
import yaml

from include.intake.load import load_source
from include.landing.land import land_source
from include.privacy.keyring import load_keyring
from include.warehouse.connect import connect
from tests.hl7v2_messages import admit
from tests.integration.test_live import Feed
from tests.mllp_client import Sender, frame

PROJECT = Path(__file__).resolve().parents[2]
NIGHT = date(2026, 11, 22)
PIPELINED = 8


class Restarted:
    """A listener in a process of its own that is killed at random moments and started again."""

    def __init__(self, feed: Feed, port: int, log: Path, longest_life: float) -> None:
        self._feed, self._port, self._log, self._longest_life = feed, port, log, longest_life
        self._random = random.Random(20261)
        self.kills = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        environment = {
            **os.environ,
            "PLUMBLINE_HOME": str(self._feed.settings.home),
            "PLUMBLINE_SOURCES": str(self._feed.settings.sources_file),
            "PYTHONPATH": str(PROJECT),
        }
        while not self._stopping.is_set():
            with self._log.open("ab") as log:
                process = subprocess.Popen(
                    [sys.executable, "-m", "include.live"], env=environment, stderr=log, cwd=PROJECT
                )
            if self._is_up(process):
                self._stopping.wait(self._random.uniform(0.005, self._longest_life))
            if self._stopping.is_set():
                process.send_signal(signal.SIGTERM)
                process.wait(60)
                return
            process.kill()
            process.wait(60)
            self.kills += 1

    def _is_up(self, process: subprocess.Popen) -> bool:
        while process.poll() is None and not self._stopping.is_set():
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return True
            except OSError:
                time.sleep(0.05)
        return False

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(120)


def send_until_acknowledged(
    port: int, waiting: list[tuple[str, bytes]], acknowledged: Counter, deadline: float
) -> None:
    """Send every message, a few at a time, again where no answer came; count acknowledgements by control id."""
    while waiting and time.monotonic() < deadline:
        try:
            sender = Sender(port, timeout=10)
        except OSError:
            time.sleep(0.05)
            continue
        try:
            while waiting:
                some = waiting[:PIPELINED]
                sender.send(b"".join(frame(message) for _, message in some))
                for each in some:  # a refusal is read like an acknowledgement: the answers after it come all the same
                    code, control, _ = sender.answer()
                    assert control == each[0], "answers are not in the order of the messages"
                    if code == "AA":
                        acknowledged[control] += 1
                        waiting.remove(each)
                time.sleep(0.03)  # so that the whole takes several lives of the listener
        except (ConnectionError, TimeoutError, OSError):
            continue
        finally:
            sender.close()


def _soak(
    feed: Feed, tmp_path: Path, *, messages: int, connections: int, least_kills: int, longest_life: float
) -> None:
    """``longest_life`` in seconds: how long the listener is left alone at most."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    declared = yaml.safe_load(feed.settings.sources_file.read_text())
    declared["sources"][0]["listen"] = port
    feed.settings.sources_file.write_text(yaml.safe_dump(declared))
    shares = [
        [(f"C{number}", admit(number, f"C{number}")) for number in range(first, messages, connections)]
        for first in range(connections)
    ]
    acknowledged = [Counter() for _ in shares]
    deadline = time.monotonic() + 3_000  # a loaded machine starts a listener in ten seconds
    listener = Restarted(feed, port, tmp_path / "listen.log", longest_life)
    senders = [
        threading.Thread(target=send_until_acknowledged, args=(port, share, told, deadline), daemon=True)
        for share, told in zip(shares, acknowledged, strict=True)
    ]
    for each in senders:
        each.start()
    for each in senders:
        each.join(3_020)
    listener.stop()
    told = sum(acknowledged, Counter())
    assert listener.kills >= least_kills
    assert len(told) == messages, f"{messages - len(told)} messages were never acknowledged"
    stored = _stored(feed)
    assert not told.keys() - stored.keys(), "acknowledged and lost"
    assert max(stored.values()) == 1, "stored twice"
    assert len(stored) == messages
    _night(feed, messages)


def _stored(feed: Feed) -> Counter:
    """Control ids of what is in the inbox, read by the holder of the landing identity."""
    identity = [pyrage.x25519.Identity.from_str(load_keyring(feed.settings.keyring_dir).landing_identity)]
    return Counter(pyrage.decrypt(bytes(sealed), identity).split(b"|")[9].decode() for (sealed,) in feed.rows("sealed"))


def _night(feed: Feed, messages: int) -> None:
    land_source(feed.name, NIGHT, feed.settings)
    (batch,) = load_source(feed.name, NIGHT, feed.settings)
    with connect("postgres", "hot", feed.settings) as hot:
        counts = hot.execute(
            "select received, loaded, duplicate, quarantined from lifecycle.batch where batch_id = %s", [batch]
        ).fetchone()
    assert counts == (2 * messages, 2 * messages, 0, 0)  # a patient and an encounter each


def test_a_thousand_messages_under_kills(settings, tmp_path):
    _soak(Feed(settings, tmp_path), tmp_path, messages=1_000, connections=12, least_kills=3, longest_life=0.09)


@pytest.mark.slow
def test_live_soak_ten_thousand_messages_under_kills(settings, tmp_path):
    _soak(Feed(settings, tmp_path), tmp_path, messages=10_000, connections=40, least_kills=20, longest_life=0.12)
