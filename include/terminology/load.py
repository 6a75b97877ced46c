"""Puts value sets where dbt reads them: ``terminology.value_set_code``, replaced as a whole when the folder has changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import psycopg

from include.errors import PlumblineError
from include.settings import Settings
from include.terminology.value_sets import ValueSet, read_terminology
from include.warehouse.connect import connect

SETTING = "PLUMBLINE_TERMINOLOGY"


class TerminologyError(PlumblineError):
    """The terminology folder that the settings name is not there."""


def terminology_folder() -> Path | None:
    """The installation's terminology folder, ``PLUMBLINE_TERMINOLOGY``; None where it names none. Raises TerminologyError."""
    said = os.environ.get(SETTING)
    if not said:
        return None
    if not Path(said).exists():
        raise TerminologyError(
            found=f"{SETTING} names a folder that is not there",
            expected="a folder of FHIR ValueSets (.json, .json.gz, bundles too) or CSV files with oid, system and code",
            action=f"correct {SETTING}, or leave it unset: measures whose value sets are missing then say so",
        )
    return Path(said)


def load_terminology(settings: Settings) -> int:
    """Bring ``terminology`` in hot to what the folder says. Returns how many codes it holds; does nothing if unchanged."""
    folder = terminology_folder()
    digest = _digest(folder)
    with connect("loader", "hot", settings) as hot:
        known = hot.execute("select sha256 from terminology.folder").fetchone()
        if known != (digest,) and (known or folder):
            replace_codes(hot, _read(folder) if folder else ())
            hot.execute("delete from terminology.folder")
            hot.execute("insert into terminology.folder (sha256) values (%s)", [digest])
        return hot.execute("select count(*) from terminology.value_set_code").fetchone()[0]


def _read(folder: Path) -> Iterable[ValueSet]:
    said = read_terminology([folder])
    if not any(found.codes for found in said.value_sets.values()):
        raise TerminologyError(
            found=f"the folder that {SETTING} names holds no value set with codes ({len(said.problems)} files could not be used)",
            expected="FHIR ValueSets with their expansion (.json, .json.gz, bundles too) or CSV files with oid, system and code",
            action="look with 'python -m include.measures terminology', or unset it",
        )
    return said.value_sets.values()


def replace_codes(hot: psycopg.Connection, value_sets: Iterable[ValueSet]) -> None:
    """Replace every code, in the caller's transaction."""
    hot.execute("delete from terminology.value_set_code")
    columns = "copy terminology.value_set_code (oid, title, version, system, code) from stdin"
    with hot.cursor() as cursor, cursor.copy(columns) as copy:
        for value_set in value_sets:
            for system, code in sorted(value_set.codes):
                copy.write_row((value_set.oid, value_set.title, value_set.version, system, code))


def _digest(folder: Path | None) -> str:
    """Of names, sizes and times, so that a night does not read hundreds of megabytes to find nothing new."""
    found = hashlib.sha256()
    for file in sorted(folder.rglob("*")) if folder and folder.is_dir() else [folder] if folder else []:
        if file.is_file():
            state = file.stat()
            found.update(f"{file.relative_to(folder)}|{state.st_size}|{state.st_mtime_ns}\n".encode())
    return found.hexdigest()
