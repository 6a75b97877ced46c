"""The buckets of cold and archive as the movers need them: put once, check, lock, restore, remove every version.

Nothing here decides. Days are the caller's; where the store's own clock matters (a lock cannot end in its past) it is asked.
"""

from __future__ import annotations

import base64
import hashlib
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from email.utils import parsedate_to_datetime
from pathlib import Path

from include.errors import PlumblineError
from include.landing.object_store import open_store as open_store
from include.lifecycle.policy import Rule

COLD_CLASS, ARCHIVE_CLASS = "STANDARD_IA", "GLACIER"
FROZEN = ("GLACIER", "DEEP_ARCHIVE")
CHUNK = 1 << 20


class StoreError(PlumblineError):
    """The object store does not hold, or will not do, what a move needs."""


class RegionError(StoreError):
    """A bucket stands in a region that the policy does not allow for the data."""


class LockedError(StoreError):
    """The store refuses to delete an object before its lock ends."""


class NotRestoredError(StoreError):
    """An archived object is still being brought back by the store."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as the store tells of it: size in bytes, hex sha256 where known, lock and version."""

    bytes: int
    sha256: str | None
    storage_class: str
    locked_until: date | None
    legal_hold: bool
    restore: str | None


def region_of(s3, bucket: str) -> str:
    """The bucket's real region. A store that names none (an empty constraint) is us-east-1, as S3 defines it."""
    return s3.get_bucket_location(Bucket=bucket).get("LocationConstraint") or "us-east-1"


def require_region(s3, bucket: str, allowed: tuple[str, ...], data_class: str) -> None:
    """Raise RegionError unless the bucket stands in one of the regions allowed for the class."""
    found = region_of(s3, bucket)
    if found not in allowed:
        raise RegionError(
            found=f"bucket {bucket} is in region {found}",
            expected=f"{data_class} to stay in {', '.join(allowed)}",
            action="point the tier at a bucket in an allowed region, or have the policy's owner allow this one",
        )


def require_regions(s3, bucket: str, rules: Mapping[str, Rule]) -> None:
    """The same for a bucket that takes records of every class: what was received, and backups. Names every class that must not."""
    found = region_of(s3, bucket)
    elsewhere = {name: rule.regions for name, rule in sorted(rules.items()) if found not in rule.regions}
    if elsewhere:
        raise RegionError(
            found=f"bucket {bucket} is in region {found}",
            expected="; ".join(f"{name} to stay in {', '.join(regions)}" for name, regions in elsewhere.items()),
            action="use a bucket in a region that every class allows, or have the policy's owner allow this one",
        )


def store_clock(s3, bucket: str) -> datetime:
    """What time the store has; locks and deletions follow its clock, not ours."""
    told = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(told) if told else datetime.now(UTC)


def put_file(
    s3, bucket: str, key: str, path: Path, sha256: str, *, lock_until: date | None = None, archive: bool = False
) -> None:
    """Upload a file in one piece with its checksum, never over another object. ``lock_until`` is the last day locked.

    An object already there is left as it is: keys carry the content's hash and uploads are whole or not at all.
    """
    from botocore.exceptions import ClientError

    lock = {}
    if lock_until is not None and end_of(lock_until) > store_clock(s3, bucket):
        lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": end_of(lock_until)}
    with path.open("rb") as body:
        try:
            s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=body,
                StorageClass=ARCHIVE_CLASS if archive else COLD_CLASS,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
                Metadata={"sha256": sha256},
                ContentType="application/vnd.apache.parquet",
                IfNoneMatch="*",
                **lock,
            )
        except ClientError as refusal:
            if code_of(refusal) not in ("PreconditionFailed", "412"):
                raise


def end_of(day: date) -> datetime:
    """The moment after the last one of that day, UTC."""
    return datetime.combine(day, time_of_day(23, 59, 59), tzinfo=UTC)


def look(s3, bucket: str, key: str) -> Stored | None:
    """What the store says of an object, None where it has none. Works on frozen objects too."""
    from botocore.exceptions import ClientError

    try:
        head = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as refusal:
        if code_of(refusal) in ("404", "NoSuchKey", "NotFound"):
            return None
        raise
    told = head.get("ChecksumSHA256")
    until = head.get("ObjectLockRetainUntilDate")
    return Stored(
        bytes=head["ContentLength"],
        sha256=base64.b64decode(told).hex() if told else None,
        storage_class=head.get("StorageClass", "STANDARD"),
        locked_until=until.astimezone(UTC).date() if until else None,
        legal_hold=head.get("ObjectLockLegalHoldStatus") == "ON",
        restore=head.get("Restore"),
    )


def get_file(s3, bucket: str, key: str, path: Path) -> str:
    """Stream an object to a file and return the hex sha256 of what came."""
    from botocore.exceptions import ClientError

    digest = hashlib.sha256()
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as refusal:
        raise _unreadable(refusal, bucket, key) from refusal
    with path.open("wb") as out:
        for chunk in body.iter_chunks(CHUNK):
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def thaw(s3, bucket: str, key: str, *, days: int = 7, wait_seconds: float = 0, poll_seconds: float = 5) -> None:
    """Make an archived object readable: ask the store to restore it and poll until it has.

    A store that keeps such objects readable, as the embedded one does, needs nothing. Raises NotRestoredError when the store
    has not finished within ``wait_seconds``; asking again later goes on with the same restore.
    """
    if _is_readable(s3, bucket, key):
        return
    _ask_to_restore(s3, bucket, key, days)
    deadline = time.monotonic() + wait_seconds
    while not _is_readable(s3, bucket, key):
        if time.monotonic() >= deadline:
            raise NotRestoredError(
                found="the archive is still restoring the file that holds it",
                expected="up to 5 hours from GLACIER (standard), 12 from DEEP_ARCHIVE",
                action="ask again later; the restore goes on meanwhile",
            )
        time.sleep(poll_seconds)


def _is_readable(s3, bucket: str, key: str) -> bool:
    from botocore.exceptions import ClientError

    stored = look(s3, bucket, key)
    if stored is None:
        raise missing(bucket, key)
    if stored.storage_class not in FROZEN or (stored.restore and 'ongoing-request="false"' in stored.restore):
        return True
    try:
        s3.get_object(Bucket=bucket, Key=key, Range="bytes=0-3")["Body"].read()
    except ClientError as refusal:
        if code_of(refusal) == "InvalidObjectState":
            return False
        raise
    return True


def _ask_to_restore(s3, bucket: str, key: str, days: int) -> None:
    from botocore.exceptions import ClientError

    try:
        s3.restore_object(
            Bucket=bucket, Key=key, RestoreRequest={"Days": days, "GlacierJobParameters": {"Tier": "Standard"}}
        )
    except ClientError as refusal:
        if code_of(refusal) != "RestoreAlreadyInProgress":
            raise


def remove_all_versions(s3, bucket: str, key: str) -> int:
    """Delete every version and delete marker of a key. Returns how many. Raises LockedError where a lock refuses."""
    from botocore.exceptions import ClientError

    removed = 0
    for version_id in _versions(s3, bucket, key):
        try:
            s3.delete_object(Bucket=bucket, Key=key, VersionId=version_id)
        except ClientError as refusal:
            if code_of(refusal) in ("AccessDenied", "InvalidRequest", "403"):
                raise LockedError(
                    found=f"the store keeps a version of an object in {bucket} locked",
                    expected="its lock to have ended by the store's clock",
                    action="nothing: it is removed by the first plan after the lock's end",
                ) from refusal
            raise
        removed += 1
    return removed


def _versions(s3, bucket: str, key: str) -> list[str]:
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
    return [
        version["VersionId"]
        for page in pages
        for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        if version["Key"] == key
    ]


def list_keys(s3, bucket: str) -> set[str]:
    """Every key in a bucket."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {found["Key"] for page in pages for found in page.get("Contents", ())}


def set_legal_hold(s3, bucket: str, key: str, *, on: bool) -> None:
    """Set or lift the store's own legal hold on an object of a bucket that can lock."""
    s3.put_object_legal_hold(Bucket=bucket, Key=key, LegalHold={"Status": "ON" if on else "OFF"})


def extend_lock(s3, bucket: str, key: str, until: date) -> None:
    """Lock an object longer; the store refuses to make a lock shorter."""
    s3.put_object_retention(Bucket=bucket, Key=key, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": end_of(until)})


def code_of(refusal) -> str:
    """The store's code for a refusal, such as 'NoSuchKey'."""
    return str(refusal.response.get("Error", {}).get("Code", ""))


def missing(bucket: str, key: str) -> StoreError:
    """The error for an object that the catalogue names and the store lacks."""
    return StoreError(
        found=f"bucket {bucket} has no object {key}",
        expected="the file that the catalogue names",
        action="restore it from the bucket's replica or backup; 'python -m include.lifecycle reconcile' lists what is missing",
    )


def _unreadable(refusal, bucket: str, key: str) -> Exception:
    code = code_of(refusal)
    if code in ("NoSuchKey", "404"):
        return missing(bucket, key)
    if code == "InvalidObjectState":
        return NotRestoredError(
            found="the file lies frozen in the archive",
            expected="a restored copy",
            action="retrieve it with a restore, which asks the store and polls",
        )
    return refusal


def keys_below(s3, bucket: str, prefix: str) -> list[str]:
    """Keys that are ``prefix`` or begin with it: an object and what is written beside it."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    return sorted(
        {found["Key"] for page in pages for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))}
    )


class RangeReader(io.RawIOBase):
    """A seekable view of an object that fetches only what is read: a Parquet footer and the row groups asked for."""

    def __init__(self, s3, bucket: str, key: str) -> None:
        super().__init__()
        stored = look(s3, bucket, key)
        if stored is None:
            raise missing(bucket, key)
        self._s3, self._bucket, self._key, self._size, self._at = s3, bucket, key, stored.bytes, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer) -> int:
        from botocore.exceptions import ClientError

        end = min(self._at + len(buffer), self._size)
        if end <= self._at:
            return 0
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=self._key, Range=f"bytes={self._at}-{end - 1}")[
                "Body"
            ].read()
        except ClientError as refusal:
            raise _unreadable(refusal, self._bucket, self._key) from refusal
        buffer[: len(body)] = body
        self._at += len(body)
        return len(body)
