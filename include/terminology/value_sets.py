"""Value sets as people hold them: FHIR ValueSets (alone or in a Bundle, ``.json`` or ``.json.gz``) and CSV lists of codes.

Nothing here asks a server. A value set's codes are those of its expansion, else those its ``compose`` lists one by one; a
filter ("all descendants of …") cannot be followed here and is told as such.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

_MOST_BYTES = 512 * 1024 * 1024
_ENDINGS = (".json", ".json.gz", ".csv", ".csv.gz")


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A named set of codes. ``codes`` are (system, code) pairs; ``oid`` is the last part of the canonical address."""

    oid: str
    title: str
    version: str | None
    codes: frozenset[tuple[str, str]]
    listed_of: int | None = None  # how many the whole expansion has, where it says so


@dataclass(slots=True)
class Terminology:
    """Value sets by OID, and what of the files could not be used, in words without content."""

    value_sets: dict[str, ValueSet] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, found: ValueSet) -> None:
        """Keep a value set; of several under one OID, the one with the newest version."""
        known = self.value_sets.get(found.oid)
        if known is None or not known.codes or (found.codes and (found.version or "") > (known.version or "")):
            self.value_sets[found.oid] = found


def read_terminology(paths: Iterable[Path]) -> Terminology:
    """Read files, and folders with all files below them. Files that hold no value set are passed over with a problem told."""
    said = Terminology()
    for path in paths:
        for file in _files(path):
            try:
                found = list(_read_file(file))
            except (OSError, ValueError, KeyError, TypeError, EOFError) as cause:
                said.problems.append(f"{file.name} cannot be read as value sets ({type(cause).__name__})")
                continue
            for value_set in found:
                said.add(value_set)
                if value_set.listed_of is not None and value_set.listed_of > len(value_set.codes):
                    said.problems.append(
                        f"{file.name}: '{value_set.title}' lists {len(value_set.codes)} of {value_set.listed_of} codes"
                    )
                if not value_set.codes:
                    said.problems.append(f"{file.name}: '{value_set.title}' lists no codes; give its expansion")
    return said


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.name.lower().endswith(_ENDINGS) and file.is_file())


def _read_file(file: Path) -> Iterator[ValueSet]:
    content = read_bytes(file)
    if ".csv" in file.name.lower():
        yield from _from_csv(content.decode("utf-8-sig"))
    else:
        yield from _from_resource(orjson.loads(content))


def read_bytes(file: Path) -> bytes:
    """A file's content, unpacked where it is gzip. Raises ValueError beyond 512 MB unpacked."""
    with gzip.open(file) if file.name.lower().endswith(".gz") else file.open("rb") as stream:
        content = stream.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError("larger than a file of value sets can be")
    return content


def _from_resource(resource: dict[str, Any]) -> Iterator[ValueSet]:
    kind = resource.get("resourceType")
    if kind == "Bundle":
        for entry in resource.get("entry", []):
            if entry.get("resource", {}).get("resourceType") == "ValueSet":
                yield from _from_resource(entry["resource"])
    elif kind == "ValueSet":
        yield ValueSet(
            oid=(resource.get("url") or resource.get("id") or "")
            .split("|")[0]
            .rsplit("/", 1)[-1]
            .removeprefix("urn:oid:"),
            title=resource.get("title") or resource.get("name") or "",
            version=resource.get("version"),
            codes=frozenset(_expanded(resource.get("expansion", {}).get("contains", [])) or _composed(resource)),
            listed_of=resource.get("expansion", {}).get("total"),
        )
    else:
        raise ValueError("no value set")


def _expanded(contains: list[dict[str, Any]]) -> set[tuple[str, str]]:
    codes = {(each["system"], each["code"]) for each in contains if each.get("code") and not each.get("abstract")}
    for each in contains:
        codes |= _expanded(each.get("contains", []))
    return codes


def _composed(resource: dict[str, Any]) -> set[tuple[str, str]]:
    compose = resource.get("compose", {})
    listed = {
        part: {
            (each["system"], concept["code"]) for each in compose.get(part, []) for concept in each.get("concept", [])
        }
        for part in ("include", "exclude")
    }
    return listed["include"] - listed["exclude"]


def _from_csv(text: str) -> Iterator[ValueSet]:
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or not {"oid", "system", "code"} <= rows[0].keys():
        raise ValueError("columns oid, system and code are needed")
    for oid in dict.fromkeys(row["oid"] for row in rows):
        own = [row for row in rows if row["oid"] == oid]
        codes = frozenset((row["system"], row["code"]) for row in own)
        yield ValueSet(oid, own[0].get("title") or "", own[0].get("version"), codes)
