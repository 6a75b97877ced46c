"""The catalogue in the night: everything a source delivered is checked as it came, before the gate takes anything out.

The gate decides what may pass; this tells how good the delivery was. It never refuses a record and never stops a night: what
cannot be counted is an error among the results, and the night says how many there are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import date

import psycopg
from psycopg.types.json import Jsonb

from include.nights import step
from include.quality import profile, scores
from include.quality.batches import Batch, read_batch
from include.quality.catalogue import marts, run
from include.quality.catalogue.check_types import Instance, read_check_types
from include.quality.catalogue.flat import Delivery, Rows
from include.quality.catalogue.listing import every_instance
from include.quality.catalogue.results import DELIVERY, ENGINE, ERROR, FAILED, PASSED, Result, error_of, judge, result
from include.quality.catalogue.subjects import read_subjects
from include.quality.catalogue.thresholds import load_thresholds
from include.quality.sessions import ROWS_FOR_TWO
from include.settings import Settings
from include.sources.registry import find_source, load_sources
from include.warehouse.connect import connect

log = logging.getLogger(__name__)
NOTE = "checks_without_count"


def assess_batches(batch_ids: Sequence[str], settings: Settings | None = None) -> None:
    """Check the deliveries that these batches are, a source and night at a time, each once and as a whole.

    A night that goes on after a kill finds some batches of a delivery judged: the results that are there are those of all of it.
    """
    settings = settings or Settings.from_environment()
    with connect("checker", "hot", settings) as books:
        batches = [read_batch(books, batch_id) for batch_id in batch_ids]
        rows = books.execute("select batch_id from quality.assessed_batch where batch_id = any(%s)", [list(batch_ids)])
        assessed = {batch_id for (batch_id,) in rows}
    waiting = [
        batch for batch in batches if batch.state == "loaded" and not batch.is_replay and batch.batch_id not in assessed
    ]
    for source, night in sorted({(batch.source, batch.night) for batch in waiting}):
        assess(source, night, [batch for batch in waiting if (batch.source, batch.night) == (source, night)], settings)


def assess(source: str, night: date, batches: Sequence[Batch], settings: Settings | None = None) -> list[Result]:
    """Check one delivery and keep the results. Running it again replaces them."""
    with (
        step(night, "assess", source, role="checker", settings=settings) as progress,
        connect("checker", "hot", settings) as books,
        _beside(batches, settings) as beside,
    ):
        books.execute("select pg_advisory_xact_lock(hashtext('plumbline.assess'), hashtext(%s))", [source])
        delivery = Delivery(tuple(_rows_of(batches, source, settings)), night, source, _kind_of(books, source, night))
        is_whole = not _has_history(books, source, night)
        try:
            with books.transaction():
                outcome = run.run(books, delivery, name=source, is_whole=is_whole, beside=beside)
                run.keep_failing_keys(books, outcome, delivery)
                alarms = sum(each.is_alarm for each in profile.keep(books, source, night, outcome.flats))
            results = outcome.results
        except psycopg.Error as problem:
            log.error("checks of %s could not be run: %s", source, problem.sqlstate or type(problem).__name__)
            results, alarms = _all_in_error(problem), 0
        results += _loading(books, batches)
        results = [run.under_policy(each, source, night) for each in results]
        _keep(books, source, night, results)
        _note_assessed(books, batches)
        counts = {status: sum(each.status == status for each in results) for status in (PASSED, FAILED, ERROR)}
        progress.count(
            checks=len(results), passed=counts[PASSED], failed=counts[FAILED], errors=counts[ERROR], unusual=alarms
        )
        return results


def _beside(batches: Sequence[Batch], settings: Settings | None) -> AbstractContextManager[psycopg.Connection | None]:
    """Another session for a large delivery of documents, whose parsing keeps a core busy."""
    documents = sum(batch.loaded for batch in batches if batch.shape == "documents")
    return connect("checker", "hot", settings) if documents >= ROWS_FOR_TWO else nullcontext()


def _note_assessed(books: psycopg.Connection, batches: Sequence[Batch]) -> None:
    with books.cursor() as cursor:
        cursor.executemany(
            "insert into quality.assessed_batch (batch_id) values (%s) on conflict do nothing",
            [(batch.batch_id,) for batch in batches],
        )


def _rows_of(batches: Sequence[Batch], source: str, settings: Settings | None) -> Iterable[Rows]:
    settings = settings or Settings.from_environment()
    declared = None
    for batch in batches:
        if batch.loaded == 0:
            continue
        if batch.shape == "documents":
            yield Rows(batch.intake)
            continue
        declared = declared or find_source(load_sources(settings.sources_file), source)
        yield Rows(batch.intake, declared.contract.table(batch.dataset), declared.timezone)


def _kind_of(books: psycopg.Connection, source: str, night: date) -> str | None:
    row = books.execute(
        "select kind from lifecycle.source_state where night = %s and source = %s", [night, source]
    ).fetchone()
    return row[0] if row else None


def _has_history(books: psycopg.Connection, source: str, night: date) -> bool:
    return books.execute(
        "select exists (select from lifecycle.batch where source = %s and night < %s and promoted_at is not null)",
        [source, night],
    ).fetchone()[0]


def _all_in_error(problem: psycopg.Error) -> list[Result]:
    wrong = error_of(problem)
    return [result(each, None, None, error=wrong) for subject in read_subjects() for each in subject.instances]


def _loading(books: psycopg.Connection, batches: Sequence[Batch]) -> list[Result]:
    """What loading refused, as a check among the others."""
    kind = read_check_types()["readableRecord"]
    return [
        result(
            Instance(f"{batch.dataset}.readableRecord", kind, batch.dataset, None, kind.threshold),
            batch.loaded + batch.quarantined, batch.quarantined,
        )
        for batch in batches
    ]  # fmt: skip


def _keep(books: psycopg.Connection, source: str, night: date, results: Sequence[Result]) -> None:
    books.execute("delete from quality.check_evidence where night = %s and source = %s", [night, source])
    keep_results(books, source, night, DELIVERY, results)
    if books.execute("select to_regclass('pg_temp.failing_keys')").fetchone()[0]:
        books.execute(
            """insert into quality.check_evidence (night, source, instance, record_id)
               select distinct %s::date, %s, instance, record_id from pg_temp.failing_keys""",
            [night, source],
        )
        books.execute("drop table pg_temp.failing_keys")
    _note_errors(books, source, night, sum(each.status == ERROR for each in results))


def keep_results(books: psycopg.Connection, source: str, night: date, stage: str, results: Sequence[Result]) -> None:
    """Write a source's results of one stage, in the place of those that were there."""
    books.execute(
        "delete from quality.check_result where night = %s and source = %s and judge = %s and stage = %s",
        [night, source, ENGINE, stage],
    )
    with (
        books.cursor() as cursor,
        cursor.copy(
            """copy quality.check_result (night, source, instance, check_name, subject, data_class, kahn_context, kahn_category,
               kahn_subcategory, dimension, status, tested, failed, threshold, error_code, judge, stage) from stdin"""
        ) as copy,
    ):
        for each in _merged(results):
            copy.write_row((
                night, source, each.instance, each.check.name, each.subject, each.data_class, each.check.context,
                each.check.category, each.check.subcategory, each.check.dimension, each.status, each.tested, each.failed,
                each.threshold, each.error_code, each.judge, stage,
            ))  # fmt: skip


def _merged(results: Iterable[Result]) -> Iterable[Result]:
    """One result a name: batches of the same dataset count together."""
    kept: dict[str, Result] = {}
    for each in results:
        known = kept.get(each.instance)
        if known is not None and None not in (known.tested, each.tested, known.failed, each.failed):
            tested, failed = known.tested + each.tested, known.failed + each.failed
            each = replace(each, tested=tested, failed=failed, status=judge(tested, failed, each.threshold))
        kept[each.instance] = each
    return kept.values()


def _note_errors(books: psycopg.Connection, source: str, night: date, errors: int) -> None:
    """An error is never a pass: the night is amber and says how many checks there are no counts of."""
    notes = [{"code": NOTE, "level": "amber", "text": f"{errors} checks could not be counted"}] if errors else []
    books.execute(
        """update lifecycle.source_state set notes = coalesce((select jsonb_agg(n) from jsonb_array_elements(notes) n
               where n ->> 'code' is distinct from %s), '[]') || %s where source = %s and night = %s""",
        [NOTE, Jsonb(notes), source, night],
    )


def rejudge(night: date, settings: Settings | None = None) -> list[tuple[str, str, str, str]]:
    """Judge a night's results, and the scores that follow from them, under the thresholds of today.

    Returns what changed as (source, instance, before, after).
    """
    policy, changed, moved = load_thresholds(), [], set()
    own = {each.name: each.threshold for each in every_instance()}
    with connect("checker", "hot", settings) as books:
        rows = books.execute(
            """select source, stage, instance, check_name, tested, failed, threshold, status, error_code
               from quality.check_result where night = %s order by source, instance""",
            [night],
        ).fetchall()
        for source, stage, instance, name, tested, failed, threshold, status, error_code in rows:
            allowed = policy.of(source, name, instance, night, default=own.get(instance, float(threshold)))
            after = judge(tested, failed, allowed, error_code)
            if after != status or allowed != float(threshold):
                moved.add(source)
                books.execute(
                    """update quality.check_result set status = %s, threshold = %s, judged_at = clock_timestamp()
                       where (night, stage, source, instance) = (%s, %s, %s, %s)""",
                    [after, allowed, night, stage, source, instance],
                )
            if after != status:
                changed.append((source, instance, status, after))
        for source in sorted(moved):
            _score_again(books, night, source)
        if changed:
            books.execute(
                "select audit.append('checks.rejudged', %s, jsonb_build_object('changed', %s::bigint))",
                [str(night), len(changed)],
            )
    return changed


def _score_again(books: psycopg.Connection, night: date, source: str) -> None:
    """A score counts what failed beyond the thresholds, so it moves with them."""
    if source == marts.SOURCE:
        scores.score_marts(books, night, source, marts.mart_of_subject())
    else:
        scores.score_source(books, night, source)
