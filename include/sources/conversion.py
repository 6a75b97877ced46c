"""Writing what a source's reader yields as files: FHIR NDJSON by type, tables as CSV, refusals and what was left out.

A file whose container breaks counts as refused as a whole, so whatever was written of it before is taken back.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from include.sources.items import BrokenContainerError, Document, Item, Notice, Reject, Row, refuse
from include.sources.registry import Source

REJECTS, UNMAPPED, SUMMARY = "rejects.ndjson", "unmapped.json", "summary.txt"


@dataclass(slots=True)
class Counts:
    """What came of a conversion. ``written`` by file written, ``refused`` by reason; received is both together."""

    files: int = 0
    broken: int = 0
    written: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    unmapped: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    noticed: Counter[str] = field(default_factory=Counter)

    @property
    def received(self) -> int:
        """Records met: written and refused."""
        return sum(self.written.values()) + sum(self.refused.values())


class Writer:
    """Writes items into ``folder``, which is there and holds nothing of another conversion."""

    def __init__(self, source: Source, folder: Path) -> None:
        self._source, self._folder = source, folder
        self._open: dict[str, BinaryIO] = {}
        self.counts = Counts()
        self._file(REJECTS)

    def write_file(self, label: str, place_word: str, items: Iterable[Item]) -> None:
        """Write all items of one file. ``label`` is how refusals call it."""
        self.counts.files += 1
        marks = {name: stream.tell() for name, stream in self._open.items()}
        before = (self.counts.written.copy(), self.counts.refused.copy())
        noticed = []
        try:
            for item in items:
                if isinstance(item, Notice):
                    noticed.append(item)
                else:
                    self._write(item, label, place_word)
        except BrokenContainerError as problem:
            self._take_back(marks)
            self.counts.written, self.counts.refused = before
            self.counts.broken += 1
            whole = refuse(problem.place, "truncated_file")._replace(
                reason_code=problem.reason_code, found=problem.found, expected=problem.expected, action=problem.action
            )
            self._reject(whole, label, "file")
            return
        for notice in noticed:
            self._notice(notice)

    def combine(self, combine_lines: Callable[[Iterable[bytes]], Iterable[bytes]]) -> None:
        """Rewrite what was written as the kind puts its records together: a study of its instances, say. Counts follow."""
        for name in sorted(name for name in self.counts.written if name.endswith(".ndjson") and "/" not in name):
            self._open[name].flush()
            path, parts = self._folder / name, self.counts.written[name]
            with path.open("rb") as lines, path.with_suffix(".combined").open("wb") as whole:
                self.counts.written[name] = 0
                for line in combine_lines(line.rstrip(b"\n") for line in lines):
                    whole.write(line + b"\n")
                    self.counts.written[name] += 1
            self._open[name].close()
            path.with_suffix(".combined").replace(path)
            self._open[name] = path.open("ab")
            self.counts.noticed["combined"] += parts - self.counts.written[name]

    def finish(self) -> Counts:
        """Close everything and write what was left out."""
        for stream in self._open.values():
            stream.close()
        told = {name: dict(fields.most_common()) for name, fields in sorted(self.counts.unmapped.items())}
        (self._folder / UNMAPPED).write_text(
            json.dumps({"fields": told, "noticed": dict(self.counts.noticed)}, indent=1, ensure_ascii=False) + "\n"
        )
        return self.counts

    def _file(self, name: str) -> BinaryIO:
        if name not in self._open:
            path = self._folder / name
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._open[name] = path.open("wb")
        return self._open[name]

    def _write(self, item: Document | Row | Reject, label: str, place_word: str) -> None:
        if isinstance(item, Document):
            self._document(item)
        elif isinstance(item, Row):
            self._row(item)
        else:
            self._reject(item, label, f"{place_word} {item.place}")

    def _document(self, item: Document) -> None:
        name = f"{item.resource['resourceType']}.ndjson"
        content = item.content
        if item.is_deleted:
            name, content = f"deleted/{name}", content.removeprefix(b"deleted ")
        self._file(name).write(content.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n")
        self.counts.written[name] += 1

    def _row(self, item: Row) -> None:
        name = f"{item.table}.csv"
        if name not in self._open:
            columns = self._source.contract.table(item.table).columns if self._source.contract else ()
            self._file(name).write((",".join(column.name for column in columns) + "\n").encode())
        self._file(name).write((",".join(map(_cell, item.values)) + "\n").encode())
        self.counts.written[name] += 1

    def _reject(self, item: Reject, label: str, place: str) -> None:
        told = {
            "file": label,
            "place": place,
            "reason_code": item.reason_code,
            "found": item.found,
            "expected": item.expected,
            "action": item.action,
            "resource_type": item.resource_type,
        }
        self._file(REJECTS).write(json.dumps(told, ensure_ascii=False).encode() + b"\n")
        self.counts.refused[item.reason_code, item.action] += 1

    def _notice(self, notice: Notice) -> None:
        self.counts.noticed[notice.code] += notice.count
        for name in notice.names:
            share = notice.count if len(notice.names) == 1 else 1
            self.counts.unmapped[notice.table or notice.code][name] += share

    def _take_back(self, marks: dict[str, int]) -> None:
        for name, stream in list(self._open.items()):
            if name in marks:
                stream.seek(marks[name])
                stream.truncate()
            else:
                stream.close()
                del self._open[name]
                (self._folder / name).unlink()


def _cell(value: str | None) -> str:
    """A cell as CSV: null is empty, an empty text is quoted."""
    if value is None:
        return ""
    if value == "" or any(character in value for character in ',"\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value
