"""What the terminal reads from the night's books."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import psycopg

from include.settings import Settings
from include.terminal.progress import StepRow
from include.warehouse.connect import connect


def open_books(settings: Settings) -> psycopg.Connection:
    """A connection that sees each step as it is committed."""
    return connect("publisher", "hot", settings, autocommit=True)


def last_attempt(books: psycopg.Connection, night: date) -> int:
    """Number of the night's last attempt; 0 where it was never opened."""
    row = books.execute("select attempt from lifecycle.night where night = %s", [night]).fetchone()
    return row[0] if row else 0


def read_steps(books: psycopg.Connection, night: date, attempt: int) -> Sequence[StepRow]:
    """The attempt's steps, in the order they began."""
    rows = books.execute(
        """select step_id, step, source, state,
                  extract(epoch from coalesce(finished_at, clock_timestamp()) - started_at)::float8, counts, error_code
           from lifecycle.step where night = %s and attempt = %s order by step_id""",
        [night, attempt],
    ).fetchall()
    return [StepRow(*row) for row in rows]


def read_verdict(books: psycopg.Connection, night: date, attempt: int) -> str | None:
    """The verdict of this very attempt; None where it did not get that far."""
    row = books.execute(
        "select verdict from lifecycle.night where night = %s and attempt = %s", [night, attempt]
    ).fetchone()
    return row[0] if row else None


def verdict_lines(books: psycopg.Connection, night: date) -> list[str]:
    """The verdict and every reason for it, a line each."""
    row = books.execute("select verdict, reasons from lifecycle.night where night = %s", [night]).fetchone()
    verdict, reasons = row or (None, [])
    return [f"Night of {night}: {verdict}", *(f"  {reason['level']}: {reason['text']}" for reason in reasons)]
