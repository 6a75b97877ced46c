"""Data keys: one per person token, or per batch where there is no person, wrapped and kept in the database ``keys``.

A key is stored and committed before it seals anything. A destroyed key keeps its row, so that the person it belonged to
never gets another one: what arrives of them later is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from include.errors import PlumblineError
from include.privacy.keyring import KEY_BYTES, Keyring

NONCE_BYTES = 12


class DataKeyError(PlumblineError):
    """A data key is missing, destroyed, or does not open with the keyring at hand."""


@dataclass(frozen=True, slots=True)
class DataKeys:
    """Unwrapped keys by id, and the ids whose key was destroyed."""

    keys: dict[str, bytes] = field(repr=False)
    destroyed: frozenset[str]


def person_key_id(person_token: str) -> str:
    """The id of a person's key; ``person_token`` is a uuid as text."""
    return f"person:{person_token}"


def batch_key_id(batch_id: str) -> str:
    """The id of the key of records without a person."""
    return f"batch:{batch_id}"


def get_or_create(books: psycopg.Connection, keyring: Keyring, key_ids: Iterable[str]) -> DataKeys:
    """Fetch data keys, making those that never existed.

    ``books`` is a connection of role sealer to the database keys in autocommit mode, so that a key is durable before
    anything is sealed with it. Safe when two loads ask for the same new key: the first one stored counts for both.
    Raises DataKeyError if a stored key does not open.
    """
    wanted = list(dict.fromkeys(key_ids))
    found = _fetch(books, keyring, wanted)
    # In one order everywhere: two loads that store the same keys the other way round would wait for each other.
    missing = sorted(key_id for key_id in wanted if key_id not in found.keys and key_id not in found.destroyed)
    if not missing:
        return found
    made = {key_id: os.urandom(KEY_BYTES) for key_id in missing}
    stored = _store(books, keyring, made)
    lost_race = [key_id for key_id in missing if key_id not in stored]
    theirs = _fetch(books, keyring, lost_race)
    ours = {key_id: made[key_id] for key_id in stored}
    return DataKeys({**found.keys, **ours, **theirs.keys}, found.destroyed | theirs.destroyed)


def fetch(books: psycopg.Connection, keyring: Keyring, key_id: str) -> bytes:
    """One existing key, for unsealing. Raises DataKeyError if it was destroyed or never made."""
    found = _fetch(books, keyring, [key_id])
    if key_id in found.keys:
        return found.keys[key_id]
    state = "destroyed: the person was erased" if key_id in found.destroyed else "not in the database keys"
    raise DataKeyError(
        found=f"the data key is {state}",
        expected="a stored data key",
        action="nothing can open what it sealed"
        if key_id in found.destroyed
        else "restore the newest backup of the database keys",
    )


def fetch_many(books: psycopg.Connection, keyring: Keyring, key_ids: Iterable[str]) -> DataKeys:
    """Existing keys in bulk, for unsealing many records; what was never made is not in the answer."""
    return _fetch(books, keyring, list(dict.fromkeys(key_ids)))


def wrap(keyring: Keyring, key_id: str, key: bytes) -> bytes:
    """Wrap a data key under the current key-encryption key, bound to its id."""
    nonce = os.urandom(NONCE_BYTES)
    kek = AESGCM(keyring.key_encryption_key(keyring.current_version))
    return nonce + kek.encrypt(nonce, key, key_id.encode())


def unwrap(keyring: Keyring, key_id: str, version: int, wrapped: bytes) -> bytes:
    """Open a wrapped data key. Raises DataKeyError if it was altered or belongs to another id or keyring."""
    return _open(AESGCM(keyring.key_encryption_key(version)), key_id, version, wrapped)


def _open(kek: AESGCM, key_id: str, version: int, wrapped: bytes) -> bytes:
    try:
        return kek.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_id.encode())
    except InvalidTag as cause:
        raise DataKeyError(
            found=f"a data key that does not open with key-encryption key version {version}",
            expected="the wrapped key as it was stored and the keyring that wrapped it",
            action="mount the right keyring, or restore the newest backup of the database keys",
        ) from cause


def _fetch(books: psycopg.Connection, keyring: Keyring, key_ids: list[str]) -> DataKeys:
    if not key_ids:
        return DataKeys({}, frozenset())
    with books.cursor(binary=True) as cursor:
        rows = cursor.execute(
            "select key_id, kek_version, wrapped from keys.data_key where key_id = any(%s)", [key_ids]
        ).fetchall()
    keks = {
        version: AESGCM(keyring.key_encryption_key(version))
        for version in {row[1] for row in rows if row[2] is not None}
    }
    keys = {row[0]: _open(keks[row[1]], row[0], row[1], row[2]) for row in rows if row[2] is not None}
    return DataKeys(keys, frozenset(row[0] for row in rows if row[2] is None))


def _store(books: psycopg.Connection, keyring: Keyring, made: dict[str, bytes]) -> set[str]:
    version = keyring.current_version
    kek = AESGCM(keyring.key_encryption_key(version))
    nonces = os.urandom(NONCE_BYTES * len(made))
    wrapped = []
    for number, (key_id, key) in enumerate(made.items()):
        nonce = nonces[number * NONCE_BYTES : (number + 1) * NONCE_BYTES]
        wrapped.append(nonce + kek.encrypt(nonce, key, key_id.encode()))
    rows = books.execute(
        """insert into keys.data_key (key_id, kek_version, wrapped)
           select key_id, %b, wrapped from unnest(%b::text[], %b::bytea[]) as new (key_id, wrapped)
           on conflict (key_id) do nothing returning key_id""",
        [version, list(made), wrapped],
    ).fetchall()
    return {row[0] for row in rows}
