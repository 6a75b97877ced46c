"""Puts what is known of ZIP codes where dbt reads it: ``geography.zip_area``, replaced as a whole when the folder changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import psycopg

from include.geography.areas import GeographyError, ZipArea, read_areas
from include.settings import Settings
from include.warehouse.connect import connect

SETTING = "PLUMBLINE_GEOGRAPHY"


def geography_folder() -> Path | None:
    """The installation's folder of files on areas, ``PLUMBLINE_GEOGRAPHY``; None where it names none. Raises GeographyError."""
    said = os.environ.get(SETTING)
    if not said:
        return None
    if not Path(said).is_dir():
        raise GeographyError(
            found=f"{SETTING} names a folder that is not there",
            expected="a folder with CDC's SVI by county and USDA's continuum codes, as CSV",
            action=f"correct {SETTING}, or leave it unset: people's areas are then unknown",
        )
    return Path(said)


def load_areas(settings: Settings) -> int:
    """Bring ``geography`` in hot to what the folder says. Returns how many ZIP codes are known; does nothing if unchanged."""
    folder = geography_folder()
    digest = _digest(folder)
    with connect("loader", "hot", settings) as hot:
        known = hot.execute("select sha256 from geography.folder").fetchone()
        if known != (digest,) and (known or folder):
            replace_areas(hot, read_areas(folder) if folder else ())
            hot.execute("delete from geography.folder")
            hot.execute("insert into geography.folder (sha256) values (%s)", [digest])
        return hot.execute("select count(*) from geography.zip_area").fetchone()[0]


def replace_areas(hot: psycopg.Connection, areas: Iterable[ZipArea]) -> None:
    """Replace every ZIP code, in the caller's transaction."""
    hot.execute("delete from geography.zip_area")
    with hot.cursor() as cursor, cursor.copy("copy geography.zip_area from stdin") as copy:
        for area in areas:
            copy.write_row((area.zip_code, area.svi_quartile, area.rurality))


def _digest(folder: Path | None) -> str:
    found = hashlib.sha256()
    for file in sorted(folder.glob("*.csv")) if folder else []:
        found.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()
