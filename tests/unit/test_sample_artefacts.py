"""The search of what a night leaves in files finds what is there, wherever it is."""

from __future__ import annotations

from pathlib import Path

from include.sample.artefacts import NOT_SEARCHED, iterate_files
from include.sample.exposure import IdentifierIndex, search_texts

PLANTED = [
    {"kind": "full_name", "value": "Ada Quibble", "is_word": False},
    {"kind": "mrn", "value": "MRN-4711aa22", "is_word": False},
    {"kind": "email", "value": "ada@example.org", "is_word": False},
]


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_an_identifier_in_any_file_or_in_a_file_s_name_is_found_and_the_data_itself_is_not_searched(tmp_path: Path):
    index = IdentifierIndex.of(PLANTED)
    for folder in ("logs/airflow", "metrics", "a folder of next year", *NOT_SEARCHED):
        write(tmp_path / folder / "deeper" / "clean.log", "7 records of north, 3 refused\n")
    for folder in NOT_SEARCHED:
        write(tmp_path / folder / "data.csv", "Ada Quibble")
    assert not search_texts(iterate_files(tmp_path), index)
    for file, text in {
        "logs/airflow/task.log": "x\nvalue 'Ada Quibble' is no date\n",
        "lineage/night.ndjson": '{"name": "4711aa22"}\n{"mail": "ada@example.org"}',
        "reports/Quibble Ada.html": "",
        "postgres/postgres.log": 'ERROR:  invalid input syntax for type date: "Ada Quibble"',
        "a folder of next year/deeper/dump": "Quibble Ada",
    }.items():
        write(tmp_path / file, text)
    found = {place for place, _ in search_texts(iterate_files(tmp_path), index)}
    assert found == {
        "logs/airflow/task.log", "lineage/night.ndjson", "reports/Quibble Ada.html", "postgres/postgres.log",
        "a folder of next year/deeper/dump",
    }  # fmt: skip
