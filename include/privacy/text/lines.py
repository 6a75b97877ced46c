"""Files of notes, a JSON object a line: de-identified line by line, what cannot be read reported and set aside."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO

import orjson

from include.privacy.text.deidentify import Finder
from include.privacy.text.known import Known, know
from include.privacy.text.replace import Invent, Replacer

LONGEST_LINE = 64 << 20
_PARTS = ("names", "identifiers", "addresses", "dates")
_WORDS = {"id", "text", "known", "person"}


@dataclass(slots=True)
class Summary:
    """What was done: lines read, notes written, characters, spans by class, and lines refused by reason with their places."""

    notes: int = 0
    characters: int = 0
    spans: Counter[str] = field(default_factory=Counter)
    refused: dict[str, list[int]] = field(default_factory=dict)
    refused_count: int = 0
    seconds: float = 0.0

    def refuse(self, line: int, reason: str) -> None:
        """Note a refused line; the first twenty places of each reason are kept."""
        self.refused_count += 1
        places = self.refused.setdefault(reason, [])
        if len(places) < 20:
            places.append(line)


@dataclass(frozen=True, slots=True)
class Note:
    """One line: an id as it came, its text, whose it is, and what is known."""

    id: object
    text: str
    person: str
    known: Known | None


class LineError(ValueError):
    """A line that cannot be used; the message says why and quotes nothing."""


def read_line(line: bytes) -> Note:
    """Parse one line. Raises LineError."""
    if len(line) > LONGEST_LINE:
        raise LineError(f"longer than {LONGEST_LINE >> 20} MiB")
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise LineError("not JSON in UTF-8") from None
    if not isinstance(said, dict):
        raise LineError("not a JSON object")
    if not isinstance(said.get("text"), str):
        raise LineError("no text of type string")
    if not isinstance(said.get("id"), (str, int)) or isinstance(said.get("id"), bool):
        raise LineError("no id of type string or number")
    person = said.get("person", said["id"])
    if not isinstance(person, (str, int)):
        raise LineError("person is no string or number")
    return Note(said["id"], said["text"], str(person), _known(said.get("known")))


def _known(said: object) -> Known | None:
    """What is known; a wrong shape is refused, for a name passed over would stay in the text."""
    if said is None:
        return None
    if not isinstance(said, dict):
        raise LineError("known is no object")
    parts = {}
    for name in _PARTS:
        value = said.get(name)
        if value is None:
            value = []
        if not isinstance(value, list) or not all(
            isinstance(each, (str, int)) and not isinstance(each, bool) for each in value
        ):
            raise LineError(f"known.{name} is no list of strings")
        parts[name] = [str(each) for each in value]
    if said.keys() - set(_PARTS):
        raise LineError(f"known has a part that is none of {', '.join(_PARTS)}")
    return know(**parts)


@dataclass(frozen=True, slots=True)
class Rules:
    """How notes are rewritten: shift and surrogates by person; None of both: years and tags."""

    today: date
    days_of: Callable[[str], int] | None = None
    inventor_of: Callable[[str], Invent] | None = None

    def replacer(self, person: str) -> Replacer:
        """What replaces the identifiers of one person's notes."""
        return Replacer(
            self.today,
            self.days_of(person) if self.days_of else None,
            self.inventor_of(person) if self.inventor_of else None,
        )


def deidentify_file(
    source: Path, target: Path, finder: Finder, rules: Rules, tell: Callable[[float, Summary], None]
) -> Summary:
    """Rewrite ``source`` to ``target``, refused lines to ``<target>.rejects.jsonl``. Streams; both files appear when whole.

    ``tell`` is called now and then with the share read (0 to 1) and the summary so far. Raises OSError.
    """
    summary, started, told = Summary(), time.monotonic(), time.monotonic()
    rejects = rejects_of(target)
    size = max(1, source.stat().st_size)
    with source.open("rb") as lines, _new(target) as out, _new(rejects) as refused:
        for number, line, place in _lines(lines):
            try:
                note = read_line(line)
                out.write(_rewrite(note, finder, rules, summary))
            except LineError as problem:
                summary.refuse(number, str(problem))
                refused.write(_reject(number, str(problem), line))
            if time.monotonic() - told > 2:
                told = time.monotonic()
                tell(place / size, summary)
    _keep(target)
    _keep(rejects) if summary.refused_count else _drop(rejects)
    summary.seconds = time.monotonic() - started
    return summary


def rejects_of(target: Path) -> Path:
    """Where refused lines go: ``out.jsonl`` → ``out.jsonl.rejects.jsonl``."""
    return target.with_name(target.name + ".rejects.jsonl")


def _rewrite(note: Note, finder: Finder, rules: Rules, summary: Summary) -> bytes:
    spans = finder.find(note.text, note.known)
    text = rules.replacer(note.person).replace(note.text, spans)
    summary.notes += 1
    summary.characters += len(note.text)
    summary.spans.update(span.label for span in spans)
    listed = [{"start": span.start, "end": span.end, "class": span.label} for span in spans]
    return orjson.dumps({"id": note.id, "text": text, "spans": listed}, option=orjson.OPT_APPEND_NEWLINE)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes, int]]:
    """Number, bytes and end of every line that is not blank; an endless one is cut so that it is refused, not held."""
    number = place = 0
    while line := stream.readline(LONGEST_LINE + 2):
        place += len(line)
        number += 1
        if not line.endswith(b"\n") and len(line) > LONGEST_LINE:
            while (rest := stream.readline(1 << 20)) and not rest.endswith(b"\n"):
                place += len(rest)
            place += len(rest)
        if line.strip():
            yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, place


def _reject(number: int, reason: str, line: bytes) -> bytes:
    """A refused line with its place and reason; the line itself as it came, for whoever corrects it."""
    received = line[: 1 << 20].decode(errors="backslashreplace").rstrip("\r\n")
    return orjson.dumps({"line": number, "reason": reason, "received": received}, option=orjson.OPT_APPEND_NEWLINE)


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _new(path: Path) -> BinaryIO:
    """A new file that only its owner reads: refused lines hold what patients' notes hold."""
    descriptor = os.open(_part(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    return os.fdopen(descriptor, "wb", buffering=1 << 20)


def _keep(path: Path) -> None:
    _part(path).replace(path)


def _drop(path: Path) -> None:
    _part(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
