"""What every mover has at hand."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from include.errors import PlumblineError
from include.lifecycle.policy import Retention, load_retention
from include.settings import Settings


class MoveError(PlumblineError):
    """A move that could not be done; the data is where it was."""


class ChangedError(MoveError):
    """What a plan decided on is no longer so; the next plan decides anew."""


class BusyError(MoveError):
    """Somebody holds what a move needs for longer than it may wait; the next run takes it up again."""


@dataclass(frozen=True, slots=True)
class Work:
    """Connections and places of one run: ``hot`` is the lifecycle role's, in autocommit mode; ``folder`` is on local disk and
    only ever holds sealed rows."""

    settings: Settings
    retention: Retention
    night: date
    hot: Any
    s3: Any
    keys: Any
    folder: Path

    @property
    def cold(self) -> str:
        """Name of the cold bucket."""
        return self.settings.bucket_cold

    @property
    def archive(self) -> str:
        """Name of the archive bucket."""
        return self.settings.bucket_archive

    def bucket(self, tier: str) -> str:
        """The bucket of a tier of files."""
        return {"cold": self.cold, "archive": self.archive}[tier]


def store_troubles() -> tuple[type[Exception], ...]:
    """What a store or disk that does not answer raises: the work is left as it is, and the next run takes it up."""
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError, OSError


def where_the_store_answers(work: Work, what: str, do: Callable[[], Any], otherwise: Any) -> Any:
    """Do something that every night does; where the store does not answer, say so in the trail and go on with the night."""
    from include.audit.chain import append

    try:
        return do()
    except store_troubles() as trouble:
        append(work.hot, f"{what}.waiting", None, {"error": type(trouble).__name__}, outcome="failure")
        return otherwise


@contextmanager
def open_work(night: date, settings: Settings | None = None, retention: Retention | None = None) -> Iterator[Work]:
    """Open what movers need and close it again."""
    from include.lifecycle.data_keys import StoredDataKeys
    from include.lifecycle.store import open_store
    from include.warehouse.connect import connect

    settings = settings or Settings.from_environment()
    with (
        connect("lifecycle", settings=settings, autocommit=True) as hot,
        StoredDataKeys(settings) as keys,
        tempfile.TemporaryDirectory(prefix="plumbline-tier-") as folder,
    ):
        yield Work(settings, retention or load_retention(), night, hot, open_store(settings), keys, Path(folder))
