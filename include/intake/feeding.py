"""Feeding COPY from a thread: the next bytes are made while Postgres takes in those before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from queue import Empty, Full, Queue

_WAITING = 3  # pieces made ahead; each is some megabytes


def feed(pieces: Iterable[bytes], write: Callable[[bytes], object]) -> None:
    """Write every piece, making them in a thread. An error on either side ends both and is raised here."""
    waiting: Queue = Queue(_WAITING)
    stopped = threading.Event()
    maker = threading.Thread(target=_make, args=(pieces, waiting, stopped), name="rows", daemon=True)
    maker.start()
    try:
        while True:
            piece = waiting.get()
            if piece is None:
                return
            if isinstance(piece, BaseException):
                raise piece
            if piece:
                write(piece)
    finally:
        stopped.set()
        _drain(waiting)
        maker.join()


def _make(pieces: Iterable[bytes], waiting: Queue, stopped: threading.Event) -> None:
    try:
        for piece in pieces:
            if not _put(waiting, piece, stopped):
                return
        _put(waiting, None, stopped)
    except BaseException as problem:
        _put(waiting, problem, stopped)


def _put(waiting: Queue, piece: object, stopped: threading.Event) -> bool:
    while not stopped.is_set():
        try:
            waiting.put(piece, timeout=0.2)
            return True
        except Full:
            continue
    return False


def _drain(waiting: Queue) -> None:
    while True:
        try:
            waiting.get_nowait()
        except Empty:
            return
