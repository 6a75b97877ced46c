"""What a delivery holds: kinds of records, where each kind lies, and ids that others may refer to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import psycopg
from psycopg import sql

from include.quality.catalogue.flat import Delivery, Place, Rows
from include.quality.catalogue.subjects import Subject
from include.sources.contracts import Table


def located(books: psycopg.Connection, delivery: Delivery) -> Delivery:
    """The delivery with the place of each resource type. Exports come a type a file, so that a type's rows lie together."""
    return replace(
        delivery,
        rows=tuple(rows if rows.table else replace(rows, places=_places(books, rows)) for rows in delivery.rows),
    )


def _places(books: psycopg.Connection, rows: Rows) -> dict[str, Place]:
    found = books.execute(
        sql.SQL(
            "select resource_type, min(ctid)::text, max(ctid)::text, count(*) from {} where not is_deleted group by 1"
        ).format(rows.relation)
    ).fetchall()
    return {kind: Place(*said) for kind, *said in found}


def shared(
    subjects: Sequence[Subject], delivery: Delivery, together: Collection[str]
) -> tuple[list[Subject], list[Subject]]:
    """The subjects in two shares of about as many documents. Those ``together`` and those that all look up are in the first."""
    rows = Counter[str]()
    for each in delivery.rows:
        rows.update({kind: place.rows for kind, place in (each.places or {}).items()})
    shares = [each for each in subjects if each.is_looked_up or each.name in together], []
    weights = [sum(rows[each.resource_type] for each in shares[0]), 0]
    for subject in sorted(subjects, key=lambda each: -rows[each.resource_type]):
        if subject not in shares[0]:
            lighter = weights.index(min(weights))
            shares[lighter].append(subject)
            weights[lighter] += rows[subject.resource_type]
    return shares


def prepare(books: psycopg.Connection, delivery: Delivery, kinds: Collection[str]) -> None:
    """Make the session's tables of people, visits and known ids (of these kinds); whatever an earlier check left goes."""
    # Of these tables the planner needs to know how many rows match, not how values are spread.
    books.execute("set local default_statistics_target = 10")
    for name in ("known_ids", "people", "visits"):
        books.execute(sql.SQL("drop table if exists {}").format(sql.Identifier("pg_temp", name)))
    books.execute("create temporary table known_ids (id text, kind text)")
    ids = tuple(select for rows in delivery.rows for select in _ids_of(rows, kinds))
    if ids:
        known = sql.SQL("insert into pg_temp.known_ids select distinct resource_id, kind from ({}) r")
        books.execute(known.format(sql.SQL(" union all ").join(ids)))
    books.execute(
        "create temporary table people (person_token uuid primary key, born timestamptz, died timestamptz, sex text)"
    )
    books.execute("create temporary table visits (id text, visit_start timestamptz, visit_end timestamptz)")
    books.execute("analyze pg_temp.known_ids")


def _kind_of(table: Table) -> str:
    """The kind of record that a table's own ids are of."""
    if len(table.key) == 1:
        of = table.columns[table.position(table.key[0])].of
        if of:
            return of
    return table.name


def _ids_of(rows: Rows, kinds: Collection[str]) -> Iterator[sql.Composable]:
    select = sql.SQL("select i.resource_id, {} as kind from {} i where {}")
    if rows.table is None:
        for kind in sorted(set(rows.places) & set(kinds)):
            yield select.format(sql.Literal(kind), rows.relation, rows.of_type(kind))
    elif _kind_of(rows.table) in kinds:
        yield select.format(sql.Literal(_kind_of(rows.table)), rows.relation, sql.SQL("not i.is_deleted"))


def kinds_delivered(books: psycopg.Connection, delivery: Delivery) -> frozenset[str]:
    """Kinds of records that the delivery brings."""
    found: set[str] = set()
    for rows in delivery.rows:
        if rows.table is None:
            found |= set(rows.places)
        else:
            is_there = sql.SQL("select exists (select from {} where not is_deleted)").format(rows.relation)
            found |= {_kind_of(rows.table)} if books.execute(is_there).fetchone()[0] else set()
    return frozenset(found)


def kinds_referred_to(subjects: Iterable[Subject]) -> frozenset[str]:
    """Kinds of records that some subject has references to."""
    return frozenset(kind for subject in subjects for kind in subject.references.values())
