"""Files as a hospital delivers them, byte for byte the same each time, and what was put into them."""

import gzip
import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Self

COMPRESSION = 4
FLUSH_LINES = 2_000


class DeliveredFile:
    """A file being written line by line, packed where its name ends in .gz; knows its line number and, closed, its SHA-256."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.lines, self.sha256 = path, 0, ""
        self._raw = path.open("wb")
        # No name and no time inside, so that the same content packs to the same bytes.
        self._packed = gzip.GzipFile("", "wb", COMPRESSION, self._raw, mtime=0) if path.suffix == ".gz" else None
        self._waiting: list[bytes] = []

    def write(self, line: bytes) -> int:
        """Add a line (without its end) and return its number, from 1."""
        self._waiting.append(line)
        self.lines += 1
        if len(self._waiting) >= FLUSH_LINES:
            self._flush()
        return self.lines

    def _flush(self) -> None:
        if self._waiting:
            (self._packed or self._raw).write(b"\n".join(self._waiting) + b"\n")
            self._waiting.clear()

    def close(self, *, keep_share: float = 1.0) -> None:
        """Finish the file; `keep_share` below 1 cuts its end off, as an interrupted transfer does."""
        self._flush()
        if self._packed:
            self._packed.close()
        self._raw.close()
        if keep_share < 1:
            os.truncate(self.path, int(self.path.stat().st_size * keep_share))
        self.sha256 = hash_file(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def pack(lines: Iterable[bytes]) -> bytes:
    """Return lines as one gzip file without name or time."""
    buffer = BytesIO()
    with gzip.GzipFile("", "wb", COMPRESSION, buffer, mtime=0) as packed:
        packed.write(b"".join(line + b"\n" for line in lines))
    return buffer.getvalue()


def stamp(path: Path, night: date, *, days_before: int = 0) -> None:
    """Set a file's time to an hour after midnight in New York (in winter) of a night, or of days before it: its delivery."""
    moment = datetime(night.year, night.month, night.day, 6, tzinfo=UTC) - timedelta(days=days_before)
    os.utime(path, (moment.timestamp(), moment.timestamp()))


@dataclass
class Counts:
    """What a night should count for one dataset: received = loaded + duplicate + quarantined."""

    received: int = 0
    duplicate: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)

    @property
    def loaded(self) -> int:
        """Records that should reach `raw`."""
        return self.received - self.duplicate - sum(self.quarantined.values())

    def as_dict(self) -> dict:
        """The counts as the answer key shows them."""
        return {
            "received": self.received,
            "loaded": self.loaded,
            "duplicate": self.duplicate,
            "quarantined": dict(sorted(self.quarantined.items())),
        }
