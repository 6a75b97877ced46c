"""make contract: a draft that loads, seals what nobody can be sure of, and quotes no cell."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from include.sample.make import Request, make_sample
from include.sources import draft as command
from include.sources.contracts import Contract, load_contract
from include.sources.convert import convert
from include.sources.draft import DraftError, draft
from include.sources.registry import make_source

PATIENTS = "PatientID,Last Name,birthDate,Sex,favourite_colour,Fee\n" + "".join(
    f"P{number:05d},Quackenbush{number},19{60 + number % 30}-03-1{number % 9},{'FM'[number % 2]},Vermilion{number},{number}.5\n"
    for number in range(300)
)


@pytest.fixture(scope="module")
def south(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample(Request(tmp_path_factory.mktemp("sample"), people=400)).parent / "south"


def drafted(folder: Path) -> Contract:
    """The draft of a folder, read as the loader reads it."""
    text, _ = draft(folder, lambda line: None)
    out = folder.parent / f"{folder.name}_draft.yml"
    out.write_text(text, encoding="utf-8")
    return load_contract(out)


def one_column(tmp_path: Path, header: str, cells: list[str], **how) -> dict:
    """What the draft says of one column beside an id."""
    rows = "".join(f"{number},{cell}\n" for number, cell in enumerate(cells))
    folder = tmp_path / "one"
    folder.mkdir(exist_ok=True)
    (folder / "rows.csv").write_text(f"visit_id,{header}\n{rows}", encoding=how.get("encoding", "utf-8"))
    column = drafted(folder).tables[0].columns[1]
    return {"type": column.type, "class": column.data_class, "format": column.format}


def test_the_draft_of_the_sample_loads_and_shows_nothing_that_its_reviewed_contract_seals(south):
    reviewed, proposed = load_contract(south / "contract.yml"), drafted(south)
    assert {table.name for table in reviewed.tables} <= {table.name for table in proposed.tables}
    compared = 0
    for table in reviewed.tables:
        found = {column.header: column for column in proposed.table(table.name).columns}
        for column in table.columns:
            if column.header in found:
                compared += 1
                assert found[column.header].is_sealed or not column.is_sealed, f"{table.name}.{column.name}"
        assert proposed.table(table.name).person == table.person
        assert proposed.table(table.name).key in (table.key, ())
    assert compared > 80
    clear = sum(not column.is_sealed for table in proposed.tables for column in table.columns)
    assert clear > 60, "what seals everything helps nobody"


def test_what_the_draft_says_is_what_converting_loads(south, tmp_path):
    contract = south.parent / "south_draft.yml"
    drafted(south)
    source = make_source(
        {"name": "south", "kind": "csv", "path": str(south), "contract": str(contract)}, Path(), "the test"
    )
    counts = convert(source, tmp_path / "converted", lambda line: None)
    assert sum(counts.written.values()) > 5_000
    assert sum(counts.refused.values()) < 0.02 * sum(counts.written.values())


def test_nothing_that_is_said_quotes_a_cell(tmp_path, capsys):
    (tmp_path / "patients.csv").write_text(PATIENTS)
    assert command.main(["--in", str(tmp_path), "--out", str(tmp_path / "out.yml")]) == 0
    said = (tmp_path / "out.yml").read_text() + "".join(capsys.readouterr())
    cells = {cell for line in PATIENTS.splitlines()[1:] for cell in line.split(",") if len(cell) > 3}
    assert "favourite_colour" in said and len(cells) > 900
    assert not [cell for cell in cells if re.search(rf"\b{re.escape(cell)}\b", said)]
    columns = {column.name: column for column in load_contract(tmp_path / "out.yml").tables[0].columns}
    assert (columns["patient_id"].of, columns["patient_id"].is_required) == ("Patient", True)
    assert columns["birth_date"].match == "birth_date" and columns["sex"].match == "sex"
    assert columns["favourite_colour"].is_sealed and columns["fee"].is_sealed and columns["last_name"].match == "family"


@pytest.mark.parametrize(
    "first",
    [
        "P00001,Quackenbush,1960-03-11,F,red,7\n",
        "Quackenbush,Zebedee,F,Boston,red,blue\n",
        "id,id,Sex,date,value,code\n",
        ",,,,,\n",
    ],
)
def test_a_first_line_that_names_no_columns_is_not_told_but_refused(tmp_path, capsys, first):
    (tmp_path / "patients.csv").write_text(first + PATIENTS.partition("\n")[2])
    assert command.main(["--in", str(tmp_path)]) == 2
    said = "".join(capsys.readouterr())
    assert "does not read as names of columns" in said and "Quackenbush" not in said


def test_a_file_that_cannot_be_read_is_left_out_and_said_without_its_name(tmp_path):
    (tmp_path / "patients.csv").write_text(PATIENTS)
    (tmp_path / "Quackenbush.csv.gz").write_bytes(gzip.compress(PATIENTS.encode())[:200])
    (tmp_path / "wide.csv").write_text(PATIENTS, encoding="utf-16")
    (tmp_path / "empty.csv").write_text("")
    text, todo = draft(tmp_path, lambda line: None)
    left = [line for line in todo if "is left out" in line]
    assert len(left) == 3 and any("UTF-16" in line for line in left)
    assert "Quackenbush" not in text + "".join(todo)


def test_a_path_without_files_and_an_out_that_is_taken_are_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DraftError):
            draft(folder, lambda line: None)
    (tmp_path / "rows.csv").write_text(PATIENTS)
    assert command.main(["--in", str(tmp_path), "--out", str(tmp_path / "rows.csv")]) == 2
    assert (tmp_path / "rows.csv").read_text() == PATIENTS


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("result_value", ["7", "8.5"] * 50, ("decimal", "clinical", None)),
        ("result_value", ["7", "8"] * 50, ("integer", "clinical", None)),
        ("result_value", [*["7"] * 9_000, *["positive"] * 1_000], ("text", "direct_identifier", None)),
        ("result_value", [*["7"] * 9_999, "see note"], ("integer", "clinical", None)),
        ("result_value", [f"{5_551_230_000 + number}" for number in range(100)], ("text", "direct_identifier", None)),
        ("icd10", ["E11.9", "I10"] * 50, ("text", "clinical", None)),
        ("icd10", ["E11.9 Type 2 diabetes of Ann"] * 50, ("text", "direct_identifier", None)),
        ("zip", ["02118", "10001"] * 50, ("text", "quasi_identifier", None)),
        ("collected_at", ["01/31/2026 08:30"] * 50, ("timestamp", "quasi_identifier", "%m/%d/%Y %H:%M")),
        ("collected_at", ["31/01/2026 08:30"] * 50, ("timestamp", "quasi_identifier", "%d/%m/%Y %H:%M")),
        ("collected_on", ["20260131"] * 50, ("date", "quasi_identifier", "%Y%m%d")),
        ("account", ["20260131"] * 50, ("text", "direct_identifier", None)),
        ("given_on", ["2026-01-31"] * 50, ("date", "quasi_identifier", None)),
        ("is_active_flag", ["Y", "N"] * 50, ("text", "clinical", None)),
        ("sex", ["F"] * 50, ("text", "clinical", None)),
        ("kind", [f"kind {number}" for number in range(100)], ("text", "direct_identifier", None)),
        ("clinic_note", ["ok"] * 50, ("text", "free_text", None)),
        ("anything", [""] * 50, ("text", "direct_identifier", None)),
    ],
)
def test_type_and_class_are_proposed_from_all_cells_and_sealed_in_doubt(tmp_path, header, cells, expected):
    assert tuple(one_column(tmp_path, header, cells).values()) == (expected[0], expected[1], expected[2])


def test_days_that_read_both_ways_are_left_to_a_person(tmp_path):
    folder = tmp_path / "one"
    assert one_column(tmp_path, "collected_on", ["01/02/2026", "03/04/2026"] * 30)["type"] == "date"
    text, _ = draft(folder, lambda line: None)
    assert "CHECK: a date; its cells read in several layouts: is the month first, or the day?" in text


def test_encoding_and_delimiter_are_those_of_the_files(tmp_path):
    (tmp_path / "a.csv").write_bytes(PATIENTS.replace(",", ";").replace("Vermilion", "Zinnoberröt").encode("cp1252"))
    contract = drafted(tmp_path)
    assert (contract.encoding, contract.delimiter, contract.tables[0].key) == ("cp1252", ";", ("patient_id",))
    (tmp_path / "a.csv").write_bytes(PATIENTS.replace("Vermilion", "Zinnoberröt").encode() + b"P9,\xff,,,,\n")
    assert drafted(tmp_path).encoding == "utf-8", "one damaged line makes no other encoding"


def test_ids_are_known_however_an_export_writes_them(tmp_path):
    rows = "".join(f"{number:08x},{number % 9:08x},{number % 7:08x}\n" for number in range(300))
    (tmp_path / "encounters.csv").write_text("Id,PATIENT,PROVIDERID\n" + rows)
    (table,) = drafted(tmp_path).tables
    assert [column.of for column in table.columns] == ["Encounter", "Patient", "Practitioner"]
    assert (table.key, table.person) == (("id",), "patient")


def test_files_that_differ_in_a_date_are_one_table_whose_ids_are_compared_over_all(tmp_path):
    for day in ("20261121", "20261122"):
        (tmp_path / f"patients_{day}.csv").write_text(PATIENTS)
    text, _ = draft(tmp_path, lambda line: None)
    (table,) = drafted(tmp_path).tables
    assert (table.name, table.files, table.key) == ("patients", ("patients*.csv",), ())
    assert "600 rows" in text
