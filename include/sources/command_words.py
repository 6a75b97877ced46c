"""A source as commands are told of it: a kind and a path or address, the rest as words. Nothing needs a sources.yml."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from include.errors import PlumblineError
from include.sources.pulling import pull_whole
from include.sources.registry import Source, SourcesError, kinds, make_source, reader_of

_PASSWORD = re.compile(r"://[^/@]*:[^/@]+@")
_NEXT_WORD = re.compile(r";\s*(?=\w+=)")
_ADDRESS = re.compile(r"[a-z][a-z0-9+]*://", re.IGNORECASE)


class SecretError(PlumblineError):
    """A secret that a source names and that cannot be read here."""


def source_of(
    kind: str, given: str, *, name: str, contract: str | None = None, timezone: str = "UTC", words: Sequence[str] = ()
) -> Source:
    """The source that ``given`` (path, server's address or database URL) is under a kind; ``words`` are ``word=value``.

    Raises SourcesError and ContractError, which say what is wrong in the command's own words.
    """
    known = kinds()
    if kind not in known:
        raise SourcesError(
            found=f"no kind is called '{kind}'" if kind else "no KIND is named",
            expected=f"KIND= one of {', '.join(known)}",
            action="correct KIND, or name an entry of a sources.yml",
        )
    entry: dict[str, Any] = {"name": name, "kind": kind, "timezone": timezone}
    entry |= {"contract": str(Path(contract).resolve())} if contract else {}
    entry |= _values(words)
    if not hasattr(known[kind], "pull"):
        entry["path"] = str(Path(given).resolve())
    elif kind == "fhir_api":
        entry.setdefault("url", given)
    elif "url_secret" not in entry:
        return _of_database_url(entry, given)
    return _made(entry)


def _values(words: Sequence[str]) -> dict[str, Any]:
    """Further words of the entry; several in one text are parted by semicolons."""
    values = {}
    for word in (part for each in words for part in _NEXT_WORD.split(each)):
        name, sign, value = word.partition("=")
        if not sign:
            raise SourcesError(
                found=f"SET={name}… is no word with its value",
                expected="SET=word=value, the value as in a sources.yml",
                action='write it like SET=encoding=cp1252; several as SET="encoding=cp1252; files=*.txt"',
            )
        values[name.strip()] = _value(name, value)
    return values


def _value(name: str, text: str) -> Any:
    """As YAML reads it; a pattern such as *.txt, which it does not, as it stands."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        if text.lstrip()[:1] in ("{", "["):
            raise SourcesError(
                found=f"SET={name}=… is not YAML", expected="word=value", action="close the brackets"
            ) from None
        return text.strip()


def _of_database_url(entry: dict[str, Any], url: str) -> Source:
    """A database by its URL, or by the file that SQLite keeps it in. A URL with a password in it is refused."""
    if _PASSWORD.search(url):
        raise SourcesError(
            found="a database URL with a password in it, which other users of this machine can see",
            expected="the URL in a file of PLUMBLINE_SECRETS_DIR",
            action="write the URL to a file there and name it: SET=url_secret=name",
        )
    if not _ADDRESS.match(url):
        if not Path(url).is_file():
            raise SourcesError(
                found=f"there is no file {url}, and it is no database URL",
                expected="a SQLite file, a URL such as postgresql+psycopg://reader@host/name, or SET=url_secret=name",
                action="correct it",
            )
        return _made({**entry, "sqlite_file": str(Path(url).resolve())})
    source = _made({**entry, "url_secret": _TOLD})
    return replace(source, options=replace(source.options, told=url))


_TOLD = "told_on_the_command_line"


def _made(entry: dict[str, Any]) -> Source:
    try:
        return make_source(entry, Path(), "the command")
    except SourcesError as problem:
        told = problem.found.partition(": ")[2].replace(f"source {entry['name']}: ", "")
        module = reader_of_kind(entry["kind"])
        raise SourcesError(
            found=f"kind {entry['kind']} cannot be read like this: {told}",
            expected=f"the words that the head of {module} shows",
            action="give them: CONTRACT=contract.yml, TIMEZONE=zone, any other as SET=word=value",
        ) from None


def reader_of_kind(kind: str) -> str:
    """The file whose head explains a kind."""
    return kinds()[kind].__name__.replace(".", "/") + ".py"


@contextmanager
def at_hand(source: Source, tell: Callable[[str], None]) -> Iterator[Source]:
    """The source with its files in a folder: its own, or for a kind that is asked a private one that is gone afterwards.

    ``tell`` gets what the source left out. Raises PullError where it does not answer, and SourcesError where a path is not there
    or holds no file of the kind: that is a mistake and no sound delivery.
    """
    if not hasattr(reader_of(source), "pull"):
        _refuse_nothing(source)
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="plumbline-") as folder:
        pulled, notes = pull_whole(source, Path(folder), _secret, _today(), _counting(tell))
        for note in notes:
            tell(f"note: {note}")
        yield pulled


def _refuse_nothing(source: Source) -> None:
    """An empty folder, or files of another kind, which is named where it can be told."""
    if not source.path.exists():
        raise SourcesError(
            found=f"there is nothing at {source.path}",
            expected=f"a file or folder of kind {source.kind}",
            action="correct the path",
        )
    listing = reader_of(source).list_files(source)
    if any(file.dataset for file in listing.files):
        return
    others = listing.ignored + len(listing.files)
    if not others:
        raise SourcesError(
            found=f"{source.path} is empty",
            expected=f"files of kind {source.kind}",
            action="correct the path, or deliver first",
        )
    likely = [kind for kind in _TOLD_BY_NAME if kind != source.kind and kinds()[kind].list_files(source).files]
    raise SourcesError(
        found=f"no file of kind {source.kind} among {others:,} files",
        expected="files whose names or contents say that they are of that kind",
        action=f"they look like KIND={likely[0]}" if likely else "correct the path or KIND, or say SET=files=*.ext",
    )


_TOLD_BY_NAME = ("fhir_bulk", "fhir_bundles")


def _counting(tell: Callable[[str], None]) -> Callable[..., None]:
    """Progress in numbers as a line every few seconds."""
    told_at = time.monotonic()

    def count(**numbers: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at > _EVERY_SECONDS:
            told_at = time.monotonic()
            whole = numbers.pop("of", None)
            parts = [f"{number:,} {name.replace('_', ' ')}" for name, number in numbers.items()]
            tell("  " + ", ".join(parts) + (f" ({whole:,} in all)" if whole is not None else ""))

    return count


_EVERY_SECONDS = 3.0


def _today() -> date:
    return datetime.now(UTC).date()


def _secret(name: str) -> str:
    folder = os.environ.get("PLUMBLINE_SECRETS_DIR") or str(
        Path(os.environ.get("PLUMBLINE_HOME") or ".local") / "secrets"
    )
    try:
        return (Path(folder) / name).read_text().strip()
    except (OSError, ValueError) as cause:
        raise SecretError(
            found=f"the secret {name} cannot be read ({type(cause).__name__})",
            expected=f"a readable file {name} in {folder}",
            action="write it there, or name the right folder with PLUMBLINE_SECRETS_DIR",
        ) from None
