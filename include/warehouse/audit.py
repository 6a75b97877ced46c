"""The last door before publication: do the counts add up, is every table there and fresh, does anything leak."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import psycopg

from include.errors import PlumblineError
from include.nights import current_attempt, step
from include.privacy.anonymity import broken_thresholds, measure_anonymity
from include.privacy.leak_scan import Needles, collect_needles
from include.settings import Settings
from include.warehouse.build import CANDIDATES
from include.warehouse.connect import connect
from include.warehouse.leak_search import search_tables

NOTHING_LOST = "nothing lost"
NOTHING_LEAKS = "nothing leaks"
NO_FALSE_GREEN = "no false green"


class AuditError(PlumblineError):
    """The candidate marts break a promise and are not published."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken promise: what kind, where (never a value), how often."""

    finding: str
    subject: str
    failures: int
    promise: str


def audit_candidate(night: date, settings: Settings | None = None) -> dict[str, int]:
    """Look for broken promises in what the night has built. Returns counts; raises AuditError when there is one."""
    settings = settings or Settings.from_environment(os.environ)
    with (
        step(night, "audit", role="leak_scanner", settings=settings) as running,
        connect("leak_scanner", "hot", settings) as hot,
    ):
        scanned, leaks = scan_for_leaks(hot, read_needles(hot, settings))
        broken = list(check_build(hot, night))
        findings = [*reconcile_batches(hot, night), *broken, *leaks, *([] if broken else check_anonymity(hot, night))]
        _record(hot, night, findings)
        # On the books already, under their own steps and sources; here they only keep the night from being published.
        findings += check_arrivals(hot, night)
        running.count(findings=len(findings), values_scanned=scanned)
        hot.commit()
        if findings:
            raise AuditError(
                found="; ".join(f"{f.finding} at {f.subject}: {f.failures}" for f in findings[:5]),
                expected="no broken promise",
                action="see the report's first section; analysts still see the last good night",
            )
        return {"findings": 0, "values_scanned": scanned}


# A batch that was opened again goes into a new one on a later night; its objects are decided there.
_UNDECIDED = """
    select batch_id, state from lifecycle.batch b
    where night <= %s and state not in ('promoted', 'held_back') and (received > 0 or not exists (
        select from lifecycle.batch_object o where o.batch_id = b.batch_id) or exists (
        select from lifecycle.batch_object o where o.batch_id = b.batch_id and not exists (
            select from lifecycle.batch_object later join lifecycle.batch decided using (batch_id)
            where (later.source, later.sha256) = (o.source, o.sha256) and decided.state in ('promoted', 'held_back'))))
"""


def reconcile_batches(hot: psycopg.Connection, night: date) -> Iterator[Finding]:
    """Nothing lost: every landed object is in a batch, every batch is decided, and promoted rows are all on the books."""
    (unbatched,) = hot.execute(
        """select count(*) from lifecycle.landing_object o
           where first_night <= %s and hint ->> 'dataset' is not null and not exists
           (select from lifecycle.batch_object b where (b.source, b.sha256) = (o.source, o.sha256))""",
        [night],
    ).fetchone()
    if unbatched:
        yield Finding("counts", "landing objects that no batch took in", unbatched, NOTHING_LOST)
    for batch_id, state in hot.execute(_UNDECIDED, [night]).fetchall():
        yield Finding("counts", f"batch {batch_id} is still {state}", 1, NOTHING_LOST)
    for batch_id, missing in hot.execute(
        """select b.batch_id, b.loaded - count(r.record_id)
           from lifecycle.batch b left join lifecycle.record r using (batch_seq)
           where b.night = %s and b.state = 'promoted' group by b.batch_id having b.loaded <> count(r.record_id)""",
        [night],
    ).fetchall():
        yield Finding("counts", f"batch {batch_id}: loaded rows that have no record", missing, NOTHING_LOST)


def check_arrivals(hot: psycopg.Connection, night: date) -> Iterator[Finding]:
    """No false green: every step of every source was done, and every required source is there and fresh."""
    attempt = current_attempt(hot, night)
    for name, source in hot.execute(
        """select step, source from (
               select distinct on (step, source) step, source, state from lifecycle.step
               where night = %s and attempt = %s and step <> 'audit' order by step, source, step_id desc) as last_try
           where state <> 'done' order by step, source""",
        [night, attempt],
    ).fetchall():
        yield Finding("failed_step", f"{name} {source or ''}".strip(), 1, NOTHING_LOST)
    for (source,) in hot.execute(
        "select source from lifecycle.source_state where night = %s and required and (missing or stale) order by 1",
        [night],
    ).fetchall():
        yield Finding("required_source", source, 1, NO_FALSE_GREEN)


def check_build(hot: psycopg.Connection, night: date) -> Iterator[Finding]:
    """No false green: the marts stand, were built from everything promoted, and none that had rows is empty."""
    state = hot.execute("select night, attempt, batch_seq from quality.build_state").fetchone()
    if not state:
        yield from _failed_nodes(hot, night)
        yield Finding("stale_table", "all candidate marts", 1, NO_FALSE_GREEN)
        return
    (newest,) = hot.execute("select coalesce(max(batch_seq), 0) from lifecycle.batch").fetchone()
    if newest > state[2]:
        yield Finding("stale_table", "all candidate marts", newest - state[2], NO_FALSE_GREEN)
    built = dict(hot.execute(
        "select node, rows from quality.build_result where (night, attempt) = (%s, %s) and kind = 'table'", state[:2]
    ).fetchall())  # fmt: skip
    for relation in sorted(_expected_tables(hot, state[:2]) - built.keys()):
        yield Finding("missing_table", relation, 1, NO_FALSE_GREEN)
    for relation, rows in _rows_before(hot, state[:2]).items():
        if rows and not built.get(relation):
            yield Finding("empty_table", relation, rows, NO_FALSE_GREEN)


def check_anonymity(hot: psycopg.Connection, night: date) -> Iterator[Finding]:
    """Nothing leaks: people are hidden among others as the privacy officer's thresholds say. Measured whether any is set or not."""
    measure_anonymity(hot, night)
    for said, people in broken_thresholds(hot, night):
        yield Finding("anonymity", said, people, NOTHING_LEAKS)


def _failed_nodes(hot: psycopg.Connection, night: date) -> Iterator[Finding]:
    failed = hot.execute(
        """select node, greatest(coalesce(failures, 1), 1) from quality.build_result
           where night = %s and attempt = %s and status in ('error', 'fail', 'runtime error')""",
        [night, current_attempt(hot, night)],
    ).fetchall()
    return (Finding("failed_test", node, failures, NO_FALSE_GREEN) for node, failures in failed)


def _expected_tables(hot: psycopg.Connection, built_in: tuple[date, int]) -> set[str]:
    rows = hot.execute(
        """select substr(layer, length('candidate_') + 1) || '.' || split_part(node, '.', -1)
           from quality.build_result
           where (night, attempt) = (%s, %s) and kind = 'model' and layer = any(%s)""",
        [*built_in, list(CANDIDATES)],
    ).fetchall()
    return {row[0] for row in rows}


def _rows_before(hot: psycopg.Connection, built_in: tuple[date, int]) -> dict[str, int]:
    """Rows of each mart in the build of the last published night before this one."""
    rows = hot.execute(
        """select r.node, r.rows from quality.build_result r
           where r.kind = 'table' and (r.night, r.attempt) = (
               select n.night, max(b.attempt) from lifecycle.night n join quality.build_result b using (night)
               where n.published and (n.night, b.attempt) < (%s, %s) and b.kind = 'table'
               group by n.night order by n.night desc limit 1)""",
        list(built_in),
    ).fetchall()
    return dict(rows)


def read_needles(hot: psycopg.Connection, settings: Settings) -> Needles:
    """The direct identifiers of everyone known, unsealed in this process's memory only."""
    from include.privacy.identifiers import read_identifiers

    return collect_needles(read_identifiers(hot, settings))


def scan_for_leaks(hot: psycopg.Connection, needles: Needles) -> tuple[int, list[Finding]]:
    """Search the candidate schemas. Returns how many distinct values were read, and a finding a column."""
    scanned, leaking = search_tables(hot, CANDIDATES, needles)
    return scanned, [
        Finding("leak", subject.removeprefix("candidate_"), count, NOTHING_LEAKS) for subject, count in leaking.items()
    ]


def _record(hot: psycopg.Connection, night: date, findings: Iterable[Finding]) -> None:
    attempt = current_attempt(hot, night)
    hot.execute("delete from quality.audit_finding where night = %s and attempt = %s", [night, attempt])
    with hot.cursor() as cursor:
        cursor.executemany(
            "insert into quality.audit_finding values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
            [(night, attempt, f.finding, f.subject, f.failures, f.promise) for f in findings],
        )
