"""HL7 v2: parsing and mapping beside python-hl7 and hl7apy on the same messages, and the MLLP listener's rate and time to ACK.

    python -m bench hl7v2

A message is an ORU of 19 segments. The listener runs in a process of its own against a database of its own; its rate stands
beside that of the same database taking one message a transaction, which is what a listener without group commit could do.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

from bench.stack import bench_settings
from include.settings import Settings
from include.sources.hl7v2.files import read
from include.sources.hl7v2.message import parse_message
from include.sources.listing import Landed
from include.sources.registry import make_source
from include.warehouse.connect import connect

NIGHT = date(2026, 11, 22)
MESSAGES = 4_000
LIVE = 8_000
CONNECTIONS = 16
PIPELINED = 20


def main() -> None:
    """Run and print both parts."""
    messages = [oru(number) for number in range(MESSAGES)]
    _parsing(messages)
    with bench_settings(NIGHT) as settings, _listening(settings) as port:
        _live(settings, port)


def oru(number: int) -> bytes:
    """A report of 14 results: 19 segments."""
    results = [
        f"OBX|{n}|NM|{26450 + n}-7^Analyte {n}^LN||{number * n % 97}.{n}|mg/dL^^UCUM|{n}-{n + 90}|N|||F|||20261120{n % 9:02d}3000-0500"
        for n in range(1, 15)
    ]
    lines = [
        f"MSH|^~\\&|LAB|GHH|EHR|GHH|20261120{number % 24:02d}3015-0500||ORU^R01^ORU_R01|{number}|P|2.5.1",
        f"PID|1||P{number % 500}^^^GHH^MR||Doe^Jane^A||19800101|F|||1 Main St^^Town^MA^02134^USA||(617)555-{number % 10000:04d}",
        f"PV1|1|I|W^1^2||||||||||||||||V{number}^^^GHH^VN",
        f"ORC|RE|O{number}^GHH|F{number}^LAB",
        f"OBR|1|O{number}^GHH|F{number}^LAB|24323-8^CMP^LN|||202611200730-0500|||||||||1234^Smith^Bob||||||20261120093000-0500|||F",
        *results,
    ]
    return ("\r".join(lines) + "\r").encode()


def _parsing(messages: list[bytes]) -> None:
    import hl7
    from hl7apy.parser import parse_message as parse_with_groups

    source = make_source({"name": "lab", "kind": "hl7v2", "path": "."}, Path(), "bench")
    stream = b"".join(messages)
    texts = [message.decode() for message in messages]
    rates = {
        "Plumbline, parse": _rate(messages, lambda: [parse_message(message) for message in messages]),
        "Plumbline, read, map to FHIR, write JSON": _rate(
            messages, lambda: list(read(source, lambda: io.BytesIO(stream), Landed()))
        ),
        "python-hl7, parse": _rate(texts[:1000], lambda: [hl7.parse(text) for text in texts[:1000]]),
        "hl7apy, parse with groups": _rate(texts[:40], lambda: [parse_with_groups(text) for text in texts[:40]]),
    }
    best_other = rates["python-hl7, parse"]
    for name, rate in rates.items():
        print(f"  {name:<42} {rate:>9,.0f} messages/s, {rate / best_other:>6.2f} of python-hl7's parse")


def _rate(messages: list, work: Callable[[], object]) -> float:
    """Messages a second, the best of three."""
    best = 0.0
    for _ in range(3):
        begun = time.perf_counter()
        work()
        best = max(best, len(messages) / (time.perf_counter() - begun))
    return best


@contextmanager
def _listening(settings: Settings) -> Iterator[int]:
    sources = settings.home / "bench_live.yml"
    sources.write_text(json.dumps({"sources": [{"name": "live", "kind": "hl7v2", "path": "none", "listen": 0}]}))
    ports = settings.home / "listen.ports"
    ports.unlink(missing_ok=True)
    environment = {**os.environ, "PLUMBLINE_HOME": str(settings.home), "PLUMBLINE_SOURCES": str(sources)}
    process = subprocess.Popen(
        [sys.executable, "-m", "include.live"],
        env=environment,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[1],
    )
    try:
        while not ports.exists():
            if process.poll() is not None:
                raise SystemExit("the listener did not start")
            time.sleep(0.05)
        yield int(ports.read_text().split("=")[1])
    finally:
        process.terminate()
        process.wait(30)


def _live(settings: Settings, port: int) -> None:
    from multiprocessing import get_context

    one_a_time = _commits(replace(settings))
    context = get_context("spawn")
    for what, window in (
        ("one at a time on each connection", 1),
        (f"{PIPELINED} pipelined on each connection", PIPELINED),
    ):
        with context.Pool(1) as pool:
            seconds, waits = pool.apply(send_all, (port, window, f"W{window}"))
        waits.sort()
        rate = len(waits) / seconds
        print(
            f"  MLLP, {CONNECTIONS} connections, {what}: {rate:,.0f} messages/s durable, {rate / one_a_time:.2f} of one a "
            f"transaction; time to ACK p50 {waits[len(waits) // 2] * 1e3:.1f} ms, p99 {waits[int(len(waits) * 0.99)] * 1e3:.1f} ms"
        )


def _commits(settings: Settings) -> float:
    """Messages a second where each is a transaction of its own."""
    message = oru(1)
    with connect("postgres", "hot", settings, autocommit=True) as hot:
        hot.execute("create table if not exists public.bench_commit (message bytea)")
        begun, count = time.perf_counter(), 0
        while time.perf_counter() - begun < 2:
            hot.execute("insert into public.bench_commit values (%s)", [message])
            count += 1
        rate = count / (time.perf_counter() - begun)
        hot.execute("drop table public.bench_commit")
    print(f"  one message a transaction, one connection: {rate:,.0f} messages/s")
    return rate


def send_all(port: int, window: int, mark: str) -> tuple[float, list[float]]:
    """Send LIVE messages over all connections; returns seconds in all and each message's seconds to its ACK."""
    waits: list[list[float]] = [[] for _ in range(CONNECTIONS)]
    threads = [
        threading.Thread(target=_send, args=(port, window, mark, first, waits[first])) for first in range(CONNECTIONS)
    ]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun, [wait for some in waits for wait in some]


def _send(port: int, window: int, mark: str, first: int, waits: list[float]) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", port), timeout=60) as peer:
        buffer, sent = b"", []
        for number in range(first, LIVE, CONNECTIONS):
            message = oru(number).replace(f"|{number}|P|2.5.1".encode(), f"|{mark}{number}|P|2.5.1".encode(), 1)
            peer.sendall(b"\x0b" + message + b"\x1c\r")
            sent.append(time.perf_counter())
            while len(sent) >= window:
                buffer = _take_answer(peer, buffer, sent, waits)
        while sent:
            buffer = _take_answer(peer, buffer, sent, waits)


def _take_answer(peer, buffer: bytes, sent: list[float], waits: list[float]) -> bytes:
    while b"\x1c" not in buffer:
        buffer += peer.recv(65536)
    answer, _, buffer = buffer.partition(b"\x1c")
    if b"MSA|AA|" not in answer:
        raise SystemExit("a message was not acknowledged")
    waits.append(time.perf_counter() - sent.pop(0))
    return buffer


if __name__ == "__main__":
    main()
