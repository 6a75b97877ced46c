"""Rows of documents as Postgres reads them in a binary COPY, made column by column.

https://www.postgresql.org/docs/17/sql-copy.html (Binary Format); every field is its length and its bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from struct import Struct

from include.privacy.data_keys import Encrypt
from include.privacy.documents import SplitGroup
from include.privacy.keys import NONCE_BYTES
from include.privacy.sealing import FORMAT

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_TEXT_OID = 25
_length = Struct(">i").pack
_moment = Struct(">iq").pack
_array = Struct(">iiiii").pack
_FIELDS = Struct(">h").pack(16)
_UUID, _UUID_TEXT, _DIGEST = _length(16), _length(36), _length(32)
_TRUE, _FALSE = _length(1) + b"\1", _length(1) + b"\0"
_jsonb_head = Struct(">ib").pack  # length, then the version of jsonb's binary form


def text(value: str) -> bytes:
    """A text field."""
    encoded = value.encode()
    return _length(len(encoded)) + encoded


def text_array(values: Sequence[str]) -> bytes:
    """A text[] field; empty is null."""
    if not values:
        return _NULL
    body = _array(1, 0, _TEXT_OID, len(values), 1) + b"".join(map(text, values))
    return _length(len(body)) + body


class Persons(dict):
    """Person token as text -> uuid field."""

    def __missing__(self, person: str | None) -> bytes:
        field = _NULL if person is None else _UUID + bytes.fromhex(person.replace("-", ""))
        if len(self) > 50_000:
            self.clear()
        self[person] = field
        return field


def seal_group(group: SplitGroup, digests: Sequence[bytes], encrypt_of: Callable[[str | None], Encrypt]) -> list[bytes]:
    """The group's sealed values; a digest's first 16 bytes are the record id they are bound to."""
    nonces = os.urandom(NONCE_BYTES * len(digests))
    return [
        FORMAT + nonces[at : at + NONCE_BYTES] + encrypt(nonces[at : at + NONCE_BYTES], plain, digest[:16])
        for at, encrypt, plain, digest in zip(
            range(0, len(nonces), NONCE_BYTES), map(encrypt_of, group.persons), group.sealed, digests, strict=True
        )
    ]


def pack_group(
    group: SplitGroup,
    digests: Sequence[bytes],
    sealed: Sequence[bytes],
    *,
    data_class: str,
    is_deleted: bool,
    object_no: int,
    places: Sequence[bytes],
    persons: Persons,
) -> bytes:
    """The group's rows in the order of ``batches.columns_of(None)``."""
    number = len(digests)
    columns: list[bytes | Iterable[bytes]] = [
        _FIELDS + _UUID,
        [digest[:16] for digest in digests],
        _UUID_TEXT,
        group.tokens,
        (_TRUE if is_deleted else _FALSE) + text(data_class),
        map(persons.__getitem__, group.persons),
        _moments(group.events),
        _DIGEST,
        digests,
        map(text_array, group.matches) if any(group.matches) else _NULL,
        _length(4) + _length(object_no),
        map(_length, map(len, places)),
        places,
        map(_unfit, group.misfits) if any(group.misfits) else _NULL,
        text(group.resource_type),
        [_NULL if version is None else text(version) for version in group.versions] if any(group.versions) else _NULL,
        _moments(group.last_updated),
        [_jsonb_head(len(body) + 1, 1) for body in group.bodies],
        group.bodies,
        map(_length, map(len, sealed)),
        sealed,
    ]
    return b"".join(chain.from_iterable(zip(*_spread(columns, number), strict=True)))


def _spread(columns: list[bytes | Iterable[bytes]], number: int) -> Iterator[Iterable[bytes]]:
    """Columns as iterables, with neighbours that are the same in every row made one."""
    same = b""
    for column in columns:
        if isinstance(column, bytes):
            same += column
            continue
        if same:
            yield repeat(same, number)
            same = b""
        yield column
    if same:
        yield repeat(same, number)


def _moments(moments: Sequence[int | None]) -> bytes | Iterable[bytes]:
    if moments.count(None) == len(moments):
        return _NULL
    return [_NULL if moment is None else _moment(8, moment) for moment in moments]


def _unfit(paths: Sequence[str]) -> bytes:
    """The elements of the resource itself in which something did not fit; where it is a code of a public system, that system too:
    ``code`` and ``code=http://hl7.org/fhir/sid/icd-10-cm``."""
    if not paths:
        return _NULL
    told = ((path.split(".")[1], path.partition("=")[2]) for path in paths)
    return text_array(
        sorted({name for element, system in told for name in (element, system and f"{element}={system}") if name})
    )
