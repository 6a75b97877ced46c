"""The inbox: messages become durable in ``intake.live``, many in one transaction, before anybody is told that they are.

Whatever waits while one transaction commits goes into the next. A message is sealed for the landing identity, of which only
the public half is here: this program cannot open what it took in.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import psycopg

from include.errors import SettingsError
from include.live.mllp import Header
from include.settings import Settings

_log = logging.getLogger("plumbline.listen")
_MOST_AT_ONCE = 500
_MOST_BYTES_AT_ONCE = 16 << 20
_STATEMENT_TIMEOUT = "20s"

STORED, REPEATED, REUSED, FAILED = "stored", "repeated", "reused", "failed"


class Keys(NamedTuple):
    """By what a message is known again: who sent it under which control id, and what it says."""

    sender: bytes
    content: bytes


def keys_of(salt: bytes, source: str, header: Header, content: bytes) -> Keys:
    """Salted hashes of a message. Its time (MSH-7) is left out of its content: a repetition may carry a new one."""
    sender = hashlib.sha256(salt + b"sender\0" + source.encode() + b"\0")
    sender.update(b"\0".join((header.field(3), header.field(4), header.control_id)))
    timeless = header.separator.join((*header.fields[2:7], *header.fields[8:]))
    body = content.partition(b"\r")[2] or content.partition(b"\n")[2]
    return Keys(sender.digest(), hashlib.sha256(salt + b"content\0" + timeless + b"\0" + body).digest())


@dataclass(slots=True)
class Incoming:
    """A message on its way in. ``outcome`` becomes STORED, REPEATED, REUSED or FAILED."""

    source: str
    message_type: str
    content: bytes
    keys: Keys
    outcome: asyncio.Future = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Inbox:
    """One writer for all connections. ``start`` it inside a running loop."""

    def __init__(self, settings: Settings, recipient: str) -> None:
        self._settings, self._recipient = settings, recipient
        self._waiting: asyncio.Queue[Incoming | None] = asyncio.Queue()
        self._connection: psycopg.AsyncConnection | None = None
        self._writer: asyncio.Task | None = None
        self.salt = b""

    async def start(self) -> None:
        """Connect, and begin to write what is put. Raises psycopg.OperationalError where there is no database."""
        connection = await self._connected()
        async with connection.transaction():
            row = await (await connection.execute("select salt from intake.live_salt")).fetchone()
        self.salt = bytes(row[0])
        self._writer = asyncio.create_task(self._write())

    async def stop(self) -> None:
        """Write what waits, then end."""
        self._waiting.put_nowait(None)
        if self._writer:
            await self._writer
        await self._disconnect()

    def put(self, incoming: Incoming) -> None:
        """Hand a message over; its outcome tells when it is durable."""
        self._waiting.put_nowait(incoming)

    async def _write(self) -> None:
        is_last = False
        while not is_last:
            batch, is_last = await self._gather()
            try:
                outcomes = await self._store(batch) if batch else []
            except (psycopg.Error, OSError, TimeoutError, SettingsError) as problem:
                _log.error(
                    "storing %d messages failed (%s); their senders are told AE", len(batch), type(problem).__name__
                )
                await self._disconnect()
                outcomes = [FAILED] * len(batch)
            for incoming, outcome in zip(batch, outcomes, strict=True):
                if not incoming.outcome.done():
                    incoming.outcome.set_result(outcome)

    async def _gather(self) -> tuple[list[Incoming], bool]:
        """What waits, at most so much; and whether that was the last."""
        batch: list[Incoming] = []
        size = 0
        while not batch or (not self._waiting.empty() and len(batch) < _MOST_AT_ONCE and size < _MOST_BYTES_AT_ONCE):
            incoming = await self._waiting.get()
            if incoming is None:
                return batch, True
            batch.append(incoming)
            size += len(incoming.content)
        return batch, False

    async def _store(self, batch: Sequence[Incoming]) -> list[str]:
        sealed = await asyncio.to_thread(_seal_all, [each.content for each in batch], self._recipient)
        connection = await self._connected()
        async with connection.transaction():
            stored = await self._insert(connection, batch, sealed)
            known = await self._known(connection, [each for each in batch if each.keys.sender not in stored])
        return _outcomes(batch, stored, known)

    async def _insert(
        self, connection: psycopg.AsyncConnection, batch: Sequence[Incoming], sealed: Sequence[bytes]
    ) -> set[bytes]:
        cursor = await connection.execute(
            """insert into intake.live (source, sender_key, content_key, message_type, bytes, sealed)
               select source, sender_key, content_key, message_type, bytes, sealed
               from unnest(%b::text[], %b::bytea[], %b::bytea[], %b::text[], %b::int4[], %b::bytea[]) with ordinality
                    as told (source, sender_key, content_key, message_type, bytes, sealed, nth)
               order by nth
               on conflict (source, sender_key) do nothing returning sender_key""",
            [
                [each.source for each in batch],
                [each.keys.sender for each in batch],
                [each.keys.content for each in batch],
                [each.message_type for each in batch],
                [len(each.content) for each in batch],
                list(sealed),
            ],
            binary=True,
        )
        return {bytes(row[0]) for row in await cursor.fetchall()}

    async def _known(self, connection: psycopg.AsyncConnection, again: Sequence[Incoming]) -> dict[bytes, bytes]:
        """What was stored before under the keys of messages that come again."""
        if not again:
            return {}
        cursor = await connection.execute(
            "select sender_key, content_key from intake.live where sender_key = any(%b)",
            [[each.keys.sender for each in again]],
            binary=True,
        )
        return {bytes(sender): bytes(content) for sender, content in await cursor.fetchall()}

    async def _connected(self) -> psycopg.AsyncConnection:
        if self._connection is None or self._connection.closed:
            settings = self._settings
            self._connection = await psycopg.AsyncConnection.connect(
                host=settings.pg_host,
                port=settings.pg_port,
                dbname="hot",
                user="listener",
                password=settings.secret("pg_listener"),
                sslmode=settings.pg_sslmode,
                connect_timeout=5,
                application_name="plumbline listener",
                options=f"-c timezone=UTC -c synchronous_commit=on -c statement_timeout={_STATEMENT_TIMEOUT}",
            )
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await asyncio.gather(connection.close(), return_exceptions=True)


def _seal_all(contents: Sequence[bytes], recipient: str) -> list[bytes]:
    import pyrage

    known = [pyrage.x25519.Recipient.from_str(recipient)]
    return [pyrage.encrypt(content, known) for content in contents]


def _outcomes(batch: Sequence[Incoming], stored: set[bytes], known: dict[bytes, bytes]) -> list[str]:
    """What became of each: the first of a key is stored, the same again is a repetition, another under it is refused."""
    seen = dict(known)
    outcomes = []
    for each in batch:
        if each.keys.sender not in seen and each.keys.sender in stored:
            seen[each.keys.sender] = each.keys.content
            outcomes.append(STORED)
        else:
            outcomes.append(REPEATED if seen.get(each.keys.sender) == each.keys.content else REUSED)
    return outcomes
