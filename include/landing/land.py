"""Landing: what a source delivers comes into the landing bucket as received, encrypted, named by its hash, once."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from threading import Lock
from typing import Any, BinaryIO

import psycopg

from include.landing import catalogue, delivery, pulls
from include.landing.catalogue import NewObject, SourceState
from include.landing.encryption import Decrypted, encrypt, seal_name
from include.landing.manifests import describe_batch, write_manifest
from include.landing.object_store import Upload, abandon_uploads, look_up, open_store, read_blocks
from include.live.landing import LiveArrivals, land_live, listens
from include.nights import step
from include.settings import Settings
from include.sources.listing import Listing, SourceFile
from include.sources.pulling import Pulled
from include.sources.registry import Source, find_source, load_sources, reader_of
from include.warehouse.connect import connect
from include.warehouse.tables import ensure_tables

_FILES_AT_ONCE = 4
_HASH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LandResult:
    """How landing a source went: contents new and known, bytes received anew, and what is wrong with the delivery.

    ``left`` counts files that could not be read whole and wait for the next night.
    """

    objects_new: int
    objects_known: int
    bytes: int
    missing: bool
    stale_days: int | None
    left: int = 0


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A file after its turn: landed anew (``new``), known, or left with the reason."""

    file: SourceFile
    sha256: str = ""
    bytes: int = 0
    written_at: datetime | None = None
    new: NewObject | None = None
    left_because: str | None = None


class _ChangedError(Exception):
    """A file was written to while it was read."""


def land_source(source_name: str, night: date, settings: Settings | None = None) -> LandResult:
    """Bring tonight's delivery of a source into landing. Running it again brings only what is new.

    A file that changes while it is read is left to the next night, and said. Raises SourcesError, ObjectStoreError or
    KeyringError.
    """
    settings = settings or Settings.from_environment(os.environ)
    sources = load_sources(settings.sources_file)
    source = find_source(sources, source_name)
    with step(night, "land", source.name, settings=settings) as progress:
        ensure_tables(sources, settings)
        with connect("loader", "hot", settings) as hot:
            _wait_for_turn(hot, source.name)
            result = _land(source, night, settings, hot, progress.count)
        progress.count(objects_new=result.objects_new, objects_known=result.objects_known, bytes=result.bytes)
    return result


def open_object(sha256: str, source: str, settings: Settings | None = None) -> BinaryIO:
    """An object of landing as the bytes once received: a stream that decrypts as it is read.

    Raises LandingError, also at the stream's end, where the object is not what its name says.
    """
    from include.privacy.keyring import load_keyring

    settings = settings or Settings.from_environment(os.environ)
    identity = load_keyring(settings.keyring_dir).landing_identity
    with connect("loader", "hot", settings) as hot:
        landed = catalogue.find_object(hot, source, sha256)
    blocks = partial(read_blocks, open_store(settings), settings.bucket_landing, landed.object_key)
    return io.BufferedReader(Decrypted(blocks, identity, landed.content_sha256), 1 << 18)


def _wait_for_turn(hot: psycopg.Connection, source: str) -> None:
    """One landing of a source at a time: two would both upload what is new."""
    hot.execute("select pg_advisory_lock(hashtext('land'), hashtext(%s))", [source])
    hot.commit()


def _land(
    source: Source, night: date, settings: Settings, hot: psycopg.Connection, count: Callable[..., None]
) -> LandResult:
    """Land a folder's files; of a source that is asked over a network, those that its pull brought."""
    with pulls.fetch(source, night, settings, hot, count) as fetched:
        source = fetched.source if fetched else source
        result = _land_files(source, night, settings, hot, count, fetched)
    if fetched and not result.left:
        fetched.tidy()
    return result


def _land_files(
    source: Source,
    night: date,
    settings: Settings,
    hot: psycopg.Connection,
    count: Callable[..., None],
    fetched: pulls.Fetched | None,
) -> LandResult:
    from include.lifecycle.policy import load_retention
    from include.lifecycle.store import require_regions
    from include.privacy.keyring import load_keyring

    listing = reader_of(source).list_files(source) if source.path.exists() else Listing()
    store, bucket = open_store(settings), settings.bucket_landing
    # Which classes a delivery holds is known once it is read; it must not lie where any of them may not.
    require_regions(store, bucket, load_retention().rules)
    abandon_uploads(store, bucket, f"objects/{source.name}/")
    live = land_live(source, night, hot, store, bucket, load_keyring(settings.keyring_dir))
    known = catalogue.known_contents(hot, source.name)
    hot.commit()
    with _pools() as (files, parts):
        lander = _Lander(source, store, bucket, parts, load_keyring(settings.keyring_dir).landing_recipient, known)
        arrivals = []
        for arrival in files.map(lander.land, listing.files):
            arrivals.append(arrival)
            count(files=len(arrivals), of=len(listing.files), bytes=sum(a.bytes for a in arrivals if a.new))
    return _record(source, night, settings, hot, store, listing, arrivals, known, fetched, live)


@contextmanager
def _pools() -> Iterator[tuple[ThreadPoolExecutor, ThreadPoolExecutor]]:
    """Threads for files and, apart from them, for parts of large files; what waits is dropped on an error."""
    files, parts = ThreadPoolExecutor(_FILES_AT_ONCE), ThreadPoolExecutor(_FILES_AT_ONCE)
    try:
        yield files, parts
    finally:
        files.shutdown(cancel_futures=True)
        parts.shutdown(cancel_futures=True)


def _record(
    source: Source,
    night: date,
    settings: Settings,
    hot: psycopg.Connection,
    store: Any,
    listing: Listing,
    arrivals: list[_Arrival],
    known: dict[str, date],
    fetched: pulls.Fetched | None,
    live: LiveArrivals,
) -> LandResult:
    """Write everything down in one transaction: before it, nobody sees that anything arrived."""
    new = {arrival.sha256: arrival.new for arrival in arrivals if arrival.new}
    arrivals = [_settle(arrival, new.keys() | known.keys()) for arrival in arrivals]
    whole = [arrival for arrival in arrivals if not arrival.left_because]
    tonight = {sha256 for sha256, first in known.items() if first == night} | new.keys()
    state = _state(source, night, listing, arrivals, tonight, fetched.pulled if fetched else None, live)
    with hot.transaction():
        catalogue.add_objects(hot, source.name, night, new.values())
        catalogue.record_state(hot, source.name, night, state)
        if fetched and len(whole) == len(arrivals):
            fetched.write_down(hot)
        for dataset, objects in catalogue.waiting_objects(hot, source.name, night).items():
            write_manifest(store, settings, describe_batch(source.name, dataset, night, objects))
    return LandResult(
        objects_new=len(new) + live.objects,
        objects_known=len(whole) - len(new),
        bytes=sum(arrival.bytes_received for arrival in new.values()) + live.bytes,
        missing=state.missing,
        stale_days=state.age_days if state.stale else None,
        left=len(arrivals) - len(whole),
    )


def _state(
    source: Source,
    night: date,
    listing: Listing,
    arrivals: list[_Arrival],
    tonight: set[str],
    pulled: Pulled | None,
    live: LiveArrivals,
) -> SourceState:
    """What the night says of the source. ``tonight`` are the contents that came first on this night."""
    whole = [arrival for arrival in arrivals if not arrival.left_because]
    contents = {arrival.sha256 for arrival in whole}
    moments = [arrival.written_at for arrival in whole] + ([live.newest_at] if live.newest_at else [])
    delivered_at = delivery.delivery_time(source, listing, moments)
    if pulled and not listing.delivered_at:
        delivered_at = pulled.delivered_at
    age_days = delivery.age_in_days(delivered_at, night, source)
    # A server that answers and has nothing new is no missing source, nor is a feed that was heard before.
    is_there = pulled.reached or tonight if pulled else live.newest_at or any(each.file.dataset for each in whole)
    return SourceState(
        kind=source.kind,
        required=source.required,
        missing=not is_there,
        stale=delivery.is_stale(age_days, source.max_age_days),
        delivered_at=delivered_at,
        age_days=age_days,
        max_age_days=source.max_age_days,
        files_new=len(tonight) if pulled or listens(source) else len(contents & tonight),
        files_known=len(whole) - len(contents & tonight),
        notes=(*_notes(source, listing, arrivals), *_pull_notes(pulled), *_date_notes(delivered_at, night)),
    )


def _settle(arrival: _Arrival, landed: set[str]) -> _Arrival:
    """A file that counted on another with the same content shares its fate."""
    if arrival.left_because or arrival.sha256 in landed:
        return arrival
    return replace(arrival, left_because="has the content of a file that was written to while it was read")


def _notes(source: Source, listing: Listing, arrivals: list[_Arrival]) -> Iterator[dict]:
    """What people should know about the delivery; files are called by their number, since names may be patients'."""
    if not source.path.exists() and not listens(source):
        yield {"code": "no_path", "level": "amber", "text": "the source's path is not there"}
    for arrival in arrivals:
        if arrival.left_because:
            text = f"{arrival.file.label} {arrival.left_because}; left to the next night"
            yield {"code": "file_left", "level": "amber", "text": text}
    for name in listing.absent:
        yield {"code": "announced_but_absent", "level": "amber", "text": f"no file of {name}, which should be there"}
    for text in listing.notes:
        yield {"code": "delivery", "level": "amber", "text": text}
    if listing.ignored:
        yield {"code": "ignored", "level": "info", "text": f"{listing.ignored} files that hold no records of this kind"}


def _date_notes(delivered_at: datetime | None, night: date) -> Iterator[dict]:
    if delivery.is_from_the_future(delivered_at, night, datetime.now(UTC).date()):
        text = (
            "the delivery is dated into the future, so that its age cannot be told; have the source's clock corrected"
        )
        yield {"code": "future_delivery", "level": "amber", "text": text}


def _pull_notes(pulled: Pulled | None) -> Iterator[dict]:
    """What people should know about the asking."""
    for text in pulled.notes if pulled else ():
        yield {"code": "pull", "level": "amber", "text": text}
    for name in pulled.absent if pulled else ():
        yield {"code": "announced_but_absent", "level": "amber", "text": f"{name} was asked for and did not come whole"}


class _Lander:
    """Brings single files into the bucket; used by several threads at once."""

    def __init__(
        self, source: Source, store: Any, bucket: str, parts: ThreadPoolExecutor, recipient: str, known: dict[str, date]
    ) -> None:
        self.source, self.store, self.bucket, self.parts = source, store, bucket, parts
        self.recipient, self.known = recipient, known
        self.claimed: set[str] = set()
        self.lock = Lock()
        # Objects of a run that died are recognised by whom they are encrypted for.
        self.recipient_mark = hashlib.sha256(recipient.encode()).hexdigest()[:16]

    def land(self, file: SourceFile) -> _Arrival:
        """Hash a file and, where its content is new, encrypt and upload it."""
        try:
            with file.path.open("rb") as stream:
                before = _state_of(stream)
                sha256 = _hash(stream)
                if _state_of(stream) != before:
                    raise _ChangedError
                new = self._land_new(file, stream, sha256, before) if self._is_first(sha256) else None
        except _ChangedError:
            return _Arrival(file, left_because="was written to while it was read")
        except (FileNotFoundError, PermissionError, IsADirectoryError) as problem:
            return _Arrival(file, left_because=f"cannot be read ({type(problem).__name__})")
        return _Arrival(file, sha256, before[0], delivery.written_at(before[1]), new)

    def _is_first(self, sha256: str) -> bool:
        """True once for every content that the source never delivered before."""
        with self.lock:
            if sha256 in self.known or sha256 in self.claimed:
                return False
            self.claimed.add(sha256)
            return True

    def _land_new(self, file: SourceFile, stream: BinaryIO, sha256: str, before: tuple[int, int]) -> NewObject:
        key = catalogue.object_key(self.source.name, sha256)
        held = look_up(self.store, self.bucket, key)
        is_ours = held is not None and held.metadata.get("recipient") == self.recipient_mark
        stored = held.bytes if is_ours else self._upload(stream, key, sha256, before)
        name = os.path.relpath(file.path, self.source.path if self.source.path.is_dir() else self.source.path.parent)
        return NewObject(
            sha256=sha256,
            file_type=file.file_type,
            hint={**file.hint(), "ordinal": file.ordinal, "of": file.total},
            name_sealed=seal_name(name, self.recipient),
            bytes_received=before[0],
            bytes_stored=stored,
            delivered_at=delivery.written_at(before[1]),
        )

    def _upload(self, stream: BinaryIO, key: str, sha256: str, before: tuple[int, int]) -> int:
        stream.seek(0)
        reader = _Hashing(stream)
        upload = Upload(self.store, self.bucket, key, {"recipient": self.recipient_mark}, self.parts)
        try:
            encrypt(reader, upload, self.recipient)
            if reader.digest.hexdigest() != sha256 or _state_of(stream) != before:
                raise _ChangedError
            return upload.finish().bytes
        except BaseException:
            upload.abandon()
            raise


class _Hashing:
    """A stream that hashes what is read from it, so that what was uploaded is what was named."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.digest = stream, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self.stream.read(size)
        self.digest.update(block)
        return block


def _state_of(stream: BinaryIO) -> tuple[int, int]:
    """Size and time of the last write, in nanoseconds: they change when a file is written to."""
    state = os.fstat(stream.fileno())
    return state.st_size, state.st_mtime_ns


def _hash(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := stream.read(_HASH_BYTES):
        digest.update(block)
    return digest.hexdigest()
