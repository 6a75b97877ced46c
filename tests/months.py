"""Months of raw as the loader leaves them, made small: for tests of what happens to them afterwards."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID, uuid5

from psycopg import sql

from include.privacy.keyring import create_keyring, load_keyring
from include.privacy.keys import get_or_create
from include.privacy.sealing import seal
from include.warehouse.connect import OWNER, connect

SPACE = UUID("6e7a1c7e-0000-4000-8000-000000000000")


@dataclass(frozen=True)
class Stored:
    """A record as it was stored: what bringing it back must give again."""

    record_id: UUID
    person_token: UUID | None
    dataset: str
    content: dict


def person(number: int) -> UUID:
    """A person's token."""
    return uuid5(SPACE, f"person {number}")


def store_month(
    settings,
    received: date,
    *,
    records: int = 20,
    people: int = 4,
    first_person: int = 0,
    source: str = "clinic",
    dataset: str = "Observation",
    data_class: str = "lab_results",
    event_years: tuple[int, ...] = (2020,),
    label: str = "",
) -> list[Stored]:
    """Promote a batch of documents received on a day. ``people=0`` makes records without a person; others are numbered from
    ``first_person``."""
    stored = [
        _document(f"{source} {dataset} {received} {label} {number}", number, people, first_person, dataset)
        for number in range(records)
    ]
    batch_id = f"{source}__{dataset.lower()}__{received:%Y%m%d}__{hashlib.sha256(label.encode()).hexdigest()[:12]}"
    with connect("loader", settings=settings) as hot:
        seq = open_batch(hot, batch_id, source, dataset, "documents", received, records)
        hot.execute("select raw.ensure_partitions('resource', %s, %s)", [data_class, received])
        keys = _keys(settings, {_owner(record, batch_id) for record in stored})
        for record, year in zip(stored, _years(records, event_years), strict=True):
            event = datetime(year, 6, 15, 12, 30, tzinfo=UTC)
            body, hidden = dict(record.content), {"note": [{"text": record.content["note"][0]["text"]}]}
            body.pop("note")
            hot.execute(
                """insert into raw.resource (record_id, source, batch_id, batch_seq, data_class, resource_type, resource_id,
                       person_token, event_at, received_at, content_sha256, match_tokens, body, sealed)
                   values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                [
                    record.record_id, source, batch_id, seq, data_class, dataset, str(record.record_id), record.person_token,
                    event, at_midnight(received), b"\x00\xff" * 16, ["id:" + str(record.record_id)], json.dumps(body),
                    seal(keys[_owner(record, batch_id)], record.record_id, json.dumps(hidden).encode()),
                ],
            )  # fmt: skip
            catalogue(hot, record, source, dataset, data_class, year, received, seq)
    return stored


def store_table_month(
    settings, received: date, *, records: int = 10, source: str = "clinic", table: str = "visits", year: int = 2020
) -> list[Stored]:
    """Promote a batch of rows of a typed table ``raw.<source>__<table>``, with types that must survive the way to Parquet."""
    name = f"{source}__{table}"
    make_table(settings, name)
    batch_id = f"{source}__{table}__{received:%Y%m%d}__000000000000"
    stored = []
    with connect("loader", settings=settings) as hot:
        seq = open_batch(hot, batch_id, source, table, "table", received, records)
        hot.execute("select raw.ensure_partitions(%s, 'patient_data', %s)", [name, received])
        keys = _keys(settings, {f"person:{person(number % 3)}" for number in range(records)})
        for number in range(records):
            record_id, who = uuid5(SPACE, f"{name} {received} {number}"), person(number % 3)
            values = [
                record_id, source, batch_id, seq, "patient_data", who, datetime(year, 1, 1, number % 24, tzinfo=UTC),
                at_midnight(received), b"\x01" * 32, ["a", 'quo"te\\'], f"visit {number}\t\\N", number + 0.10, True, date(year, 2, 28),
                seal(keys[f"person:{who}"], record_id, b'{"last_name": "Example"}'),
            ]  # fmt: skip
            places = sql.SQL(", ").join(sql.Placeholder() * len(values))
            hot.execute(sql.SQL("insert into {} values ({})").format(sql.Identifier("raw", name), places), values)
            record = Stored(record_id, who, table, {"visit": f"visit {number}\t\\N", "last_name": "Example"})
            catalogue(hot, record, source, table, "patient_data", year, received, seq)
            stored.append(record)
    return stored


def make_table(settings, name: str) -> None:
    """A typed raw table as the loader's contract would make it."""
    with connect(OWNER, settings=settings) as hot:
        hot.execute(
            sql.SQL(
                """create table if not exists {} (record_id uuid not null, source text not null, batch_id text not null,
                       batch_seq bigint not null, data_class text not null, person_token uuid, event_at timestamptz,
                       received_at timestamptz not null, content_sha256 bytea, match_tokens text[], visit text, amount numeric,
                       is_new boolean, on_day date, sealed bytea) partition by range (received_at)"""
            ).format(sql.Identifier("raw", name))
        )
        hot.execute(sql.SQL("grant insert, select on {} to loader").format(sql.Identifier("raw", name)))
        hot.execute(sql.SQL("grant select on {} to lifecycle").format(sql.Identifier("raw", name)))


def open_batch(hot, batch_id: str, source: str, dataset: str, shape: str, received: date, records: int) -> int:
    """A promoted batch of so many records. Returns its sequence number."""
    return hot.execute(
        """insert into lifecycle.batch (batch_id, batch_seq, source, dataset, shape, night, state, received, loaded)
           values (%s, nextval('lifecycle.batch_seq'), %s, %s, %s, %s, 'promoted', %s, %s) returning batch_seq""",
        [batch_id, source, dataset, shape, received, records, records],
    ).fetchone()[0]


def catalogue(
    hot, record: Stored, source: str, dataset: str, data_class: str, year: int, received: date, seq: int
) -> None:
    """A record's entry in the catalogue, in hot."""
    hot.execute(
        """insert into lifecycle.record (record_id, source, dataset, data_class, person_token, event_year, received_month, batch_seq)
           values (%s, %s, %s, %s, %s, %s, %s, %s)""",
        [record.record_id, source, dataset, data_class, record.person_token, year, received.replace(day=1), seq],
    )


def at_midnight(day: date) -> datetime:
    """When a record of that night was received."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _document(label: str, number: int, people: int, first_person: int, dataset: str) -> Stored:
    token = person(first_person + number % people) if people else None
    content = {
        "resourceType": dataset,
        "status": "final",
        "valueQuantity": {"value": number, "unit": 'mg/dL \\ "quoted" \t é'},
        "note": [{"text": f"Seen by Dr Example, {label}"}],
    }
    return Stored(uuid5(SPACE, label), token, dataset, content)


def _years(records: int, event_years: tuple[int, ...]) -> list[int]:
    return [event_years[number % len(event_years)] for number in range(records)]


def _owner(record: Stored, batch_id: str) -> str:
    return f"person:{record.person_token}" if record.person_token else f"batch:{batch_id}"


def _keys(settings, key_ids: set[str]) -> dict[str, bytes]:
    if not settings.keyring_dir.exists():
        create_keyring(settings.keyring_dir)
    with connect("sealer", "keys", settings, autocommit=True) as books:
        return get_or_create(books, load_keyring(settings.keyring_dir), key_ids).keys
