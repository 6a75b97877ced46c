"""The transcription service: notes as files, full of identifiers in every way that people write them, each marked in the answer key."""

import csv
import gzip
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from include.sample.answer_key import QUARANTINED, AnswerKey, Defect, PlantedIdentifier
from include.sample.block import Block
from include.sample.delivery import hash_file
from include.sample.dictation import Dictated, dictate
from include.sample.fhir_defects import OVER_LIMIT, STRUCTURAL
from include.sample.telling import known_to_north

SOURCE, DATASET, MANIFEST = "transcription", "resource", "notes.csv"
FEWEST, ONE_IN, MOST = 8, 50, 160


@dataclass
class Notes:
    """The service's files; each is two records, whose number it bears (told once a person) and the note."""

    folder: Path
    key: AnswerKey
    files: int = 0
    told: set[str] = field(default_factory=set)
    manifest: list[tuple[str, str, str, str]] = field(default_factory=list)

    def write(self, content: bytes, name: str) -> None:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.key.hashes[SOURCE, name] = hash_file(path)
        self.files += 1

    def add(self, content: bytes, name: str, number: str, document: str, day: str) -> None:
        """Write a good note and say in the manifest whose it is."""
        self.write(content, name)
        self.manifest.append((name, number, document, day))
        counts = self.key.counts[SOURCE, DATASET]
        counts.received += 2
        counts.duplicate += number in self.told
        self.told.add(number)

    def refuse(self, kind: str, content: bytes, name: str, place: int = 0, reasons: tuple[str, ...] = ()) -> None:
        """Write a file that is one record, in quarantine."""
        self.write(content, name)
        self.key.counts[SOURCE, DATASET].received += 1
        self.key.add_defect(Defect(kind, STRUCTURAL, SOURCE, DATASET, name, place, QUARANTINED, reasons or (kind,)))

    def close(self) -> None:
        """Write the manifest."""
        out = StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(("file", "patient_id", "document_id", "date"))
        rows.writerows(self.manifest)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / MANIFEST).write_text(out.getvalue(), encoding="utf-8")


def write_block(notes: Notes, block: Block) -> dict[int, str]:
    """Write notes about some people of a block, two about every third; return under which number the notes are whose."""
    known: dict[int, str] = {}
    chosen = known_to_north(block, min(max(FEWEST, len(block.people) // ONE_IN), MOST - notes.files), turn=3)
    if chosen and not notes.files:
        _write_broken(notes, block, chosen[0])
    for turn, at in enumerate(chosen):
        who = block.identities[at]
        for part in range(1 + (turn % 3 == 0)):
            _write_note(notes, block, at, dictate(block, at, turn * 2 + part), turn * 2 + part)
        known[at] = who.north_mrn
    return known


def _write_note(notes: Notes, block: Block, at: int, note: Dictated, turn: int) -> None:
    who, person = block.identities[at], int(block.people.number[at])
    document = block.ids("transcript", [at * 2 + turn % 2], prefix="tr-")[0]
    is_named = turn == 2
    name = f"{who.family}_{who.given}_{document[-4:]}.txt" if is_named else f"{document[3:5]}/{document}.txt"
    if is_named:
        planted = PlantedIdentifier(person, "file_name", f"{who.family}_{who.given}", where="note's file name")
        notes.key.add_identifier(planted)
    notes.add(note.text.encode(), name, who.north_mrn, document, note.day)
    for kind, value, where in note.planted:
        notes.key.add_identifier(PlantedIdentifier(person, kind, value, where=where))
    notes.key.add_note({"source": SOURCE, "document": document, "text": note.text, "spans": note.spans})


def _write_broken(notes: Notes, block: Block, at: int) -> None:
    """Notes that nobody can place or read."""
    who = block.identities[at]
    text = f"{who.full_name} was here; nobody says which number that is.".encode()
    notes.refuse("no_patient_id", text, "aside/unlisted.txt", 2)
    notes.refuse("truncated_file", b"", "aside/empty.txt")
    packed = gzip.compress(text * 40, mtime=0)
    notes.refuse("truncated_gzip", packed[: len(packed) // 2], "aside/cut.txt.gz", 0, ("truncated_gzip", "broken_gzip"))
    notes.refuse("over_long_note", b"blank " * (OVER_LIMIT // 6), "aside/long.txt")
    for name in ("aside/empty.txt", "aside/cut.txt.gz", "aside/long.txt"):
        notes.manifest.append((name, who.north_mrn, "", ""))
