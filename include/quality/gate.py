"""The gate: a batch is judged, its failing rows leave for quarantine, or all of it stays outside.

Great Expectations judges by counts; SQL of our own counts the same rules and fetches the keys of every failing row. Where
the two disagree, or one of them could not count, the batch stays as it is and the night is told: an error is no pass.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import psycopg

from include.nights import step
from include.quality import check_table, counting, quarantine, scores
from include.quality.batches import Batch, read_batch, require_every_row
from include.quality.catalogue import gate_results
from include.quality.decide import HELD_BACK, PASSED, Verdict, decide
from include.quality.errors import GateDisagreementError, GateError
from include.quality.freshness import note_volume
from include.quality.judge import Count
from include.quality.persons import list_known_persons
from include.quality.plan import NOTHING, Plan, plan_documents, plan_table
from include.quality.policy import load_quality_policy
from include.quality.sessions import ROWS_FOR_TWO, at_once
from include.quality.suites import read_suites
from include.settings import Settings
from include.sources.registry import Source, find_source, load_sources
from include.warehouse.connect import connect, sqlalchemy_url

log = logging.getLogger(__name__)
_BESIDE = "select pg_advisory_lock(hashtext('plumbline.gate.beside'), hashtext(%s))"
_JUDGED = {"checked": PASSED, "promoted": PASSED, "held_back": HELD_BACK}
Counts = Mapping[tuple[str, str], Count]


def check_batch(batch_id: str, settings: Settings | None = None) -> str:
    """Judge a loaded batch. Returns "passed" or "held_back"; asked again, it answers the same and changes nothing.

    Raises GateError where the batch could not be judged (its state stays 'loaded'), GateDisagreementError where the two
    counts differ, IntakeLostError where rows of the intake are gone.
    """
    with connect("checker", "hot", settings, autocommit=True) as books:
        # Two attempts at the same batch take turns; the second finds it judged.
        books.execute("select pg_advisory_lock(hashtext('plumbline.gate'), hashtext(%s))", [batch_id])
        batch = read_batch(books, batch_id)
        if batch.state in _JUDGED:
            return _JUDGED[batch.state]
        if batch.state != "loaded":
            raise GateError(
                found=f"batch {batch_id} is {batch.state}",
                expected="a batch that was loaded",
                action="load its source first; the night does both in turn",
            )
        with step(batch.night, "check", batch.source, role="checker", settings=settings) as progress:
            try:
                verdict, numbers = _judge(books, batch, settings)
            except psycopg.Error as problem:
                raise _value_free(batch, problem) from None
            progress.count(**numbers)
        log.info("batch %s: %s, %.4f of %d rows pass", batch_id, verdict.outcome, verdict.share, batch.loaded)
        return verdict.outcome


def _judge(books: psycopg.Connection, batch: Batch, settings: Settings | None) -> tuple[Verdict, dict[str, int]]:
    require_every_row(books, batch)
    # A killed attempt's second session may still be filling: what it leaves must be there to be dropped.
    books.execute(_BESIDE, [batch.batch_id])
    books.execute("select pg_advisory_unlock(hashtext('plumbline.gate.beside'), hashtext(%s))", [batch.batch_id])
    check_table.drop(books, batch)
    try:
        plan = _plan(books, batch, settings) if batch.loaded else NOTHING
        parts = plan.parts
        if parts:
            _build(books, batch, parts, settings)
        by_class, theirs = _count_twice(books, batch, parts, settings)
        ours = counting.total(by_class)
        _require_agreement(books, batch, parts, ours, theirs)
        counting.list_failing(books, batch, parts)
        _require_every_key(books, batch, parts, ours)
    finally:
        check_table.drop(books, batch)
    with books.transaction():
        verdict, refused = _settle(books, batch, plan, ours, by_class)
    return verdict, {"judged": batch.loaded, "refused": refused, "rules": sum(len(part.rules) for part in parts)}


def _plan(books: psycopg.Connection, batch: Batch, settings: Settings | None) -> Plan:
    suites = read_suites()
    if batch.shape != "table":
        list_known_persons(books, batch, None)
        return plan_documents(books, batch, suites)
    source = _source_of(batch, settings)
    list_known_persons(books, batch, source.contract)
    return plan_table(batch, source.contract.table(batch.dataset), suites, timezone=source.timezone)


def _source_of(batch: Batch, settings: Settings | None) -> Source:
    settings = settings or Settings.from_environment()
    source = find_source(load_sources(settings.sources_file), batch.source)
    if source.contract is None:
        raise GateError(
            found=f"source {batch.source} has no contract, but batch {batch.batch_id} is a table",
            expected="the contract that the table was loaded under",
            action="restore the source's entry in sources.yml",
        )
    return source


def _build(
    books: psycopg.Connection, batch: Batch, parts: Sequence[check_table.Part], settings: Settings | None
) -> None:
    """The check table; of a large batch two sessions fill its partitions, for taking columns out of JSON keeps a core busy."""
    if batch.loaded < ROWS_FOR_TWO or len(parts) == 1:
        check_table.build(books, batch, parts)
        return
    with connect("checker", "hot", settings, autocommit=True) as beside:
        beside.execute(_BESIDE, [batch.batch_id])
        check_table.build(books, batch, parts, beside)


def _count_twice(
    books: psycopg.Connection, batch: Batch, parts: Sequence[check_table.Part], settings: Settings | None
) -> tuple[list[counting.ClassCount], Counts]:
    """Our counts and Great Expectations', each taken in a session of its own at the same time."""
    theirs, ours = at_once(
        lambda: _ask_judge(batch, parts, settings), lambda: counting.count_by_class(books, batch, parts)
    )
    return ours, theirs


def _ask_judge(batch: Batch, parts: Sequence[check_table.Part], settings: Settings | None) -> Counts:
    """Great Expectations' counts. It takes seconds to import, so an empty batch does without it."""
    if not parts:
        return {}
    from include.quality.judge import count_failures

    return count_failures(sqlalchemy_url("checker", "hot", settings), check_table.table_of(batch), parts)


def _require_agreement(
    books: psycopg.Connection, batch: Batch, parts: Sequence[check_table.Part], ours: Counts, theirs: Counts
) -> None:
    errors = {key: count.error_code for key, count in theirs.items() if count.error_code}
    apart = [key for key, count in theirs.items() if key not in errors and count != ours.get(key, Count(0, 0))]
    if not errors and not apart:
        return
    with books.transaction():
        _record_results(books, batch, parts, theirs, None, {**dict.fromkeys(apart, "CountsDisagree"), **errors})
    if errors:
        (label, rule), code = next(iter(errors.items()))
        raise GateError(
            found=f"{len(errors)} rule(s) of batch {batch.batch_id} could not be judged, first {label}.{rule} ({code})",
            expected="a count from Great Expectations for every rule",
            action="look at quality.gate_result and correct the rule; the batch waits in intake",
        )
    label, rule = apart[0]
    raise GateDisagreementError(
        found=f"{len(apart)} rule(s) of batch {batch.batch_id} were counted differently, first {label}.{rule}",
        expected="Great Expectations and the gate's own SQL to count the same rows",
        action="look at quality.gate_result; until both agree nothing of the batch is let in",
    )


def _require_every_key(
    books: psycopg.Connection, batch: Batch, parts: Sequence[check_table.Part], ours: Counts
) -> None:
    """The keys fetched for a critical rule must be as many as the rule's failures, or rows would slip through."""
    keys = counting.keys_by_rule(books, parts)
    critical = [(part.label, rule.name) for part in parts for rule in part.rules if rule.severity == "critical"]
    apart = [key for key in critical if keys.get(key, 0) != ours.get(key, Count(0, 0)).failed]
    if apart:
        raise GateDisagreementError(
            found=f"batch {batch.batch_id}: keys and failures differ for {len(apart)} rule(s), first {'.'.join(apart[0])}",
            expected="one key for every failing row",
            action="report this with the names of the rules; nothing of the batch is let in",
        )


def _settle(
    books: psycopg.Connection, batch: Batch, plan: Plan, ours: Counts, by_class: Sequence
) -> tuple[Verdict, int]:
    """Everything a judgement changes, in the caller's one transaction."""
    parts, failing = plan.parts, _failing_by_class(books)
    verdict = decide(plan.rows_by_class, failing, load_quality_policy(), source=batch.source, night=batch.night)
    if batch.is_replay:  # made of records that failed before: each is refused or not, their share says nothing
        verdict = replace(verdict, outcome=PASSED, reason=None)
    _record_results(books, batch, parts, ours, verdict.threshold, {})
    rules = {(part.label, rule.name): rule for part in parts for rule in part.rules}
    scores.record_dimensions(books, batch, by_class, rules, refused=batch.quarantined)
    if verdict.outcome == HELD_BACK:
        quarantine.hold_back(books, batch, verdict.reason, _top_rules(ours, rules))
        refused = batch.loaded
    else:
        refused = quarantine.move_failing_rows(books, batch, parts) if parts else 0
    _close(books, batch, verdict, refused)
    if not batch.is_replay:
        gate_results.keep(books, batch, parts)
    scores.score_source(books, batch.night, batch.source)
    note_volume(books, batch.source, batch.night)
    return verdict, refused


def _failing_by_class(books: psycopg.Connection) -> dict[str, int]:
    return dict(books.execute("select data_class, count(distinct record_id) from failing group by 1").fetchall())


def _top_rules(ours: Counts, rules: Mapping) -> str:
    worst = sorted((key for key in ours if rules[key].severity == "critical"), key=lambda key: (-ours[key].failed, key))
    return ", ".join(f"{key[1]} {ours[key].failed}" for key in worst[:3] if ours[key].failed)


def _record_results(
    books: psycopg.Connection,
    batch: Batch,
    parts: Sequence[check_table.Part],
    counts: Counts,
    threshold: float | None,
    errors: Mapping[tuple[str, str], str],
) -> None:
    """Write one row a rule: counts, status, and the class of an exception. A rule without rows is not applicable."""
    books.execute("delete from quality.gate_result where batch_id = %s", [batch.batch_id])
    rows = []
    for part in parts:
        for rule in (*part.rules, *part.unassessed):
            key = part.label, rule.name
            count, error = counts.get(key, Count(0, 0)), errors.get(key)
            rows.append(
                (batch.batch_id, rule.name, part.suite.resource_type, part.label, ", ".join(rule.columns), rule.severity,
                 rule.dimension, "error" if error else _status(count), None if error else count.tested,
                 None if error else count.failed, threshold if rule.severity == "critical" else None, error)
            )  # fmt: skip
    with books.cursor() as cursor:
        cursor.executemany(
            """insert into quality.gate_result (batch_id, rule, resource_type, suite, column_name, severity, dimension, status,
                   tested, failed, threshold, error_code) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            rows,
        )


def _status(count: Count) -> str:
    if not count.tested:
        return "not applicable"
    return "failed" if count.failed else "passed"


def _close(books: psycopg.Connection, batch: Batch, verdict: Verdict, refused: int) -> None:
    held = verdict.outcome == HELD_BACK
    books.execute(
        """update lifecycle.batch set state = %s, loaded = loaded - %s, quarantined = quarantined + %s, quality_share = %s,
               held_reason = %s, checked_at = clock_timestamp() where batch_id = %s""",
        ["held_back" if held else "checked", refused, refused, verdict.share, verdict.reason, batch.batch_id],
    )
    books.execute(
        "select audit.append(%s, %s, jsonb_build_object('judged', %s::bigint, 'refused', %s::bigint))",
        ["batch.held_back" if held else "batch.checked", batch.batch_id, batch.loaded, refused],
    )


def _value_free(batch: Batch, problem: psycopg.Error) -> GateError:
    """The database's error by its code only; its text quotes values."""
    return GateError(
        found=f"judging batch {batch.batch_id} failed with {type(problem).__name__} ({problem.sqlstate})",
        expected="a database that answers the gate's questions",
        action="look at the server's log; the batch stays in intake as it was",
    )
