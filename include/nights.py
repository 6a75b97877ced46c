"""The night's own books: its steps as they run, and the verdict at its end."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import psycopg

from include.errors import PlumblineError
from include.settings import Settings
from include.warehouse.connect import connect


class OlderNightError(PlumblineError):
    """A night that is older than what analysts see, and that nobody said to publish all the same."""


@dataclass(slots=True)
class Step:
    """Counts of a running step; numbers only, so that nothing personal can get in."""

    counts: dict[str, int | float] = field(default_factory=dict)

    def count(self, **numbers: int | float) -> None:
        """Set counts by name, for example ``count(received=10, loaded=9)``. Raises TypeError on anything but numbers."""
        for name, number in numbers.items():
            if not isinstance(number, (int, float)):
                raise TypeError(f"count {name} is a {type(number).__name__}; counts are numbers")
            self.counts[name] = number


@contextmanager
def step(
    night: date, name: str, source: str | None = None, *, role: str = "loader", settings: Settings | None = None
) -> Iterator[Step]:
    """Record a step of the night while it runs: what the terminal shows and the report tells.

    ``role`` is whose step it is. An exception marks the step failed, by its class name only, and goes on its way.
    """
    with connect(role, "hot", settings, autocommit=True) as books:
        row = books.execute(
            "insert into lifecycle.step (night, attempt, step, source) values (%s, %s, %s, %s) returning step_id",
            [night, current_attempt(books, night), name, source],
        ).fetchone()
        running = Step()
        try:
            yield running
        except BaseException as problem:
            _finish(books, row[0], "failed", running, type(problem).__name__)
            raise
        _finish(books, row[0], "done", running, None)


def _finish(books: psycopg.Connection, step_id: int, state: str, ended: Step, error_code: str | None) -> None:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    books.execute(
        """update lifecycle.step set state = %s, finished_at = clock_timestamp(), counts = %s, error_code = %s,
           memory_peak_mb = %s where step_id = %s""",
        [state, json.dumps(ended.counts), error_code, peak_mb, step_id],
    )


def current_attempt(books: psycopg.Connection, night: date) -> int:
    """The number of the attempt under way; 1 where the night was never opened (a step run by hand)."""
    row = books.execute("select attempt from lifecycle.night where night = %s", [night]).fetchone()
    return row[0] if row else 1


def open_night(night: date, settings: Settings | None = None) -> int:
    """Begin (or begin again) a night. Steps a killed attempt left running are marked failed. Returns the attempt's number."""
    with connect("loader", "hot", settings) as books:
        books.execute(
            "update lifecycle.step set state = 'failed', error_code = 'Killed', finished_at = clock_timestamp() where state = 'running'"
        )
        row = books.execute(
            """insert into lifecycle.night (night) values (%s)
               on conflict (night) do update set attempt = night.attempt + 1, started_at = clock_timestamp(),
                   finished_at = null, verdict = null, reasons = '[]', published = false
               returning attempt""",
            [night],
        ).fetchone()
        books.execute(
            "select audit.append('night.opened', %s, jsonb_build_object('attempt', %s::int))", [str(night), row[0]]
        )
        return row[0]


def newer_published(books: psycopg.Connection, night: date) -> date | None:
    """The newest night after ``night`` that was published, or None."""
    return books.execute("select max(night) from lifecycle.night where published and night > %s", [night]).fetchone()[0]


def refuse_older(books: psycopg.Connection, night: date, *, say_instead: str) -> None:
    """Raise OlderNightError where analysts already see a later night: it would give way to what was known before it."""
    newer = newer_published(books, night)
    if newer:
        raise OlderNightError(
            found=f"the night of {newer} is published; that of {night} would take its place for everybody who reads the marts",
            expected=f"{newer} or a later night",
            action=f"run {newer} again to take in what came late; to publish the older night all the same, {say_instead}",
        )


def record_failure(night: date, name: str, error_code: str, settings: Settings | None = None) -> None:
    """Have the night's books say that a step failed for good, also where it died before it could write a line.

    Steps of that name that a killed task left running are marked failed.
    """
    with connect("loader", "hot", settings) as books:
        attempt = current_attempt(books, night)
        books.execute(
            """update lifecycle.step set state = 'failed', error_code = %s, finished_at = clock_timestamp()
               where (night, attempt, step, state) = (%s, %s, %s, 'running')""",
            [error_code, night, attempt, name],
        )
        books.execute(
            """insert into lifecycle.step (night, attempt, step, state, error_code, finished_at)
               select %(night)s, %(attempt)s, %(step)s, 'failed', %(code)s, clock_timestamp() where not exists (
                   select from lifecycle.step where (night, attempt, step, state) = (%(night)s, %(attempt)s, %(step)s, 'failed'))""",
            {"night": night, "attempt": attempt, "step": name, "code": error_code},
        )
