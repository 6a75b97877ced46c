"""Sealing: what leaves a record's clear part, under the person's data key and bound to the record's id.

A sealed value is one format byte, a 12-byte random nonce, and AES-256-GCM's ciphertext with its tag; the record id is
associated data, so that a sealed value moved to another record does not open.

The sealed text is a JSON object shaped like the resource. ``merge`` puts it back: what only the sealed part has returns
whole, objects merge, arrays merge item by item (null: nothing sealed there), and where both hold a value (an id and its
token) the sealed one is the original.
"""

from __future__ import annotations

import os
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from include.errors import PlumblineError
from include.privacy import keys
from include.privacy.keyring import load_keyring
from include.settings import Settings
from include.warehouse.connect import connect

FORMAT = b"\x01"
FOUND_IN_WORDS = "_foundInWords"  # the one element of a clear body that the source did not send
_HEAD = 1 + keys.NONCE_BYTES


class SealError(PlumblineError):
    """A sealed value was altered, cut off, or belongs to another record."""


def seal(key: bytes, record_id: UUID, plain: bytes) -> bytes:
    """Seal ``plain`` for one record."""
    nonce = os.urandom(keys.NONCE_BYTES)
    return FORMAT + nonce + AESGCM(key).encrypt(nonce, plain, record_id.bytes)


def open_sealed(key: bytes, record_id: UUID, sealed: bytes) -> bytes:
    """Open a sealed value. Raises SealError if it was altered or is not this record's."""
    if sealed[:1] != FORMAT or len(sealed) < _HEAD + 16:
        raise SealError(
            found="a sealed value of an unknown format or cut off",
            expected="format 1",
            action="use the release that sealed it, or restore the row from a backup",
        )
    try:
        return AESGCM(key).decrypt(sealed[1:_HEAD], sealed[_HEAD:], record_id.bytes)
    except InvalidTag as cause:
        raise SealError(
            found="a sealed value that was altered, or that belongs to another record or key",
            expected="the value as it was sealed for this record",
            action="restore the row from a backup and look in the audit trail for who changed it",
        ) from cause


def unseal(
    record_id: UUID,
    sealed: bytes,
    person_token: UUID | None,
    *,
    batch_id: str | None = None,
    purpose: str,
    role: str = "privacy_officer",
    actor: str | None = None,
    settings: Settings | None = None,
) -> bytes:
    """Open one record's sealed value for somebody allowed to, and write down who, what and why.

    ``role`` is the database role on whose behalf it is opened; its connection writes the audit entry before anything is
    opened, so that nothing is read unrecorded. Records without a person need their ``batch_id``. Raises SealError,
    DataKeyError or KeyringError, each audited as a failure.
    """
    settings = settings or Settings.from_environment(os.environ)
    with connect(role, "hot", settings, autocommit=True) as books:
        _audit(books, record_id, purpose, actor, "attempt")
        try:
            plain = _unseal(settings, record_id, sealed, person_token, batch_id)
        except PlumblineError:
            _audit(books, record_id, purpose, actor, "failure")
            raise
        _audit(books, record_id, purpose, actor, "success")
        return plain


def merge(clear: object, sealed: object) -> object:
    """Put a resource's clear and sealed parts together again: the resource as it was received."""
    if isinstance(clear, dict) and isinstance(sealed, dict):
        whole = dict(clear)
        for name, value in sealed.items():
            whole[name] = merge(clear[name], value) if name in clear else value
        return whole
    if isinstance(clear, list) and isinstance(sealed, list) and len(clear) == len(sealed):
        return [kept if value is None else merge(kept, value) for kept, value in zip(clear, sealed, strict=True)]
    return sealed


def rebuild(body: object, sealed_plain: bytes) -> object:
    """The resource as received, from its clear body (parsed) and its opened sealed part (JSON bytes).

    Numbers keep the digits they came with where ``body`` was parsed with them. A row of a table is rebuilt the same way
    from a dictionary of its columns.
    """
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name != FOUND_IN_WORDS}
    return merge(body, msgspec.json.decode(sealed_plain))


def _unseal(
    settings: Settings, record_id: UUID, sealed: bytes, person_token: UUID | None, batch_id: str | None
) -> bytes:
    key_id = keys.person_key_id(str(person_token)) if person_token else keys.batch_key_id(batch_id or "")
    keyring = load_keyring(settings.keyring_dir)
    with connect("sealer", "keys", settings, autocommit=True) as books:
        return open_sealed(keys.fetch(books, keyring, key_id), record_id, sealed)


def _audit(books, record_id: UUID, purpose: str, actor: str | None, outcome: str) -> None:
    books.execute(
        "select audit.append('record.unsealed', %s, '{}', %s, %s, %s)", [str(record_id), purpose, outcome, actor]
    )
