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

# What a source of these kinds is for; of all others the standard's core is expected, or what the contract maps.
_BRINGS = {"hl7v2": ("Patient",), "dicom": ("Patient", "ImagingStudy"), "clinical_notes": ("DocumentReference",)}


@dataclass
class Outcome:
    """Results of every check, and the flat tables that are still there to look at."""

    results: list[Result] = field(default_factory=list)
    flats: list[Flat] = field(default_factory=list)


def run(
    books: psycopg.Connection,
    delivery: Delivery,
    *,
    name: str,
    is_whole: bool = True,
    tell: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Check a delivery of the source ``name``. ``is_whole`` says that all the source has came, not what changed.

    Runs in the caller's transaction; what fails is rolled back to its own savepoint and told as an error. ``tell`` is given
    one line a kind of record.
    """
    subjects, tables = read_subjects(), read_tables()
    own, statements = custom.read_custom(custom.checks_folder())
    delivery = contents.located(books, delivery)
    kinds = contents.kinds_delivered(books, delivery)
    contents.prepare(books, delivery, contents.kinds_referred_to(subjects) & kinds)
    outcome = Outcome()
    for subject in subjects:
        instances = [*subject.instances, *(each for each in own if each.subject == subject.name)]
        try:
            with books.transaction():
                built = flat.build(books, delivery, subject, tables, kinds)
        except psycopg.Error as problem:
            outcome.results += [result(each, None, None, error=error_of(problem)) for each in instances]
            continue
        _look_up_earlier(books, delivery, built)
        outcome.flats.append(built)
        outcome.results += _of_subject(books, delivery, built, instances, is_whole)
        tell(f"{subject.resource_type}: {built.rows:,} rows, {len(instances)} checks")
    outcome.results += custom.count(books, custom.of_stage(statements, DELIVERY))
    outcome.results = [under_policy(each, name, delivery.night) for each in outcome.results]
    return outcome


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
    books.execute("drop table if exists pg_temp.failing_keys")
    books.execute("create temporary table failing_keys (instance text, record_id uuid)")
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
        field_scan.keep_keys(books, built, instances, delivery.latest)
