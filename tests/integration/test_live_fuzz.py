"""MLLP over real sockets beside peers that do everything wrong: what honest senders were told is stored is there, once, and the listener stays small.

A few seconds of a fixed seed in ``make test``; ``make fuzz`` does it for minutes (FUZZ_SECONDS) from another seed each time.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import threading
import time
from collections.abc import Callable

import pytest

from tests.hl7v2_messages import admit, results
from tests.integration.test_live import feed, listening  # noqa: F401 (fixtures)
from tests.mllp_client import Sender, frame

LIMITS = {
    "message_seconds": 1,
    "idle_seconds": 5,
    "max_message_bytes": 20_000,
    "max_held_bytes": 2 << 20,
    "max_per_peer": 40,
}
HOSTILE = 6
HONEST = 3
HONEST_EVENT = "A08"  # of which the hostile ones send none


def sends_garbage(sender: Sender, chance: random.Random) -> None:
    sender.send(chance.randbytes(chance.randrange(1, 4_000)))


def sends_a_giant(sender: Sender, chance: random.Random) -> None:
    sender.send(b"\x0b" + admit(control="BIG"))
    for _ in range(chance.randrange(1, 40)):
        sender.send(b"OBX|1|TX|||" + b"x" * 9_000 + b"\r")
    sender.send(b"\x1c\r")


def stalls_inside_a_block(sender: Sender, chance: random.Random) -> None:
    sender.send(frame(admit(control="HALF"))[: chance.randrange(1, 300)])
    time.sleep(chance.random() * 1.5)


def drips(sender: Sender, chance: random.Random) -> None:
    for byte in frame(admit(control="DRIP"))[: chance.randrange(1, 120)]:
        sender.send(bytes([byte]))


def begins_again_and_again(sender: Sender, chance: random.Random) -> None:
    sender.send(b"\x0bMSH|^~\\&|" * chance.randrange(1, 400))


def ends_what_never_began(sender: Sender, chance: random.Random) -> None:
    sender.send(b"\x1c\r" * chance.randrange(1, 400) + b"\x0b\x1c\r" * chance.randrange(1, 50))


def damages_messages(sender: Sender, chance: random.Random) -> None:
    broken = bytearray(frame(results(1, "HURT")))
    for _ in range(chance.randrange(1, 12)):
        broken[chance.randrange(1, len(broken) - 2)] = chance.randrange(256)
    sender.send(bytes(broken))


def takes_no_answers(sender: Sender, chance: random.Random) -> None:
    sender.send(frame(b"MSH|^~\\&|" + b"x" * 50) * chance.randrange(1, 200))


def hangs_up(sender: Sender, chance: random.Random) -> None:
    sender.send(frame(admit(control="GONE"))[: chance.randrange(1, 300)])
    sender.close()


TRICKS: tuple[Callable[[Sender, random.Random], None], ...] = (
    sends_garbage, sends_a_giant, stalls_inside_a_block, drips, begins_again_and_again, ends_what_never_began, damages_messages,
    takes_no_answers, hangs_up,
)  # fmt: skip


def be_hostile(port: int, chance: random.Random, until: float, played: list[str]) -> None:
    """One trick after the other, several on the same connection, on another where the listener let go."""
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            sender = Sender(port, timeout=3)
            for _ in range(chance.randrange(1, 5)):
                trick = chance.choice(TRICKS)
                played.append(trick.__name__)
                trick(sender, chance)
            sender.close()


def be_honest(port: int, name: str, chance: random.Random, until: float, told: list[str]) -> None:
    """Messages by the dozen, their blocks cut and joined anywhere; every one is answered in its order, whatever others do."""
    sender, number = Sender(port), 0
    while time.monotonic() < until:
        controls = [f"{name}-{number + at}" for at in range(chance.randrange(1, 25))]
        number += len(controls)
        stream = b"\r\n".join(frame(admit(at + 1, control, HONEST_EVENT)) for at, control in enumerate(controls))
        while stream:
            size = chance.choice([1, 7, 60, 4_000, len(stream)])
            sender.send(stream[:size])
            stream = stream[size:]
        answers = [sender.answer() for _ in controls]
        assert [code for code, _, _ in answers] == ["AA"] * len(controls), answers
        assert [control for _, control, _ in answers] == controls
        told += controls


def fuzz(port: int, seconds: float, seed: int) -> tuple[list[str], list[str]]:
    """Control ids that were acknowledged, and tricks that were played."""
    told, played, failed = [], [], []
    until = time.monotonic() + seconds

    def run(play: Callable[..., None], *words: object) -> None:
        try:
            play(*words)
        except BaseException as problem:
            failed.append(problem)

    threads = [
        *(
            threading.Thread(target=run, args=(be_hostile, port, random.Random(seed + at), until, played))
            for at in range(HOSTILE)
        ),
        *(
            threading.Thread(target=run, args=(be_honest, port, f"H{seed}-{at}", random.Random(seed - at), until, told))
            for at in range(HONEST)
        ),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 120)
    assert not failed, f"seed {seed}: {failed}"
    assert not any(thread.is_alive() for thread in threads), f"seed {seed}: a sender hangs"
    return told, played


def stored_of_honest(feed) -> int:  # noqa: F811
    return len([1 for (kind,) in feed.rows("message_type") if kind == f"ADT^{HONEST_EVENT}"])


def test_honest_senders_are_served_beside_hostile_ones(feed, listening):  # noqa: F811
    told, played = fuzz(listening(**LIMITS), 4, 20261)
    assert len(set(played)) > 5
    assert stored_of_honest(feed) == len(set(told)) == len(told) > HONEST


@pytest.mark.slow
def test_fuzz_mllp_sockets_for_minutes_without_growth(feed, listening):  # noqa: F811
    """Memory at the end is what it was after the first fifth."""
    seconds, seed = (
        float(os.environ.get("FUZZ_SECONDS", "90")),
        int(os.environ.get("FUZZ_SEED", time.time_ns() % 10**9)),
    )
    port = listening(**LIMITS)
    told, _ = fuzz(port, seconds / 5, seed)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    more, _ = fuzz(port, seconds * 4 / 5, seed + 1_000)
    assert stored_of_honest(feed) == len(set(told + more)) == len(told + more)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < grown + (64 << 10), "memory grows"
