"""make convert: what would be loaded, as files, with every record accounted for and nothing touched."""

from __future__ import annotations

import contextlib
import gzip
import json
import sqlite3
from pathlib import Path

import pytest

from include.sources.convert import main
from tests.deliveries import ndjson, observation, patient
from tests.fhir_server import MisbehavingServer, serve
from tests.hl7v2_messages import admit, message, results

CONTRACT = """
owner: data engineering
tables:
  people:
    files: "people*.csv"
    data_class: patient_data
    key: [id]
    person: id
    columns:
      id: {type: text, class: source_id, of: Patient}
      sex: {type: text, class: clinical}
      born: {type: date, class: quasi_identifier}
"""


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def run(folder: Path, kind: str, *more: str) -> int:
    return main(["--kind", kind, "--in", str(folder), "--out", str(folder.parent / "out"), *more])


@pytest.fixture
def feed(tmp_path) -> Path:
    folder = tmp_path / "feed"
    folder.mkdir()
    return folder


def test_messages_become_files_refusals_and_counts(feed, tmp_path, capsys):
    (feed / "day.hl7").write_bytes(admit(1) + results(1) + b"MSH|^~\\&|A|B|C|D|20260101||ACK|1|P|2.3\r")
    (feed / "more.txt").write_bytes(message("ADT^A08", "ZZZ|1|x", number=2))
    assert run(feed, "hl7v2") == 1
    out = tmp_path / "out"
    assert len(lines(out / "Patient.ndjson")) == 3
    assert [each["valueQuantity"]["value"] for each in lines(out / "Observation.ndjson")] == [7.1, 101]
    (refusal,) = lines(out / "rejects.ndjson")
    assert (refusal["file"], refusal["place"], refusal["reason_code"]) == ("day.hl7", "message 3", "missing_patient")
    assert json.loads((out / "unmapped.json").read_text())["fields"]["ADT^A08"] == {"ZZZ.1": 1, "ZZZ.2": 1}
    told = capsys.readouterr().out
    assert "1 refused" in told and "missing_patient: have the sending interface corrected" in told
    assert "Next: look at rejects.ndjson" in told
    assert (out / "summary.txt").read_text().strip() == told.strip()


def test_a_file_that_breaks_leaves_nothing_but_its_refusal(feed, tmp_path):
    (feed / "Patient.ndjson").write_bytes(ndjson(patient(1)))
    packed = gzip.compress(ndjson(*(patient(number) for number in range(2, 5000))))
    (feed / "Patient.2.ndjson.gz").write_bytes(packed[:-20])
    assert run(feed, "fhir_bulk") == 1
    assert [each["id"] for each in lines(tmp_path / "out" / "Patient.ndjson")] == ["p1"]
    (refusal,) = lines(tmp_path / "out" / "rejects.ndjson")
    assert (refusal["place"], refusal["reason_code"]) == ("file", "truncated_gzip")


def test_every_registered_kind_that_reads_files_converts(feed, tmp_path, capsys):
    (feed / "Observation.ndjson").write_bytes(ndjson(observation(1), b"{no json"))
    assert run(feed, "fhir_bulk") == 1
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient(7)}]}
    (feed / "b.json").write_text(json.dumps(bundle))
    assert run(feed, "fhir_bundles") == 0
    assert [each["id"] for each in lines(tmp_path / "out" / "Patient.ndjson")] == ["p7"]
    assert not (tmp_path / "out" / "Observation.ndjson").exists()
    assert "kind: fhir_bundles" in capsys.readouterr().out


def test_tables_become_csv_with_nulls_apart_from_empty_texts(feed, tmp_path, capsys):
    (tmp_path / "contract.yml").write_text(CONTRACT)
    (feed / "people.csv").write_text('id,sex,born,extra\n1,,1980-02-29,x\n2,"a, b",1990-01-01,y\n3,M,not a date,z\n')
    assert run(feed, "csv", "--contract", str(tmp_path / "contract.yml")) == 1, capsys.readouterr().err
    assert (tmp_path / "out" / "people.csv").read_text() == 'id,sex,born\n1,,1980-02-29\n2,"a, b",1990-01-01\n'
    assert json.loads((tmp_path / "out" / "unmapped.json").read_text())["fields"]["people"] == {"extra": 1}
    assert lines(tmp_path / "out" / "rejects.ndjson")[0]["reason_code"] == "bad_value_type"


def test_an_entry_of_sources_yml_converts_with_all_its_words(feed, tmp_path):
    (feed / "day.hl7").write_bytes(admit(1).decode().replace("Quackenbush", "Grün").encode("cp1252"))
    sources = tmp_path / "sources.yml"
    sources.write_text(
        "sources: [{name: adt, kind: hl7v2, path: feed, encoding: cp1252, assigning_authorities: {GHH: 'http://x/mrn'}}]"
    )
    assert main(["--in", str(sources), "--source", "adt", "--out", str(tmp_path / "out")]) == 0
    found = lines(tmp_path / "out" / "Patient.ndjson")[0]
    assert (found["name"][0]["family"], found["identifier"][0]["system"]) == ("Grün", "http://x/mrn")


ASKED = ["--set", "types=[Patient]", "--set", "tries=1"]
EAST = """
owner: data engineering
tables:
  people:
    from: {table: people}
    data_class: patient_data
    key: [id]
    person: id
    columns:
      id: {type: text, class: source_id, of: Patient}
      born: {type: date, class: quasi_identifier}
"""


def test_a_database_file_converts_without_a_sources_yml(tmp_path, monkeypatch, capsys):
    (tmp_path / "c.yml").write_text(EAST)
    with contextlib.closing(sqlite3.connect(tmp_path / "east.db")) as east, east:
        east.execute("create table people (id text primary key, born text)")
        east.executemany("insert into people values (?, ?)", [("1", "1980-02-29"), ("2", "not a date")])
    monkeypatch.chdir(tmp_path)
    assert main(["--kind", "database", "--in", "east.db", "--out", "out", "--contract", "c.yml"]) == 1
    header, row = (tmp_path / "out" / "people.csv").read_text().splitlines()
    assert (header, row.split(",")[:2]) == ("id,born,seen_at,seen_version", ["1", "1980-02-29"])
    assert "2 records in 1 file of kind database: 1 written to out, 1 refused" in capsys.readouterr().out


def test_a_server_converts_without_a_sources_yml_and_tells_what_it_left_out(tmp_path, capsys):
    server = MisbehavingServer({"Patient": [patient(1), patient(2)]})
    with serve(server):
        asked = ["--kind", "fhir_api", "--in", server.url, "--out", str(tmp_path / "out"), *ASKED]
        assert main(asked) == 0, capsys.readouterr().err
    assert sorted(each["id"] for each in lines(tmp_path / "out" / "Patient.ndjson")) == ["p1", "p2"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kind", "hl7", "--in", "feed", "--out", "out"], "no kind is called 'hl7'"),
        (["--kind", "hl7v2", "--in", "nowhere", "--out", "out"], "there is nothing at"),
        (["--kind", "hl7v2", "--in", "feed", "--out", "feed/out"], "lies within what is read"),
        (["--kind", "hl7v2", "--in", "feed", "--out", "taken"], "holds other things"),
        (
            ["--kind", "hl7v2", "--in", "feed", "--out", "out", "--set", "listen=no"],
            "'listen' is not the number of a port",
        ),
        (["--kind", "csv", "--in", "feed", "--out", "out"], "'contract' is missing"),
        (["--kind", "hl7v2", "--in", "empty", "--out", "out"], "is empty"),
        (["--kind", "fhir_bundles", "--in", "bulk", "--out", "out"], "they look like KIND=fhir_bulk"),
        (["--kind", "hl7v2", "--in", "feed", "--out", "taken/thesis.doc"], "is a file"),
        (["--kind", "hl7v2", "--in", "feed", "--out", "out", "--set", "oops"], "SET=oops… is no word with its value"),
        (["--kind", "fhir_api", "--in", "nowhere", "--out", "out"], "'url' is not the server's base"),
        (["--kind", "fhir_api", "--in", "http://127.0.0.1:9/r4", "--out", "out", *ASKED], "did not answer"),
        (["--kind", "database", "--in", "no.db", "--out", "out", "--contract", "c.yml"], "there is no file no.db"),
        (
            ["--kind", "database", "--in", "postgresql://u:pw@h/d", "--out", "out", "--contract", "c.yml"],
            "a password in it",
        ),
        (
            ["--kind", "database", "--in", "", "--out", "out", "--contract", "c.yml", "--set", "url_secret=lost"],
            "no IN or no OUT",
        ),
        (
            ["--kind", "database", "--in", "x", "--out", "out", "--contract", "c.yml", "--set", "url_secret=lost"],
            "the secret lost cannot be read",
        ),
    ],
)
def test_what_cannot_begin_says_why_and_what_to_do(feed, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    (feed / "day.hl7").write_bytes(admit(1))
    (tmp_path / "c.yml").write_text(EAST)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bulk").mkdir()
    (tmp_path / "bulk" / "Patient.ndjson").write_bytes(ndjson(patient(1)))
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.doc").write_text("mine")
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert said in told and "now:" in told
    assert (tmp_path / "taken" / "thesis.doc").read_text() == "mine"
