"""Loading: what landed becomes rows of a batch, sealed on the way in, and every record is counted once.

A batch is loaded in one transaction: table, rows, refusals and counts are there together or not at all. One thread reads, one
makes rows of what was read, and Postgres takes in those before; an object whose container is broken is rolled back alone.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import NamedTuple

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import sql

from include.intake import batches, replays, settling
from include.intake.batches import Batch
from include.intake.feeding import Ahead
from include.intake.reading import Opener
from include.intake.refusals import Refusals
from include.landing.catalogue import waiting_objects
from include.nights import step
from include.privacy.data_keys import PersonKeys
from include.privacy.keyring import Keyring, load_keyring
from include.privacy.keys import batch_key_id, get_or_create
from include.privacy.tokens import Tokeniser
from include.settings import Settings
from include.sources.contracts import Table
from include.sources.items import BrokenContainerError, Notice
from include.sources.registry import Source, find_source, load_sources
from include.warehouse.connect import connect

_SWITCH_SECONDS = 0.0005  # how long Postgres may wait for the next bytes while Python makes rows


def load_source(source_name: str, night: date, settings: Settings | None = None) -> list[str]:
    """Load what landed of a source and was not loaded. Returns the ids of its batches that wait for the gate or promotion.

    Running it again loads nothing twice. A batch whose rows a crash of the server took is loaded again from landing.
    Raises SourcesError, LandingError, ObjectStoreError, KeyringError, DataKeyError.
    """
    settings = settings or Settings.from_environment(os.environ)
    source = find_source(load_sources(settings.sources_file), source_name)
    with step(night, "load", source.name, settings=settings) as progress, connect("loader", "hot", settings) as books:
        _wait_for_turn(books, source.name)
        lost = [
            name
            for name in batches.waiting_batches(books, source.name, night)
            if not batches.rows_are_whole(books, name)
        ]
        due = [batches.known_batch(books, name) for name in lost]
        waiting = waiting_objects(books, source.name, night)
        due += [batches.new_batch(source.name, dataset, night, objects) for dataset, objects in waiting.items()]
        due += replays.due_replays(books, source.name, night)
        books.commit()
        totals: Counter[str] = Counter(received=0, loaded=0, duplicate=0, quarantined=0)
        if due:
            with open_tools(source, settings) as tools, at_full_speed():
                for batch in due:
                    totals += load_batch(books, batch, tools)
                    progress.count(batches=len(due), **totals)
        return batches.waiting_batches(books, source.name, night)


@dataclass(frozen=True, slots=True)
class Tools:
    """What all batches of a source are made rows with; opened once."""

    source: Source
    opener: Opener
    keyring: Keyring
    tokeniser: Tokeniser
    key_books: psycopg.Connection
    persons: PersonKeys


@contextmanager
def open_tools(source: Source, settings: Settings) -> Iterator[Tools]:
    """Open the keyring, the object store and the database of keys for a load."""
    keyring = load_keyring(settings.keyring_dir)
    with connect("sealer", "keys", settings, autocommit=True) as key_books:
        persons = PersonKeys(key_books, keyring)
        yield Tools(source, Opener(source, settings), keyring, Tokeniser(keyring.token_key), key_books, persons)


def load_batch(books: psycopg.Connection, batch: Batch, tools: Tools) -> Counter[str]:
    """Load one batch in one transaction and return its counts. Whatever was there of it before is replaced."""
    table = None if batch.shape == "documents" else tools.source.contract.table(batch.dataset)
    refusals = Refusals()
    maker = make_rows_of(batch, table, tools)
    with books.transaction():
        batches.register(books, batch)
        batches.create_table(books, batch, table)
        rows = _copy_objects(books, batch, table, maker, refusals)
        batches.gather_statistics(books, batch)
        known = _leave_asked(books, batch, refusals, rows) if replays.is_replay(batch) else Counter()
        duplicate = known + settling.remove_duplicates(books, batch, maker.repeats.of_records)
        contradicting: Counter[int] = Counter()
        if maker.repeats.of_resources:
            contradicting = settling.quarantine_contradictions(books, batch, table.updated_at if table else None)
        refusals.store(books, batch.batch_id, batch.night, batch.source, batch.dataset)
        _record_drift(books, batch, maker.notices)
        _record_unmapped(books, batch, maker.notices)
        return _close(books, batch, rows, duplicate, contradicting, refusals.counts)


def _leave_asked(books: psycopg.Connection, batch: Batch, refusals: Refusals, rows: Counter[int]) -> Counter[int]:
    """Of objects read again, keep what was asked for; the rest was received before. Returns how many, by object."""
    asked = replays.asked_places(books, batch)
    known = replays.remove_unasked(books, batch, asked)
    refused_before = refusals.forget_unasked(asked)
    for number, landed in enumerate(batch.objects, 1):
        rows[number] += refused_before[landed.sha256]
        known[number] += refused_before[landed.sha256]
    return known


def make_rows_of(batch: Batch, table: Table | None, tools: Tools):
    """What turns the batch's objects into COPY data: rows of documents, or of a declared table."""
    key_id = batch_key_id(batch.batch_id)
    encrypt = AESGCM(get_or_create(tools.key_books, tools.keyring, [key_id]).keys[key_id]).encrypt
    if table is not None:
        from include.intake.table_rows import TableRows

        return TableRows(tools.source, table, tools.opener, tools.tokeniser, tools.persons, encrypt)
    from include.intake.document_rows import DocumentRows
    from include.privacy.classification import load_classification
    from include.privacy.documents import DocumentSplitter

    splitter = DocumentSplitter(load_classification(), tools.tokeniser, tools.source.name)
    return DocumentRows(tools.source, tools.opener, tools.tokeniser, splitter, tools.persons, encrypt)


def _copy_objects(
    books: psycopg.Connection, batch: Batch, table: Table | None, maker, refusals: Refusals
) -> Counter[int]:
    """Copy the rows of all objects, while those to come are made. Returns rows copied, by object number."""
    columns = sql.SQL(", ").join(sql.Identifier(name) for name, _ in batches.columns_of(table))
    statement = sql.SQL("copy {} ({}) from stdin with (format {})").format(
        batch.table, columns, sql.SQL("binary" if table is None else "text")
    )
    rows: Counter[int] = Counter()
    with closing(Ahead(_make_objects(batch, maker, refusals), "rows")) as made:
        for number in range(1, len(batch.objects) + 1):
            rows[number] = _copy_object(books, statement, made)
    return rows


class _End(NamedTuple):
    """The end of an object's rows: how many there are, or why they must not stay."""

    rows: int
    problem: BrokenContainerError | None = None


def _make_objects(batch: Batch, maker, refusals: Refusals) -> Iterator[bytes | _End]:
    """COPY data of one object after the other, each with its end."""
    with closing(maker):
        for number, (landed, next_up) in enumerate(pairwise([*batch.objects, None]), 1):
            counted: Counter[str] = Counter()
            refusals.begin_object()
            try:
                yield from maker.rows_of(landed, number, refusals, counted, next_up)
                end = _End(counted["rows"])
            except BrokenContainerError as problem:
                refusals.refuse_object(landed, problem)
                end = _End(0, problem)
            yield end


def _copy_object(books: psycopg.Connection, statement: sql.Composed, made: Iterator[bytes | _End]) -> int:
    """Copy one object's rows in a savepoint; a broken container leaves nothing but its refusal. Returns rows copied."""
    try:
        with books.transaction(), books.cursor() as cursor, cursor.copy(statement) as copy:
            for piece in made:
                if isinstance(piece, _End):
                    if piece.problem:
                        raise piece.problem
                    return piece.rows
                if piece:
                    copy.write(memoryview(piece))  # psycopg cuts it, and need not copy what it cuts
    except BrokenContainerError:
        pass
    return 0


def _close(
    books: psycopg.Connection,
    batch: Batch,
    rows: Counter[int],
    duplicate: Counter[int],
    contradicting: Counter[int],
    refused: Counter[str],
) -> Counter[str]:
    """Write down the counts; the database refuses a batch whose counts do not add up."""
    totals: Counter[str] = Counter(received=0, loaded=0, duplicate=0, quarantined=0)
    for number, landed in enumerate(batch.objects, 1):
        counts = {
            "received": rows[number] + refused[landed.sha256],
            "loaded": rows[number] - duplicate[number] - contradicting[number],
            "duplicate": duplicate[number],
            "quarantined": contradicting[number] + refused[landed.sha256],
        }
        totals.update(counts)
        books.execute(
            """update lifecycle.batch_object set received = %(received)s, loaded = %(loaded)s, duplicate = %(duplicate)s,
               quarantined = %(quarantined)s where batch_id = %(batch)s and object_no = %(number)s""",
            {**counts, "batch": batch.batch_id, "number": number},
        )
    books.execute(
        """update lifecycle.batch set state = 'loaded', received = %(received)s, duplicate = %(duplicate)s, quarantined = %(quarantined)s,
           loaded = %(loaded)s, loaded_at = clock_timestamp() where batch_id = %(batch)s""",
        {**totals, "batch": batch.batch_id},
    )
    return totals


def _record_drift(books: psycopg.Connection, batch: Batch, notices: list[Notice]) -> None:
    """Write down columns that came undeclared or stayed away, one entry a table and kind."""
    drift = [
        {
            "table": notice.table or batch.dataset,
            "kind": notice.code,
            "columns": list(notice.names),
            "count": notice.count,
        }
        for notice in notices
        if notice.code in ("undeclared_column", "missing_optional_column")
    ]
    if not drift:
        return
    row = books.execute(
        "select drift from lifecycle.source_state where night = %s and source = %s for update",
        [batch.night, batch.source],
    ).fetchone()
    merged = {(entry["table"], entry["kind"]): entry for entry in [*(row[0] if row else []), *drift]}
    books.execute(
        "update lifecycle.source_state set drift = %s where night = %s and source = %s",
        [json.dumps(list(merged.values())), batch.night, batch.source],
    )


def _record_unmapped(books: psycopg.Connection, batch: Batch, notices: list[Notice]) -> None:
    """Write down which fields of which messages no resource took in; what a try before said of the batch is replaced."""
    books.execute("delete from quality.unmapped_field where batch_id = %s", [batch.batch_id])
    left = [notice for notice in notices if notice.code == "unmapped_field"]
    if left:
        with books.cursor() as cursor:
            cursor.executemany(
                """insert into quality.unmapped_field (batch_id, night, source, message_type, field, occurrences)
                   values (%s, %s, %s, %s, %s, %s)""",
                [
                    (batch.batch_id, batch.night, batch.source, notice.table, notice.names[0], notice.count)
                    for notice in left
                ],
            )


def _wait_for_turn(books: psycopg.Connection, source: str) -> None:
    """One load of a source at a time: two would load the same objects."""
    books.execute("select pg_advisory_lock(hashtext('load'), hashtext(%s))", [source])
    books.commit()


@contextmanager
def at_full_speed() -> Iterator[None]:
    """Rows make no reference cycles, so the collector would only walk what is remembered, again and again."""
    was_enabled, interval = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        if was_enabled:
            gc.enable()
