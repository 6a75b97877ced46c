"""Backups in their buckets: encrypted on the way in, read back and compared, told of by a signed manifest beside each.

``backup`` holds databases, locked to the end of their days. ``backup-keys`` holds keys and keyring, never locked. What a
backup is can be read from its bucket alone, for the day on which the databases are gone.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import partial
from typing import BinaryIO
from uuid import UUID

from include.errors import PlumblineError
from include.landing.encryption import Decrypted, encrypt
from include.landing.object_store import Upload, open_store, read_blocks
from include.lifecycle import store
from include.settings import Settings


class BackupError(PlumblineError):
    """A backup that cannot be made, found, read or trusted."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is. ``sha256`` is over what was saved, before encryption; ``tables`` count rows in its snapshot.

    ``as_of`` is when the snapshot was taken: everything committed before is in it (ISO 8601; '' in backups made before it was
    noted, for which ``made_at`` is the best there is).
    """

    backup_id: str
    kind: str
    night: str
    object_key: str
    sha256: str
    bytes: int
    made_at: str
    expires_on: str
    classes: list[str] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)
    grants: list[list[str]] = field(default_factory=list)
    audit_entries: int = 0
    audit_hash: str = ""
    as_of: str = ""

    @property
    def holds_until(self) -> str:
        """Up to which moment it has everything."""
        return self.as_of or self.made_at


def bucket_of(settings: Settings, kind: str) -> str:
    """Where backups of a kind are."""
    return settings.bucket_backup_keys if kind == "keys" else settings.bucket_backup


def object_name(kind: str, night: date, backup_id: UUID) -> str:
    """The key of a backup: kind, night, number."""
    return f"{kind}/{night}/{backup_id}.age"


class Hashing(io.RawIOBase):
    """A stream that hashes and counts what is read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream, self.digest, self.size = stream, hashlib.sha256(), 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self.digest.update(block)
        self.size += len(block)
        return block


def put_encrypted(settings: Settings, kind: str, key: str, stream: BinaryIO, recipient: str) -> Hashing:
    """Encrypt a stream into its bucket, whole or not at all; memory stays at a few parts. Returns hash and size of it."""
    s3, content = open_store(settings), Hashing(stream)
    with ThreadPoolExecutor(3) as threads:
        upload = Upload(s3, bucket_of(settings, kind), key, {"kind": kind}, threads)
        try:
            encrypt(content, upload, recipient)
            upload.finish()
        except BaseException:
            upload.abandon()
            raise
    return content


def lock(settings: Settings, manifest: Manifest) -> None:
    """Lock a backup of a database and its manifest to the end of its last day, never one of keys.

    Where that day is past by the store's clock they stay unlocked.
    """
    s3, until = open_store(settings), date.fromisoformat(manifest.expires_on)
    if manifest.kind != "keys" and store.end_of(until) > store.store_clock(s3, settings.bucket_backup):
        for key in (manifest.object_key, manifest.object_key + ".json"):
            store.extend_lock(s3, settings.bucket_backup, key, until)


def open_backup(settings: Settings, manifest: Manifest, identity: str) -> BinaryIO:
    """A backup's content as a stream. Reading it to its end raises LandingError where it is not what was saved."""
    blocks = partial(read_blocks, open_store(settings), bucket_of(settings, manifest.kind), manifest.object_key)
    return io.BufferedReader(Decrypted(blocks, identity, manifest.sha256), 1 << 18)


def write_manifest(settings: Settings, manifest: Manifest, signing_key: bytes) -> None:
    """Put a backup's manifest beside it: only what has one is a finished backup."""
    said = asdict(manifest)
    s3, key = open_store(settings), manifest.object_key + ".json"
    body = json.dumps({**said, "signature": _sign(signing_key, said)}, sort_keys=True, indent=1).encode()
    s3.put_object(Bucket=bucket_of(settings, manifest.kind), Key=key, Body=body, ContentType="application/json")


def read_manifests(settings: Settings, kind: str, signing_key: bytes | None) -> Iterator[Manifest]:
    """Finished backups of a kind, those with backup and manifest, newest first. ``signing_key`` None: signatures cannot be checked (the keyring is lost)."""
    s3, bucket = open_store(settings), bucket_of(settings, kind)
    keys = _keys(s3, bucket, kind)
    found = [key for key in keys if key.endswith(".json") and key.removesuffix(".json") in keys]
    manifests = [_read(s3, bucket, key, signing_key) for key in found]
    yield from sorted(manifests, key=lambda manifest: (manifest.night, manifest.made_at), reverse=True)


def remove(settings: Settings, kind: str, key: str) -> bool:
    """Remove a backup and its manifest in every version. Returns False where a lock still keeps it."""
    s3, bucket = open_store(settings), bucket_of(settings, kind)
    try:
        for name in (key + ".json", key):
            store.remove_all_versions(s3, bucket, name)
    except store.LockedError:
        return False
    return True


def remove_unfinished(settings: Settings, kind: str) -> int:
    """Remove what a killed run left: a backup without its manifest, and a manifest that the store finished late, after its
    backup had gone as unfinished. Returns how many went."""
    keys = _keys(open_store(settings), bucket_of(settings, kind), kind)
    named = {key.removesuffix(".json") for key in keys}
    return sum(remove(settings, kind, name) for name in sorted(named) if not {name, name + ".json"} <= keys)


def _keys(s3, bucket: str, kind: str) -> set[str]:
    return {key for key in store.list_keys(s3, bucket) if key.startswith(f"{kind}/")}


def signing_key_of(token_key: bytes) -> bytes:
    """A key of its own for manifests."""
    return hmac.digest(token_key, b"plumbline backup manifest", "sha256")


def _read(s3, bucket: str, key: str, signing_key: bytes | None) -> Manifest:
    said = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    signature = said.pop("signature", "")
    if signing_key is not None and not hmac.compare_digest(signature, _sign(signing_key, said)):
        raise BackupError(
            found="a manifest in the backup bucket that this installation did not sign",
            expected="manifests signed with the keyring of this installation",
            action="find out who can write to the bucket; restore from a backup whose manifest is signed",
        )
    return Manifest(**said)


def _sign(key: bytes, said: dict) -> str:
    return hmac.digest(key, json.dumps(said, sort_keys=True).encode(), "sha256").hex()
