"""make check: the whole catalogue on a folder, what it finds, and that nothing of it stays."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from datetime import date
from pathlib import Path

import pytest

from include.local_stack.home import write_private
from include.quality.__main__ import main
from include.quality.catalogue import folder_check
from include.quality.catalogue.subjects import read_subjects
from include.settings import Settings
from include.sources.registry import SourcesError
from include.warehouse.connect import connect
from tests.check_inputs import broken, hospital, write
from tests.deliveries import patient
from tests.dicom_instances import instance
from tests.fhir_server import MisbehavingServer, serve
from tests.source_systems import SqliteSystem
from tests.unit.test_convert import EAST

NIGHT = date(2026, 11, 24)


def check(folder: Path) -> folder_check.FolderCheck:
    return folder_check.check(folder_check.find(str(folder)), NIGHT)


@pytest.fixture(scope="module")
def clean() -> dict:
    return hospital()


def test_a_sound_export_fails_no_check_of_what_is_there_and_has_no_errors(settings: Settings, tmp_path: Path, clean):
    found = check(write(tmp_path / "clean", clean))
    bad = [each.instance for each in found.results if each.status == "failed" and each.check.category != "completeness"]
    assert {each for each in bad if ".cdmField." not in each and ".cdmTable" not in each} == set()
    assert found.counts()["error"] == 0
    assert sum(each.status == "passed" for each in found.results) > 150


def test_every_planted_mistake_is_counted_by_its_check_and_by_no_other_value_check(
    settings: Settings, tmp_path: Path, clean
):
    before = {each.instance: each.failed for each in check(write(tmp_path / "clean", clean)).results}
    mistakes, expected = broken(clean)
    after = {each.instance: each for each in check(write(tmp_path / "broken", mistakes)).results}
    counted = {name: after[name].failed - (before[name] or 0) for name in expected}
    assert counted == expected
    more = {
        name for name, each in after.items()
        if name not in expected and each.check.category == "plausibility" and each.failed > (before.get(name) or 0)
    }  # fmt: skip
    # One mistake breaks several rules where they say different things of it: a wrong date, a death, a value out of range.
    of_the_same_date = ("Condition", "Encounter", "MedicationRequest", "Observation")
    told_twice = {"Observation.plausibleAmount.value_impossible", "Observation.plausibleUnitConceptIds.unit_unexpected"}
    temporal = {
        each.instance
        for each in after.values()
        if each.check.subcategory == "temporal" or each.check.name == "withinVisitDates"
    }
    assert {name for name in more if name.split(".")[0] not in of_the_same_date or name not in temporal} <= told_twice


def test_counts_of_single_codes_add_up_to_the_gate_s_count(settings: Settings, tmp_path: Path, clean):
    results = {each.instance: each for each in check(write(tmp_path / "broken", broken(clean)[0])).results}
    of_codes = [
        each
        for name, each in results.items()
        if name.startswith(("Observation.plausibleValueLow.", "Observation.plausibleValueHigh."))
    ]
    assert sum(each.failed for each in of_codes) == results["Observation.plausibleAmount.value_impossible"].failed == 2


def test_the_result_is_json_with_the_words_that_were_promised(settings: Settings, tmp_path: Path, clean, capsys):
    folder, out = write(tmp_path / "broken", broken(clean)[0]), tmp_path / "result.json"
    assert main(["check", "--source", str(folder), "--out", str(out), "--night", "2026-11-24"]) == 1
    listed = json.loads(out.read_text())
    promised = {
        "check",
        "instance",
        "status",
        "tested",
        "failed",
        "threshold",
        "kahn_category",
        "kahn_context",
        "dimension",
    }
    assert all(promised <= set(each) for each in listed)
    assert {each["status"] for each in listed} <= {"passed", "failed", "not_applicable", "error"}
    ranks = [("error", "failed", "passed", "not_applicable").index(each["status"]) for each in listed]
    assert ranks == sorted(ranks)
    told = capsys.readouterr()
    assert "FAILED Condition.codeInTerminology.code_value: 1 of 20" in told.out
    assert "reading folder (fhir_bulk)" in told.err


def test_no_identifier_and_no_row_is_left_behind(settings: Settings, tmp_path: Path, clean, capsys):
    folder, out = write(tmp_path / "broken", broken(clean)[0]), tmp_path / "result.json"
    count = "select count(*) from pg_class where relkind in ('r', 'p')"
    with connect("postgres", "hot", settings) as books:
        before = books.execute(count).fetchone()
    main(["check", "--source", str(folder), "--out", str(out)])
    with connect("postgres", "hot", settings) as books:
        assert books.execute(count).fetchone() == before
    told = capsys.readouterr()
    for planted in ("Family3", "Given3", "MRN-3", "stone", "Massachusetts"):
        assert planted not in out.read_text() + told.out + told.err


def test_a_broken_file_is_told_and_the_others_are_checked(settings: Settings, tmp_path: Path, clean):
    folder = write(tmp_path / "cut", clean)
    (folder / "Condition.ndjson.gz").write_bytes(b"\x1f\x8b\x08\x00 not gzip")
    (folder / "Immunization.ndjson").write_text('{"resourceType": "Immunization", "id": \nnot json\n')
    found = check(folder)
    readable = next(each for each in found.results if each.instance == "resource.readableRecord")
    assert (readable.status, readable.failed) == ("failed", 3)
    assert (
        next(each for each in found.results if each.instance == "Patient.isPrimaryKey.resource_id").status == "passed"
    )
    assert any("gzip" in line for line in folder_check.lines(found))


def test_a_check_of_one_s_own_is_one_file(settings: Settings, tmp_path: Path, clean, monkeypatch):
    own = tmp_path / "checks"
    own.mkdir()
    (own / "late_hours.yml").write_text(
        """
        check: measuredAtNight
        subject: observation
        owner: nursing lead
        asks: How many values were measured before six?
        kahn: [validation, plausibility, temporal]
        dimension: validity
        threshold: 0.5
        action: ask nursing
        applies: happened_at is not null
        fails: extract(hour from happened_at) >= 6
        """
    )
    (own / "wrong.sql").write_text(
        """-- check: brokenStatement
-- subject: encounter
-- owner: nobody
-- asks: What happens with a mistake?
-- kahn: [validation, plausibility, null]
-- dimension: validity
-- threshold: 0
-- action: correct it
select count(*), no_such_column from encounter"""
    )
    (own / "emptying.sql").write_text(
        (own / "wrong.sql").read_text().replace("brokenStatement", "emptying").split("select")[0]
        + "with gone as (delete from encounter returning 1) select count(*), 0 from gone"
    )
    monkeypatch.setenv("PLUMBLINE_CHECKS_DIR", str(own))
    results = {each.instance: each for each in check(write(tmp_path / "clean", clean)).results}
    assert (results["Observation.measuredAtNight"].status, results["Observation.measuredAtNight"].failed) == (
        "failed",
        80,
    )
    assert (results["Encounter.brokenStatement"].status, results["Encounter.brokenStatement"].error_code) == (
        "error",
        "42703",
    )
    assert (results["Encounter.emptying"].tested, results["Encounter.brokenStatement"].tested) == (20, None)


def test_a_mistake_in_sql_of_one_s_own_is_told_in_postgres_words_and_a_value_never(
    settings: Settings, tmp_path: Path, clean, monkeypatch
):
    own = tmp_path / "checks"
    own.mkdir()
    head = "".join(f"-- {line}\n" for line in (
        "subject: observation", "owner: x", "asks: x", "kahn: [validation, plausibility, null]", "dimension: validity", "threshold: 0", "action: x",
    ))  # fmt: skip
    for name, statement in (
        ("column", "select count(valeu), 0 from observation"), ("table", "select count(*), 0 from observations"),
        ("syntax", "select count(*) 0 frm observation"), ("value", "select count(*), sum(code_value::int) from observation"),
        ("one", "select count(*) from observation"), ("writing", "create table public.mine (n int)"),
    ):  # fmt: skip
        (own / f"{name}.sql").write_text(f"-- check: {name}\n{head}{statement}")
    monkeypatch.setenv("PLUMBLINE_CHECKS_DIR", str(own))
    found = check(write(tmp_path / "clean", clean))
    told = {each.instance.removeprefix("Observation."): each for each in found.results if each.status == "error"}
    assert set(told) == {"column", "table", "syntax", "value", "one", "writing"}
    assert told["column"].error_text == 'column "valeu" does not exist'
    assert told["table"].error_text == 'relation "observations" does not exist'
    assert "syntax error" in told["syntax"].error_text
    assert "two numbers" in told["one"].error_text
    assert "only read" in told["writing"].error_text or "permission denied" in told["writing"].error_text
    assert (
        "cannot be computed with" in told["value"].error_text
        and "8302" not in found.as_json().split('"Observation.value"')[1][:400]
    )
    assert any(
        'could not be counted (42703: column "valeu" does not exist)' in line for line in folder_check.lines(found)
    )


def test_sources_of_every_shape_can_be_checked_before_they_are_let_in(settings: Settings, tmp_path: Path, monkeypatch):
    pictures, notes, database = tmp_path / "pictures", tmp_path / "notes", SqliteSystem(tmp_path)
    for folder in (pictures, notes):
        folder.mkdir()
    for number in (1, 2):
        (pictures / f"IM{number}").write_bytes(instance(number=number))
    (notes / "123.txt").write_text("MRN: 123\nSeen today.")
    (notes / "nobody.txt").write_text("No number.")
    database(
        "create table people (id varchar(9) primary key, born date)",
        "insert into people values ('p1', '1980-02-29'), ('p2', '2080-01-01')",
    )
    (tmp_path / "east.yml").write_text(
        """{owner: x, tables: {people: {from: {table: people}, data_class: patient_data, key: [id], person: id, columns: {
           id: {type: text, class: source_id, of: Patient}, born: {type: date, class: quasi_identifier}},
           maps: [{to: patient, fields: {patient_id: id, birth_date: born}}]}}}"""
    )
    (tmp_path / "sources.yml").write_text(
        "sources: [{name: east, kind: database, url_secret: east_url, contract: east.yml}]"
    )
    write_private(settings.secrets_dir / "east_url", database.url)

    def results(asked: str, *words: str) -> dict:
        return {
            each.instance: each for each in folder_check.check(folder_check.find(asked, words=words), NIGHT).results
        }

    studies = results(str(pictures))
    assert (studies["ImagingStudy.cdmTable"].status, studies["Encounter.cdmTable"].status) == (
        "passed",
        "not_applicable",
    )
    assert studies["ImagingStudy.isPrimaryKey.resource_id"].tested == 2
    told = results(str(notes), "patient_id={header: MRN}")
    assert (told["resource.readableRecord"].tested, told["resource.readableRecord"].failed) == (2, 1)
    assert told["DocumentReference.cdmTable"].status == "passed"
    asked = results(str(tmp_path / "sources.yml"))
    future = asked["Patient.plausibleDateRange.birth_in_future"]
    assert (future.status, future.tested, future.failed) == ("failed", 2, 1)
    assert not list(tmp_path.glob("plumbline-check-*"))


def test_one_check_that_cannot_be_counted_is_one_error_and_no_pass(
    settings: Settings, tmp_path: Path, clean, monkeypatch
):
    own = tmp_path / "checks"
    own.mkdir()
    (own / "division.yml").write_text(
        "{check: divides, subject: observation, owner: x, asks: x, kahn: [validation, plausibility, null], dimension: validity, "
        "threshold: 0, action: x, applies: 'true', fails: '1 / (value - value) > 0'}"
    )
    monkeypatch.setenv("PLUMBLINE_CHECKS_DIR", str(own))
    results = check(write(tmp_path / "clean", clean)).results
    assert [(each.instance, each.error_code) for each in results if each.status == "error"] == [
        ("Observation.divides", "22012")
    ]


def test_tables_are_checked_through_their_contract(settings: Settings, real_inputs: Path):
    declared = Path(__file__).parent / "real_hospitals" / "sources.yml"
    found = folder_check.check(folder_check.find(f"{declared}:hospital_d"), NIGHT)
    results = {each.instance: each for each in found.results}
    assert found.counts()["error"] == 0
    assert results["Patient.valueSetMember.state"].failed == 27  # Synthea writes names of states
    assert results["Patient.measureValueCompleteness.postal_code"].failed == 12
    assert results["Observation.isPrimaryKey.resource_id"].status == "passed"


def test_an_export_that_lacks_whole_kinds_of_records_is_told_so(settings: Settings, real_inputs: Path):
    results = {each.instance: each.status for each in check(real_inputs / "hospital_c" / "fhir_bulk").results}
    assert [results[f"{kind}.cdmTable"] for kind in ("Observation", "DiagnosticReport", "Condition")] == [
        "failed",
        "failed",
        "passed",
    ]


def test_subjects_are_read_once_each(settings: Settings):
    assert len({subject.name for subject in read_subjects()}) == len(read_subjects()) == 15


@pytest.mark.parametrize("kind", ["clinical_notes", "dicom", "database", "fhir_api"])
def test_every_kind_can_be_checked(settings: Settings, tmp_path: Path, capsys, monkeypatch, kind):
    for name, value in {"PLUMBLINE_HOME": settings.home, "PLUMBLINE_SECRETS_DIR": settings.secrets_dir}.items():
        monkeypatch.setenv(name, str(value))
    with small_source(kind, tmp_path) as (asked, words):
        assert folder_check.main(asked, kind=kind, out=None, **words) in (0, 1)
    told = capsys.readouterr().out
    assert " 0 records" not in told and "0 errors" in told


@contextlib.contextmanager
def small_source(kind: str, folder: Path):
    """A delivery of one or two records of a kind: what is asked for, and the words beside it."""
    place, words = folder / "delivery", {"contract": None, "words": []}
    place.mkdir()
    if kind == "clinical_notes":
        (place / "4711_20261120.txt").write_text("PLAN: Rest.")
        words["words"] = ["patient_id={file_name: '(?P<patient>[0-9]+)_(?P<date>[0-9]{8})'}"]
    elif kind == "dicom":
        (place / "IM1.dcm").write_bytes(instance())
    elif kind == "database":
        (folder / "c.yml").write_text(EAST)
        with contextlib.closing(sqlite3.connect(place / "east.db")) as east, east:
            east.execute("create table people (id text primary key, born text)")
            east.execute("insert into people values ('1', '1980-02-29')")
        yield str(place / "east.db"), {"contract": str(folder / "c.yml"), "words": []}
        return
    else:
        server = MisbehavingServer({"Patient": [patient(1)]})
        with serve(server):
            yield server.url, {"contract": None, "words": ["types=[Patient]"]}
        return
    yield str(place), words


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        ("nowhere", None, "there is no nowhere"),
        ("", None, "there is no SOURCE"),
        ("empty", "hl7v2", "is empty"),
    ],
)
def test_what_cannot_be_checked_says_why(tmp_path: Path, monkeypatch, asked, kind, said):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourcesError, match=said):
        folder_check.main(asked, kind=kind, contract=None, out=None)
