"""Work in several database sessions at once: a session keeps one core of the server busy, whatever it is asked."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# Below this a second session costs more than it gives.
ROWS_FOR_TWO = 20_000


def at_once(*work: Callable[[], Any]) -> list[Any]:
    """What each returns, in order. Each must use a session of its own.

    Waits for all of them, whatever happens, and then raises what the first that failed raised.
    """
    with ThreadPoolExecutor(max(1, len(work) - 1)) as pool:
        others = [pool.submit(each) for each in work[1:]]
        return [work[0](), *(each.result() for each in others)]
