"""The answer key: what was planted, written beside the data while the data are written. The pipeline never reads it."""

import shutil
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from include.sample.delivery import Counts

LINES = ("identifiers", "persons", "outcomes", "notes")  # lists that go straight to a file each
QUARANTINED, DUPLICATE, AMBER, LOADED = "quarantined", "duplicate", "amber", "loaded"


@dataclass(frozen=True, slots=True)
class Defect:
    """One planted defect.

    `kind` is its class; `family` says which promise finds it: structural (at load), plausibility (at the gate), shape (drift, staleness).
    `handling` is quarantined, duplicate, amber or loaded; `reason_codes` are those that count as the right reason.
    `place` counts the lines of a file from 1 (a table's header is line 1); 0 is the whole file.
    """

    kind: str
    family: str
    source: str
    dataset: str
    file: str
    place: int
    handling: str
    reason_codes: tuple[str, ...] = ()
    record: str = ""
    records: int = 1


@dataclass(frozen=True, slots=True)
class PlantedIdentifier:
    """A string that identifies a person and must stand nowhere outside sealed fields.

    `where` is empty for identifiers in their usual places and names the hiding place of a trap. `is_word` marks single names that are also
    words; they may stand in clinical text and prove nothing alone.
    """

    person: int
    kind: str
    value: str
    where: str = ""
    is_word: bool = False


@dataclass
class AnswerKey:
    """Collects what was planted; lists that grow with the people go straight to files.

    `told_otherwise` says of a person which small source tells which trait otherwise than the north: (source, trait).
    """

    folder: Path
    counts: dict[tuple[str, str], Counts] = field(default_factory=lambda: defaultdict(Counts))
    types: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    amber: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    hashes: dict[tuple[str, str], str] = field(default_factory=dict)
    defects: list[Defect] = field(default_factory=list)
    told_otherwise: dict[int, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    _lines: dict[str, Any] = field(default_factory=dict)

    def open(self) -> None:
        """Make the folder empty and ready."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._lines = {name: (self.folder / f"{name}.jsonl").open("wb") for name in LINES}

    def add_identifier(self, found: PlantedIdentifier) -> None:
        """Write one identifier down."""
        if found.value:
            self._lines["identifiers"].write(orjson.dumps(found) + b"\n")

    def add_person(self, row: dict[str, Any]) -> None:
        """Write down under which ids a person is known, and how that can be found out."""
        self._lines["persons"].write(orjson.dumps(row) + b"\n")

    def add_outcome(self, row: dict[str, Any]) -> None:
        """Write down what must hold in the end of what was corrected, merged, cancelled or overtaken."""
        self._lines["outcomes"].write(orjson.dumps(row) + b"\n")

    def add_note(self, row: dict[str, Any]) -> None:
        """Write down a note's text with where its identifiers stand."""
        self._lines["notes"].write(orjson.dumps(row) + b"\n")

    def add_defect(self, defect: Defect) -> None:
        """Write a defect down and count it."""
        self.defects.append(defect)
        if not defect.records:
            return
        counts = self.counts[defect.source, defect.dataset]
        if defect.handling == QUARANTINED:
            counts.quarantined[defect.kind] += defect.records
        elif defect.handling == DUPLICATE:
            counts.duplicate += defect.records

    def close(self) -> None:
        """Write what was collected; the defects get the hash of the file they stand in."""
        for file in self._lines.values():
            file.close()
        with (self.folder / "defects.jsonl").open("wb") as out:
            for defect in self.defects:
                row = asdict(defect) | {"file_sha256": self.hashes.get((defect.source, defect.file), "")}
                out.write(orjson.dumps(row) + b"\n")
        counts = [
            {"source": source, "dataset": dataset} | each.as_dict()
            for (source, dataset), each in sorted(self.counts.items())
        ]
        content = self.facts | {
            "verdict": "amber" if self.amber else "green",
            "amber_reasons": self.amber,
            "counts": counts,
            "north_resource_types": {name: each.received for name, each in sorted(self.types.items())},
        }
        (self.folder / "answer_key.json").write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
