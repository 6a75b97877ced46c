"""Batches of records that were refused once and are asked for again: their objects are read whole, the rest is known.

What was not asked for counts as duplicate, since it was received before; so counts add up and nothing else comes in.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date

import psycopg
from psycopg import sql

from include.intake.batches import Batch
from include.landing.catalogue import find_object

_MARK = "r"  # how the last part of a replay batch's id begins; other batches have hexadecimal digits there

Places = frozenset[tuple[str, str]]


def due_replays(books: psycopg.Connection, source: str, night: date) -> list[Batch]:
    """A batch a dataset from the requests that no batch has answered; the same requests make the same batch."""
    rows = books.execute(
        """select dataset, array_agg(request_no order by request_no), array_agg(distinct object_sha256)
           from quality.replay_request where source = %s and batch_id is null group by dataset order by dataset""",
        [source],
    ).fetchall()
    return [
        Batch(
            _name(source, dataset, night, numbers),
            source,
            dataset,
            night,
            tuple(find_object(books, source, sha) for sha in objects),
        )
        for dataset, numbers, objects in rows
    ]


def _name(source: str, dataset: str, night: date, request_numbers: list[int]) -> str:
    digest = hashlib.sha256(",".join(map(str, request_numbers)).encode()).hexdigest()
    return f"{source}__{dataset}__{night:%Y%m%d}__{_MARK}{digest[:11]}"


def is_replay(batch: Batch) -> bool:
    """Whether a batch answers requests."""
    return batch.batch_id.rpartition("__")[2].startswith(_MARK)


def asked_places(books: psycopg.Connection, batch: Batch) -> Places:
    """Take the requests for the batch's objects and return what they ask for: (sha256 of the object, place in it)."""
    books.execute(
        """update quality.replay_request set batch_id = %s
           where batch_id is null and source = %s and dataset = %s and object_sha256 = any(%s)""",
        [batch.batch_id, batch.source, batch.dataset, [landed.sha256 for landed in batch.objects]],
    )
    rows = books.execute(
        """select q.object_sha256, q.place from quality.quarantine q
           join quality.replay_request r on r.request_no = q.replay_no where r.batch_id = %s""",
        [batch.batch_id],
    )
    return frozenset(rows.fetchall())


def remove_unasked(books: psycopg.Connection, batch: Batch, asked: Places) -> Counter[int]:
    """Take out rows from places nobody asked for. A file asked for whole keeps all. Returns how many left, by object number."""
    numbers = {landed.sha256: number for number, landed in enumerate(batch.objects, 1)}
    books.execute("create temporary table asked (object_no integer, place text) on commit drop")
    with books.cursor() as cursor, cursor.copy("copy asked from stdin") as copy:
        for sha256, place in asked:
            copy.write_row((numbers[sha256], place))
    books.execute("analyze asked")
    rows = books.execute(
        sql.SQL(
            """with gone as (
                   delete from {t} i where not exists (
                       select from asked a where (a.object_no, a.place) = (i.object_no, i.place))
                   and i.object_no <> all(%s) returning i.object_no)
               select object_no, count(*) from gone group by 1"""
        ).format(t=batch.table),
        [[numbers[sha256] for sha256, place in asked if place == "file"]],
    )
    return Counter(dict(rows.fetchall()))
