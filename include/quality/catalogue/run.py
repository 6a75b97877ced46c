"""Runs the whole catalogue over a delivery: one parse a kind of record, then a few scans for all of its checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import psycopg
from psycopg import sql

from include.quality.catalogue import concepts, contents, custom, field_scan, flat, relations
from include.quality.catalogue.check_types import Instance
from include.quality.catalogue.flat import Delivery, Flat
from include.quality.catalogue.results import DELIVERY, FAILED, Result, error_of, judged_again, result
from include.quality.catalogue.subjects import Subject, read_subjects, read_tables
from include.quality.catalogue.thresholds import load_thresholds
from include.quality.sessions import at_once

# What a source of these kinds is for; of all others the standard's core is expected, or what the contract maps.
_BRINGS = {"hl7v2": ("Patient",), "dicom": ("Patient", "ImagingStudy"), "clinical_notes": ("DocumentReference",)}


@dataclass
class Outcome:
    """Results of every check, and the flat tables that are still there to look at."""

    results: list[Result] = field(default_factory=list)
    flats: list[Flat] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Night:
    """What every subject is checked with."""

    delivery: Delivery
    kinds: frozenset[str]
    own: tuple[Instance, ...]
    is_whole: bool
    tell: Callable[[str], None]


def run(
    books: psycopg.Connection,
    delivery: Delivery,
    *,
    name: str,
    is_whole: bool = True,
    tell: Callable[[str], None] = lambda text: None,
    beside: psycopg.Connection | None = None,
) -> Outcome:
    """Check a delivery of the source ``name``. ``is_whole`` says that all the source has came, not what changed.

    Runs in the caller's transaction; what fails is rolled back to its own savepoint and told as an error. ``tell`` is given
    one line a kind of record. ``beside`` is another session, which takes a part of the work: what it makes are temporary tables.
    """
    subjects, (own, statements) = read_subjects(), custom.read_custom(custom.checks_folder())
    statements = custom.of_stage(statements, DELIVERY)
    delivery = contents.located(books, delivery)
    night = _Night(delivery, contents.kinds_delivered(books, delivery), own, is_whole, tell)
    if beside is None:
        checked = _check(books, night, subjects)
    else:
        mine, others = contents.shared(subjects, delivery, custom.named_in(statements))
        halves = at_once(lambda: _check(books, night, mine), lambda: _check(beside, night, others))
        checked = halves[0] | halves[1]
    outcome = Outcome()
    for results, built in (checked[subject.name] for subject in subjects):
        outcome.results += results
        outcome.flats += [built] if built else []
    outcome.results += custom.count(books, statements)
    outcome.results = [under_policy(each, name, delivery.night) for each in outcome.results]
    return outcome


def _check(
    books: psycopg.Connection, night: _Night, share: Sequence[Subject]
) -> dict[str, tuple[list[Result], Flat | None]]:
    """Results and flat tables of these subjects, by name; what they look up is made in the same session."""
    contents.prepare(books, night.delivery, contents.kinds_referred_to(share) & night.kinds)
    checked = {}
    for subject in read_subjects():
        if subject not in share and not subject.is_looked_up:
            continue
        instances = [*subject.instances, *(each for each in night.own if each.subject == subject.name)]
        try:
            with books.transaction():
                built = flat.build(books, night.delivery, subject, read_tables(), night.kinds)
        except psycopg.Error as problem:
            checked[subject.name] = [result(each, None, None, error=error_of(problem)) for each in instances], None
            continue
        if subject in share:
            _look_up_earlier(books, night.delivery, built)
            checked[subject.name] = list(_of_subject(books, night.delivery, built, instances, night.is_whole)), built
            night.tell(f"{subject.resource_type}: {built.rows:,} rows, {len(instances)} checks")
    return {subject.name: checked[subject.name] for subject in share}


def _of_subject(
    books: psycopg.Connection, delivery: Delivery, built: Flat, instances: Sequence[Instance], is_whole: bool
) -> Iterator[Result]:
    due = [each for each in instances if _is_due(delivery, built, each, is_whole)]
    kept_out = [each for each in instances if each not in due]
    yield from (result(each, 0, 0, data_class=built.data_class) for each in kept_out)
    yield from field_scan.count(books, built, [each for each in due if not each.check.counted], delivery.latest)
    yield from concepts.count(books, built, [each for each in due if each.check.counted == "concepts"], read_tables())
    yield from relations.count(books, built, [each for each in due if each.check.counted == "relations"])


def _is_due(delivery: Delivery, built: Flat, instance: Instance, is_whole: bool) -> bool:
    is_table = all(rows.table is not None for rows in delivery.rows)
    if instance.only is not None and (instance.only == "table") != is_table:
        return False
    if instance.check.whole and not is_whole:
        return False
    if instance.check.name == "cdmTable" and built.rows == 0:
        return _is_expected(delivery, built.subject)
    return True


def _is_expected(delivery: Delivery, subject: Subject) -> bool:
    """Whether the source ought to bring this kind: what its contract maps, or of documents what the standard's core is.

    A feed, an archive of pictures or a folder of notes brings what it is for.
    """
    if delivery.kind in _BRINGS:
        return subject.resource_type in _BRINGS[delivery.kind]
    maps = [mapping.to for rows in delivery.rows if rows.table for mapping in rows.table.maps]
    if any(rows.table is None for rows in delivery.rows):
        return subject.is_core
    return subject.entity in maps


def _look_up_earlier(books: psycopg.Connection, delivery: Delivery, built: Flat) -> None:
    """References that this delivery does not resolve may point to what an earlier one brought."""
    if delivery.source is None or built.rows == 0:
        return
    for column, kind in built.subject.references.items():
        known, reference = sql.Identifier(f"{column}_known"), sql.Identifier(column)
        open_ids = books.execute(
            sql.SQL("select array_agg(distinct {}) from {} where {} is not null and {} is not true").format(
                reference, built.table, reference, known
            )
        ).fetchone()[0]
        if not open_ids:
            continue
        found = books.execute(
            "select array_agg(k) from quality.known_ids(%s, %s, %s) k", [delivery.source, kind, open_ids]
        ).fetchone()[0]
        if found:
            books.execute(
                sql.SQL("update {} set {} = true where {} = any(%s)").format(built.table, known, reference), [found]
            )


def under_policy(found: Result, source: str, night: date) -> Result:
    """The result under the threshold that the policy has for the source on that night."""
    threshold = load_thresholds().of(source, found.check.name, found.instance, night, default=found.threshold)
    return judged_again(found, threshold) if threshold != found.threshold else found


def keep_failing_keys(books: psycopg.Connection, outcome: Outcome, delivery: Delivery) -> None:
    """Fill the session's ``failing_keys`` with keys of records that failed a check which failed; missing values have none."""
    sessions = list(dict.fromkeys([books, *(built.books for built in outcome.flats)]))
    for each in sessions:
        each.execute("drop table if exists pg_temp.failing_keys")
        each.execute("create temporary table failing_keys (instance text, record_id uuid)")
    failed = {
        each.instance for each in outcome.results if each.status == FAILED and each.check.category != "completeness"
    }
    own, _ = custom.read_custom(custom.checks_folder())
    for built in outcome.flats:
        instances = [
            each
            for each in (*built.subject.instances, *own)
            if each.subject == built.subject.name and each.name in failed
        ]
        field_scan.keep_keys(built.books, built, instances, delivery.latest)
    for other in sessions[1:]:
        with (
            other.cursor() as out,
            books.cursor() as into,
            out.copy("copy pg_temp.failing_keys to stdout (format binary)") as reading,
            into.copy("copy pg_temp.failing_keys from stdin (format binary)") as writing,
        ):
            for block in reading:
                writing.write(block)
