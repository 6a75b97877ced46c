"""Batches: which landed objects become one, and the unlogged table its rows wait in until the gate has judged them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from include.landing.catalogue import LandedObject, batch_id, find_object
from include.sources.contracts import Table

DOCUMENTS = "resource"  # the dataset of everything that is FHIR JSON
_NAME_BYTES = 63  # of a Postgres identifier

# Columns of every intake table, in the order in which rows are written; a table's own columns come before ``sealed``.
# What is the same for a whole batch (source, night, batch_seq) is added when it is promoted.
_LEADING = (
    ("record_id", "uuid not null"),
    ("resource_id", "text not null"),
    ("is_deleted", "boolean not null"),
    ("data_class", "text not null"),
    ("person_token", "uuid"),
    ("event_at", "timestamptz"),
    ("content_sha256", "bytea not null"),
    ("match_tokens", "text[]"),
    ("object_no", "integer not null"),
    ("place", "text not null"),
    ("unfit", "text[]"),  # elements or columns sealed because a value in them does not fit its type
)
_OF_DOCUMENTS = (
    ("resource_type", "text not null"),
    ("version_id", "text"),
    ("last_updated", "timestamptz"),
    ("body", "jsonb"),
)
_SEALED = (("sealed", "bytea"),)


@dataclass(frozen=True, slots=True)
class Batch:
    """All objects of one source and dataset that are loaded together. ``objects`` are in the order of loading."""

    batch_id: str
    source: str
    dataset: str
    night: date
    objects: tuple[LandedObject, ...]

    @property
    def shape(self) -> str:
        """How the rows look: ``documents`` or ``table``."""
        return "documents" if self.dataset == DOCUMENTS else "table"

    @property
    def intake_table(self) -> str:
        """Name of the batch's table in schema intake: the batch id, shortened with a hash where it is too long."""
        return intake_table(self.batch_id)

    @property
    def table(self) -> sql.Identifier:
        """The batch's table as an SQL identifier."""
        return sql.Identifier("intake", self.intake_table)


def intake_table(name_of_batch: str) -> str:
    """A batch's table in schema intake."""
    if len(name_of_batch.encode()) <= _NAME_BYTES:
        return name_of_batch
    digest = hashlib.sha256(name_of_batch.encode()).hexdigest()[:16]
    return f"{name_of_batch[: _NAME_BYTES - 18]}__{digest}"


def new_batch(source: str, dataset: str, night: date, objects: Sequence[LandedObject]) -> Batch:
    """The batch these objects make; the same objects on the same night make the same batch."""
    return Batch(
        batch_id(source, dataset, night, [landed.sha256 for landed in objects]), source, dataset, night, tuple(objects)
    )


def known_batch(books: psycopg.Connection, name: str) -> Batch:
    """A batch the books know, with its objects in their order."""
    source, dataset, night = books.execute(
        "select source, dataset, night from lifecycle.batch where batch_id = %s", [name]
    ).fetchone()
    rows = books.execute(
        "select sha256 from lifecycle.batch_object where batch_id = %s order by object_no", [name]
    ).fetchall()
    return Batch(name, source, dataset, night, tuple(find_object(books, source, row[0]) for row in rows))


def columns_of(table: Table | None) -> list[tuple[str, str]]:
    """Name and type of an intake table's columns in the order in which rows are written; None for documents."""
    own = (
        _OF_DOCUMENTS if table is None else tuple((column.name, column.postgres_type) for column in table.clear_columns)
    )
    return [*_LEADING, *own, *_SEALED]


def create_table(books: psycopg.Connection, batch: Batch, table: Table | None) -> None:
    """Make the batch's empty table, in place of what a killed try may have left. The gate may read it and take rows out."""
    drop_table(books, batch.intake_table)
    columns = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns_of(table)]
    books.execute(sql.SQL("create unlogged table {} ({})").format(batch.table, sql.SQL(", ").join(columns)))
    # Encrypted bytes do not get smaller: trying costs time. Nobody but the gate's deletes touches rows twice: no vacuum.
    books.execute(sql.SQL("alter table {} alter column sealed set storage external").format(batch.table))
    books.execute(sql.SQL("alter table {} set (autovacuum_enabled = false)").format(batch.table))
    books.execute(sql.SQL("grant select, delete on {} to checker").format(batch.table))


def gather_statistics(books: psycopg.Connection, batch: Batch) -> None:
    """Let what follows plan by what is in the batch's table. A tenth of the usual sample tells as much of ids, most of which
    are there once."""
    books.execute("set local default_statistics_target = 10")
    books.execute(sql.SQL("analyze {} (record_id, resource_id, person_token)").format(batch.table))
    books.execute("set local default_statistics_target to default")


def drop_table(books: psycopg.Connection, name: str) -> None:
    """Drop an intake table, if it is there."""
    books.execute(sql.SQL("drop table if exists {}").format(sql.Identifier("intake", name)))


def register(books: psycopg.Connection, batch: Batch) -> None:
    """Open the batch in the books with its objects; a batch that is there begins again."""
    books.execute(
        """insert into lifecycle.batch (batch_id, source, dataset, shape, night, intake_table)
           values (%s, %s, %s, %s, %s, %s)
           on conflict (batch_id) do update set state = 'landed', intake_table = excluded.intake_table, received = 0,
               loaded = 0, duplicate = 0, quarantined = 0, quality_share = null, held_reason = null, opened_at = clock_timestamp(),
               loaded_at = null, checked_at = null""",
        [batch.batch_id, batch.source, batch.dataset, batch.shape, batch.night, batch.intake_table],
    )
    for table in ("quality.quarantine", "quality.gate_result", "quality.dimension_count"):
        schema, name = table.split(".")
        books.execute(
            sql.SQL("delete from {} where batch_id = %s").format(sql.Identifier(schema, name)), [batch.batch_id]
        )
    books.execute("delete from lifecycle.batch_object where batch_id = %s", [batch.batch_id])
    with books.cursor() as cursor:
        cursor.executemany(
            "insert into lifecycle.batch_object (batch_id, object_no, source, sha256) values (%s, %s, %s, %s)",
            [(batch.batch_id, number, batch.source, landed.sha256) for number, landed in enumerate(batch.objects, 1)],
        )


def waiting_batches(books: psycopg.Connection, source: str, night: date) -> list[str]:
    """Batches of the source that are loaded and not yet promoted or held back, oldest first, also of earlier nights."""
    rows = books.execute(
        """select batch_id from lifecycle.batch where source = %s and night <= %s and state in ('loaded', 'checked')
           order by night, opened_at, batch_id""",
        [source, night],
    ).fetchall()
    return [row[0] for row in rows]


def rows_are_whole(books: psycopg.Connection, name: str) -> bool:
    """Whether the batch's table still holds every row the books say: a server that crashed emptied it."""
    table, loaded = books.execute(
        "select intake_table, loaded from lifecycle.batch where batch_id = %s", [name]
    ).fetchone()
    if books.execute("select to_regclass(format('intake.%%I', %s::text))", [table]).fetchone()[0] is None:
        return False
    found = books.execute(sql.SQL("select count(*) from {}").format(sql.Identifier("intake", table))).fetchone()[0]
    return found == loaded
