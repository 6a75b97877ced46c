"""Work ahead in a thread: the next items are made while those before are taken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from queue import Empty, Full, Queue
from typing import Generic, TypeVar

_WAITING = 4  # items made ahead; each is up to some megabytes

Item = TypeVar("Item")


class Ahead(Generic[Item]):
    """An iterable's items, made in a thread that begins at once. An error there is raised here, after the items before it.

    To be closed where it is not read to its end.
    """

    def __init__(self, items: Iterable[Item], name: str) -> None:
        self._waiting: Queue = Queue(_WAITING)
        self._stopped = threading.Event()
        self._work = threading.Thread(target=self._make, args=(items,), name=name, daemon=True)
        self._work.start()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        if self._stopped.is_set():
            raise StopIteration
        item, problem = self._waiting.get()
        if problem is None:
            return item
        self._stopped.set()
        raise problem

    def close(self) -> None:
        """End the thread and forget what it made."""
        self._stopped.set()
        try:
            while True:
                self._waiting.get_nowait()
        except Empty:
            self._work.join()

    def _make(self, items: Iterable[Item]) -> None:
        problem: BaseException = StopIteration()
        try:
            for item in items:
                if not self._put((item, None)):
                    return
        except BaseException as raised:
            problem = raised
        self._put((None, problem))

    def _put(self, item: object) -> bool:
        while not self._stopped.is_set():
            try:
                self._waiting.put(item, timeout=0.2)
                return True
            except Full:
                continue
        return False


def feed(pieces: Iterable[bytes], write: Callable[[bytes], object]) -> None:
    """Write every piece, making them in a thread. An error on either side ends both and is raised here."""
    with closing(Ahead(pieces, "rows")) as made:
        for piece in made:
            if piece:
                write(piece)
