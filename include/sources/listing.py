"""What a source's folder holds tonight: which files to land, what each is, and what should be there but is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

OpenStream = Callable[[], BinaryIO]  # every call begins at the first byte again


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a delivery.

    ``role``: data (records), deleted (deletions only), manifest (says what the others are). ``dataset``: 'resource' for
    documents, the table's name for rows, None where no record comes of it. ``ordinal`` of ``total`` is how people call
    the file: its own name may be a patient's.
    """

    path: Path
    role: str = "data"
    dataset: str | None = "resource"
    resource_type: str | None = None
    is_gzip: bool = False
    file_type: str = ""
    ordinal: int = 0
    total: int = 0

    @property
    def label(self) -> str:
        """For example 'file 3 of 115 (.json.gz)'."""
        return f"file {self.ordinal} of {self.total} ({self.file_type or 'no extension'})"

    def hint(self) -> dict[str, str | bool | None]:
        """What a reader needs of it later and is not personal: no path, no name."""
        known = asdict(self)
        return {word: known[word] for word in ("role", "dataset", "resource_type", "is_gzip")}


@dataclass(frozen=True, slots=True)
class Landed:
    """What a reader is told of a file that is in landing: SourceFile without its path."""

    role: str = "data"
    dataset: str | None = "resource"
    resource_type: str | None = None
    is_gzip: bool = False
    name: str | None = (
        None  # below the source's folder; only for readers that have NEEDS_NAME, for it may be a patient's
    )

    @classmethod
    def from_hint(cls, hint: dict) -> Landed:
        """From ``lifecycle.landing_object.hint``."""
        return cls(
            **{word: hint.get(word) for word in ("role", "dataset", "resource_type")}, is_gzip=bool(hint.get("is_gzip"))
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """A delivery: its files in a fixed order, how many files hold no records of the kind, and what is announced but absent.

    ``absent`` names only what looks like a type or table; ``delivered_at`` is what a manifest says.
    """

    files: tuple[SourceFile, ...] = ()
    ignored: int = 0
    absent: tuple[str, ...] = ()
    delivered_at: datetime | None = None
    notes: tuple[str, ...] = field(default=())


_EXTENSIONS = re.compile(r"(\.[A-Za-z0-9]{1,8}(?:\.gz)?|\.gz)$", re.IGNORECASE)
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".filepart", "~")


def file_type(name: str) -> str:
    """The extension as received, which tells no name: '.ndjson.gz' of 'Patient.000.ndjson.gz'; '' where there is none."""
    found = _EXTENSIONS.search(name)
    kind = found.group(1).lower() if found else ""
    return kind if kind.removesuffix(".gz") in _KNOWN_TYPES else (".gz" if kind.endswith(".gz") else "")


_KNOWN_TYPES = {
    ".ndjson",
    ".json",
    ".jsonl",
    ".csv",
    ".tsv",
    ".txt",
    ".psv",
    ".dat",
    ".hl7",
    ".dcm",
    ".xml",
    ".html",
    ".htm",
    ".rtf",
    ".pdf",
}


def walk_files(folder: Path, patterns: Iterable[str] = ()) -> tuple[list[Path], int]:
    """Files below ``folder`` in the order of their paths, and how many were passed over.

    Hidden files, names a copying program gives to unfinished files, and names that match none of ``patterns`` are
    passed over; links are followed to files but not to folders.
    """
    taken, passed_over = [], 0
    patterns = tuple(patterns)
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        if not path.is_file():
            continue
        inside = path.relative_to(folder).as_posix() if folder.is_dir() else path.name
        is_hidden = any(part.startswith(".") for part in inside.split("/"))
        is_wanted = not patterns or any(fnmatchcase(inside, p) or fnmatchcase(path.name, p) for p in patterns)
        if is_hidden or path.name.lower().endswith(_UNFINISHED) or not is_wanted:
            passed_over += 1
        else:
            taken.append(path)
    return taken, passed_over


def number(files: Iterable[SourceFile]) -> tuple[SourceFile, ...]:
    """Give every file its ordinal, in the order given."""
    files = tuple(files)
    return tuple(replace(file, ordinal=place, total=len(files)) for place, file in enumerate(files, 1))
