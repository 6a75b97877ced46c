"""Working ahead in a thread: everything comes, in order, and nothing goes on behind the back of who stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from include.intake.feeding import Ahead, feed


class Broken(Exception):
    """What a maker raises."""


def counting(made: list[int], until: int = 1_000_000, *, ends: threading.Event | None = None) -> Iterator[int]:
    try:
        for number in range(until):
            made.append(number)
            yield number
    finally:
        if ends:
            ends.set()


def test_items_come_in_order_and_begin_before_they_are_asked_for() -> None:
    made: list[int] = []
    begun = threading.Event()

    def items() -> Iterator[int]:
        for number in counting(made, 50):
            begun.set()
            yield number

    ahead = Ahead(items(), "items")
    assert begun.wait(60), "nobody asked yet, and the first is made"
    assert list(ahead) == list(range(50)) == made
    assert list(ahead) == [], "an end stays an end"


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield from range(10)
        raise Broken

    got = []
    with pytest.raises(Broken):
        for number in Ahead(items(), "items"):
            got.append(number)
    assert got == list(range(10))


def test_closing_ends_the_thread_and_the_maker_with_it() -> None:
    made: list[int] = []
    ended = threading.Event()
    with closing(Ahead(counting(made, ends=ended), "items")) as ahead:
        assert next(ahead) == 0
    assert ended.wait(60)
    assert len(made) < 20, "only a few are made ahead"
    assert not [thread for thread in threading.enumerate() if thread.name == "items"]


def test_an_error_of_who_takes_ends_the_maker() -> None:
    ended = threading.Event()

    def take(piece: bytes) -> None:
        raise Broken

    with pytest.raises(Broken):
        feed((b"%d" % number for number in counting([], ends=ended)), take)
    assert ended.wait(60)
