"""Batches in intake as the loader leaves them, made by hand: for tests of the gate that need no source."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from psycopg import sql

from include.settings import Settings
from include.warehouse.connect import connect

NIGHT = date(2026, 11, 23)
_COLUMNS = """record_id uuid not null, source text not null, batch_id text not null, data_class text not null,
    resource_type text not null, resource_id text not null, version_id text, last_updated timestamptz,
    is_deleted boolean not null default false, person_token uuid, event_at timestamptz, received_at timestamptz not null,
    content_sha256 bytea not null, match_tokens text[], body jsonb, sealed bytea, object_no integer, place text, unfit text[]"""


def token(*parts: str) -> UUID:
    """A token as intake would make one: the same for the same parts."""
    return uuid5(NAMESPACE_URL, "|".join(parts))


@dataclass
class Documents:
    """Rows of one batch of documents; ``load`` writes them and says the batch's id."""

    settings: Settings
    source: str = field(default_factory=lambda: f"north_{uuid4().hex[:8]}")
    night: date = NIGHT
    rows: list[tuple] = field(default_factory=list)

    def patient(self, name: str, **body) -> UUID:
        """A patient that passes every critical rule unless ``body`` says otherwise."""
        body = {"birthDate": "1980-05-10", "gender": "female"} | body
        self.add("Patient", name, {key: value for key, value in body.items() if value is not None}, person=name)
        return token(self.source, "Patient", name)

    def add(
        self, resource_type: str, name: str, body: dict, *, person: str | None = None, data_class: str = "patient_data",
        is_deleted: bool = False, unfit: list[str] | None = None,
    ) -> UUID:  # fmt: skip
        """Add a resource about ``person``. Returns its record id."""
        record_id = token(self.source, resource_type, name, "record")
        person_token = token(self.source, "Patient", person) if person else None
        document = None if is_deleted else json.dumps({"resourceType": resource_type, **body})
        self.rows.append((
            record_id, self.source, "", data_class, resource_type, str(token(self.source, resource_type, name)), is_deleted,
            person_token, self.night, b"0" * 32, document, 1, f"line {len(self.rows) + 1}", unfit,
        ))  # fmt: skip
        return record_id

    def observation(self, name: str, *, person: str = "ann", without: tuple[str, ...] = (), **body) -> UUID:
        """An observation that passes every critical rule unless ``body`` says otherwise."""
        whole = {
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
            "subject": {"reference": f"Patient/{token(self.source, 'Patient', person)}"},
            "effectiveDateTime": "2026-03-01T10:00:00Z",
            "valueQuantity": {"value": 6.1, "unit": "%", "code": "%"},
        } | body
        return self.add("Observation", name, {k: v for k, v in whole.items() if k not in without}, person=person)

    def clean(self, count: int, person: str = "ann") -> None:
        """So many observations without a fault."""
        for number in range(count):
            self.observation(f"clean {number}", person=person)

    def load(self, number: int = 1, refused: int = 0) -> str:
        """Write the batch as loaded, with ``refused`` records that loading put to quarantine. Returns its id."""
        batch_id = f"{self.source}__resource__{self.night:%Y%m%d}__{number:012x}"
        table = sql.Identifier("intake", batch_id)
        with connect("loader", "hot", self.settings) as books:
            books.execute(sql.SQL("create unlogged table {} (" + _COLUMNS + ")").format(table))
            books.execute(sql.SQL("grant select, delete on {} to checker").format(table))
            names = (
                "record_id source batch_id data_class resource_type resource_id is_deleted person_token received_at "
            )
            names += "content_sha256 body object_no place unfit"
            columns = sql.SQL(", ").join(map(sql.Identifier, names.split()))
            with books.cursor().copy(sql.SQL("copy {} ({}) from stdin").format(table, columns)) as copy:
                for row in self.rows:
                    copy.write_row(row[:2] + (batch_id,) + row[3:])
            note_batch(books, batch_id, self.source, "resource", "documents", self.night, len(self.rows), refused)
        return batch_id


def note_batch(books, batch_id, source, dataset, shape, night, loaded, refused=0) -> None:
    """The books' side of a loaded batch with one landing object."""
    sha256 = uuid4().hex * 2
    books.execute(
        """insert into lifecycle.landing_object (source, sha256, object_key, file_type, name_sealed, bytes_received,
               bytes_stored, first_night) values (%s, %s, 'k', '.ndjson', '\\x00', 1, 1, %s)""",
        [source, sha256, night],
    )
    books.execute(
        """insert into lifecycle.batch (batch_id, source, dataset, shape, night, state, intake_table, received, loaded, quarantined)
           values (%s, %s, %s, %s, %s, 'loaded', %s, %s, %s, %s)""",
        [batch_id, source, dataset, shape, night, batch_id, loaded + refused, loaded, refused],
    )
    books.execute(
        "insert into lifecycle.batch_object values (%s, 1, %s, %s, %s, %s, 0, %s)",
        [batch_id, source, sha256, loaded + refused, loaded, refused],
    )


def refused_by(settings: Settings, batch_id: str) -> dict[UUID, str]:
    """Record id -> reason code of everything that the gate put to quarantine."""
    with connect("checker", "hot", settings) as books:
        rows = books.execute(
            "select record_id, reason_code from quality.quarantine where batch_id = %s and scope = 'record'", [batch_id]
        )
        return dict(rows.fetchall())


def batch_row(settings: Settings, batch_id: str) -> dict:
    """The batch's books, by column name."""
    with connect("checker", "hot", settings) as books:
        cursor = books.execute("select * from lifecycle.batch where batch_id = %s", [batch_id])
        return dict(zip([column.name for column in cursor.description], cursor.fetchone(), strict=True))


def gate_results(settings: Settings, batch_id: str) -> dict[tuple[str, str], tuple]:
    """(suite, rule) -> (status, tested, failed, error_code)."""
    with connect("checker", "hot", settings) as books:
        rows = books.execute(
            "select suite, rule, status, tested, failed, error_code from quality.gate_result where batch_id = %s",
            [batch_id],
        )
        return {(suite, rule): tuple(rest) for suite, rule, *rest in rows.fetchall()}
