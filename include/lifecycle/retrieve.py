"""Finds records in whichever tier holds them, opens them for somebody with a purpose, and writes down that it did."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from psycopg import sql

from include.errors import PlumblineError
from include.lifecycle import ledger, store
from include.lifecycle.cold_files import read_rows
from include.lifecycle.row_seal import KeyGoneError, RowSeal, owner_of
from include.lifecycle.units import in_month
from include.lifecycle.work import Work, open_work
from include.settings import Settings

IDS_A_CALL = 500
# Columns every raw row has; the rest of a table's row is what its source sent.
BOOKS = (
    "record_id", "source", "batch_id", "batch_seq", "data_class", "resource_id", "is_deleted", "person_token", "event_at",
    "received_at", "content_sha256", "match_tokens",
)  # fmt: skip
EXPECT = {
    "hot": "at once",
    "cold": "within seconds",
    "archive": "up to 5 hours where the store freezes (GLACIER), else within seconds",
    "destroyed": "never: its retention ended",
    "erased": "never: the person was erased",
}


class RetrieveError(PlumblineError):
    """A record that is not there, or not any more."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record is, from the catalogue alone: nothing of its content."""

    record_id: UUID
    source: str
    dataset: str
    data_class: str
    person_token: UUID | None
    event_year: int | None
    received_month: date
    batch_seq: int
    tier: str
    file_id: int | None
    is_document: bool

    @property
    def raw_table(self) -> str:
        """The table of schema raw the record belongs to."""
        return "resource" if self.is_document else f"{self.source}__{self.dataset}"


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A record brought back. ``row`` is the raw row (sealed part left out), ``content`` the record as it was received."""

    place: Place
    row: dict
    content: dict


def retrieve(
    record_id: UUID | str,
    *,
    purpose: str,
    actor: str,
    night: date | None = None,
    wait_seconds: float = 0,
    settings: Settings | None = None,
) -> Retrieved:
    """One record from whichever tier holds it, opened and audited.

    ``purpose`` and ``actor`` go to the audit trail, before anything is read. ``wait_seconds`` is how long to poll a frozen
    archive. Raises RetrieveError for a record unknown, destroyed or erased, NotRestoredError while the archive thaws.
    """
    settings = settings or Settings.from_environment()
    with open_work(night or settings.night(), settings) as work:
        # All of it, not the first: what follows the record is the entry that it was read.
        (found,) = retrieve_with(work, [UUID(str(record_id))], purpose=purpose, actor=actor, wait_seconds=wait_seconds)
        return found


def find(
    hot,
    *,
    person_token: UUID | None = None,
    source: str | None = None,
    data_class: str | None = None,
    received_from: date | None = None,
    received_to: date | None = None,
    event_year: int | None = None,
) -> list[Place]:
    """Where the records of a person, source, class or period are. Reads the catalogue only; every criterion must match.

    A person means every token resolved to the same person.
    """
    return _places(
        hot,
        """(%(person)s::uuid is null or r.person_token = %(person)s or r.person_token in (
                select same.person_token from restricted.person_link named
                join restricted.person_link same on same.person_key = named.person_key where named.person_token = %(person)s))
           and (%(source)s::text is null or r.source = %(source)s)
           and (%(class)s::text is null or r.data_class = %(class)s)
           and (%(from)s::date is null or r.received_month >= date_trunc('month', %(from)s::date))
           and (%(to)s::date is null or r.received_month <= %(to)s)
           and (%(year)s::int is null or r.event_year = %(year)s)""",
        {
            "person": person_token, "source": source, "class": data_class, "from": received_from, "to": received_to,
            "year": event_year,
        },
    )  # fmt: skip


def retrieve_with(
    work: Work, record_ids: Collection[UUID], *, purpose: str, actor: str, wait_seconds: float = 0
) -> Iterator[Retrieved]:
    """Records by id, from every tier they are in, file by file. Raises like ``retrieve`` on the first that cannot be read."""
    _refuse_no_purpose(work, purpose, actor)
    ids = list(dict.fromkeys(record_ids))
    for start in range(0, len(ids), IDS_A_CALL):
        yield from _retrieve_some(work, ids[start : start + IDS_A_CALL], purpose, actor, wait_seconds)


def _retrieve_some(work: Work, ids: list[UUID], purpose: str, actor: str, wait_seconds: float) -> Iterator[Retrieved]:
    places = _places(work.hot, "r.record_id = any(%(ids)s)", {"ids": ids})
    told = {"actor": actor, "records": [str(record_id) for record_id in ids]}
    ledger.audit(work.hot, "record.read", f"{len(ids)} record(s)", told, purpose=purpose, outcome="attempt")
    try:
        _refuse_unreadable(ids, places)
        by_place = defaultdict(list)
        for place in places:
            by_place[(place.file_id, place.tier) if place.file_id else place.raw_table].append(place)
        for group in by_place.values():
            yield from _open(work, group, wait_seconds)
    except PlumblineError:
        ledger.audit(work.hot, "record.read", f"{len(ids)} record(s)", told, purpose=purpose, outcome="failure")
        raise
    ledger.audit(work.hot, "record.read", f"{len(ids)} record(s)", told, purpose=purpose)


def _open(work: Work, places: list[Place], wait_seconds: float) -> Iterator[Retrieved]:
    rows = _rows_from_file(work, places, wait_seconds) if places[0].file_id else _rows_from_hot(work, places)
    waiting = {str(place.record_id): place for place in places}
    for row in rows:
        yield _opened(work, waiting.pop(row["record_id"]), row)
    if waiting:
        # Between the look-up and the read a move may have taken them to another tier.
        moved = _places(
            work.hot, "r.record_id = any(%(ids)s)", {"ids": [place.record_id for place in waiting.values()]}
        )
        again = [place for place in moved if place not in places]
        if len(again) != len(waiting):
            raise _gone(f"{len(waiting)} record(s) are not where the catalogue says")
        for place in again:
            yield from _open(work, [place], wait_seconds)


def _rows_from_hot(work: Work, places: list[Place]) -> Iterator[dict]:
    months = {(place.received_month, place.batch_seq) for place in places}
    ids = [place.record_id for place in places]
    for month, batch_seq in sorted(months):
        found = work.hot.execute(
            sql.SQL("select row_to_json(t)::text from {} t where batch_seq = %s and record_id = any(%s) and {}").format(
                sql.Identifier("raw", places[0].raw_table), in_month(month)
            ),
            [batch_seq, ids],
        ).fetchall()
        yield from (parsed(row[0]) for row in found)


def _rows_from_file(work: Work, places: list[Place], wait_seconds: float) -> Iterator[dict]:
    key, key_id = work.hot.execute(
        "select object_key, key_id from lifecycle.cold_file where file_id = %s", [places[0].file_id]
    ).fetchone()
    work.hot.execute(
        "update lifecycle.cold_file set last_read = greatest(last_read, %s) where file_id = %s",
        [work.night, places[0].file_id],
    )
    bucket = work.bucket(places[0].tier)
    if places[0].tier == "archive":
        store.thaw(work.s3, bucket, key, wait_seconds=wait_seconds)
    wanted = frozenset(str(place.record_id) for place in places)
    with io.BufferedReader(store.RangeReader(work.s3, bucket, key), 1 << 20) as file:
        for read in read_rows(file, RowSeal(work.keys, key_id), only=wanted):
            if read.row is None:
                raise _gone("the key of the record's person was destroyed")
            yield parsed(read.row)


def _opened(work: Work, place: Place, row: dict) -> Retrieved:
    from include.privacy.sealing import open_sealed, rebuild

    sealed = row.pop("sealed", None)
    clear = row["body"] if place.is_document else {name: value for name, value in row.items() if name not in BOOKS}
    if sealed is None:
        return Retrieved(place, row, clear)
    owner = owner_of(place.person_token, row["batch_id"])
    key = work.keys.fetch([owner]).get(owner)
    if key is None:
        raise _gone("the key of the record's person was destroyed")
    plain = open_sealed(key, place.record_id, bytes.fromhex(sealed.removeprefix("\\x")))
    return Retrieved(place, row, rebuild(clear, plain))


def parsed(row: str | bytes) -> dict:
    """A row's JSON with numbers that keep their digits: 1.10 stays 1.10."""
    import msgspec

    return msgspec.json.Decoder(float_hook=Decimal).decode(row)


def _places(hot, where: str, values: dict) -> list[Place]:
    query = sql.SQL(
        """select r.record_id, r.source, r.dataset, r.data_class, r.person_token, r.event_year, r.received_month, r.batch_seq,
                  r.tier, r.file_id, b.shape = 'documents'
           from lifecycle.record r join lifecycle.batch b using (batch_seq) where {} order by r.file_id, r.record_id"""
    ).format(sql.SQL(where))
    return [Place(*row) for row in hot.execute(query, values)]


def _refuse_unreadable(ids: list[UUID], places: list[Place]) -> None:
    unknown = len(ids) - len(places)
    if unknown:
        raise _gone(f"{unknown} record id(s) were never received here")
    ended = sorted({place.tier for place in places if place.tier in ("destroyed", "erased")})
    if ended:
        raise _gone(f"a record was {' or '.join(ended)}")


def _refuse_no_purpose(work: Work, purpose: str, actor: str) -> None:
    if not purpose.strip() or not actor.strip():
        told = {"error": RetrieveError.__name__, "actor": actor}
        ledger.audit(work.hot, "record.read", None, told, purpose=purpose or None, outcome="failure")
        raise RetrieveError(
            found="a request without a purpose or a name",
            expected="who asks and what for; both go to the audit trail",
            action="say both",
        )


def _gone(found: str) -> RetrieveError:
    return RetrieveError(
        found=found,
        expected="a record that lifecycle.record places in hot, cold or archive",
        action="compare the id with what asked for it; what ended has a certificate ('python -m include.lifecycle certificates')",
    )


__all__ = ["EXPECT", "KeyGoneError", "Place", "RetrieveError", "Retrieved", "find", "retrieve", "retrieve_with"]
