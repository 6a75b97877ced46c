"""Whom the rows of a batch are about: which persons are known, and when they were born."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg
from psycopg import sql

from include.quality.batches import INTAKE, Batch
from include.quality.check_table import made, persons_of
from include.quality.moments import first_moment
from include.sources.contracts import Contract

# Births are taken 14 hours early: a child born just after midnight in the east is born on the day before in UTC.
PATIENT = "Patient"


def patient_datasets(contract: Contract | None) -> dict[str, str | None]:
    """Datasets of a source that bring patients, with the column that holds the day of birth (None: not told)."""
    if contract is None:
        return {PATIENT: None}
    return {
        table.name: mapping.fields.get("birth_date")
        for table in contract.tables
        for mapping in table.maps
        if mapping.to == "patient"
    }


def list_known_persons(books: psycopg.Connection, batch: Batch, contract: Contract | None) -> None:
    """Make the batch's table of known persons, ``(person_token, born)``: persons of this delivery and of earlier ones.

    This delivery is every batch of the source and night whose intake is still there, with the persons its gate has
    already sent to quarantine: the order in which batches are judged must not change what is dangling.
    """
    persons = persons_of(batch)
    books.execute(sql.SQL("drop table if exists {}").format(persons))
    books.execute(sql.SQL("{} {} (person_token uuid primary key, born timestamptz)").format(made(batch), persons))
    datasets = patient_datasets(contract)
    for statement in _delivered(books, batch, contract, datasets):
        _add(books, persons, statement)
    _add(
        books,
        persons,
        sql.SQL(
            """select person_token, null::timestamptz from quality.quarantine
               where source = {source} and night = {night} and stage = 'gate' and person_token is not null
                 and (resource_type = any({kinds}) or dataset = any({kinds}))"""
        ).format(source=sql.Literal(batch.source), night=sql.Literal(batch.night), kinds=sql.Literal(list(datasets))),
    )
    _add_earlier(books, batch, datasets)
    books.execute(sql.SQL("analyze {}").format(persons))


def fill_persons(
    books: psycopg.Connection, batch: Batch, delivered: Iterable[tuple[str, sql.Identifier]], contract: Contract | None
) -> None:
    """The same table from (dataset, table) of what lies at hand, without asking the books for anything earlier."""
    persons, datasets = persons_of(batch), patient_datasets(contract)
    books.execute(sql.SQL("{} {} (person_token uuid primary key, born timestamptz)").format(made(batch), persons))
    for dataset, table in delivered:
        if contract is None:
            _add(books, persons, _patients_in_documents(table))
        elif dataset in datasets:
            _add(books, persons, _patients_in_table(table, contract, dataset, datasets))
    books.execute(sql.SQL("analyze {}").format(persons))


def _add(books: psycopg.Connection, persons: sql.Identifier, select: sql.Composable) -> None:
    books.execute(
        sql.SQL(
            """insert into {persons} as k select distinct on (person_token) person_token, born from ({select}) s (person_token, born)
               where person_token is not null order by person_token, born
               on conflict (person_token) do update set born = coalesce(k.born, excluded.born)"""
        ).format(persons=persons, select=select)
    )


def _delivered(
    books: psycopg.Connection, batch: Batch, contract: Contract | None, datasets: dict[str, str | None]
) -> Iterable[sql.Composable]:
    rows = books.execute(
        """select dataset, coalesce(intake_table, batch_id) from lifecycle.batch
           where source = %s and night = %s and state in ('loaded', 'checked', 'held_back')""",
        [batch.source, batch.night],
    ).fetchall()
    for dataset, name in rows:
        table = sql.Identifier(INTAKE, name)
        if contract is not None and dataset not in datasets:
            continue
        if books.execute("select to_regclass(%s)", [table.as_string(books)]).fetchone()[0] is None:
            continue
        yield (
            _patients_in_documents(table)
            if contract is None
            else _patients_in_table(table, contract, dataset, datasets)
        )


def _patients_in_documents(table: sql.Identifier) -> sql.Composable:
    text, moment = sql.SQL("j.t"), sql.SQL("j.m")
    return sql.SQL(
        """select i.person_token, {born} - interval '14 hours' from {table} i
           left join lateral json_table(i.body, '$' columns (t text path '$.birthDate', m timestamptz path '$.birthDate')) j on true
           where i.resource_type = 'Patient' and not i.is_deleted"""
    ).format(born=first_moment(text, moment), table=table)


def _patients_in_table(
    table: sql.Identifier, contract: Contract, dataset: str, datasets: dict[str, str | None]
) -> sql.Composable:
    clear = {column.name: column.postgres_type for column in contract.table(dataset).clear_columns}
    born = datasets[dataset]
    value = sql.SQL("null")
    if born is not None and clear.get(born) in ("date", "timestamptz"):
        value = sql.SQL("i.{}").format(sql.Identifier(born))
    return sql.SQL(
        "select i.person_token, {}::timestamptz - interval '14 hours' from {} i where not i.is_deleted"
    ).format(value, table)


def _add_earlier(books: psycopg.Connection, batch: Batch, datasets: dict[str, str | None]) -> None:
    """Persons of earlier deliveries that this batch refers to, in whichever tier they are."""
    persons, text, moment = persons_of(batch), sql.SQL("j.t"), sql.SQL("j.m")
    _add(
        books,
        persons,
        sql.SQL(
            """with asked as materialized (select distinct i.person_token from {intake} i where i.person_token is not null)
               select a.person_token, null::timestamptz from asked a
               where not exists (select from {persons} k where k.person_token = a.person_token)
                 and exists (select from lifecycle.record r where r.person_token = a.person_token and r.source = {source}
                             and r.dataset = any({kinds}) and r.tier not in ('destroyed', 'erased'))"""
        ).format(
            persons=persons, intake=batch.intake, source=sql.Literal(batch.source), kinds=sql.Literal(list(datasets))
        ),
    )
    unborn = sql.SQL("select exists (select from {} where born is null)").format(persons)
    if books.execute(unborn).fetchone()[0]:
        books.execute(
            sql.SQL(
                """update {persons} k set born = {born} - interval '14 hours'
                   from quality.known_births({source}) e
                   left join lateral json_table(to_jsonb(e.birth_date), '$' columns
                       (t text path '$', m timestamptz path '$')) j on true
                   where e.person_token = k.person_token and k.born is null"""
            ).format(persons=persons, born=first_moment(text, moment), source=sql.Literal(batch.source))
        )
