"""The S3 that every bucket lives in: one way to connect, to put a stream of unknown length whole or not at all, to read it.

Whatever is put carries its SHA-256, so the store refuses bytes that changed on the way; afterwards the store is asked
what it holds.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from include.errors import PlumblineError
from include.settings import Settings

PART_BYTES = 8 << 20  # S3 takes parts from 5 MiB; 10,000 of them make 78 GiB
_PARTS_IN_FLIGHT = 3
_MAX_PARTS = 10_000
_GROWTH = 1_000  # every so many parts their size doubles, so that an object may reach S3's 5 TiB


class ObjectStoreError(PlumblineError):
    """The object store does not hold what was put, or cannot be reached."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as the store tells of it: bytes, its checksum as S3 writes it (None where it tells none), our metadata."""

    bytes: int
    checksum: str | None
    metadata: dict[str, str]


def open_store(settings: Settings) -> Any:
    """A boto3 S3 client for the installation's store: addresses by path, timeouts, retries, TLS verified where https."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.secret("s3_access_key"),
        aws_secret_access_key=settings.secret("s3_secret_key"),
        config=Config(
            s3={"addressing_style": "path"},
            retries={"max_attempts": 5, "mode": "standard"},
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=16,
            response_checksum_validation="when_required",
        ),
    )


def look_up(store: Any, bucket: str, key: str) -> StoredObject | None:
    """What the store holds under a key, or None. Raises ObjectStoreError where it cannot say."""
    from botocore.exceptions import ClientError

    try:
        head = store.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as refusal:
        if refusal.response.get("Error", {}).get("Code") in ("404", "NoSuchKey", "NotFound"):
            return None
        raise ObjectStoreError(
            found=f"the store does not say what it holds in {bucket} ({refusal.response.get('Error', {}).get('Code')})",
            expected="an answer to a HEAD request",
            action="see that the bucket is there and that the access key may read it",
        ) from refusal
    return StoredObject(head["ContentLength"], head.get("ChecksumSHA256"), head.get("Metadata", {}))


def read_blocks(store: Any, bucket: str, key: str, block_bytes: int = 1 << 20) -> Iterator[bytes]:
    """Yield an object's bytes in order. Raises ObjectStoreError where there is no such object."""
    from botocore.exceptions import ClientError

    try:
        body = store.get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as refusal:
        raise ObjectStoreError(
            found=f"an object of {bucket} cannot be read ({refusal.response.get('Error', {}).get('Code')})",
            expected="the object that the catalogue names",
            action="see whether its days are over (lifecycle.landing_object), or restore it from the bucket's versions",
        ) from refusal
    try:
        while block := body.read(block_bytes):
            yield block
    finally:
        body.close()


def abandon_uploads(store: Any, bucket: str, prefix: str) -> int:
    """End uploads below ``prefix`` that a killed run left open; returns how many."""
    ended = 0
    for page in store.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
        for upload in page.get("Uploads", []):
            store.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            ended += 1
    return ended


@dataclass(slots=True)
class Upload:
    """A writable stream that becomes an object when ``finish`` is called, and nothing when it is not.

    Up to PART_BYTES go in one request; more go in parts, a few at a time, never all in memory.
    """

    store: Any
    bucket: str
    key: str
    metadata: dict[str, str]
    threads: ThreadPoolExecutor
    size: int = 0
    _waiting: bytearray = field(default_factory=bytearray)
    _upload_id: str | None = None
    _sent: list[Future] = field(default_factory=list)
    _digests: list[bytes] = field(default_factory=list)

    def write(self, block: bytes) -> int:
        """Take bytes; sends a part when enough have come. Raises what sending an earlier part raised."""
        self._waiting += block
        self.size += len(block)
        if len(self._waiting) >= self._part_bytes():
            self._send_part()
        return len(block)

    def flush(self) -> None:
        """Nothing to do: what waits goes with its part."""

    def finish(self) -> StoredObject:
        """Complete the object and ask the store for it. Raises ObjectStoreError where it holds something else."""
        checksum = self._put_whole() if self._upload_id is None else self._complete()
        held = look_up(self.store, self.bucket, self.key)
        if held is None or held.bytes != self.size or held.checksum not in (None, checksum):
            raise ObjectStoreError(
                found=f"the store answers {self.bucket} with another object than was put",
                expected=f"{self.size} bytes with the checksum sent",
                action="see the store's log and disk, then run the step again",
            )
        return held

    def abandon(self) -> None:
        """Leave nothing behind. Safe to call at any moment."""
        from botocore.exceptions import BotoCoreError, ClientError

        for part in self._sent:
            part.cancel()
        if self._upload_id is not None:
            try:
                self.store.abort_multipart_upload(Bucket=self.bucket, Key=self.key, UploadId=self._upload_id)
            except (BotoCoreError, ClientError):
                return  # abandon_uploads ends it before the next run

    def _part_bytes(self) -> int:
        return PART_BYTES << (len(self._sent) // _GROWTH)

    def _put_whole(self) -> str:
        checksum = _written(hashlib.sha256(self._waiting).digest())
        self.store.put_object(
            Bucket=self.bucket,
            Key=self.key,
            Body=bytes(self._waiting),
            ChecksumSHA256=checksum,
            Metadata=self.metadata,
        )
        return checksum

    def _send_part(self) -> None:
        if self._upload_id is None:
            begun = self.store.create_multipart_upload(
                Bucket=self.bucket, Key=self.key, ChecksumAlgorithm="SHA256", Metadata=self.metadata
            )
            self._upload_id = begun["UploadId"]
        part, self._waiting = bytes(self._waiting), bytearray()
        self._digests.append(hashlib.sha256(part).digest())
        if len(self._sent) >= _PARTS_IN_FLIGHT:
            self._sent[-_PARTS_IN_FLIGHT].result()
        self._sent.append(self.threads.submit(self._upload_part, part, len(self._digests), self._digests[-1]))

    def _upload_part(self, part: bytes, number: int, digest: bytes) -> dict[str, Any]:
        checksum = _written(digest)
        answer = self.store.upload_part(
            Bucket=self.bucket,
            Key=self.key,
            UploadId=self._upload_id,
            PartNumber=number,
            Body=part,
            ChecksumSHA256=checksum,
        )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}

    def _complete(self) -> str:
        if self._waiting:
            self._send_part()
        parts = [part.result() for part in self._sent]
        self.store.complete_multipart_upload(
            Bucket=self.bucket, Key=self.key, UploadId=self._upload_id, MultipartUpload={"Parts": parts}
        )
        return f"{_written(hashlib.sha256(b''.join(self._digests)).digest())}-{len(parts)}"


def _written(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
