"""The search of what a night leaves outside of the databases finds what is there."""

from __future__ import annotations

from pathlib import Path

from include.sample.artefacts import FOLDERS, iterate_files
from include.sample.exposure import IdentifierIndex, search_texts

PLANTED = [
    {"kind": "full_name", "value": "Ada Quibble", "is_word": False},
    {"kind": "mrn", "value": "MRN-4711aa22", "is_word": False},
    {"kind": "email", "value": "ada@example.org", "is_word": False},
]


def test_an_identifier_in_any_artefact_or_in_a_file_s_name_is_found(tmp_path: Path):
    for folder in FOLDERS:
        (tmp_path / folder / "deeper").mkdir(parents=True)
        (tmp_path / folder / "deeper" / "clean.log").write_text("7 records of north, 3 refused\n")
    index = IdentifierIndex.of(PLANTED)
    assert not search_texts(iterate_files(tmp_path), index)
    (tmp_path / "logs" / "deeper" / "task.log").write_text("x\nvalue 'Ada Quibble' is no date\n")
    (tmp_path / "lineage" / "night.ndjson").write_text('{"name": "4711aa22"}\n{"mail": "ada@example.org"}')
    (tmp_path / "reports" / "Quibble Ada.html").write_text("")
    found = search_texts(iterate_files(tmp_path), index)
    assert {place for place, _ in found} >= {"logs/deeper/task.log", "lineage/night.ndjson", "reports/Quibble Ada.html"}
