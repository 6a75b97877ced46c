"""``make status``: what runs and where, how the last night ended, and what to do about what does not run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg

from include.local_stack import stack
from include.local_stack.home import locked, read_record
from include.settings import Settings
from include.terminal.books import open_books


@dataclass(frozen=True, slots=True)
class LastNight:
    """The newest night of the books. ``verdict`` is None while it runs or where it broke; ``step`` is the one that runs."""

    night: date
    verdict: str | None
    is_published: bool
    step: str | None


def overview(path: Path, components: Sequence[str], ui: str | None) -> Iterator[str]:
    """Lines about the home at ``path``; ``components`` are those of Airflow that run, ``ui`` where it answers."""
    if read_record(path) is None:
        yield f"{path} is not a Plumbline home yet; 'make nightly' makes it (PLUMBLINE_HOME names another)"
        return
    found = stack.status(path)
    yield f"Plumbline in {path}"
    yield _line(
        "Postgres 17", found["postgres"], f"127.0.0.1:{found['postgres_port']}, files in {found['postgres_folder']}"
    )
    yield _line("S3", found["s3"], f"http://127.0.0.1:{found['s3_port']}")
    yield _line("Airflow", bool(components), f"{', '.join(components)}{f'; {ui}' if ui else ''}", "make up")
    if found["postgres"]:
        yield from _night_lines(path, has_scheduler="scheduler" in components)


def _line(what: str, is_up: bool, where: str, starts: str = "make stack") -> str:
    state = f"runs   {where}" if is_up else f"down   '{starts}' starts it"
    return f"  {what:12} {state}"


def _night_lines(path: Path, *, has_scheduler: bool) -> Iterator[str]:
    last = _read_last_night(Settings.from_environment({**os.environ, "PLUMBLINE_HOME": str(path)}))
    if last is None:
        yield "  last night   none yet; 'make nightly' runs one"
        return
    yield f"  last night   {describe_night(last, is_running=has_scheduler or _holds_night_lock(path))}"
    report = path / "reports" / f"{last.night}.html"
    if last.verdict and report.is_file():
        yield f"  report       {report}"


def describe_night(last: LastNight, *, is_running: bool) -> str:
    """How the newest night stands, in a few words."""
    if last.verdict is None and is_running:
        return f"{last.night} is running{f': {last.step}' if last.step else ''}"
    if last.verdict is None:
        return f"{last.night} did not end; 'make nightly DAY={last.night}' goes on from there"
    return f"{last.night} {last.verdict}, {'published' if last.is_published else 'not published'}"


def _holds_night_lock(path: Path) -> bool:
    try:
        with ExitStack() as held:
            held.enter_context(locked(path, "night", waiting=False))
        return False
    except BlockingIOError:
        return True


def _read_last_night(settings: Settings) -> LastNight | None:
    try:
        with open_books(settings) as books:
            row = books.execute(
                """select night, verdict, published,
                          (select concat_ws(' ', s.step, s.source) from lifecycle.step s
                           where (s.night, s.attempt, s.state) = (n.night, n.attempt, 'running') order by step_id desc limit 1)
                   from lifecycle.night n order by started_at desc limit 1"""
            ).fetchone()
    except psycopg.Error:
        return None
    return LastNight(*row) if row else None
