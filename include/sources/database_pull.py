"""Reading a source database: which rows are pulled, compared with what was known, and written into files for landing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from include.sources.contracts import SEEN_AT, SEEN_VERSION, Table
from include.sources.csv_files import PART
from include.sources.database import ENDINGS, join_key, kept_columns
from include.sources.database_snapshot import Plan, Snapshot, open_snapshot
from include.sources.database_values import later, text_of
from include.sources.pulling import Comparison, Pulled, PullError, PullJob, SourceRow, told_when_full

if TYPE_CHECKING:
    from include.sources.registry import Source

_FEW = 20  # so few rows may always go: of three rows, one is a third


@dataclass(frozen=True, slots=True)
class _TableDone:
    """How a table went: its mark for the next time, counts, and what people should know."""

    mark: dict[str, Any]
    rows: int
    new: int
    gone: int
    notes: tuple[str, ...]


def pull_database(source: Source, job: PullJob) -> Pulled:
    """Pull every table of the contract in one snapshot. A table that cannot be read leaves the others be."""
    known = job.books.marks
    seen_at = _next_seen_at(known.get(SEEN_AT), job)
    marks = dict(known.get("tables", {}))
    notes: list[str] = []
    absent: list[str] = []
    done: list[_TableDone] = []
    try:
        with open_snapshot(source, job.secret) as snapshot:
            asked_at = datetime.now(UTC)
            for table in source.contract.tables:
                compared = job.books.compare(table.name)
                try:
                    with told_when_full("the table's rows"), snapshot.apart():
                        ended = _pull_table(
                            source, table, snapshot, compared, job.folder, marks.get(table.name), seen_at
                        )
                except PullError as problem:
                    compared.discard()
                    _remove(job.folder, table)
                    absent.append(table.name)
                    notes.append(f"table {table.name}: {problem.found}; {problem.action}")
                    continue
                marks[table.name] = ended.mark
                done.append(ended)
                notes.extend(ended.notes)
                job.count(tables=len(done), of=len(source.contract.tables), rows=sum(each.rows for each in done),
                          new=sum(each.new for each in done), gone=sum(each.gone for each in done))  # fmt: skip
    except PullError as problem:
        return Pulled(marks=known, reached=False, notes=(f"{problem.found}; {problem.action}",))
    return Pulled(
        marks={SEEN_AT: seen_at.isoformat(), "tables": marks},
        reached=bool(done),
        delivered_at=asked_at if done else None,
        notes=tuple(notes),
        absent=tuple(absent) if done else (),
    )


def _next_seen_at(last: str | None, job: PullJob) -> datetime:
    """When tonight's rows count as seen: at the night's beginning, or just after the last pull where that is later.

    Not the clock: a pull that is repeated after a kill must land the same bytes.
    """
    begin = datetime.combine(job.night, time(), UTC)
    return max(begin, datetime.fromisoformat(last) + timedelta(seconds=1)) if last else begin


def _pull_table(
    source: Source,
    table: Table,
    snapshot: Snapshot,
    compared: Comparison,
    folder: Path,
    mark: dict[str, Any] | None,
    seen_at: datetime,
) -> _TableDone:
    plan = snapshot.plan(table)
    fingerprint = _fingerprint(table)
    since = mark["watermark"] if mark and mark["fingerprint"] == fingerprint and table.origin.watermark else None
    cells = _Cells(source, table, plan, seen_at)
    notes: list[str] = []
    with _Files(folder, cells) as files:
        with closing(snapshot.rows(plan, since, source.zone)) as batches:  # its cursor ends before the connection does
            newest, rows, new = _take(batches, cells, compared, files, since)
        if since is not None and table.origin.deletions:
            with closing(snapshot.keys(plan)) as batches:
                for keys in batches:
                    compared.note_keys([key for row in keys if (key := cells.key_of(row)) is not None])
            missed = compared.unknown()
            if missed:
                notes.append(
                    f"table {table.name}: {missed} rows are there that column {table.origin.watermark} did not bring; "
                    "the table was read whole"
                )
                with closing(snapshot.rows(plan, None, source.zone)) as batches:
                    newest, more, added = _take(batches, cells, compared, files, since, again=True)
                rows, new = rows + more, new + added
        gone = _bury(table, compared, files, notes) if table.origin.deletions else 0
        if files.doubles:
            said = "1 row has" if files.doubles == 1 else f"{files.doubles} rows have"
            notes.append(f"table {table.name}: {said} the key of another row")
    return _TableDone({"fingerprint": fingerprint, "watermark": newest}, rows, new, gone, tuple(notes))


def _take(
    batches: Iterator[list], cells: _Cells, compared: Comparison, files: _Files, mark: Any, *, again: bool = False
) -> tuple[Any, int, int]:
    """Write what is new of the rows. Returns the newest watermark, and how many rows came and were new.

    ``again``: rows that came already are no doubles.
    """
    rows = new = 0
    for batch in batches:
        pulled = [cells.row_of(values) for values in batch]
        mark = later(mark, (values[-1] for values in batch), cells.zone) if cells.plan.watermark is not None else None
        changed, came_before = compared.changed(pulled)
        for version, row in changed:
            files.write("data", cells.line(row.cells, version))
        for row in came_before if not again else ():
            files.write("doubles", cells.line(row.cells, None))
        rows, new = rows + len(pulled), new + len(changed)
    return mark, rows, new


def _bury(table: Table, compared: Comparison, files: _Files, notes: list[str]) -> int:
    """Write the news of rows that are gone, unless so many are that the source is more likely broken."""
    gone, known = compared.gone()
    if gone > max(_FEW, known * table.origin.most_gone):
        notes.append(
            f"table {table.name}: {gone} of {known} known rows are gone, more than most_gone ({table.origin.most_gone:g}) allows; "
            "none is taken for deleted until it comes back or the contract allows it"
        )
        return 0
    for version, kept in compared.bury() if gone else ():
        if kept:
            files.write("deleted", files.cells.tombstone(orjson.loads(kept), version))
    return gone


def _fingerprint(table: Table) -> str:
    """What makes a row pulled under an older contract another one: then a watermark is no help."""
    said = {"columns": [asdict(column) for column in table.columns], "key": table.key, "origin": asdict(table.origin)}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


class _Cells:
    """Values of the source as the cells of its files: declared columns there, empty ones for those undeclared, and what is added."""

    def __init__(self, source: Source, table: Table, plan: Plan, seen_at: datetime) -> None:
        self.plan, self.zone, self._table = plan, source.zone, table
        self._nulls = source.contract.null_values
        self._seen_at = seen_at.isoformat()
        self._blanks = [""] * len(plan.undeclared)
        names = [column.name for column in plan.columns]
        self._key_places = [names.index(name) for name in table.key]
        self._person_place = names.index(table.person) if table.person else None
        self._kept_places = [(name, names.index(name)) for name in kept_columns(table) if name in names]
        self._key_columns = [plan.columns[place] for place in self._key_places]
        self.header = [*(column.header for column in plan.columns), *plan.undeclared, SEEN_AT, SEEN_VERSION]

    def row_of(self, values: tuple) -> SourceRow:
        cells = [text_of(value, column) for value, column in zip(values, self.plan.columns, strict=False)]
        content = PART.join(cells).encode("utf-8", "surrogatepass")
        key = self._join([cells[place] for place in self._key_places])
        if key is None:  # refused when it is read; until then it is what it says
            return SourceRow(hashlib.sha256(content).hexdigest(), content, cells, b"", None)
        person = cells[self._person_place] if self._person_place is not None else None
        kept = _dump({name: cells[place] for name, place in self._kept_places})
        return SourceRow(key, content, cells, kept, None if person is None or person in self._nulls else person)

    def key_of(self, values: tuple) -> str | None:
        return self._join([text_of(value, column) for value, column in zip(values, self._key_columns, strict=True)])

    def _join(self, cells: list[str]) -> str | None:
        return None if not self._nulls.isdisjoint(cells) else join_key(cells)

    def line(self, cells: list[str], version: int | None) -> list[str]:
        """A row as it stands in a file. A double has no version."""
        seen = [self._seen_at, str(version)] if version else ["", ""]
        return [*cells, *self._blanks, *seen]

    def tombstone(self, kept: dict[str, str], version: int) -> list[str]:
        return self.line([kept.get(column.name, "") for column in self.plan.columns], version)


class _Files:
    """The table's files, each made when its first line comes."""

    def __init__(self, folder: Path, cells: _Cells) -> None:
        self.cells, self.doubles = cells, 0
        self._folder = folder
        self._open: dict[str, BinaryIO] = {}

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *problem: object) -> None:
        with ExitStack() as closing:
            for file in self._open.values():
                closing.callback(file.close)

    def write(self, role: str, line: list[str]) -> None:
        if role not in self._open:
            self._open[role] = (self._folder / f"{self.cells.plan.name}{ENDINGS[role]}").open("wb")
            self._open[role].write(_dump(self.cells.header) + b"\n")
        self._open[role].write(_dump(line) + b"\n")
        self.doubles += role == "doubles"


def _dump(value: object) -> bytes:
    """JSON on one line. Text that is no Unicode goes out as escapes, which the reader refuses with its reason."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


def _remove(folder: Path, table: Table) -> None:
    for ending in ENDINGS.values():
        (folder / f"{table.name}{ending}").unlink(missing_ok=True)
