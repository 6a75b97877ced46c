"""``make check``: the whole catalogue on a folder, without loading it anywhere. Readable, and the same as JSON."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg

from include.quality.catalogue import at_the_door, run
from include.quality.catalogue.asked import find
from include.quality.catalogue.check_types import Instance, read_check_types
from include.quality.catalogue.flat import Delivery
from include.quality.catalogue.listing import every_instance
from include.quality.catalogue.results import ERROR, FAILED, NOT_APPLICABLE, PASSED, Result, result
from include.quality.catalogue.scratch import Received, load_folder
from include.quality.catalogue.thresholds import load_thresholds
from include.quality.errors import GateError
from include.settings import Settings
from include.sources.command_words import at_hand
from include.sources.registry import Source
from include.warehouse.connect import connect

_EVERY_SECONDS = 2.0
_RANK = {ERROR: 0, FAILED: 1, PASSED: 2, NOT_APPLICABLE: 3}


@dataclass(frozen=True, slots=True)
class FolderCheck:
    """What a check of a folder found. ``reasons`` say of refused records what to do."""

    source: str
    night: date
    results: tuple[Result, ...]
    received: Received
    seconds: float

    def counts(self) -> Counter[str]:
        """How many checks ended how."""
        return Counter(each.status for each in self.results)

    def refused(self) -> Iterator[tuple[str, int]]:
        """What reading refused: found, expected and what to do, and how many records."""
        for (dataset, code), count in sorted(self.received.refused.items(), key=lambda item: -item[1]):
            why = self.received.reasons[code]
            yield f"{dataset}: {why.found}; expected {why.expected} → {why.action}", count

    def as_json(self) -> str:
        """A list of results, worst first, one mapping each."""
        return json.dumps([each.as_mapping() for each in self.results], indent=1)


def check(
    source: Source, night: date, settings: Settings | None = None, tell: Callable[[str], None] = lambda text: None
) -> FolderCheck:
    """Check what a source delivers. Nothing of it outlives the session; raises GateError where the database fails,
    SourcesError where there is nothing to read, PullError where a source that is asked does not answer."""
    started, settings = time.monotonic(), settings or Settings.from_environment()
    try:
        with at_hand(source, tell) as source, connect("checker", "hot", settings) as books:
            books.execute("set temp_buffers = '256MB'")
            books.execute("set work_mem = '64MB'")
            tell(f"reading {source.name} ({source.kind})")
            received = load_folder(books, source, tell)
            results = list(_reader_results(received))
            if sum(received.loaded.values()):
                tell("checking")
                outcome = run.run(
                    books, Delivery(tuple(received.rows), night, kind=source.kind), name=source.name, tell=tell
                )
                results += outcome.results
                results += at_the_door.count(books, source, night, tuple(received.rows))
            books.rollback()
    except psycopg.Error as problem:
        raise GateError(
            found=f"checking {source.name} failed with {type(problem).__name__} ({problem.sqlstate})",
            expected="a database that answers",
            action="see 'make status'; the server's log says more",
        ) from None
    results = [run.under_policy(each, source.name, night) for each in results]
    return FolderCheck(
        source.name, night, tuple(sorted(results, key=_worst_first)), received, time.monotonic() - started
    )


def _worst_first(found: Result) -> tuple:
    """Errors, then what is there and wrong, then what is missing; the largest share first."""
    return (
        _RANK[found.status],
        found.check.category == "completeness" or found.check.name == "cdmField",
        -found.share,
        -(found.failed or 0),
        found.instance,
    )


def _reader_results(received: Received) -> Iterator[Result]:
    """What reading refused, by dataset, and columns that nobody declared, as checks among the others."""
    types = read_check_types()
    datasets = sorted({*received.loaded, *(dataset for dataset, _ in received.refused)})
    for dataset in datasets:
        refused = sum(count for (of, _), count in received.refused.items() if of == dataset)
        kind = types["readableRecord"]
        instance = Instance(f"{dataset}.readableRecord", kind, dataset, None, kind.threshold)
        yield result(instance, received.loaded[dataset] + refused, refused)
    drift = [notice for notice in received.notices if notice.code in ("undeclared_column", "missing_optional_column")]
    for rows in received.rows:
        if rows.table is not None:
            kind = types["declaredShape"]
            instance = Instance(f"{rows.table.name}.declaredShape", kind, rows.table.name, None, kind.threshold)
            found = sum(notice.count for notice in drift if notice.table in (rows.table.name, None))
            yield result(instance, len(rows.table.columns) + found, found)


def lines(found: FolderCheck, most: int = 40) -> Iterator[str]:
    """The readable report: what was found, worst first, and what to do about each."""
    counts = found.counts()
    records = sum(found.received.loaded.values())
    yield (
        f"{found.source}: {records:,} records in {found.received.files} files, {sum(found.received.refused.values()):,} unreadable, "
        f"{found.received.duplicate:,} repeated"
    )
    yield (
        f"{len(found.results):,} checks in {found.seconds:.1f} s: {counts[FAILED]} failed, {counts[ERROR]} errors, {counts[PASSED]} passed, "
        f"{counts[NOT_APPLICABLE]} not applicable"
    )
    for reason, count in found.refused():
        yield f"  refused {count:,}: {reason}"
    bad = [each for each in found.results if each.status in (ERROR, FAILED)]
    for each in bad[:most]:
        yield from _of_result(each)
    if len(bad) > most:
        yield f"  … and {len(bad) - most} more; OUT=result.json has all"
    yield from _dimensions(found.results)
    yield from _threshold_notes(found.night)


def _threshold_notes(night: date) -> Iterator[str]:
    """Thresholds that do nothing: those that are over, and those that fit no check there is."""
    policy = load_thresholds()
    for override in policy.expired(night):
        yield f"  note: the threshold of {override.check} for {override.source} ended on {override.expires}; decide it anew or take it out"
    known = every_instance()
    for override in policy.overrides:
        if not any(override.names(each.check.name, each.name) for each in known):
            yield (
                f"  note: the threshold of {override.check} ({override.instance}) for {override.source} fits no check; "
                "'make checks' lists their names"
            )


def _of_result(each: Result) -> Iterator[str]:
    if each.status == ERROR:
        why = f"{each.error_code}: {each.error_text}" if each.error_text else each.error_code
        yield f"  ERROR  {each.instance}: could not be counted ({why})"
        return
    yield (f"  FAILED {each.instance}: {each.failed:,} of {each.tested:,} ({each.share:.2%}, {each.threshold:.2%} may)")
    yield f"         {each.check.asks} → {each.check.action}"


def _dimensions(results: Sequence[Result]) -> Iterator[str]:
    by_dimension: dict[str, list[Result]] = {}
    for each in results:
        if each.status in (PASSED, FAILED):
            by_dimension.setdefault(each.check.dimension, []).append(each)
    for dimension, of_it in sorted(by_dimension.items()):
        tested, failed = sum(each.tested for each in of_it), sum(each.failed for each in of_it)
        yield f"  {dimension:13} {1 - failed / tested:.4f}  = 1 - {failed:,} failed / {tested:,} tested, {len(of_it)} checks"


def main(
    asked: str,
    *,
    kind: str | None,
    contract: str | None,
    out: str | None,
    night: date | None = None,
    words: Sequence[str] = (),
) -> int:
    """Check and print. Returns 0 where every check passed or did not apply, 1 where one failed, 2 where one had an error.

    ``words``: further ones of a source's entry, each ``word=value``.
    """
    source = find(asked, kind, contract, words)
    night = night or datetime.now(UTC).date()
    found = check(source, night, tell=Progress().tell)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    print("\n".join(lines(found)))
    if out:
        place = Path(out)
        unfinished = place.with_name(place.name + ".part")
        unfinished.write_text(found.as_json())
        unfinished.replace(place)
        print(f"  all results: {out}")
    counts = found.counts()
    return 2 if counts[ERROR] else int(bool(counts[FAILED]))


class Progress:
    """What is being done, on stderr: one moving line on a terminal, elsewhere a line every few seconds."""

    def __init__(self) -> None:
        self._told_at = 0.0

    def tell(self, text: str) -> None:
        """Say it, unless something was said just now to a file."""
        with contextlib.suppress(OSError):
            if sys.stderr.isatty():
                print(f"\r\033[K  {text[:100]}", end="", file=sys.stderr, flush=True)
            elif time.monotonic() - self._told_at >= _EVERY_SECONDS:
                self._told_at = time.monotonic()
                print(f"  {text}", file=sys.stderr, flush=True)
