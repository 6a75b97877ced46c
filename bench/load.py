"""Load against a bare COPY of the same lines, in one run, on the same server and connection count.

    python -m bench.load                 the hospital beside the project, or the sample at about the same size
    python -m bench.load --times 5       more rounds; every round does both, and the best of each counts
    python -m bench.load --peak 5        only load the export five times over, and print this process' peak memory

A bare COPY sends the lines of the export as they are into an unlogged table with one jsonb column. Load is what the
night does: fetch from the object store, decrypt, unpack, parse, classify, seal, hash, COPY, find duplicates, count.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from psycopg import sql

from bench.stack import SOURCE, bench_settings
from include.intake import batches
from include.intake.load import at_full_speed, load_batch, make_rows_of, open_tools
from include.intake.reading import Opener, read_pieces
from include.intake.refusals import Refusals
from include.landing.catalogue import waiting_objects
from include.landing.land import land_source
from include.settings import Settings
from include.sources.registry import Source, find_source, load_sources
from include.warehouse.connect import connect

NIGHT = date(2026, 11, 22)
PIECE = 1 << 20


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark and print it. Returns 1 if the load is slower than 0.85 of the bare COPY."""
    parser = argparse.ArgumentParser(prog="bench.load", description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--peak", type=int, metavar="TIMES_OVER")
    options = parser.parse_args(arguments or [])
    with bench_settings(NIGHT) as settings:
        source = find_source(load_sources(settings.sources_file), SOURCE)
        land_source(source.name, NIGHT, settings)
        batch, opener = _batch(source, settings), Opener(source, settings)
        if options.peak:
            return _print_peak(source, batch, settings, options.peak)
        lines = [line for landed in batch.objects for line in _lines(opener, landed)]
        print(f"{source.name}: {len(lines):,} lines, {sum(map(len, lines)) / 1e6:.1f} MB")
        bare, load = _rounds(source, batch, lines, settings, options.times)
        _print_parts(source, batch, settings)
        ratio = min(bare) / min(load)
        print(f"bare COPY {min(bare):.2f} s, load {min(load):.2f} s: {ratio:.2f} of the bare COPY's rate (target 0.85)")
        print(f"peak memory of this process, lines of the bare COPY included: {_peak_mb()} MB")
        return 0 if ratio >= 0.85 else 1


def _rounds(
    source: Source, batch: batches.Batch, lines: list[bytes], settings: Settings, times: int
) -> tuple[list, list]:
    escaped = [line.replace(b"\\", b"\\\\") for line in lines]
    text = b"\n".join(escaped) + b"\n"
    bare, load = [], []
    for number in range(1, times + 1):
        bare.append(_bare_copy(text, settings))
        load.append(_load(source, batch, settings))
        print(f"  round {number}: bare COPY {bare[-1]:.2f} s, load {load[-1]:.2f} s, {bare[-1] / load[-1]:.2f}")
    return bare, load


def _bare_copy(text: bytes, settings: Settings) -> float:
    with connect("loader", "hot", settings) as books, books.transaction(force_rollback=True):
        books.execute("create unlogged table intake.bench_bare (line jsonb)")
        start = time.perf_counter()
        with books.cursor() as cursor, cursor.copy("copy intake.bench_bare from stdin") as copy:
            for at in range(0, len(text), PIECE):
                copy.write(text[at : at + PIECE])
        return time.perf_counter() - start


def _load(source: Source, batch: batches.Batch, settings: Settings) -> float:
    with connect("loader", "hot", settings) as books, at_full_speed():
        start = time.perf_counter()
        with open_tools(source, settings) as tools:
            counts = load_batch(books, batch, tools)
        books.commit()
        took = time.perf_counter() - start
    if counts["received"] != counts["loaded"] + counts["duplicate"] + counts["quarantined"] or not counts["loaded"]:
        raise SystemExit("the counts of the measured load do not add up")
    return took


def _print_peak(source: Source, batch: batches.Batch, settings: Settings, times_over: int) -> int:
    larger = replace(batch, batch_id=f"{batch.batch_id}_x{times_over}", objects=batch.objects * times_over)
    took = _load(source, larger, settings)
    print(f"loading {times_over} times over: {took:.1f} s, peak memory {_peak_mb()} MB (limit 1,024)")
    return 0 if _peak_mb() < 1024 else 1


def _print_parts(source: Source, batch: batches.Batch, settings: Settings) -> None:
    """Where the time goes: each part alone, with nothing beside it."""
    opener = Opener(source, settings)
    start = time.perf_counter()
    for landed in batch.objects:
        for _ in read_pieces(opener, landed):
            pass
    read = time.perf_counter() - start
    rows, made = _make_rows(source, batch, settings)
    take = _take_rows(batch, rows, settings)
    size = sum(len(piece) for pieces in rows for piece in pieces)
    print(f"  parts alone: fetch, decrypt, unpack {read:.2f} s; with split, seal, hash, pack {made:.2f} s;")
    print(f"  COPY of the {size / 1e6:.0f} MB of finished rows {take:.2f} s")


def _make_rows(source: Source, batch: batches.Batch, settings: Settings) -> tuple[list[list[bytes]], float]:
    with open_tools(source, settings) as tools, at_full_speed():
        maker = make_rows_of(batch, None, tools)
        start = time.perf_counter()
        rows = [list(maker.rows_of(landed, 1, Refusals(), Counter())) for landed in batch.objects]
        return rows, time.perf_counter() - start


def _take_rows(batch: batches.Batch, rows: list[list[bytes]], settings: Settings) -> float:
    with connect("loader", "hot", settings) as books, books.transaction(force_rollback=True):
        batches.create_table(books, batch, None)
        statement = sql.SQL("copy {} ({}) from stdin with (format binary)").format(
            batch.table, sql.SQL(", ").join(sql.Identifier(name) for name, _ in batches.columns_of(None))
        )
        start = time.perf_counter()
        for pieces in rows:
            with books.cursor() as cursor, cursor.copy(statement) as copy:
                for piece in pieces:
                    copy.write(piece)
        return time.perf_counter() - start


def _batch(source: Source, settings: Settings) -> batches.Batch:
    with connect("loader", "hot", settings) as books:
        found = waiting_objects(books, source.name, NIGHT)
        if found:
            return batches.new_batch(source.name, "resource", NIGHT, found["resource"])
        name = books.execute("select batch_id from lifecycle.batch where source = %s", [source.name]).fetchone()[0]
        return batches.known_batch(books, name)


def _lines(opener: Opener, landed) -> Iterator[bytes]:
    for piece in read_pieces(opener, landed):
        yield from piece.texts


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
