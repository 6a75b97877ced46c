"""``make contract``: a first draft of a source's contract from its delimited files, for somebody to correct.

    python -m include.sources.draft --in extracts/south                  prints it
    python -m include.sources.draft --in extracts/south --out south.yml  writes it, where nothing is yet

All of every file is read, so that types hold for the last row too. Columns are proposed in clear only where their name and their
cells agree that they are clinical; all others are proposed sealed. Neither the draft nor what is said beside it quotes a cell.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from include.command import run_command
from include.errors import PlumblineError
from include.sources.draft_classes import SSN_SYSTEM, Proposal, column_name, cut, is_header, propose, words
from include.sources.draft_profile import FileProfile, UnreadableError, profile
from include.sources.entities import ENTITIES
from include.sources.items import BrokenContainerError
from include.sources.listing import walk_files

_NULLS = frozenset({""})
_PATTERNS = tuple(f"*.{kind}{packed}" for kind in ("csv", "tsv", "txt", "psv") for packed in ("", ".gz"))
_DATED_END = re.compile(r"[-_. ]*\d[\d._-]*$")
_EVERY_SECONDS = 3.0
_OF_A_LIFE = {"birth", "birthdate", "dob", "death", "dod", "deceased"}
_LAB_WORDS = ("lab", "labs", "result", "results", "vital", "vitals", "observation", "observations")


class DraftError(PlumblineError):
    """No draft can be made of what was named."""


@dataclass(frozen=True, slots=True)
class TableDraft:
    """One table: its files, its columns and which of them tells rows apart."""

    name: str
    pattern: str
    columns: tuple[Proposal, ...]
    rows: int
    key: str | None
    key_note: str
    person: str | None
    event_at: str | None
    refused: int

    @property
    def is_results(self) -> bool:
        """Whether its name says that it holds results."""
        return bool(set(self.name.split("_")) & set(_LAB_WORDS))


def draft(folder: Path, say: Callable[[str], None]) -> tuple[str, list[str]]:
    """Return the contract as YAML and what is to be done about it. Raises DraftError where nothing can be proposed."""
    files, passed_over = walk_files(folder, _PATTERNS) if folder.exists() else ([], 0)
    if not files:
        raise DraftError(
            found=f"no delimited file at the path ({passed_over} others)" if folder.exists() else f"there is nothing at {folder}",
            expected=f"a file or folder of {', '.join(_PATTERNS[::2])}, also packed as .gz",
            action="correct IN",
        )  # fmt: skip
    profiles, left = _profiles(files, say)
    if not profiles:
        raise DraftError(
            found="; ".join(left), expected="files whose first line names the columns", action="correct the files"
        )
    tables = _tables(profiles)
    return "\n".join(_yaml(folder, tables, _shared(profiles), left)) + "\n", _next(tables, left)


def _profiles(files: Sequence[Path], say: Callable[[str], None]) -> tuple[list[FileProfile], list[str]]:
    found, left, rows, told_at = [], [], 0, time.monotonic()

    def count(more: int) -> None:
        nonlocal rows, told_at
        rows += more
        if time.monotonic() - told_at > _EVERY_SECONDS:
            told_at = time.monotonic()
            say(f"  {len(found) + len(left)} of {len(files)} files, {rows:,} rows")

    for number, path in enumerate(files, 1):
        try:
            read = profile(path, _NULLS, _may_be_key, count)
            if not is_header(read.columns):
                raise UnreadableError("its first line does not read as names of columns; give it one that does")
            found.append(read)
        except (UnreadableError, BrokenContainerError, OSError) as problem:
            left.append(f"file {number} of {len(files)} is left out: {_said(problem)}")
    return found, left


def _said(problem: Exception) -> str:
    if isinstance(problem, UnreadableError):
        return str(problem)
    return f"it cannot be read ({type(problem).__name__})"


def _shared(profiles: Sequence[FileProfile]) -> dict[str, list[str]]:
    """Encodings and delimiters that occur, the most frequent first: a contract has one of each."""
    return {
        word: [value for value, _ in Counter(getattr(each, word) for each in profiles).most_common()]
        for word in ("encoding", "delimiter")
    }


def _tables(profiles: Sequence[FileProfile]) -> list[TableDraft]:
    """Files of the same columns whose names differ in a date or number only are one table."""
    groups: dict[tuple, list[FileProfile]] = {}
    for each in profiles:
        stem = _DATED_END.sub("", each.path.name.split(".")[0]) or "rows"
        groups.setdefault((stem, tuple(column.header.strip() for column in each.columns)), []).append(each)
    names: set[str] = set()
    return [_table(stem, group, names) for (stem, _), group in groups.items()]


def _table(stem: str, group: list[FileProfile], names: set[str]) -> TableDraft:
    columns, *others = (each.columns for each in group)
    for more in others:
        for column, other in zip(columns, more, strict=True):
            column.join(other)
    name, taken = column_name(stem[:26], names), set()
    proposed = tuple(propose(column, column_name(column.header, taken), name) for column in columns)
    keys = [
        (column.not_told_apart, at)
        for at, (column, each) in enumerate(zip(columns, proposed, strict=True))
        if column.not_told_apart is not None and _tells_apart(column.header, each)
    ]
    lost, key = min(keys, default=(0, None))
    return TableDraft(
        name=name,
        pattern=group[0].path.name if len(group) == 1 else f"{stem}*{_ending(group[0].path)}",
        columns=proposed,
        rows=sum(each.rows for each in group),
        key=None if key is None else proposed[key].name,
        key_note=_key_note(lost, key is None or columns[key].is_seen_whole),
        person=next((each.name for each in proposed if each.of == "Patient"), None),
        event_at=_event(proposed),
        refused=sum(each.refused for each in group),
    )


def _ending(path: Path) -> str:
    """A file's ending as a pattern needs it: the reader matches packed files by their names without .gz as well."""
    return Path(path.name.removesuffix(".gz")).suffix


def _tells_apart(header: str, column: Proposal) -> bool:
    """A first column that never repeats and is no id may be a name."""
    return column.data_class == "source_id" or _may_be_key(header, at=1)


def _key_note(lost: int, is_whole: bool) -> str:
    note = f"CHECK: {lost:,} rows lack it or repeat another's" if lost else "no two rows have the same"
    return note if is_whole else f"{note}, as far as a million rows tell"


def _may_be_key(header: str, at: int) -> bool:
    """Whether a name says that the column is an id; the first one is asked in any case."""
    return at == 0 or bool(set(cut(header)[-1:]) & set(words()["id_words"]))


def _event(columns: Sequence[Proposal]) -> str | None:
    moments = [
        each for each in columns if each.type in ("date", "timestamp") and each.match is None and not each.is_sealed
    ]
    named = [each for each in moments if set(cut(each.header)) & set(words()["event"])]
    return next((each.name for each in named or moments), None)


def _yaml(
    folder: Path, tables: Sequence[TableDraft], shared: dict[str, list[str]], left: Sequence[str]
) -> Iterator[str]:
    encodings, delimiters = shared["encoding"], shared["delimiter"]
    yield "# A draft, made from all rows of the files; nobody has looked at it yet. 'CHECK' marks what a person must decide."
    yield "# In sources.yml:"
    yield "#   - name: south                # how the source is to be called"
    yield "#     kind: csv"
    yield f"#     path: {json.dumps(str(folder))}"
    yield "#     timezone: America/New_York     # CHECK: whose clock times without an offset are of"
    yield "#     contract: contract.yml           # this file"
    yield f"# maps know: {', '.join(ENTITIES)} (include/sources/entities.py has the fields of each)"
    yield from (f"# {each}" for each in left)
    yield 'owner: "CHECK: who answers for this contract"'
    yield f"encoding: {encodings[0]}" + (
        f"    # CHECK: others are {', '.join(encodings[1:])}; a contract has one" if encodings[1:] else ""
    )
    yield f"delimiter: {json.dumps(delimiters[0])}" + (
        "    # CHECK: not all files have it; a contract has one" if delimiters[1:] else ""
    )
    if any(column.of == "Patient" for each in tables for column in each.columns):
        yield "identifier_system: http://hospital.example.org/mrn    # CHECK: the address under which your record numbers are known"
    yield "tables:"
    for table in tables:
        yield from _table_yaml(table)


def _table_yaml(table: TableDraft) -> Iterator[str]:
    yield f"  {table.name}:    # {table.rows:,} rows" + (
        f", {table.refused:,} more that cannot be read" if table.refused else ""
    )
    yield f"    files: {json.dumps(table.pattern)}"
    yield f"    data_class: {'lab_results' if table.is_results else 'patient_data'}    # CHECK: how long such data is kept (retention.yml)"
    if table.key:
        yield f"    key: [{table.key}]    # {table.key_note}"
    else:
        yield "    # key: no id tells rows apart; without one a row is its own key"
    yield f"    person: {table.person}" if table.person else "    # person: CHECK: no column is surely a patient's id"
    yield (
        f"    event_at: {table.event_at}    # CHECK"
        if table.event_at
        else "    # event_at: no column is surely the time of the event"
    )
    yield "    columns:"
    for column in table.columns:
        yield f"      {column.name}: {{{_column_yaml(column)}}}    # {'' if column.is_sure else 'CHECK: '}{column.why}"
    yield "    # maps: CHECK: what a row is to the marts; without it the rows stay in raw"


def _column_yaml(column: Proposal) -> str:
    said = {"type": column.type, "class": column.data_class, "of": column.of, "match": column.match}
    said |= {"system": SSN_SYSTEM} if column.match == "identifier" else {}
    said |= {"header": json.dumps(column.header)} if column.header != column.name else {}
    said |= {"format": json.dumps(column.layout)} if column.layout else {}
    said |= {"required": "true"} if column.is_required else {}
    return ", ".join(f"{word}: {value}" for word, value in said.items() if value is not None)


def _next(tables: Sequence[TableDraft], left: Sequence[str]) -> list[str]:
    columns = [column for table in tables for column in table.columns]
    sealed = [column for column in columns if column.is_sealed]
    unsure = sum(not column.is_sure for column in columns)
    return [
        f"{len(tables)} tables, {len(columns)} columns: {len(columns) - len(sealed)} proposed clear, {len(sealed)} sealed, "
        f"{unsure} of all to be looked at",
        *left,
        "Next: 1. decide every CHECK, with the privacy officer where a column is to be clear; say what a table's rows are (maps)",
        "      2. make convert KIND=csv IN=… CONTRACT=contract.yml OUT=converted    shows what would be loaded and refused",
        "      3. make check SOURCE=… KIND=csv CONTRACT=contract.yml                the whole catalogue, loading nothing",
        "      4. add the entry at the draft's head to sources.yml; make nightly SOURCES=sources.yml",
    ]


def main(arguments: list[str] | None = None) -> int:
    """0 where a draft was made, 2 where none can be."""
    parser = argparse.ArgumentParser(prog="contract", description=__doc__.splitlines()[0])
    parser.add_argument("--in", dest="input", required=True, help="a delimited file, or a folder of them")
    parser.add_argument("--out", help="file to write the draft to; without it, it is printed")
    options = parser.parse_args(arguments)
    return run_command("contract", lambda: _draft_as_asked(options))


def _draft_as_asked(options: argparse.Namespace) -> int:
    out = Path(options.out) if options.out else None
    if out and out.exists():
        raise DraftError(
            found=f"{out} is there already", expected="a new file", action="name another OUT: a draft replaces nothing"
        )
    text, todo = draft(Path(options.input), lambda line: print(line, file=sys.stderr, flush=True))
    if out:
        out.write_text(text, encoding="utf-8")
        todo = [f"written to {out}", *todo]
    else:
        print(text, end="")
    print("\n".join(todo), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
