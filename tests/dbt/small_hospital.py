"""Promoted rows as the loader leaves them, few enough to know by heart: for tests of persons and of dbt."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from uuid import UUID, uuid5

from psycopg import sql

from include.settings import Settings
from include.sources.entities import columns_of
from include.warehouse.connect import OWNER, connect
from include.warehouse.tables import ensure_views

SPACE = UUID("5c0ffee0-0000-4000-8000-000000000000")
NIGHT = date(2026, 11, 23)


def token(source: str, kind: str, name: str) -> UUID:
    """The token of a source's id, as the loader would make it: the same id gives the same token."""
    return uuid5(SPACE, f"{source}|{kind}|{name}")


def promote(settings: Settings, source: str, resources: list[dict], *, night: date = NIGHT) -> int:
    """Promote one batch of documents. Returns its sequence number.

    A resource is FHIR with plain ids and ``"person"`` naming the patient; ``"match"`` lists match tokens, ``"deleted"`` makes
    a tombstone, ``meta`` orders versions. References are given as ``Type/name``.
    """
    with connect(OWNER, "hot", settings) as hot:
        seq = _open_batch(hot, source, night)
        hot.execute("select raw.ensure_partitions('resource', 'patient_data', %s)", [night])
        for resource in resources:
            _insert(hot, source, seq, night, dict(resource))
    return seq


def map_rows(settings: Settings, source: str, rows: dict[str, list[dict]], *, night: date = NIGHT) -> int:
    """Promote one batch of table rows, already in the columns of ``mapped.<entity>``. Returns its sequence number."""
    ensure_views(settings)
    with connect(OWNER, "hot", settings) as hot:
        seq = _open_batch(hot, source, night)
        for entity, told in rows.items():
            columns = columns_of(entity)
            _ensure_table(hot, entity, columns)
            for row in told:
                values = _leading(hot, source, seq, night, entity, row) | row
                hot.execute(
                    sql.SQL("insert into raw.{} ({}) values ({})").format(
                        sql.Identifier(f"test__{entity}"),
                        sql.SQL(", ").join(map(sql.Identifier, values)),
                        sql.SQL(", ").join(sql.Placeholder() * len(values)),
                    ),
                    list(values.values()),
                )
    return seq


def patient(name: str, *, match: list[str] = (), **elements) -> dict:
    """A Patient resource with match tokens."""
    return {"resourceType": "Patient", "id": name, "person": name, "match": list(match), **elements}


def coded(system: str, code: str, display: str | None = None) -> dict:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code, **({"display": display} if display else {})}]}


def _open_batch(hot, source: str, night: date) -> int:
    seq = hot.execute("select nextval('lifecycle.batch_seq')").fetchone()[0]
    hot.execute(
        """insert into lifecycle.batch (batch_id, batch_seq, source, dataset, shape, night, state)
           values (%s, %s, %s, 'test', 'documents', %s, 'promoted')""",
        [f"{source}__test__{seq}", seq, source, night],
    )
    return seq


def _insert(hot, source: str, seq: int, night: date, resource: dict) -> None:
    person, match = resource.pop("person", None), resource.pop("match", None)
    deleted, kind, name = resource.pop("deleted", False), resource["resourceType"], resource.pop("id")
    content = json.dumps([resource, match, deleted], sort_keys=True)
    record_id = uuid5(SPACE, f"{source}|{kind}|{name}|{content}")
    person_token = token(source, "Patient", person) if person else None
    body = None if deleted else _with_tokens(resource, source)
    hot.execute(
        """insert into raw.resource (record_id, source, batch_id, batch_seq, data_class, resource_type, resource_id, version_id,
               last_updated, is_deleted, person_token, received_at, content_sha256, match_tokens, body)
           values (%s, %s, %s, %s, 'patient_data', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        [
            record_id, source, f"{source}__test__{seq}", seq, kind, str(token(source, kind, name)),
            resource.get("meta", {}).get("versionId"), resource.get("meta", {}).get("lastUpdated"), deleted, person_token,
            datetime(night.year, night.month, night.day, tzinfo=UTC), hashlib.sha256(content.encode()).digest(), match,
            json.dumps(body) if body else None,
        ],
    )  # fmt: skip
    _catalogue(hot, record_id, source, kind, person_token, night, seq)


def _with_tokens(element, source: str):
    if isinstance(element, list):
        return [_with_tokens(item, source) for item in element]
    if not isinstance(element, dict):
        return element
    told = {name: _with_tokens(value, source) for name, value in element.items()}
    if isinstance(told.get("reference"), str):
        kind, name = told["reference"].split("/")
        told["reference"] = f"{kind}/{token(source, kind, name)}"
    return told


def _ensure_table(hot, entity: str, columns: dict[str, str]) -> None:
    name, view = sql.Identifier("raw", f"test__{entity}"), sql.Identifier("mapped", entity)
    typed = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns.items()
    )
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    hot.execute(sql.SQL("create table if not exists {} ({})").format(name, typed))
    hot.execute(sql.SQL("create or replace view {} as select {} from {}").format(view, listed, name))


def _leading(hot, source: str, seq: int, night: date, entity: str, row: dict) -> dict:
    record_id = uuid5(SPACE, f"{source}|{entity}|{sorted(row.items(), key=str)}")
    person_token = UUID(row["patient_id"]) if row.get("patient_id") else None
    _catalogue(hot, record_id, source, entity, person_token, night, seq)
    return {
        "record_id": record_id, "source": source, "batch_id": f"{source}__test__{seq}", "batch_seq": seq, "is_deleted": False,
        "person_token": person_token, "received_at": datetime(night.year, night.month, night.day, tzinfo=UTC),
    }  # fmt: skip


def _catalogue(
    hot, record_id: UUID, source: str, dataset: str, person_token: UUID | None, night: date, seq: int
) -> None:
    hot.execute(
        """insert into lifecycle.record (record_id, source, dataset, data_class, person_token, received_month, batch_seq)
           values (%s, %s, %s, 'patient_data', %s, %s, %s) on conflict do nothing""",
        [record_id, source, dataset, person_token, night.replace(day=1), seq],
    )
