"""``make nightly``: the whole night at a terminal, from nothing running to a verdict."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import psycopg

from include.command import INTERRUPTED
from include.errors import PlumblineError
from include.local_stack import stack
from include.local_stack.environment import FAILURES_FILE
from include.local_stack.home import Home, open_home, read_record, write_record
from include.local_stack.ports import keep_ports
from include.nights import refuse_older
from include.settings import Settings, is_day
from include.sources.registry import load_sources
from include.terminal import sample, service
from include.terminal.airflow_run import (
    child_environment,
    end_leftovers,
    ensure_airflow_database,
    start_night,
    stop_night,
)
from include.terminal.books import last_attempt, open_books, read_steps, read_verdict, verdict_lines
from include.terminal.night_lock import NightError, close_abandoned_runs, take_night_lock
from include.terminal.progress import Screen

STRICT_AMBER = 3
_POLL_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for: which night, on which sources. ``older``: to be published also where a later one is."""

    home: Path
    people: int
    seed: int
    sources: Path | None
    older: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Order:
        """Read PLUMBLINE_HOME, PLUMBLINE_SOURCES, PLUMBLINE_DAY, PEOPLE, SEED and OLDER. Raises NightError naming all that is wrong."""
        numbers = {name: environment.get(name) or default for name, default in sample.DEFAULTS.items()}
        wrong = [f"{name} is not a whole number" for name, text in numbers.items() if not text.isdecimal()]
        if int(numbers["PEOPLE"] if numbers["PEOPLE"].isdecimal() else 1) < 1:
            wrong.append("PEOPLE is less than one")
        sources, night = environment.get("PLUMBLINE_SOURCES"), environment.get("PLUMBLINE_DAY")
        if sources and not Path(sources).is_file():
            wrong.append(f"SOURCES names {sources}, which is no file")
        if night and not is_day(night):
            wrong.append(f"DAY={night} is not a day written YYYY-MM-DD")
        if wrong:
            raise NightError(
                found="; ".join(wrong),
                expected="SOURCES=path/to/sources.yml, or PEOPLE and SEED for the sample; DAY=YYYY-MM-DD or nothing",
                action="correct it; 'make help' has the words",
            )
        home = Path(environment.get("PLUMBLINE_HOME") or ".local")
        path = Path(sources).resolve() if sources else None
        return cls(home.resolve(), int(numbers["PEOPLE"]), int(numbers["SEED"]), path, environment.get("OLDER") == "1")


def exit_code(verdict: str, *, strict: bool) -> int:
    """0 for green and amber, 3 for amber where STRICT=1, 1 for red."""
    if verdict == "red":
        return 1
    return STRICT_AMBER if verdict == "amber" and strict else 0


def run(environment: Mapping[str, str] = os.environ) -> int:
    """Run one night and return the exit code. One night at a time per home; another caller is refused politely."""
    order = Order.from_environment(environment)
    with ExitStack() as held:
        return _run_locked(order, take_night_lock(order.home, held))


def _run_locked(order: Order, lock: int) -> int:
    screen = Screen()
    started = time.monotonic()
    try:
        settings = _prepare(order, screen)
        night = night_asked_for()
        home = open_home(order.home)
        screen.say(f"Night of {night}, sources in {_shown(settings.sources_file)}")
        log = home.logs / f"night-{night}-{datetime.now():%H%M%S}.log"  # noqa: DTZ005 - the person's own clock
        failures = log.with_suffix(".failures")
        with open_books(settings) as books:
            if not order.older:
                refuse_older(books, night, say_instead="say OLDER=1")
            attempt = last_attempt(books, night) + 1
            child = _start(home, settings, {"night": f"{night}", "older": order.older}, log, failures, lock)
            _watch(child, books, night, attempt, screen)
            verdict = read_verdict(books, night, attempt)
    except KeyboardInterrupt:
        screen.clear()
        print(
            "\nInterrupted. Nothing is half done: run 'make nightly' again and it goes on from here.", file=sys.stderr
        )
        return INTERRUPTED
    if verdict is None:
        raise NightError(
            found=f"the night of {night} ended without a verdict (Airflow's exit code {child.returncode})",
            expected="a green, amber or red night",
            action=f"read the end of {log}, then run 'make nightly' again; what was done is kept",
        )
    _print_failures(failures, screen)
    _print_summary(night, settings, screen)
    screen.say(f"\n{time.monotonic() - started:.0f} s in all; log: {_shown(log)}")
    return exit_code(verdict, strict=settings.strict)


def _prepare(order: Order, screen: Screen) -> Settings:
    home = open_home(order.home)
    service.refuse_running_scheduler(home)
    left = end_leftovers(home)
    if left:
        screen.say(f"  ended {left} process(es) that an interrupted night had left behind")
    screen.say(f"Plumbline in {_shown(order.home)}")
    stack.up(order.home, say=lambda line: screen.say(f"  {line}"))
    sources = order.sources or sample.sources_for(night_asked_for(), home, order.people, order.seed, screen.say)
    write_record(order.home, {**(read_record(order.home) or {}), "last_sources": str(sources)})
    load_sources(sources)  # what is wrong with it is said now, all at once, and not by a step
    ensure_airflow_database(home, child_environment(home, keep_ports(home), {}), screen.say)
    close_abandoned_runs(home)
    return Settings.from_environment(
        {**os.environ, "PLUMBLINE_HOME": str(order.home), "PLUMBLINE_SOURCES": str(sources)}
    )


def night_asked_for() -> date:
    """The night that DAY names, else today in the installation's time zone."""
    return Settings.from_environment(os.environ).night()


def _start(
    home: Home, settings: Settings, asked: Mapping[str, object], log: Path, failures: Path, lock: int
) -> subprocess.Popen:
    extra = {
        FAILURES_FILE: str(failures),
        "PLUMBLINE_SOURCES": str(settings.sources_file),
        "PLUMBLINE_TASK_RETRIES": os.environ.get("PLUMBLINE_TASK_RETRIES", "0"),
        "PYTHONUNBUFFERED": "1",
        # Airflow notes the schedule of every DAG it reads; a scheduler started later would run a night nobody asked for.
        "PLUMBLINE_SCHEDULE": "off",
    }
    environment = child_environment(home, keep_ports(home), extra)
    return start_night(home, environment, json.dumps(asked), log, (lock,))


def _watch(child: subprocess.Popen, books: psycopg.Connection, night: date, attempt: int, screen: Screen) -> None:
    began = time.monotonic()
    try:
        while child.poll() is None:
            rows = read_steps(books, night, attempt)
            screen.show(rows)
            if not any(row.state == "running" for row in rows):
                screen.wait("starting Airflow" if not rows else f"after {rows[-1].step}", time.monotonic() - began)
            time.sleep(_POLL_SECONDS)
        screen.show(read_steps(books, night, attempt), is_over=True)
    except BaseException:
        screen.clear()
        stop_night(child)
        raise


def _print_failures(file: Path, screen: Screen) -> None:
    if file.is_file():
        told = re.split(r"\n(?! )", file.read_text().rstrip())
        screen.say("\nWhat failed")
        for failure, times in Counter(told).items():
            more = f"  ({times} times)" if times > 1 else ""
            first, *rest = failure.splitlines()
            for line in (first + more, *rest):
                screen.say(f"  {line}")


def _print_summary(night: date, settings: Settings, screen: Screen) -> None:
    """The summary; where the night broke too early for one, the verdict and its reasons from the books."""
    from include.reports.summary import print_summary

    screen.say("")
    try:
        print_summary(night, settings)
    except PlumblineError:
        with open_books(settings) as books:
            for line in verdict_lines(books, night):
                screen.say(line)


def _shown(path: Path | None) -> str:
    """A path as short as it can be said from here."""
    if path is None:
        return "nowhere"
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
