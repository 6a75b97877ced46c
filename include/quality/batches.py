"""What the gate knows of a batch before it looks at its rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import psycopg
from psycopg import sql

from include.quality.errors import GateError, IntakeLostError

INTAKE = "intake"
WORKSHOP = "checks"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as ``lifecycle.batch`` describes it. Counts are rows."""

    batch_id: str
    source: str
    dataset: str
    shape: str
    night: date
    state: str
    intake_table: str | None
    received: int
    loaded: int
    duplicate: int
    quarantined: int

    @property
    def latest(self) -> datetime:
        """The last moment that is still the night's own day somewhere on Earth (UTC-12)."""
        return datetime.combine(self.night + timedelta(days=1), time(12), UTC)

    @property
    def is_replay(self) -> bool:
        """Whether the batch holds records that were refused before and asked for again (include/intake/replays.py)."""
        return self.batch_id.rpartition("__")[2].startswith("r")

    @property
    def workshop(self) -> str:
        """The schema in which the columns that rules read are laid out: ``checks``, or a session's own."""
        return WORKSHOP

    @property
    def intake(self) -> sql.Identifier:
        """The batch's intake table, as an SQL identifier."""
        return sql.Identifier(INTAKE, self.intake_table or self.batch_id)


def read_batch(books: psycopg.Connection, batch_id: str) -> Batch:
    """Read a batch. Raises GateError where there is none."""
    row = books.execute(
        """select batch_id, source, dataset, shape, night, state, intake_table, received, loaded, duplicate, quarantined
           from lifecycle.batch where batch_id = %s""",
        [batch_id],
    ).fetchone()
    if row is None:
        raise GateError(
            found=f"no batch {batch_id}",
            expected="a batch that was loaded",
            action="load the source, then check its batches",
        )
    return Batch(*row)


def intake_columns(books: psycopg.Connection, batch: Batch) -> dict[str, str]:
    """Columns of the batch's intake table with their types; empty where the table is gone."""
    rows = books.execute(
        """select attname, format_type(atttypid, atttypmod) from pg_attribute
           where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped""",
        [batch.intake.as_string(books)],
    ).fetchall()
    return dict(rows)


def require_every_row(books: psycopg.Connection, batch: Batch) -> None:
    """Raise IntakeLostError unless the intake table holds exactly the rows that were loaded.

    Intake tables are unlogged: a crash of the server empties them, and an empty batch would pass any rule.
    """
    held = 0
    if intake_columns(books, batch):
        held = books.execute(sql.SQL("select count(*) from {}").format(batch.intake)).fetchone()[0]
    if held != batch.loaded:
        raise IntakeLostError(
            found=f"intake of batch {batch.batch_id} holds {held} rows",
            expected=f"the {batch.loaded} rows that were loaded",
            action="load the source again: what a crash leaves in intake is thrown away and taken from landing",
        )
