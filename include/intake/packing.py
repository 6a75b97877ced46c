"""Rows of documents as Postgres reads them in a binary COPY, made column by column.

https://www.postgresql.org/docs/17/sql-copy.html (Binary Format); every field is its length and its bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from struct import Struct
from typing import NamedTuple

from include.privacy.data_keys import Encrypt
from include.privacy.keys import NONCE_BYTES
from include.privacy.resource_plan import SplitGroup
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
_eight, _nonces = Struct("8s"), Struct(f"{NONCE_BYTES}s")
_MOST_SIZES = 50_000


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


class _Heads(dict):
    """Size of a value -> what stands before it in its field: the field's length, and bytes that the length counts as well."""

    def __init__(self, before: bytes = b"", *, between: int = 0) -> None:
        super().__init__()
        self._before, self._more = before, len(before) + between

    def __missing__(self, size: int) -> bytes:
        if len(self) > _MOST_SIZES:
            self.clear()
        head = self[size] = _length(size + self._more) + self._before
        return head

    def of(self, values: Sequence[bytes]) -> Iterable[bytes]:
        """The heads of many values."""
        return map(self.__getitem__, map(len, values))


_plain = _Heads()
_jsonb = _Heads(b"\1")  # the version of jsonb's binary form
_sealed = _Heads(FORMAT, between=NONCE_BYTES)


class SealedColumn(NamedTuple):
    """Sealed values, each in two parts; with FORMAT before them they are what ``sealing.open_sealed`` opens."""

    nonces: Sequence[bytes]
    encrypted: Sequence[bytes]


def seal_group(
    group: SplitGroup, record_ids: Sequence[bytes], persons: Mapping[str, Encrypt], batch_encrypt: Encrypt
) -> SealedColumn:
    """The group's sealed values, each bound to its record's id; those of nobody are sealed with the batch's key."""
    nonces = [nonce for (nonce,) in _nonces.iter_unpack(os.urandom(NONCE_BYTES * len(record_ids)))]
    encrypts = [batch_encrypt if person is None else persons[person] for person in group.persons]
    return SealedColumn(
        nonces,
        [
            encrypt(nonce, plain, record_id)
            for encrypt, nonce, plain, record_id in zip(encrypts, nonces, group.sealed, record_ids, strict=True)
        ],
    )


def pack_group(
    group: SplitGroup,
    record_ids: Sequence[bytes],
    digests: Sequence[bytes],
    sealed: SealedColumn,
    *,
    data_class: str,
    is_deleted: bool,
    object_no: int,
    places: Sequence[bytes],
    persons: Persons,
) -> Iterator[bytes]:
    """The group's rows, field by field, in the order of ``batches.columns_of(None)``; joined they are COPY data."""
    number = len(digests)
    columns: list[bytes | Iterable[bytes]] = [
        _FIELDS + _UUID,
        record_ids,
        _UUID_TEXT,
        group.tokens,
        (_TRUE if is_deleted else _FALSE) + text(data_class),
        map(persons.__getitem__, group.persons),
        *_moments(group.events),
        _DIGEST,
        digests,
        map(text_array, group.matches) if any(group.matches) else _NULL,
        _length(4) + _length(object_no),
        _plain.of(places),
        places,
        map(_unfit, group.misfits) if any(group.misfits) else _NULL,
        text(group.resource_type),
        [_NULL if version is None else text(version) for version in group.versions] if any(group.versions) else _NULL,
        *_moments(group.last_updated),
        _jsonb.of(group.bodies),
        group.bodies,
        _sealed.of(sealed.encrypted),
        *sealed,
    ]
    return chain.from_iterable(zip(*_spread(columns, number), strict=True))


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


def _moments(moments: Sequence[int | None]) -> list[bytes | Iterable[bytes]]:
    absent = moments.count(None)
    if absent == len(moments):
        return [_NULL]
    if absent:
        return [[_NULL if moment is None else _moment(8, moment) for moment in moments]]
    packed = Struct(f">{len(moments)}q").pack(*moments)
    return [_length(8), [moment for (moment,) in _eight.iter_unpack(packed)]]


def _unfit(paths: Sequence[str]) -> bytes:
    """The elements of the resource itself in which something did not fit; where it is a code of a public system, that system too:
    ``code`` and ``code=http://hl7.org/fhir/sid/icd-10-cm``."""
    if not paths:
        return _NULL
    told = ((path.split(".")[1], path.partition("=")[2]) for path in paths)
    return text_array(
        sorted({name for element, system in told for name in (element, system and f"{element}={system}") if name})
    )
