"""The ledger of erasures in the locked audit bucket: what a restored backup must forget again, whatever else was lost.

An entry holds the person's tokens and keys (keyed hashes and random numbers, not the person), sealed under a key derived
from the token key, and cannot be removed before the audit class's retention ends. It is written before anything is erased.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from include.errors import PlumblineError
from include.settings import Settings

PREFIX = "erasure/"
_NONCE = 12


class LedgerError(PlumblineError):
    """An entry of the erasure ledger is not what this installation wrote."""


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One erasure: its number, its night, and what the person was known by in hot and warm."""

    erasure_id: UUID
    night: date
    tokens: tuple[UUID, ...]
    person_keys: tuple[UUID, ...]


def write_entry(settings: Settings, entry: LedgerEntry) -> str:
    """Put an entry into the audit bucket, locked. Returns its key; the same entry again changes nothing that is read."""
    from include.lifecycle.policy import load_retention
    from include.lifecycle.store import end_of, open_store, store_clock

    s3, key = open_store(settings), f"{PREFIX}{entry.erasure_id}"
    kept = timedelta(days=load_retention().rule("audit").retention_days)
    s3.put_object(
        Bucket=settings.bucket_audit,
        Key=key,
        Body=_sealed(settings, entry),
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=end_of(store_clock(s3, settings.bucket_audit).date() + kept),
    )
    return key


def read_ledger(settings: Settings) -> Iterator[LedgerEntry]:
    """Every entry, oldest first by night. Raises LedgerError where one was altered or written under another keyring."""
    from include.lifecycle.store import open_store

    s3, entries = open_store(settings), []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=settings.bucket_audit, Prefix=PREFIX):
        for found in page.get("Contents", ()):
            body = s3.get_object(Bucket=settings.bucket_audit, Key=found["Key"])["Body"].read()
            entries.append(_opened(settings, found["Key"], body))
    yield from sorted(entries, key=lambda entry: (entry.night, str(entry.erasure_id)))


def _sealed(settings: Settings, entry: LedgerEntry) -> bytes:
    told = {"night": str(entry.night), "tokens": _texts(entry.tokens), "person_keys": _texts(entry.person_keys)}
    nonce = os.urandom(_NONCE)
    return nonce + _cipher(settings).encrypt(nonce, json.dumps(told).encode(), str(entry.erasure_id).encode())


def _opened(settings: Settings, key: str, body: bytes) -> LedgerEntry:
    from cryptography.exceptions import InvalidTag

    erasure_id = UUID(key.removeprefix(PREFIX))
    try:
        told = json.loads(_cipher(settings).decrypt(body[:_NONCE], body[_NONCE:], str(erasure_id).encode()))
    except InvalidTag as cause:
        raise LedgerError(
            found="an entry of the erasure ledger that does not open with this keyring",
            expected="entries as this installation wrote them",
            action="mount the keyring the entry was written under; restore nothing for others to read until it opens",
        ) from cause
    tokens, person_keys = (tuple(map(UUID, told[name])) for name in ("tokens", "person_keys"))
    return LedgerEntry(erasure_id, date.fromisoformat(told["night"]), tokens, person_keys)


def _texts(ids: Iterable[UUID]) -> list[str]:
    return sorted(map(str, ids))


def _cipher(settings: Settings):
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from include.privacy.keyring import load_keyring

    # A key of its own, so that nothing sealed here can be taken for something else.
    return AESGCM(hmac.digest(load_keyring(settings.keyring_dir).token_key, b"plumbline erasure ledger", "sha256"))
