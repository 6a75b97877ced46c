"""What is decided about a loaded batch as a whole, in SQL: duplicates leave, records that contradict each other wait."""

from __future__ import annotations

from collections import Counter

import psycopg
from psycopg import sql

from include.intake.batches import Batch

_DUPLICATE_ID = "duplicate_id"


def remove_duplicates(books: psycopg.Connection, batch: Batch, may_repeat: bool = True) -> Counter[int]:
    """Take out rows whose record_id came earlier in the batch (if it ``may_repeat`` there) or is known from an earlier one.

    A known record_id means the same content was received before, in whichever tier it is now. Returns how many left, by
    object number.
    """
    has_repeats = sql.SQL("select exists (select from {} group by record_id having count(*) > 1)").format(batch.table)
    is_repeating = may_repeat and books.execute(has_repeats).fetchone()[0]
    again = _remove(books, batch, _AGAIN_IN_BATCH) if is_repeating else Counter()
    return again + remove_known(books, batch)


def remove_known(books: psycopg.Connection, batch: Batch) -> Counter[int]:
    """Take out rows whose record_id is known from an earlier batch. Returns how many left, by object number."""
    return _remove(books, batch, _KNOWN_BEFORE)


_AGAIN_IN_BATCH = """
    delete from {t} i using (
        select b.ctid as at, row_number() over (partition by b.record_id order by b.object_no, b.ctid) as nth
        from {t} b join (select record_id from {t} group by 1 having count(*) > 1) twice using (record_id)) again
    where i.ctid = again.at and again.nth > 1 returning i.object_no"""
_KNOWN_BEFORE = "delete from {t} i using lifecycle.record r where r.record_id = i.record_id returning i.object_no"


def _remove(books: psycopg.Connection, batch: Batch, statement: str) -> Counter[int]:
    """Counted in the database: a whole delivery sent again is millions of rows."""
    counted = "with gone as ({}) select object_no, count(*) from gone group by 1"
    query = sql.SQL(counted).format(sql.SQL(statement).format(t=batch.table))
    return Counter(dict(books.execute(query).fetchall()))


def quarantine_contradictions(
    books: psycopg.Connection, batch: Batch, version_column: str | None = None
) -> Counter[int]:
    """Quarantine rows that say something else of the same thing with nothing to tell which is newer; the first stays.

    Versions that differ in version id or time (rows of tables: in ``version_column``) are kept: they are a history. Returns
    how many left, by object number.
    """
    same = ("resource_type", "resource_id") if batch.shape == "documents" else ("resource_id",)
    order = (*same, "is_deleted", "version_id", "last_updated") if batch.shape == "documents" else (*same, "is_deleted")
    order += (version_column,) if version_column else ()
    rows = books.execute(
        sql.SQL(
            """with again as (
                   select i.ctid as at, row_number() over (partition by {order} order by i.object_no, i.ctid) as nth
                   from {t} i join (select {same} from {t} group by {same} having count(*) > 1) s using ({same})
               ), gone as (
                   delete from {t} i using again where i.ctid = again.at and again.nth > 1
                   returning i.record_id, {kind} as resource_type, i.object_no, i.place, i.person_token
               ), kept as (
                   insert into quality.quarantine
                       (quarantine_id, batch_id, night, source, dataset, object_sha256, place, scope, record_id, resource_type,
                        person_token, reason_code, found, expected, action, stage)
                   select md5(%(batch)s || ':' || g.record_id || ':load')::uuid, %(batch)s, %(night)s, %(source)s, %(dataset)s,
                          o.sha256, g.place, 'record', g.record_id, g.resource_type, g.person_token, %(code)s,
                          'another record with the same id and other content, and nothing that says which is newer',
                          'one record an id in a delivery, or a version or time that orders them',
                          'have the source send meta.versionId or meta.lastUpdated (or each row once), then deliver again', 'load'
                   from gone g left join lifecycle.batch_object o on o.batch_id = %(batch)s and o.object_no = g.object_no
                   on conflict (quarantine_id) do nothing
               )
               select object_no, count(*) from gone group by 1"""
        ).format(
            t=batch.table,
            order=_columns(order),
            same=_columns(same),
            kind=sql.SQL("i.resource_type" if batch.shape == "documents" else "null::text"),
        ),
        {
            "batch": batch.batch_id,
            "night": batch.night,
            "source": batch.source,
            "dataset": batch.dataset,
            "code": _DUPLICATE_ID,
        },
    )
    return Counter(dict(rows.fetchall()))


def _columns(names: tuple[str, ...]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, names))
