"""The books of landing: which contents each source ever delivered, what waits to be loaded, how a source was tonight."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

import psycopg

from include.landing.encryption import LandingError
from include.sources.listing import Landed


@dataclass(frozen=True, slots=True)
class LandedObject:
    """One content of a source in landing. ``hint`` is what its reader needs to know; ``bytes_received`` before encryption."""

    source: str
    sha256: str
    object_key: str
    file_type: str
    hint: dict
    bytes_received: int
    rewritten_sha256: str | None = None
    name_sealed: bytes | None = None

    @property
    def content_sha256(self) -> str:
        """Hash of what the object holds: as received, or as it was rewritten when a person was taken out of it."""
        return self.rewritten_sha256 or self.sha256

    @property
    def file(self) -> Landed:
        """The object as readers take it."""
        return Landed.from_hint(self.hint)


def object_key(source: str, sha256: str) -> str:
    """Where an object lies in the landing bucket."""
    return f"objects/{source}/{sha256}"


def batch_id(source: str, dataset: str, night: date, sha256s: Iterable[str]) -> str:
    """The name of the batch of these objects: the same objects on the same night have the same, also after a kill."""
    digest = hashlib.sha256("\n".join(sorted(sha256s)).encode()).hexdigest()
    return f"{source}__{dataset}__{night:%Y%m%d}__{digest[:12]}"


def known_contents(hot: psycopg.Connection, source: str) -> dict[str, date]:
    """sha256 -> night of first arrival, of everything the source ever delivered (also what expired since)."""
    rows = hot.execute("select sha256, first_night from lifecycle.landing_object where source = %s", [source])
    return dict(rows.fetchall())


def waiting_objects(hot: psycopg.Connection, source: str, night: date) -> dict[str, list[LandedObject]]:
    """Dataset -> objects that no batch has taken in for good, in the order of the delivery.

    Includes those of earlier nights that ended before loading, so that nothing landed is left behind.
    """
    rows = hot.execute(
        """select o.source, o.sha256, o.object_key, o.file_type, o.hint, o.bytes_received, o.rewritten_sha256, o.name_sealed
           from lifecycle.landing_object o
           where o.source = %(source)s and o.first_night <= %(night)s and o.hint ->> 'dataset' is not null
             and not exists (
               select from lifecycle.batch_object i join lifecycle.batch b using (batch_id)
               where i.source = o.source and i.sha256 = o.sha256 and b.state <> 'landed')
           order by o.first_night, (o.hint ->> 'ordinal')::int, o.sha256""",
        {"source": source, "night": night},
    ).fetchall()
    waiting: dict[str, list[LandedObject]] = {}
    for row in rows:
        landed = LandedObject(*row)
        waiting.setdefault(landed.hint["dataset"], []).append(landed)
    return waiting


def find_object(hot: psycopg.Connection, source: str, sha256: str) -> LandedObject:
    """The catalogue's row of an object. Raises LandingError where the source never delivered it."""
    row = hot.execute(
        """select source, sha256, object_key, file_type, hint, bytes_received, rewritten_sha256, name_sealed
           from lifecycle.landing_object where source = %s and sha256 = %s""",
        [source, sha256],
    ).fetchone()
    if row is None:
        raise LandingError(
            found=f"source {source} never delivered an object {sha256[:12]}",
            expected="an object that the catalogue names",
            action="see lifecycle.landing_object for what it delivered",
        )
    return LandedObject(*row)


@dataclass(frozen=True, slots=True)
class NewObject:
    """A row to be: content that arrived for the first time. ``bytes_stored`` after encryption."""

    sha256: str
    file_type: str
    hint: dict
    name_sealed: bytes
    bytes_received: int
    bytes_stored: int
    delivered_at: datetime | None


def add_objects(hot: psycopg.Connection, source: str, night: date, objects: Iterable[NewObject]) -> None:
    """Write down what arrived. An object that is there already stays as it is."""
    with hot.cursor() as cursor:
        cursor.executemany(
            """insert into lifecycle.landing_object (source, sha256, object_key, file_type, hint, name_sealed,
                   bytes_received, bytes_stored, delivered_at, first_night)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (source, sha256) do nothing""",
            [
                (
                    source,
                    new.sha256,
                    object_key(source, new.sha256),
                    new.file_type,
                    json.dumps(new.hint),
                    new.name_sealed,
                    new.bytes_received,
                    new.bytes_stored,
                    new.delivered_at,
                    night,
                )
                for new in objects
            ],
        )


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source was on a night. Ages are whole days; ``notes`` are {code, text} without names of files."""

    kind: str
    required: bool
    missing: bool
    stale: bool
    delivered_at: datetime | None
    age_days: int | None
    max_age_days: int | None
    files_new: int
    files_known: int
    notes: tuple[dict, ...]


def record_state(hot: psycopg.Connection, source: str, night: date, state: SourceState) -> None:
    """Write down how the source was; what the loader said about drift on that night stays."""
    hot.execute(
        """insert into lifecycle.source_state as s (night, source, kind, required, missing, stale, delivered_at,
               age_days, max_age_days, files_new, files_known, notes)
           values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
           on conflict (night, source) do update set kind = excluded.kind, required = excluded.required,
               missing = excluded.missing, stale = excluded.stale, delivered_at = excluded.delivered_at,
               age_days = excluded.age_days, max_age_days = excluded.max_age_days, files_new = excluded.files_new,
               files_known = excluded.files_known, notes = excluded.notes""",
        [
            night,
            source,
            state.kind,
            state.required,
            state.missing,
            state.stale,
            state.delivered_at,
            state.age_days,
            state.max_age_days,
            state.files_new,
            state.files_known,
            json.dumps(state.notes),
        ],
    )
