"""Kind fhir_bulk: a Bulk Data export, one file of NDJSON (packed or not) per resource type, with or without manifest.json.

The manifest, where there is one, says of which type a file is, which files hold deletions, and which should be there.
Without it a file's name says its type ('Patient.ndjson', 'Patient.000.ndjson.gz'); a name that says none is taken by
what its first lines hold. NDJSON that holds no resources (an export's log) is passed over and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import orjson

from include.sources.byte_stream import read_blocks, read_line_blocks
from include.sources.deletions import read_deletions
from include.sources.items import BrokenContainerError, Document, Item, Notice
from include.sources.listing import Landed, Listing, OpenStream, SourceFile, file_type, number, walk_files
from include.sources.resource_checks import judge_line
from include.sources.resource_types import as_type

if TYPE_CHECKING:
    from include.sources.registry import Source

HAS_CONTRACT = False
READS_LINES = True  # one resource a line: the loader may take lines as they are
MANIFEST_NAME = "manifest.json"
_MAX_MANIFEST_BYTES = 64 << 20
_NDJSON = re.compile(r".*\.(?:ndjson|jsonl)(?:\.gz)?", re.IGNORECASE)
_TYPED_NAME = re.compile(r"([A-Z][A-Za-z]+)(?:[._-].*)?\.(?:ndjson|jsonl)(?:\.gz)?")


def place_word(file: Landed) -> str:
    """What ``place`` counts in such a file."""
    return "deletion" if file.role == "deleted" else "line"


def list_files(source: Source) -> Listing:
    """The export's files: manifest first, then records, then deletions, each by path."""
    paths, passed_over = walk_files(source.path, source.files)
    manifests = [path for path in paths if path.name == MANIFEST_NAME]
    announced = _Announced.read(manifests)
    files = [_as_file(path, announced) for path in paths if path.name != MANIFEST_NAME]
    taken = [file for file in files if file]
    taken.sort(key=lambda file: file.role == "deleted")
    leading = [SourceFile(path, "manifest", None, file_type=".json") for path in manifests]
    some = f"{announced.errors} file{'s' if announced.errors > 1 else ''}"
    notes = [f"{some} of export errors announced by the manifest"] if announced.errors else []
    return Listing(
        files=number([*leading, *taken]),
        ignored=passed_over + len(files) - len(taken),
        absent=announced.absent({path.name for path in paths}),
        delivered_at=announced.made_at,
        notes=(*announced.problems, *notes),
    )


def read(source: Source, open_stream: OpenStream, file: Landed) -> Iterator[Item]:
    """Yield every line of an NDJSON file as a Document or a Reject, blank ones as one Notice.

    Raises BrokenContainerError where the file cannot be unpacked to its end.
    """
    if file.role == "deleted":
        yield from _read_deleted(source, open_stream, file)
        return
    loads, expected, place, blank = orjson.loads, file.resource_type, 0, 0
    with open_stream() as stream:
        blocks = read_blocks(stream, is_named_gzip=file.is_gzip)
        for lines, is_suspect in read_line_blocks(blocks, max_bytes=source.max_record_bytes):
            for line in lines:
                place += 1
                try:
                    resource = loads(line)
                    key = resource["id"]
                    if (
                        resource["resourceType"] == expected
                        and key.__class__ is str
                        and 0 < len(key) < 65
                        and key.isprintable()
                        and not is_suspect
                    ):
                        yield Document(place, line, resource)
                        continue
                except (ValueError, TypeError, LookupError):
                    pass
                if not _is_blank(line):
                    yield judge_line(place, line, expected)
                else:
                    blank += 1
    if blank:
        yield Notice("blank_line", blank)


def _is_blank(line: object) -> bool:
    return isinstance(line, bytes) and not line.strip()


def _read_deleted(source: Source, open_stream: OpenStream, file: Landed) -> Iterator[Item]:
    place = 0
    with open_stream() as stream:
        blocks = read_blocks(stream, is_named_gzip=file.is_gzip)
        for lines, _ in read_line_blocks(blocks, max_bytes=source.max_record_bytes):
            for line in lines:
                if _is_blank(line):
                    continue
                # A Bundle of deletions needs no id of its own.
                judged = judge_line(place + 1, line, "Bundle")
                bundle = _bundle_without_id(line, judged)
                items = read_deletions(bundle, place + 1) if bundle is not None else iter([judged])
                for item in items:
                    place = item.place
                    yield item


def _bundle_without_id(line: object, judged: Item) -> dict | None:
    if isinstance(judged, Document):
        return judged.resource
    if judged.reason_code in ("missing_id", "bad_id") and judged.resource_type == "Bundle":
        return orjson.loads(line)
    return None


class _Announced:
    """What the manifests of an export say about its files."""

    def __init__(self) -> None:
        self.roles: dict[str, tuple[str, str | None]] = {}
        self.made_at: datetime | None = None
        self.errors = 0
        self.problems: list[str] = []

    @classmethod
    def read(cls, manifests: list[Path]) -> _Announced:
        announced = cls()
        for path in manifests:
            try:
                announced._add(_parse_manifest(path))
            except BrokenContainerError as problem:
                announced.problems.append(str(problem))
        return announced

    def _add(self, manifest: dict) -> None:
        for word, role in (("output", "data"), ("deleted", "deleted"), ("error", "errors")):
            parts = manifest.get(word)
            for part in parts if isinstance(parts, list) else []:
                if isinstance(part, dict) and isinstance(part.get("url"), str):
                    # Any other word is told to people as the files' type, and might be anything.
                    said_type = as_type(part.get("type"))
                    self.roles[_bare_name(part["url"])] = (role, said_type)
                    self.errors += role == "errors"
        made_at = _read_time(manifest.get("transactionTime"))
        if made_at and (self.made_at is None or made_at > self.made_at):
            self.made_at = made_at

    def absent(self, present: set[str]) -> tuple[str, ...]:
        """Types of announced files that are not in the folder: a type is no name, a file's name may be."""
        there = {_bare_name(name) for name in present}
        missing = [(role, said) for name, (role, said) in self.roles.items() if name not in there and role != "errors"]
        return tuple(
            sorted(
                "deletions" if role == "deleted" else said or "a type that FHIR R4 does not have"
                for role, said in missing
            )
        )


def _bare_name(url: str) -> str:
    """The last part of a URL or path, without .gz: manifests name files as the server had them."""
    try:
        path = urlsplit(url).path
    except ValueError:  # no URL after all; what stands in it is still compared with names
        path = url
    return unquote(path.rsplit("/", 1)[-1]).removesuffix(".gz")


def _parse_manifest(path: Path) -> dict:
    try:
        if path.stat().st_size > _MAX_MANIFEST_BYTES:
            raise ValueError("too large")
        manifest = orjson.loads(path.read_bytes())
        if not isinstance(manifest, dict):
            raise ValueError("no object")
    except (OSError, ValueError) as cause:
        raise BrokenContainerError(
            found="manifest.json that is not the JSON object of a Bulk Data export",
            expected="the manifest that the export's status request returned",
            action="fetch it again; until then files are known by their names, and deletions by their folder",
            reason_code="malformed_manifest",
        ) from cause
    return manifest


def _read_time(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _as_file(path: Path, announced: _Announced) -> SourceFile | None:
    """What a file of the folder is, or None where it holds no resources."""
    role, said_type = announced.roles.get(_bare_name(path.name), (None, None))
    if role == "errors" or (role is None and not _NDJSON.fullmatch(path.name)):
        return None
    if role is None and path.parent.name == "deleted":
        role = "deleted"
    named = _TYPED_NAME.fullmatch(path.name)
    named_type = as_type(named and named.group(1))
    resource_type = None if role == "deleted" else said_type or named_type
    if role is None and resource_type is None and not _holds_resources(path):
        return None
    return SourceFile(
        path=path,
        role=role or "data",
        resource_type=resource_type,
        is_gzip=path.name.lower().endswith(".gz"),
        file_type=file_type(path.name),
    )


def _holds_resources(path: Path) -> bool:
    """True where one of the first lines is JSON with a resourceType."""
    try:
        with path.open("rb") as stream:
            blocks = read_blocks(stream, is_named_gzip=path.name.lower().endswith(".gz"))
            for lines, _ in islice(read_line_blocks(blocks, max_bytes=1 << 20), 1):
                return any(_has_type(line) for line in lines[:10])
    except BrokenContainerError:
        return True  # not to be passed over: the reader refuses it with its reason
    return False


def _has_type(line: object) -> bool:
    try:
        parsed = orjson.loads(line)
    except (orjson.JSONDecodeError, TypeError):
        return False
    return isinstance(parsed, dict) and isinstance(parsed.get("resourceType"), str)
