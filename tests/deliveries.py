"""Small deliveries for tests of intake: files written, landed, and loaded as a night would."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from uuid import uuid4

import yaml
from psycopg import sql
from psycopg.rows import dict_row

from include.intake.load import load_source
from include.landing.land import land_source
from include.settings import Settings
from include.warehouse.connect import connect

NIGHT = date(2026, 11, 22)
NAME = "Zebedee Quackenbush"
SSN = "078-05-1120"


def patient(number: int, **more) -> dict:
    """A patient with a planted name and number."""
    identity = {
        "name": [{"family": NAME, "given": ["Zeb"]}],
        "identifier": [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": SSN}],
    }
    return {
        "resourceType": "Patient",
        "id": f"p{number}",
        "gender": "female",
        "birthDate": "1980-02-29",
        **identity,
        **more,
    }


def observation(number: int, person: int = 1, **more) -> dict:
    """A laboratory value of a person, with the name planted in free text."""
    return {
        "resourceType": "Observation",
        "id": f"o{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}], "text": NAME},
        "subject": {"reference": f"Patient/p{person}", "display": NAME},
        "effectiveDateTime": "2026-11-01T10:00:00Z",
        "valueQuantity": {"value": 7.1, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
        **more,
    }


def ndjson(*lines: dict | bytes) -> bytes:
    """Lines of a bulk export, objects written out and bytes as they are."""
    return b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines) + b"\n"


@dataclass
class Delivery:
    """A source's folder and what is known of it in the databases."""

    settings: Settings
    folder: Path
    name: str

    @classmethod
    def of(cls, settings: Settings, tmp_path: Path, **options) -> Delivery:
        """A source that no other test has, so that tests can share databases; ``options`` are words of sources.yml."""
        name = f"north_{uuid4().hex[:10]}"
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        sources = tmp_path / "sources.yml"
        known = yaml.safe_load(sources.read_text())["sources"] if sources.exists() else []
        entry = {"name": name, "kind": "fhir_bulk", "path": name, **options}
        sources.write_text(yaml.safe_dump({"sources": [*known, entry]}))
        return cls(replace(settings, sources_file=sources), folder, name)

    def put(self, name: str, content: bytes) -> Delivery:
        """Write a file, packed where its name says so."""
        (self.folder / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        return self

    def land(self, night: date = NIGHT) -> Delivery:
        """Bring the folder into landing."""
        land_source(self.name, night, self.settings)
        return self

    def load(self, night: date = NIGHT) -> list[str]:
        """Land and load; the ids of the batches that wait."""
        self.land(night)
        return load_source(self.name, night, self.settings)

    def pass_gate(self, batch_id: str) -> str:
        """Let a batch through the gate unjudged: these tests are about what comes before and after it."""
        with connect("checker", "hot", self.settings) as books:
            books.execute(
                "update lifecycle.batch set state = 'checked', checked_at = clock_timestamp() where batch_id = %s",
                [batch_id],
            )
        return batch_id

    def rows(self, table: str, schema: str = "intake") -> list[dict]:
        """All rows of a table about this source, as somebody who may read everything."""
        with connect("postgres", "hot", self.settings) as books, books.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(sql.SQL("select * from {}").format(sql.Identifier(schema, table))).fetchall()
        return [row for row in rows if row.get("source", self.name) == self.name]

    def trail(self, action: str) -> list[dict]:
        """Entries of the audit trail about records and batches of this source."""
        with connect("postgres", "hot", self.settings) as books:
            batches = books.execute(
                "select batch_id, intake_table from lifecycle.batch where source = %s", [self.name]
            ).fetchall()
        here = {batch for batch, _ in batches}
        for _, table in batches:
            here |= {str(row["record_id"]) for row in self.rows(table)} if self.exists(table) else set()
        return [
            entry for entry in self.rows("entry", "audit") if entry["action"] == action and entry["subject"] in here
        ]

    def exists(self, intake_table: str) -> bool:
        """Whether a batch's table is still there."""
        with connect("postgres", "hot", self.settings) as books:
            return (
                books.execute(
                    "select 1 from pg_tables where schemaname = 'intake' and tablename = %s", [intake_table]
                ).fetchone()
                is not None
            )

    def counts(self, batch_id: str) -> tuple[str, int, int, int, int]:
        """State, received, loaded, duplicate, quarantined of a batch."""
        with connect("postgres", "hot", self.settings) as books:
            return books.execute(
                "select state, received, loaded, duplicate, quarantined from lifecycle.batch where batch_id = %s",
                [batch_id],
            ).fetchone()

    def refusals(self) -> list[tuple[str, str, str, int]]:
        """Place, scope, reason and records of everything refused of this source, by place."""
        rows = self.rows("quarantine", "quality")
        return sorted((row["place"], row["scope"], row["reason_code"], row["records"]) for row in rows)


def text_of(rows: list[dict]) -> str:
    """Everything that stands in rows in clear, for searching; sealed columns left out."""
    return "\n".join(str({name: value for name, value in row.items() if name != "sealed"}) for row in rows)
