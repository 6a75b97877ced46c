"""Kind clinical_notes: a file a note, as text, HTML, RTF, C-CDA or PDF; each becomes a DocumentReference with the file attached.

  - name: scans
    kind: clinical_notes
    path: notes
    patient_id:                                   # where a note says whose it is; one of:
      file_name: "(?P<patient>[0-9]+)_(?P<date>[0-9]{8})"   #   groups of the file's name; date may be left out
      header: MRN                                 #   a line 'MRN: 123' among the note's first thirty
      manifest: notes.csv                         #   columns file and patient_id; document_id, date, type_code and encounter_id may be there
    identifier_system: urn:oid:1.2.3.4            # whose numbers they are: the note's patient is the one who bears that number elsewhere
    type: {system: http://loinc.org, code: 11506-3, display: Progress note}    # of every note; default: not told

The attachment is sealed whole like every other; its text without identifiers is made later in the night. A manifest is read
from the source's folder when its notes are loaded, and lists files by their path below it.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import orjson

from include.privacy.text.attachments import UnreadableError, read_attachment
from include.sources.byte_stream import read_blocks
from include.sources.declared import Complaints
from include.sources.items import Item, broken, refuse
from include.sources.listing import Landed, Listing, OpenStream, SourceFile, file_type, number, walk_files
from include.sources.resource_checks import judge_resource

if TYPE_CHECKING:
    from include.sources.registry import Source

HAS_CONTRACT = False
NEEDS_NAME = True
WORDS = frozenset({"patient_id", "identifier_system", "type"})
_NOTE_NAME = re.compile(r".*\.(?:txt|text|html?|rtf|xml|pdf)(?:\.gz)?", re.IGNORECASE)
_MEDIA = {
    "txt": "text/plain", "text": "text/plain", "html": "text/html", "htm": "text/html", "rtf": "application/rtf", "xml": "text/xml", "pdf": "application/pdf",
}  # fmt: skip
_PLACES = ("file_name", "header", "manifest")
_HEADER_LINES = 30
_ID = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?")
_TYPE_WORDS = {"system", "code", "display"}


@dataclass(frozen=True, slots=True)
class Options:
    """The words of sources.yml that only this kind knows, read. ``place`` is one of file_name, header, manifest."""

    place: str
    said: str
    identifier_system: str | None = None
    type: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _About:
    """What is told of a note beside its bytes."""

    patient: str | None = None
    document: str | None = None
    day: str | None = None
    type_code: str | None = None
    encounter: str | None = None


def place_word(file: Landed) -> str:
    """What ``place`` counts in such a file: its patient is part 1, the note part 2."""
    return "part"


def read_options(entry: dict, where: str, folder: Path, complaints: Complaints) -> Options:
    """The words that only this kind knows."""
    said = entry.get("patient_id")
    if not isinstance(said, dict) or len(said) != 1 or next(iter(said)) not in _PLACES:
        complaints.add(f"{where}: 'patient_id' does not say one of {', '.join(_PLACES)}")
        return Options("header", "")
    ((place, value),) = said.items()
    if not isinstance(value, str) or not value:
        complaints.add(f"{where}: 'patient_id.{place}' is no text")
        value = ""
    if place == "file_name" and not _names_patient(value):
        complaints.add(f"{where}: 'patient_id.file_name' is no regular expression with a group (?P<patient>…)")
    system = entry.get("identifier_system")
    if system is not None and (not isinstance(system, str) or ":" not in system):
        complaints.add(f"{where}: 'identifier_system' is no URI")
    kind = entry.get("type")
    if kind is not None and (
        not isinstance(kind, dict) or set(kind) - _TYPE_WORDS or not isinstance(kind.get("code"), str)
    ):
        complaints.add(f"{where}: 'type' has not a code, and system and display where they are known")
        kind = None
    return Options(place, value, system, kind)


def _names_patient(pattern: str) -> bool:
    try:
        return "patient" in re.compile(pattern).groupindex
    except re.error:
        return False


def patient_id(known_as: str) -> str:
    """What records call a person whom notes know by this number."""
    return _id_of(known_as)


def list_files(source: Source) -> Listing:
    """Every file of the folder whose name may be a note's, by path; the manifest first."""
    paths, passed_over = walk_files(source.path, source.files)
    options: Options = source.options
    manifests = [path for path in paths if options.place == "manifest" and path == _manifest_of(source)]
    notes = [path for path in paths if path not in manifests and _NOTE_NAME.fullmatch(path.name)]
    files = [SourceFile(path, "manifest", None, file_type=file_type(path.name)) for path in manifests]
    files += [
        SourceFile(path, is_gzip=path.name.lower().endswith(".gz"), file_type=file_type(path.name)) for path in notes
    ]
    absent = (options.said,) if options.place == "manifest" and not _manifest_of(source).is_file() else ()
    return Listing(files=number(files), ignored=passed_over + len(paths) - len(files), absent=absent)


def _manifest_of(source: Source) -> Path:
    return source.path / source.options.said


def read(source: Source, open_stream: OpenStream, file: Landed | SourceFile) -> Iterator[Item]:
    """Yield the Patient (where the source says whose numbers its ids are) and the DocumentReference of a note.

    A note that does not say whose it is becomes a Reject. Raises BrokenContainerError on an empty file or one that cannot
    be unpacked or is over the limit.
    """
    data = _read_whole(open_stream, file, source.max_record_bytes)
    name = _name_of(source, file)
    about = _about(source, name, data)
    if about.patient is None or not _ID.fullmatch(about.patient):
        yield refuse(2, "no_patient_id", data, resource_type="DocumentReference")
        return
    options: Options = source.options
    if options.identifier_system:
        yield _judge(1, _patient(about.patient, options.identifier_system))
    yield _judge(2, _document(about, name, data, options))


def _judge(place: int, resource: dict[str, Any]) -> Item:
    return judge_resource(place, orjson.dumps(resource), resource, None)


def _read_whole(open_stream: OpenStream, file: Landed | SourceFile, most: int) -> bytes:
    parts, size = [], 0
    with open_stream() as stream:
        for block in read_blocks(stream, is_named_gzip=file.is_gzip):
            parts.append(block)
            size += len(block)
            if size > most * 3 // 4:  # as base64 it must still be a record within the limit
                raise broken("over_long_note")
    data = b"".join(parts)
    if not data.strip():
        raise broken("truncated_file", found="an empty file")
    return data


def _name_of(source: Source, file: Landed | SourceFile) -> str:
    """The path below the source's folder, with '/' between its parts."""
    if isinstance(file, SourceFile):
        return file.path.relative_to(source.path).as_posix() if source.path.is_dir() else file.path.name
    return (file.name or "").replace("\\", "/")


def _about(source: Source, name: str, data: bytes) -> _About:
    options: Options = source.options
    if options.place == "file_name":
        return _from_name(options.said, name)
    if options.place == "header":
        return _from_header(options.said, data, name)
    manifest = _manifest_of(source)
    stamp = manifest.stat().st_mtime_ns if manifest.is_file() else 0
    return _read_manifest(manifest, stamp).get(name, _About())


def _from_name(pattern: str, name: str) -> _About:
    found = re.search(pattern, PurePosixPath(name).name) or re.search(pattern, name)
    if not found:
        return _About()
    told = found.groupdict()
    return _About(told.get("patient"), told.get("document"), told.get("date"), None, told.get("encounter"))


def _from_header(header: str, data: bytes, name: str) -> _About:
    """Headers are looked for in the text that the attachment shows, whatever its form."""
    try:
        text = read_attachment(data, _media_of(name)).text
    except UnreadableError:
        return _About()
    lines = text.split("\n", _HEADER_LINES)[:_HEADER_LINES]
    pattern = re.compile(
        rf"\s*{re.escape(header)}\s*[:=#]\s*(\S[^\t|;,]{{0,80}}?)\s*(?:$|[\t|;,]|\s{{2}})", re.IGNORECASE
    )
    found = next(filter(None, map(pattern.match, lines)), None)
    day = re.compile(r"\s*(?:date|date of service|dos|visit date)\s*[:=]\s*(\S{8,25})", re.IGNORECASE)
    told = next(filter(None, map(day.match, lines)), None)
    return _About(found[1] if found else None, None, told[1] if told else None)


@lru_cache(maxsize=4)
def _read_manifest(path: Path, _: int) -> dict[str, _About]:
    """File -> what the manifest says of it; empty where there is no manifest with those columns."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    rows = csv.DictReader(io.StringIO(text))
    if not {"file", "patient_id"} <= set(rows.fieldnames or ()):
        return {}
    return {
        (row["file"] or "").replace("\\", "/"): _About(
            row["patient_id"] or None,
            row.get("document_id"),
            row.get("date"),
            row.get("type_code"),
            row.get("encounter_id"),
        )
        for row in rows
    }


def _patient(patient: str, system: str) -> dict[str, Any]:
    """Who bears the number: enough to meet the same person's records elsewhere."""
    return {"resourceType": "Patient", "id": _id_of(patient), "identifier": [{"system": system, "value": patient}]}


def _document(about: _About, name: str, data: bytes, options: Options) -> dict[str, Any]:
    document = about.document or hashlib.sha256(f"{about.patient}|{name}".encode()).hexdigest()[:32]
    resource: dict[str, Any] = {"resourceType": "DocumentReference", "id": _id_of(document), "status": "current"}
    resource["subject"] = {"reference": f"Patient/{_id_of(about.patient or '')}"}
    coding = dict(options.type or {})
    if about.type_code:
        coding = {"system": coding.get("system", "http://loinc.org"), "code": about.type_code}
    if coding:
        resource["type"] = {"coding": [coding]}
    if day := _day(about.day):
        resource["context"] = {"period": {"start": day}}
    if about.encounter:
        resource.setdefault("context", {})["encounter"] = [{"reference": f"Encounter/{_id_of(about.encounter)}"}]
    resource["content"] = [{"attachment": {"contentType": _media_of(name), "data": base64.b64encode(data).decode()}}]
    return resource


def _id_of(said: str) -> str:
    """The id as the source has it where FHIR allows it, else a hash of it: a reference may hold neither '/' nor spaces."""
    return said if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", said) else hashlib.sha256(said.encode()).hexdigest()[:40]


def _media_of(name: str) -> str:
    ending = name.lower().removesuffix(".gz").rpartition(".")[2]
    return _MEDIA.get(ending, "text/plain")


_DAYS = re.compile(r"(?P<y>\d{4})-?(?P<m>\d\d)-?(?P<d>\d\d)(?:T.*)?|(?P<one>\d{1,2})/(?P<two>\d{1,2})/(?P<year>\d{4})")


def _day(said: str | None) -> str | None:
    """A day in ISO form, of 20240131, 2024-01-31 or 01/31/2024 (months first where both could be)."""
    found = _DAYS.fullmatch(said or "")
    if not found:
        return None
    numbers = [int(found[name]) for name in (("y", "m", "d") if found["y"] else ("year", "one", "two"))]
    for year, month, day in (numbers, (numbers[0], numbers[2], numbers[1])):
        try:
            return date(year, month, day).isoformat()
        except ValueError:
            continue
    return None
