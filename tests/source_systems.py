"""Source systems for tests of pulled kinds: a database of another system, and the nights that pull it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from uuid import uuid4

import psycopg
import yaml
from psycopg import sql

from include.intake.load import load_source
from include.intake.promote import promote_batch
from include.landing.land import LandResult, land_source
from include.local_stack.home import write_private
from include.quality.gate import check_batch
from include.settings import Settings
from include.warehouse.connect import connect, url

NIGHT = date(2026, 11, 22)
NAME = "Zebedee Quackenbush"


class SqliteSystem:
    """A SQLite file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"east_{uuid4().hex[:8]}.db"
        self.url = f"sqlite:///{self.path}"
        self("pragma journal_mode = wal")

    def __call__(self, *statements: str) -> None:
        with sqlite3.connect(self.path) as writer:
            writer.executescript(";".join(statements))
        writer.close()

    def close(self) -> None:
        """Nothing runs."""


class PostgresSystem:
    """A database of its own on the embedded server."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.name = settings, f"east_{uuid4().hex[:8]}"
        with connect("postgres", "postgres", settings, autocommit=True) as server:
            server.execute(sql.SQL("create database {}").format(sql.Identifier(self.name)))
        self.url = url("postgres", self.name, settings).replace("postgresql://", "postgresql+psycopg://")

    def __call__(self, *statements: str) -> None:
        with connect("postgres", self.name, self.settings) as writer:
            for statement in statements:
                writer.execute(statement)

    def close(self) -> None:
        """Drop it."""
        with connect("postgres", "postgres", self.settings, autocommit=True) as server:
            server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(self.name)))


@dataclass
class Feed:
    """One source and the nights that bring it in, on the real stack."""

    settings: Settings
    name: str

    @classmethod
    def of(cls, settings: Settings, folder: Path, kind: str, secrets: dict[str, str] | None = None, **words) -> Feed:
        """A source that no other test has; ``secrets`` become files where the stack keeps its own."""
        name = f"east_{uuid4().hex[:10]}"
        for secret, text in (secrets or {}).items():
            write_private(settings.secrets_dir / secret, text)
        path = folder / "sources.yml"
        path.write_text(yaml.safe_dump({"sources": [{"name": name, "kind": kind, **words}]}))
        return cls(replace(settings, sources_file=path), name)

    def land(self, night: date = NIGHT) -> LandResult:
        """Only pull and land."""
        return land_source(self.name, night, self.settings)

    def load(self, night: date = NIGHT) -> list[str]:
        """What landed becomes batches."""
        return load_source(self.name, night, self.settings)

    def night(self, night: date = NIGHT) -> LandResult:
        """Pull, land, load, check, promote."""
        landed = self.land(night)
        self.enter(self.load(night))
        return landed

    def enter(self, batches: list[str]) -> None:
        """Through the gate and into raw."""
        for batch in batches:
            if check_batch(batch, self.settings) == "passed":
                promote_batch(batch, self.settings)

    def ask(self, query: str, *values) -> list[tuple]:
        """As somebody who may read everything."""
        with connect("postgres", "hot", self.settings) as hot:
            return hot.execute(query, values).fetchall()

    def counts(self, dataset: str) -> tuple[int, int, int, int]:
        """Received, loaded, duplicate, quarantined over all nights."""
        return self.ask(
            """select coalesce(sum(received), 0)::int, coalesce(sum(loaded), 0)::int, coalesce(sum(duplicate), 0)::int,
                   coalesce(sum(quarantined), 0)::int
               from lifecycle.batch where source = %s and dataset = %s""",
            self.name,
            dataset,
        )[0]

    def state(self, night: date = NIGHT) -> tuple[bool, list[str]]:
        """Whether the source was missing on a night, and what is said of it."""
        missing, notes = self.ask(
            "select missing, notes from lifecycle.source_state where source = %s and night = %s", self.name, night
        )[0]
        return missing, [note["text"] for note in notes]

    def current(self, entity: str, columns: str) -> list[tuple]:
        """The newest version of every row mapped to an entity, as dbt's staging orders them; deleted ones left out."""
        rows = self.ask(
            f"""select {columns} from (
                    select *, row_number() over (partition by {entity}_id order by last_updated desc, batch_seq desc, is_deleted desc) as nth
                    from mapped.{entity} where source = %s) newest
                where nth = 1 and not is_deleted""",
            self.name,
        )
        return sorted(rows)


def everything_in_clear(settings: Settings, schema_like: str = "%") -> str:
    """All text that any table of hot shows, sealed and hashed columns as hex, to search for what must not be there."""
    with connect("postgres", "hot", settings) as hot:
        tables = hot.execute(
            """select format('%%I.%%I', schemaname, tablename) from pg_tables
               where schemaname not in ('pg_catalog', 'information_schema') and schemaname like %s""",
            [schema_like],
        ).fetchall()
        return "\n".join(
            str(row[0]) for (table,) in tables for row in hot.execute(psycopg.sql.SQL(f"select t::text from {table} t"))
        )
