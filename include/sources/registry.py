"""Which sources there are: ``sources.yml``, read strictly. Adding a source is an entry there, not code.

sources:
  - name: hospital_a              # lower case letters, digits, single underscores
    kind: fhir_bulk               # one of KINDS
    path: exports/hospital_a      # relative to this file, or absolute
    required: true                # a night without it is red; default false
    max_age_days: 2               # older than that is stale; default: never
    timezone: America/New_York    # of times that carry none; default UTC
    contract: hospital_a.yml      # kinds that read tables only; relative to this file
    files: ["*.ndjson.gz"]        # only these, by name; default: every file of the kind
    delivered_at: 2026-11-22      # when the files were made, where neither manifest nor file times tell
    max_record_bytes: 16777216    # a longer record is refused

Kinds dicom, hl7v2 and clinical_notes have words besides: see the heads of include/sources/dicom_files.py, hl7v2/files.py and
clinical_notes.py.
Kinds that are asked over a network (fhir_api, database) have no path and no files but words of their own: the heads of
include/sources/fhir_api.py and database.py show them.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from include.errors import PlumblineError
from include.sources.contracts import Contract, ContractError, load_contract
from include.sources.declared import Complaints, read_yaml

MAX_RECORD_BYTES = 16 << 20
MAX_TABLE_NAME = 54  # 'source__table'; partitions add nine characters, and Postgres takes 63
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_TAKEN = {"marts"}
_COMMON = {"name", "kind", "path", "required", "max_age_days", "timezone", "files", "delivered_at", "max_record_bytes"}


class SourcesError(PlumblineError):
    """sources.yml does not say what it must, or says what the platform does not know."""


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of sources.yml. ``timezone`` names the zone of times that carry none; ages are whole days."""

    name: str
    kind: str
    path: Path
    required: bool = False
    max_age_days: int | None = None
    timezone: str = "UTC"
    contract: Contract | None = None
    files: tuple[str, ...] = ()
    delivered_at: datetime | None = None
    max_record_bytes: int = MAX_RECORD_BYTES
    options: Any = None  # what a kind of its own words makes of them

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the source's own clock."""
        return ZoneInfo(self.timezone)


def kinds() -> dict[str, ModuleType]:
    """Kind word of sources.yml -> the module that lists and reads such files.

    Every module has the same face: ``HAS_CONTRACT`` (tables only), ``PLACE_WORD`` (what a place counts),
    ``list_files(source) -> Listing`` and ``read(source, open_stream, file) -> Iterator[Item]``. A kind with words of its own
    in sources.yml has ``WORDS`` and ``read_options(entry, where, folder, complaints)``; one that is asked over a network has
    ``pull`` besides (include/sources/pulling.py) and no path.
    """
    from include.sources import clinical_notes, csv_files, database, dicom_files, fhir_api, fhir_bulk, fhir_bundles
    from include.sources.hl7v2 import files as hl7v2

    return {
        "fhir_bulk": fhir_bulk,
        "fhir_bundles": fhir_bundles,
        "csv": csv_files,
        "clinical_notes": clinical_notes,
        "dicom": dicom_files,
        "hl7v2": hl7v2,
        "fhir_api": fhir_api,
        "database": database,
    }


def reader_of(source: Source) -> ModuleType:
    """The module that lists and reads the source's files."""
    return kinds()[source.kind]


def load_sources(path: Path) -> tuple[Source, ...]:
    """Read ``sources.yml`` and every contract it names.

    Raises SourcesError with everything that is wrong at once, in it and in the contracts.
    """
    path = Path(path)
    declared = read_yaml(path, SourcesError)
    complaints = Complaints(path)
    complaints.refuse_unknown("top level", declared, {"sources", "owner"})
    entries = declared.get("sources")
    if not isinstance(entries, list) or not entries:
        complaints.add("'sources' is not a list with at least one source")
        entries = []
    sources = [_read_entry(entry, number, path.parent, complaints) for number, entry in enumerate(entries, 1)]
    names = Counter(
        entry["name"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("name"), str)
    )
    for name in sorted(name for name, times in names.items() if times > 1):
        complaints.add(f"{names[name]} sources are named {name}")
    if complaints.elsewhere and len(complaints.found) > len(complaints.elsewhere):
        complaints.elsewhere.add(path.name)
    complaints.raise_any(SourcesError, expected="sources as the head of include/sources/registry.py shows them")
    return tuple(source for source in sources if source)


def make_source(entry: dict[str, Any], folder: Path, said_by: str) -> Source:
    """One source from the words of an entry, checked as sources.yml is. ``said_by`` is what a person corrects.

    Raises SourcesError with everything that is wrong.
    """
    complaints = Complaints(Path(said_by))
    source = _read_entry(entry, 1, folder, complaints)
    complaints.raise_any(
        SourcesError, expected="the words of a source as the head of include/sources/registry.py shows"
    )
    return source


def find_source(sources: tuple[Source, ...], name: str) -> Source:
    """The source of that name. Raises SourcesError where there is none."""
    for source in sources:
        if source.name == name:
            return source
    raise SourcesError(
        found=f"no source is named {name}",
        expected=f"one of {', '.join(source.name for source in sources)}",
        action="correct the name, or add the source to sources.yml",
    )


def _read_entry(entry: Any, number: int, folder: Path, complaints: Complaints) -> Source | None:
    if not isinstance(entry, dict):
        complaints.add(f"source {number} is not a mapping")
        return None
    name = entry.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > 30:
        complaints.add(
            f"source {number}: its name is not of lower case letters, digits and single underscores, 30 at most"
        )
        return None
    where, before = f"source {name}", len(complaints.found)
    if name in _TAKEN:
        complaints.add(f"{where}: results and scores of the marts stand under that name; choose another")
    kind = entry.get("kind")
    if kind not in kinds():
        complaints.choice(f"{where}: kind", kind, tuple(kinds()))
        return None
    reader = kinds()[kind]
    has_contract, has_path = reader.HAS_CONTRACT, not hasattr(reader, "pull")
    known = (_COMMON if has_path else _COMMON - {"path", "files", "delivered_at"}) | getattr(reader, "WORDS", set())
    complaints.refuse_unknown(where, entry, known | ({"contract"} if has_contract else set()))
    values = _read_values(entry, where, complaints)
    if has_path and (not isinstance(entry.get("path"), str) or not entry["path"]):
        complaints.add(f"{where}: 'path' is missing")
    if has_contract and not isinstance(entry.get("contract"), str):
        complaints.add(f"{where}: 'contract' is missing; kind {kind} reads what a contract declares")
    if hasattr(reader, "read_options"):
        values["options"] = reader.read_options(entry, where, folder, complaints)
    if len(complaints.found) > before:
        return None
    contract = _read_contract(folder / entry["contract"], where, complaints) if has_contract else None
    if contract and hasattr(reader, "fit_contract"):
        contract = reader.fit_contract(contract, where, complaints)
    for table in contract.tables if contract else ():
        if len(name) + 2 + len(table.name) > MAX_TABLE_NAME:
            complaints.add(
                f"{where}: its name and that of table {table.name} are over {MAX_TABLE_NAME - 2} characters together"
            )
    return Source(name=name, kind=kind, path=folder / entry.get("path", ""), contract=contract, **values)


def _read_contract(path: Path, where: str, complaints: Complaints) -> Contract | None:
    """The contract; one that cannot be used is a complaint among the others, so that nobody has to ask twice."""
    try:
        return load_contract(path)
    except ContractError as problem:
        complaints.add(f"{where}: {problem.found}")
        complaints.elsewhere.add(path.name)
        return None


def _read_values(entry: dict, where: str, complaints: Complaints) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if isinstance(entry.get("required", False), bool):
        values["required"] = entry.get("required", False)
    else:
        complaints.add(f"{where}: 'required' is neither true nor false")
    for word, least in (("max_age_days", 0), ("max_record_bytes", 1024)):
        number = entry.get(word)
        if number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            complaints.add(f"{where}: '{word}' is not a whole number from {least}")
        values[word] = number
    files = entry.get("files", [])
    files = [files] if isinstance(files, str) else files
    if not isinstance(files, list) or not all(isinstance(name, str) and name for name in files):
        complaints.add(f"{where}: 'files' is not a list of file name patterns")
        files = []
    values["files"] = tuple(files)
    values["timezone"] = _read_zone(entry.get("timezone", "UTC"), where, complaints)
    values["delivered_at"] = _read_moment(entry.get("delivered_at"), where, values["timezone"], complaints)
    return values


def _read_zone(name: Any, where: str, complaints: Complaints) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        complaints.add(f"{where}: timezone '{name}' is not the name of a time zone, such as America/New_York")
        return "UTC"
    return name


def _read_moment(value: Any, where: str, zone: str, complaints: Complaints) -> datetime | None:
    """YAML gives a date, a datetime or a text; a moment without a zone is the source's own."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if value is not None and not isinstance(value, datetime):
        complaints.add(f"{where}: 'delivered_at' is not a date or a time in ISO form")
        return None
    if value is not None and value.tzinfo is None:
        value = value.replace(tzinfo=ZoneInfo(zone))
    return value.astimezone(UTC) if value else None
