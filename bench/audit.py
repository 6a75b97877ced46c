"""What the audit trail costs a night: seconds inside the trail's own function, over the seconds of all of the night's steps.

    python -m bench.audit [people]

Postgres times the function itself (track_functions), so both figures come from the same run. What a caller pays for an entry with
its round trip and commit, and what checking and sealing the trail takes, are measured beside it.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.night import NIGHT, Timing, _sources, _time_imports, _time_night
from bench.stack import own_stack
from include.audit.anchor import anchor_trail
from include.audit.chain import append
from include.sample.make import Request, make_sample
from include.settings import Settings
from include.warehouse.connect import connect

GOAL = 0.05
ENTRIES = 500


@dataclass(frozen=True)
class Trail:
    """Entries written so far and the seconds that writing them took inside Postgres, lock waits included."""

    entries: int
    seconds: float


def main(people: int = 1_000) -> None:
    """Measure in a stack of its own, which is deleted afterwards, and print a table."""
    with own_stack() as settings:
        _measure(settings.home, settings, people)


def _measure(home: Path, settings: Settings, people: int) -> None:
    folder = make_sample(Request(home / "sample", 1, people, NIGHT)).parent / "north" / "fhir_bulk"
    sources = _sources(home, "audit.yml", {"hospital": folder})
    with connect("postgres", settings=settings, autocommit=True) as server:
        server.execute("alter database hot set track_functions = 'pl'")
    _time_imports()
    nights = {}
    for name in ("first night", "second night, nothing new"):
        before = _trail(settings)
        timing = _time_night(home, sources)
        nights[name] = timing, before, _trail(settings)
    round_trip = _round_trip(settings)
    began = time.perf_counter()
    entries = anchor_trail(NIGHT, settings)
    _print(nights, round_trip, entries, time.perf_counter() - began)


def _trail(settings: Settings) -> Trail:
    with connect("postgres", settings=settings) as hot:
        entries = hot.execute("select count(*) from audit.entry").fetchone()[0]
        hot.execute("select pg_stat_clear_snapshot()")
        query = "select coalesce(sum(total_time), 0) / 1000 from pg_stat_user_functions where schemaname = 'audit' and funcname = 'append'"
        return Trail(entries, hot.execute(query).fetchone()[0])


def _round_trip(settings: Settings) -> float:
    """Seconds that a caller waits for an entry of its own, with its commit."""
    with connect("lifecycle", settings=settings, autocommit=True) as hot:
        began = time.perf_counter()
        for number in range(ENTRIES):
            append(hot, "bench.measured", None, {"number": number})
        return (time.perf_counter() - began) / ENTRIES


def _print(nights: dict[str, tuple[Timing, Trail, Trail]], round_trip: float, entries: int, check: float) -> None:
    print(
        f"{'':28}{'entries':>8}{'in the trail':>14}{'steps':>9}{'share':>8}{'with round trips':>18}   (goal: under {GOAL:.0%})"
    )
    for name, (timing, before, after) in nights.items():
        count, inside = after.entries - before.entries, after.seconds - before.seconds
        shares = inside / timing.total, count * round_trip / timing.total
        print(f"{name:28}{count:8}{inside:12.3f} s{timing.total:7.1f} s{shares[0]:8.2%}{shares[1]:18.2%}")
    print(f"one entry with its round trip and commit: {round_trip * 1000:.2f} ms")
    print(
        f"checking and sealing the trail of {entries} entries: {check * 1000:.0f} ms ({check / entries * 1e6:.0f} µs an entry)"
    )


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:]))
