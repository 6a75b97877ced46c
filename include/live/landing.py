"""The night's half of the live feed: what was acknowledged since the last night becomes landing objects of its source.

Messages are first claimed for an object, then the object is uploaded, then catalogue and messages are marked in one
transaction. Killed anywhere, the next try makes the same objects of the same claims.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg

from include.landing import catalogue
from include.landing.catalogue import NewObject
from include.landing.encryption import seal_name
from include.landing.object_store import Upload, look_up
from include.privacy.keyring import Keyring
from include.sources.hl7v2.files import options_of
from include.sources.listing import Landed
from include.sources.registry import Source

_OBJECT_BYTES = 32 << 20  # of messages in one landing object
_REMEMBERED_NIGHTS = 30  # how long a repetition of a landed message is known


@dataclass(frozen=True, slots=True)
class LiveArrivals:
    """What of a live feed was landed: how many new objects and their bytes, and when the newest message ever came."""

    objects: int = 0
    bytes: int = 0
    newest_at: datetime | None = None


def listens(source: Source) -> bool:
    """True of a source that takes messages between the nights."""
    return source.kind == "hl7v2" and options_of(source).listen is not None


def land_live(
    source: Source, night: date, hot: psycopg.Connection, store: Any, bucket: str, keyring: Keyring
) -> LiveArrivals:
    """Land what waits of a source in ``intake.live``. The caller holds the source's lock of landing."""
    if not listens(source):
        return LiveArrivals()
    with hot.transaction():
        _claim(hot, source.name)
    objects = size = 0
    for claim in _claims(hot, source.name):
        size += _land_claim(source, night, hot, store, bucket, keyring, claim)
        objects += 1
    with hot.transaction():
        hot.execute(
            "delete from intake.live where source = %s and landed_night < %s::date - %s",
            [source.name, night, _REMEMBERED_NIGHTS],
        )
        newest = hot.execute("select max(received_at) from intake.live where source = %s", [source.name]).fetchone()[0]
    return LiveArrivals(objects, size, newest)


def _claim(hot: psycopg.Connection, source: str) -> None:
    """Put messages that nobody claimed together, in their order, some megabytes an object."""
    hot.execute(
        """with sized as (
               select live_no, (sum(bytes) over (order by live_no) - 1) / %(most)s as part
               from intake.live where source = %(source)s and claim is null
           ), named as (
               select live_no, min(live_no) over (partition by part) as claim from sized
           )
           update intake.live l set claim = named.claim from named where named.live_no = l.live_no""",
        {"source": source, "most": _OBJECT_BYTES},
    )


def _claims(hot: psycopg.Connection, source: str) -> list[int]:
    rows = hot.execute(
        "select distinct claim from intake.live where source = %s and landed_sha256 is null and claim is not null order by 1",
        [source],
    ).fetchall()
    hot.commit()
    return [row[0] for row in rows]


def _land_claim(
    source: Source, night: date, hot: psycopg.Connection, store: Any, bucket: str, keyring: Keyring, claim: int
) -> int:
    """One object of messages in MLLP blocks. Returns its bytes."""
    content = claimed_content(hot, source.name, claim, keyring)
    sha256 = hashlib.sha256(content).hexdigest()
    stored = _upload(store, bucket, catalogue.object_key(source.name, sha256), content, keyring)
    with hot.transaction():
        newest = hot.execute(
            "select max(received_at) from intake.live where source = %s and claim = %s", [source.name, claim]
        ).fetchone()[0]
        new = NewObject(
            sha256=sha256,
            file_type=".hl7",
            hint={**hint(), "ordinal": claim, "of": 0},
            name_sealed=seal_name(f"live messages from {claim}", keyring.landing_recipient),
            bytes_received=len(content),
            bytes_stored=stored,
            delivered_at=newest,
        )
        catalogue.add_objects(hot, source.name, night, [new])
        # Where critical results are watched, a message that nobody has judged yet keeps its bytes until somebody has.
        hot.execute(
            """update intake.live set landed_sha256 = %s, landed_night = %s,
                      sealed = case when judged_at is null and exists (select from critical.watching) then sealed end
               where source = %s and claim = %s and landed_sha256 is null""",
            [sha256, night, source.name, claim],
        )
    return len(content)


def claimed_content(hot: psycopg.Connection, source: str, claim: int, keyring: Keyring) -> bytes:
    """What the object of a claim holds: its messages that are not landed, in their order."""
    return framed(_messages(hot, source, claim, keyring))


def framed(messages: Iterable[bytes]) -> bytes:
    """Messages in MLLP blocks."""
    return b"".join(b"\x0b" + message + b"\x1c\r" for message in messages)


def hint() -> dict:
    """What the reader needs to know of an object of live messages."""
    landed = Landed()
    return {
        "role": landed.role,
        "dataset": landed.dataset,
        "resource_type": landed.resource_type,
        "is_gzip": landed.is_gzip,
    }


def _messages(hot: psycopg.Connection, source: str, claim: int, keyring: Keyring) -> Iterator[bytes]:
    import pyrage

    identity = [pyrage.x25519.Identity.from_str(keyring.landing_identity)]
    with hot.cursor(binary=True) as cursor:
        rows = cursor.execute(
            """select sealed from intake.live where source = %s and claim = %s and landed_sha256 is null
               order by live_no""",
            [source, claim],
        ).fetchall()
    hot.commit()
    for (sealed,) in rows:
        yield pyrage.decrypt(bytes(sealed), identity)


def _upload(store: Any, bucket: str, key: str, content: bytes, keyring: Keyring) -> int:
    """Upload unless a killed try did. Returns the bytes stored."""
    import pyrage

    mark = hashlib.sha256(keyring.landing_recipient.encode()).hexdigest()[:16]
    held = look_up(store, bucket, key)
    if held is not None and held.metadata.get("recipient") == mark:
        return held.bytes
    recipient = [pyrage.x25519.Recipient.from_str(keyring.landing_recipient)]
    with ThreadPoolExecutor(2) as threads:
        upload = Upload(store, bucket, key, {"recipient": mark}, threads)
        try:
            upload.write(pyrage.encrypt(content, recipient))
            return upload.finish().bytes
        except BaseException:
            upload.abandon()
            raise
