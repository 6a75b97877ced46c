"""Pulling: what a kind that asks over a network, instead of reading a folder, is given and gives back.

Such a kind has one verb more, ``pull(source, job) -> Pulled``: it writes what it got into ``job.folder``, in files that its own
``list_files`` and ``read`` know, and landing goes on as with any delivery. Its books are kept by whoever calls it
(include/landing/pulls.py for the night); ``Unbooked`` keeps none, for trying a source out.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from include.errors import PlumblineError

if TYPE_CHECKING:
    from include.sources.items import Item
    from include.sources.registry import Source


class PullError(PlumblineError):
    """A source could not be asked, or did not answer as it should. The night goes on without it and says so."""


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def told_when_full(what: str) -> Iterator[None]:
    """A disk that takes no more of ``what`` costs this source its night and no other. Raises PullError for it."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in _NO_ROOM:
            raise
        raise no_room(what) from None


def no_room(what: str) -> PullError:
    """That the disk is full, or would be."""
    return PullError(
        found=f"no room on the disk for {what}",
        expected="room in the folder pulls of PLUMBLINE_HOME for what a source delivers in one night",
        action="make room there; the next night goes on from what came, or asks again",
    )


class SourceRow(NamedTuple):
    """A row as pulled from a table: its key and its cells, as texts, and what to keep for telling later that it is gone.

    ``content`` is what makes two versions of the row different, ``person`` the source's id of the person or None.
    """

    key: str
    content: bytes
    cells: list[str]
    kept: bytes
    person: str | None


class Comparison(Protocol):
    """What was known of a table before tonight, asked some thousand rows at a time."""

    def changed(self, rows: Sequence[SourceRow]) -> tuple[list[tuple[int, SourceRow]], list[SourceRow]]:
        """Of rows pulled: those that are new or changed, with their version (1 for the first), and those whose key came before
        tonight."""

    def note_keys(self, keys: Sequence[str]) -> None:
        """Say of keys that they are still there."""

    def unknown(self) -> int:
        """How many keys are there that no row was pulled for, tonight or before."""

    def gone(self) -> tuple[int, int]:
        """How many known keys were not there tonight, of how many known."""

    def discard(self) -> None:
        """Let nothing of tonight count: the table was not read to its end."""

    def bury(self) -> Iterator[tuple[int, bytes]]:
        """Take the keys that are gone off the books: version of the deletion, and what was kept of the row."""


class Books(Protocol):
    """What one pull left for the next. Nothing of it holds before the night has written down what landed, except progress."""

    marks: Mapping[str, Any]
    progress: Mapping[str, Any]

    def save_progress(self, progress: Mapping[str, Any]) -> None:
        """Keep, at once and sealed, what a killed pull goes on from."""

    def compare(self, table: str) -> Comparison:
        """The rows of a table as they were before tonight."""


@dataclass(frozen=True, slots=True)
class PullJob:
    """One pull: an empty folder or that of a killed try, the books, and where secrets are read from.

    ``count`` shows progress in numbers. ``night`` is the night's date.
    """

    folder: Path
    night: date
    books: Books
    secret: Callable[[str], str]
    count: Callable[..., None]


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull came to. ``marks`` replace the books' when the files are landed.

    ``is_whole`` is False where something is left to the next night; ``reached`` where the source answered at all, so that
    nothing new is no missing source. ``notes`` hold no values. ``absent`` names tables and types. ``progress`` is what
    the next night goes on from. ``release`` is called once everything is written down; it may fail.
    """

    marks: Mapping[str, Any] = field(default_factory=dict)
    reached: bool = True
    delivered_at: datetime | None = None
    notes: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    progress: Mapping[str, Any] = field(default_factory=dict)
    release: Callable[[], None] | None = None


class Unbooked:
    """Books without a database: nothing was known before, nothing is kept after."""

    def __init__(self) -> None:
        self.marks: Mapping[str, Any] = {}
        self.progress: Mapping[str, Any] = {}

    def save_progress(self, progress: Mapping[str, Any]) -> None:
        """Only for as long as this object lives."""
        self.progress = progress

    def compare(self, table: str) -> Comparison:
        """Every row is new."""
        return _Everything()


class _Everything:
    def __init__(self) -> None:
        self.seen: set[bytes] = set()

    def changed(self, rows: Sequence[SourceRow]) -> tuple[list[tuple[int, SourceRow]], list[SourceRow]]:
        import hashlib

        new, again = [], []
        for row in rows:
            digest = hashlib.sha256(row.key.encode("utf-8", "surrogatepass")).digest()[:16]
            (again if digest in self.seen else new).append(row)
            self.seen.add(digest)
        return [(1, row) for row in new], again

    def note_keys(self, keys: Sequence[str]) -> None:
        """Nothing is compared."""

    def unknown(self) -> int:
        return 0

    def gone(self) -> tuple[int, int]:
        return 0, 0

    def discard(self) -> None:
        """Nothing is kept."""

    def bury(self) -> Iterator[tuple[int, bytes]]:
        return iter(())


def pull_whole(
    source: Source,
    folder: Path,
    secret: Callable[[str], str],
    night: date,
    count: Callable[..., None] = lambda **numbers: None,
) -> tuple[Source, tuple[str, ...]]:
    """Ask a source of a pulled kind for everything, touching no database of ours: the source with its files in ``folder``,
    which is the caller's to delete, and what it left out. ``count`` gets progress in numbers. Raises PullError where the source does not answer."""
    from include.sources.registry import reader_of

    source = replace(source, path=folder)
    pulled = reader_of(source).pull(source, PullJob(folder, night, Unbooked(), secret, count))
    if not pulled.reached:
        raise PullError(
            found=f"source {source.name} did not answer: {'; '.join(pulled.notes) or 'nothing told why'}",
            expected="a source that can be asked",
            action="see that it is up and that its address and secrets are right, then try again",
        )
    absent = tuple(f"{name}: nothing came of it" for name in pulled.absent)
    return source, (*pulled.notes, *absent)


def read_pulled(source: Source, folder: Path, secret: Callable[[str], str], night: date) -> Iterator[Item]:
    """The same, read as a reader does."""
    from include.sources.registry import reader_of

    source, _ = pull_whole(source, folder, secret, night)
    reader = reader_of(source)
    for file in reader.list_files(source).files:
        if file.dataset:
            yield from reader.read(source, lambda file=file: file.path.open("rb"), file)
