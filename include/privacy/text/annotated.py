"""Notes whose identifiers somebody has marked, in the formats that such collections come in.

A file or folder of: JSON lines ``{"text", "spans": [{"start", "end", "class"}]}``; i2b2/n2c2 XML (2014 de-identification);
brat (``.txt`` with ``.ann``); presidio-research JSON; asq_phi's queries. Text files without marks are notes in which nothing
should go. Offsets are code points.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from include.errors import PlumblineError

Gold = tuple[int, int, str]  # start, end, class as the annotators call it
LARGEST_FILE = 256 << 20


class Annotated(NamedTuple):
    """A note with its marks; ``gold`` None where nobody marked it."""

    id: str
    text: str
    gold: list[Gold] | None


class DeckError(PlumblineError):
    """A collection that cannot be read; says which file and why, and quotes none of it."""


def read_deck(path: Path) -> Iterator[Annotated]:
    """Every note of a file or folder, in the order of names. Raises DeckError."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    if not path.exists() or not files:
        raise _error(path, "nothing there", "a file or folder of annotated notes")
    known = [file for file in files if file.suffix.lower() in _READERS and file.name[:1] != "."]
    if not known:
        raise _error(path, "no file of a known format", f"files that end in {', '.join(sorted(_READERS))}")
    for file in known:
        yield from _read(file)


def _read(file: Path) -> Iterator[Annotated]:
    if file.stat().st_size > LARGEST_FILE:
        raise _error(file, f"a file over {LARGEST_FILE >> 20} MiB", "smaller files")
    try:
        for note in _READERS[file.suffix.lower()](file):
            if any(not 0 <= start < end <= len(note.text) for start, end, _ in note.gold or ()):
                raise _error(file, "a mark that lies outside its text", "offsets in code points, start before end")
            yield note
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise _error(file, f"something else ({type(problem).__name__})", "its format as its ending says") from None


def _error(path: Path, found: str, expected: str) -> DeckError:
    return DeckError(
        found=f"{path.name}: {found}",
        expected=expected,
        action="see the head of include/privacy/text/annotated.py for the formats",
    )


def _json_lines(file: Path) -> Iterator[Annotated]:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                said = json.loads(line)
                spans = said.get("spans")
                gold = None if spans is None else [(each["start"], each["end"], each["class"]) for each in spans]
                yield Annotated(f"{file.name}:{said.get('id', number)}", said["text"], gold)


def _json(file: Path) -> Iterator[Annotated]:
    rows = json.loads(file.read_text(encoding="utf-8-sig"))
    for number, row in enumerate(rows, 1):
        spans = [(each["start_position"], each["end_position"], each["entity_type"]) for each in row["spans"]]
        yield Annotated(f"{file.name}:{number}", row["full_text"], spans)


def _xml(file: Path) -> Iterator[Annotated]:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(file.read_bytes(), parser)
    except etree.XMLSyntaxError:
        raise ValueError from None
    text, tags = root.findtext("TEXT"), root.find("TAGS")
    gold = [(int(tag.get("start")), int(tag.get("end")), tag.get("TYPE") or tag.tag) for tag in tags]
    yield Annotated(file.name, text, gold)


def _text(file: Path) -> Iterator[Annotated]:
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    marks = file.with_suffix(".ann")
    if "===PHI_TAGS===" in text:
        yield from _queries(file.name, text)
    elif marks.exists():
        yield Annotated(file.name, text, list(_brat(marks)))
    else:
        yield Annotated(file.name, text, None)


_BRAT = re.compile(r"T\d+\t(\S+) ([\d ;]+)\t")


def _brat(marks: Path) -> Iterator[Gold]:
    for line in marks.read_text(encoding="utf-8-sig").splitlines():
        if found := _BRAT.match(line):
            for piece in found[2].split(";"):
                start, end = piece.split()
                yield int(start), int(end), found[1]


def _queries(name: str, text: str) -> Iterator[Annotated]:
    for number, part in enumerate(text.split("===QUERY===")[1:], 1):
        query, _, tags = part.partition("===PHI_TAGS===")
        query = query.strip("\n")
        told = [json.loads(line) for line in tags.splitlines() if line.strip()]
        gold = [
            (*found.span(), each["identifier_type"])
            for each in told
            for found in re.finditer(re.escape(each["value"]), query)
        ]
        yield Annotated(f"{name}:{number}", query, gold)


_READERS = {".jsonl": _json_lines, ".ndjson": _json_lines, ".json": _json, ".xml": _xml, ".txt": _text}
