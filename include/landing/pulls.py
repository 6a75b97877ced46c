"""The night's pull of a source that is asked over a network: its folder, its books, and what is written down at the end.

A pull writes into a folder of its own under PLUMBLINE_HOME, closed to others and emptied once its files are landed. How far
the source was read is written in the transaction that writes down what landed: killed before it, the pull is repeated from
where the books stand, and what a try fetched in vain is fetched again or gone on with.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from include.errors import PlumblineError
from include.landing.encryption import open_name, seal_name
from include.landing.pulled_rows import PulledRows
from include.privacy.data_keys import PersonKeys
from include.privacy.keyring import Keyring, load_keyring
from include.privacy.tokens import Tokeniser
from include.settings import Settings
from include.sources.pulling import Pulled, PullJob
from include.sources.registry import Source, reader_of
from include.warehouse.connect import connect


@dataclass(frozen=True, slots=True)
class Fetched:
    """A pull that is done but not written down. ``source`` has the pull's folder as its path."""

    source: Source
    pulled: Pulled
    books: NightBooks

    def write_down(self, hot: psycopg.Connection) -> None:
        """Make the pull count, in the caller's transaction."""
        self.books.write_down(hot, self.pulled)

    def tidy(self) -> None:
        """Empty the folder of what is landed, and let the server go. What fails here harms nothing."""
        for path in [path for path in self.source.path.rglob("*") if path.is_file() and path.suffix != ".part"]:
            path.unlink(missing_ok=True)
        if not self.pulled.progress:
            shutil.rmtree(self.source.path, ignore_errors=True)
        if self.pulled.release:
            with suppress(PlumblineError, OSError):
                self.pulled.release()


@contextmanager
def fetch(
    source: Source, night: date, settings: Settings, hot: psycopg.Connection, count: Callable[..., None]
) -> Iterator[Fetched | None]:
    """Pull a source; None for one whose files lie in a folder already. The caller holds the source's lock.

    Raises SettingsError where a secret is missing or is none; a source that does not answer is told in ``Fetched.pulled``.
    """
    reader = reader_of(source)
    if not hasattr(reader, "pull"):
        yield None
        return
    with connect("sealer", "keys", settings, autocommit=True) as key_books:
        books = NightBooks(source, hot, key_books, load_keyring(settings.keyring_dir))
        folder = _folder(settings, source, keep=bool(books.progress))
        here = replace(source, path=folder)
        yield Fetched(here, reader.pull(here, PullJob(folder, night, books, settings.secret, count)), books)


def _folder(settings: Settings, source: Source, *, keep: bool) -> Path:
    folder = settings.home / "pulls" / source.name
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


class NightBooks:
    """The books of a source's pulls in Postgres (include/sources/pulling.py says what a pull may ask of them)."""

    def __init__(
        self, source: Source, hot: psycopg.Connection, key_books: psycopg.Connection, keyring: Keyring
    ) -> None:
        self._source, self._hot, self._key_books, self._keyring = source, hot, key_books, keyring
        self._tokeniser, self._persons = Tokeniser(keyring.token_key), PersonKeys(key_books, keyring)
        self._compared: list[PulledRows] = []
        row = hot.execute(
            "select marks, progress_sealed from lifecycle.pull_state where source = %s", [source.name]
        ).fetchone()
        hot.commit()
        self.marks: Mapping[str, Any] = row[0] if row else {}
        self.progress: Mapping[str, Any] = self._open(row[1]) if row and row[1] else {}

    def save_progress(self, progress: Mapping[str, Any]) -> None:
        """Keep what a killed pull goes on from, at once."""
        self.progress = dict(progress)
        self._store(self._hot, self.marks, self.progress)
        self._hot.commit()

    def compare(self, table: str) -> PulledRows:
        """The rows of a table as they were before tonight."""
        rows = PulledRows(
            self._hot, self._key_books, self._keyring, self._tokeniser, self._persons, self._source.name, table
        )
        self._compared.append(rows)
        return rows

    def write_down(self, hot: psycopg.Connection, pulled: Pulled) -> None:
        """Marks, progress and rows as the pull left them, in the caller's transaction."""
        self._store(hot, pulled.marks, pulled.progress)
        for rows in self._compared:
            rows.write_down(hot)

    def _store(self, hot: psycopg.Connection, marks: Mapping[str, Any], progress: Mapping[str, Any]) -> None:
        sealed = seal_name(json.dumps(dict(progress)), self._keyring.landing_recipient) if progress else None
        hot.execute(
            """insert into lifecycle.pull_state (source, kind, marks, progress_sealed) values (%s, %s, %s, %s)
               on conflict (source) do update set kind = excluded.kind, marks = excluded.marks,
                   progress_sealed = excluded.progress_sealed, changed_at = clock_timestamp()""",
            [self._source.name, self._source.kind, json.dumps(dict(marks)), sealed],
        )

    def _open(self, sealed: bytes) -> Mapping[str, Any]:
        return json.loads(open_name(sealed, self._keyring.landing_identity))
