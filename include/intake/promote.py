"""Promoting: a judged batch enters raw in one transaction, or stays where it is."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from include.errors import PlumblineError
from include.intake import batches, settling
from include.intake.batches import DOCUMENTS
from include.nights import step
from include.settings import Settings
from include.sources.contracts import raw_table_name
from include.warehouse.connect import connect

# Columns an intake table has for its own bookkeeping; everything else has the same name in raw.
_ONLY_INTAKE = {"object_no", "place", "unfit"}


class PromotionError(PlumblineError):
    """A batch may not be promoted: it was not judged, or its rows are gone."""


@dataclass(frozen=True, slots=True)
class PromoteResult:
    """What became of a batch: its state and how many rows are in raw because of it."""

    state: str
    promoted: int


@dataclass(frozen=True, slots=True)
class _Row:
    batch_id: str
    source: str
    dataset: str
    night: date
    state: str
    intake_table: str | None
    loaded: int

    @property
    def raw_table(self) -> str:
        return DOCUMENTS if self.dataset == DOCUMENTS else raw_table_name(self.source, self.dataset)

    @property
    def batch(self) -> batches.Batch:
        return batches.Batch(self.batch_id, self.source, self.dataset, self.night, ())


def promote_batch(batch_id: str, settings: Settings | None = None) -> PromoteResult:
    """Move a batch that passed the gate into raw. A batch held back only loses its intake table.

    Repeatable: a promoted batch stays as it is. Raises PromotionError where the batch is unknown or not judged, or where a crash
    of the server took its rows (loading the source again brings them back).
    """
    settings = settings or Settings.from_environment(os.environ)
    with connect("loader", "hot", settings) as books:
        row = _read(books, batch_id)
        books.commit()
        if row.state in ("promoted", "held_back"):
            return _tidy(books, row)
        with step(row.night, "promote", row.source, settings=settings) as progress:
            promoted = _promote(books, batch_id)
            progress.count(promoted=promoted)
        return _tidy(books, _read(books, batch_id))


def _read(books: psycopg.Connection, batch_id: str) -> _Row:
    found = books.execute(
        """select batch_id, source, dataset, night, state, intake_table, loaded from lifecycle.batch
           where batch_id = %s""",
        [batch_id],
    ).fetchone()
    if found is None:
        raise PromotionError(
            found=f"no batch {batch_id}",
            expected="a batch that was loaded",
            action="load the source, then promote what it returns",
        )
    return _Row(*found)


def _promote(books: psycopg.Connection, batch_id: str) -> int:
    with books.transaction():
        # One promotion at a time, so that sequence numbers become visible in their order: staging reads what is above its last.
        books.execute("select pg_advisory_xact_lock(hashtext('lifecycle.batch_seq'))")
        books.execute("select from lifecycle.batch where batch_id = %s for update", [batch_id])
        row = _read(books, batch_id)
        if row.state == "promoted":
            return row.loaded
        _require_judged(books, row)
        # Repeats within the batch left when it was loaded; what another batch brought since then leaves now.
        late = sum(settling.remove_known(books, row.batch).values())
        sequence = books.execute("select nextval('lifecycle.batch_seq')").fetchone()[0]
        promoted = _insert(books, row, sequence)
        books.execute(
            """update lifecycle.batch set state = 'promoted', batch_seq = %(sequence)s, promoted_at = clock_timestamp(),
               loaded = %(promoted)s, duplicate = duplicate + %(late)s where batch_id = %(batch)s""",
            {"sequence": sequence, "promoted": promoted, "late": late, "batch": batch_id},
        )
        books.execute(
            "select audit.append('batch.promoted', %s, jsonb_build_object('rows', %s::bigint, 'batch_seq', %s::bigint))",
            [batch_id, promoted, sequence],
        )
        return promoted


def _require_judged(books: psycopg.Connection, row: _Row) -> None:
    if row.state != "checked":
        raise PromotionError(
            found=f"batch {row.batch_id} is {row.state}",
            expected="a batch the gate let pass (checked)",
            action="check the batch first",
        )
    if not batches.rows_are_whole(books, row.batch_id):
        raise PromotionError(
            found=f"the intake table of batch {row.batch_id} does not hold its {row.loaded} rows",
            expected="every row that was loaded and passed",
            action="load the source again: what a crash leaves in intake is thrown away and taken from landing",
        )


def _insert(books: psycopg.Connection, row: _Row, sequence: int) -> int:
    """Rows to raw and, for each, where it lives. Returns how many."""
    intake, added = row.batch.table, _ensure_partitions(books, row)
    names = [
        found[0]
        for found in books.execute(
            """select attname from pg_attribute where attrelid = format('intake.%%I', %s::text)::regclass
               and attnum > 0 and not attisdropped order by attnum""",
            [row.intake_table],
        )
        if found[0] not in _ONLY_INTAKE
    ]
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    same = {"source": row.source, "batch": row.batch_id, "seq": sequence, "night": row.night}
    inserted = books.execute(
        sql.SQL(
            """insert into {raw} ({columns}, source, batch_id, batch_seq, received_at)
               select {columns}, %(source)s, %(batch)s, %(seq)s, %(night)s::timestamp at time zone 'UTC' from {intake}"""
        ).format(raw=sql.Identifier("raw", row.raw_table), columns=columns, intake=intake),
        same,
    ).rowcount
    books.execute(
        sql.SQL(
            """insert into lifecycle.record (record_id, source, dataset, data_class, person_token, event_year, received_month, batch_seq)
               select record_id, %(source)s, {dataset}, data_class, person_token,
                      extract(year from event_at at time zone 'UTC')::smallint, date_trunc('month', %(night)s::date)::date, %(seq)s
               from {intake}"""
        ).format(
            intake=intake,
            dataset=sql.Identifier("resource_type") if row.dataset == DOCUMENTS else sql.Literal(row.dataset),
        ),
        same,
    )
    _gather_statistics(books, added)
    return inserted


def _ensure_partitions(books: psycopg.Connection, row: _Row) -> Counter[str]:
    """Make the partitions that the batch's rows go to. Returns how many go to each."""
    added: Counter[str] = Counter()
    classes = sql.SQL("select data_class, count(*) from {} group by 1").format(row.batch.table)
    for data_class, rows in books.execute(classes).fetchall():
        found = books.execute("select raw.ensure_partitions(%s, %s, %s)", [row.raw_table, data_class, row.night])
        added[found.fetchone()[0]] += rows
    return added


def _gather_statistics(books: psycopg.Connection, added: Counter[str]) -> None:
    """Let the next steps plan by what is in raw now; where little came, autovacuum's statistics are good enough."""
    gathered = [
        books.execute("select raw.gather_statistics(%s, %s)", [leaf, rows]).fetchone()[0]
        for leaf, rows in added.items()
    ]
    if any(gathered):
        books.execute("analyze lifecycle.record (record_id, source, dataset, person_token, batch_seq, tier)")


def _tidy(books: psycopg.Connection, row: _Row) -> PromoteResult:
    """Drop the intake table, also after a try that was killed before it could."""
    with books.transaction():
        batches.drop_table(books, row.intake_table or batches.intake_table(row.batch_id))
    return PromoteResult(row.state, row.loaded if row.state == "promoted" else 0)
