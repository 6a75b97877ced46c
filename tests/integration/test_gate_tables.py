"""Tables are judged through the mapping that their contract declares, and by the contract's own checks: no code for a source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from psycopg import sql

from include.quality.errors import SuiteError
from include.quality.gate import check_batch
from include.warehouse.connect import connect
from tests.quality_inputs import NIGHT, batch_row, gate_results, note_batch, refused_by, token

CONTRACT = """
owner: data steward
tables:
  people:
    files: "people.csv"
    data_class: patient_data
    key: [pid]
    person: pid
    columns:
      pid: {type: text, class: source_id, of: Patient}
      dob: {type: date, class: quasi_identifier}
      sex: {type: text, class: clinical}
    maps:
      - {to: patient, fields: {patient_id: pid, birth_date: dob, sex: sex}, values: {sex: {F: female}}}
  vitals:
    files: "vitals.csv"
    data_class: patient_data
    key: [vid]
    person: pid
    columns:
      vid: {type: text, class: source_id, of: Observation}
      pid: {type: text, class: source_id, of: Patient}
      taken: {type: timestamp, class: quasi_identifier}
      sbp: {type: decimal, class: clinical}
      pulse: {type: integer, class: clinical}
      site: {type: text, class: clinical}
    maps:
      - to: observation
        fields: {observation_id: vid, patient_id: pid, observed_at: taken, value_number: sbp}
        constants: {code: "8480-6", system: "http://loinc.org", unit: "mm[Hg]", status: final}
      - to: observation
        fields: {observation_id: vid, patient_id: pid, observed_at: taken, value_number: pulse}
        constants: {code: "8867-4", system: "http://loinc.org", unit: "/min", status: final}
    checks:
      - name: site_unknown
        column: site
        expectation: expect_column_values_to_be_in_set
        value_set: [left, right]
        severity: critical
        dimension: validity
        why: the ward measures at an arm
      - name: pulse_above_pressure
        columns: [sbp, pulse]
        expectation: expect_column_pair_values_a_to_be_greater_than_b
        severity: warning
        dimension: consistency
        why: a sign of shock, worth counting
  labs:
    files: "labs.csv"
    data_class: patient_data
    key: [vid]
    person: pid
    columns:
      vid: {type: text, class: source_id, of: Observation}
      pid: {type: text, class: source_id, of: Patient}
      test: {type: text, class: clinical}
      result: {type: decimal, class: clinical}
    maps:
      - to: observation
        fields: {observation_id: vid, patient_id: pid, code: test, value_number: result}
        constants: {system: "http://loinc.org", unit: "%", status: final}
        values: {code: {A1C: "4548-4", "*": null}}
  stays:
    files: "stays.csv"
    data_class: patient_data
    key: [sid]
    person: pid
    columns:
      sid: {type: text, class: source_id, of: Encounter}
      pid: {type: text, class: source_id, of: Patient}
      came: {type: timestamp, class: quasi_identifier}
      left_on: {type: date, class: quasi_identifier}
      state: {type: text, class: clinical}
    maps:
      - {to: encounter, fields: {encounter_id: sid, patient_id: pid, started_at: came, ended_at: left_on, status: state}}
"""
_LEADING = """record_id uuid not null, resource_id text not null, is_deleted boolean not null default false,
    data_class text not null default 'patient_data', person_token uuid, object_no integer not null default 1, place text"""


class Tables:
    """A csv source of three tables, whose rows are put into intake by hand."""

    def __init__(self, settings, folder: Path, contract: str = CONTRACT) -> None:
        self.name = f"csv_{uuid4().hex[:8]}"
        (folder / "contract.yml").write_text(contract)
        (folder / "sources.yml").write_text(
            f"sources:\n  - {{name: {self.name}, kind: csv, path: ., contract: contract.yml}}\n"
        )
        self.settings = replace(settings, sources_file=folder / "sources.yml")

    def load(self, table: str, columns: str, rows: dict[str, tuple]) -> str:
        """Load rows by record name; the second of each row's values is the person. Returns the batch's id."""
        batch_id = f"{self.name}__{table}__{NIGHT:%Y%m%d}__{uuid4().hex[:12]}"
        intake = sql.Identifier("intake", batch_id)
        names = [column.split()[0] for column in columns.split(", ")]
        with connect("loader", "hot", self.settings) as books:
            books.execute(sql.SQL("create unlogged table {} (" + _LEADING + ", " + columns + ")").format(intake))
            books.execute(sql.SQL("grant select, delete on {} to checker").format(intake))
            insert = sql.SQL("insert into {} (record_id, resource_id, person_token, {}) values ({})").format(
                intake,
                sql.SQL(", ").join(map(sql.Identifier, names)),
                sql.SQL(", ").join(sql.Placeholder() * (3 + len(names))),
            )
            for record, values in rows.items():
                person = values[names.index("pid")]
                ids = [token(self.name, value) if name in ("pid", "vid", "sid") and value else value
                       for name, value in zip(names, values, strict=True)]  # fmt: skip
                books.execute(insert, [self.record(record), record, person and token(self.name, person), *ids])
            note_batch(books, batch_id, self.name, table, "table", NIGHT, len(rows))
        return batch_id

    def record(self, name: str):
        """The record id of a named row."""
        return token(self.name, name, "record")

    def people(self) -> str:
        """Ann, born on 10 May 1980, and nineteen others."""
        rows = {f"person {n}": (f"p{n}", "1990-01-01", "F") for n in range(19)} | {"ann": ("ann", "1980-05-10", "F")}
        return self.load("people", "pid uuid, dob date, sex text", rows)

    def vitals(self, rows: dict[str, tuple]) -> str:
        """These rows and sixty without a fault: (vid, pid, taken, sbp, pulse, site)."""
        clean = {f"clean {n}": (f"c{n}", "ann", "2026-03-01 10:00+00", 120, 70, "left") for n in range(60)}
        return self.load(
            "vitals", "vid uuid, pid uuid, taken timestamptz, sbp numeric, pulse bigint, site text", clean | rows
        )


VITALS = {
    "highest pressure": (("v1", "ann", "2026-03-01 10:00+00", 370, 70, "left"), None),
    "above it": (("v2", "ann", "2026-03-01 10:00+00", 371, 70, "left"), "value_impossible"),
    "lowest pulse": (("v3", "ann", "2026-03-01 10:00+00", 120, 10, "left"), None),
    "below it": (("v4", "ann", "2026-03-01 10:00+00", 120, 9, "left"), "value_impossible"),
    "one of two values is enough": (("v5", "ann", "2026-03-01 10:00+00", 120, None, "left"), None),
    "after the night": (("v6", "ann", "2026-11-24 12:00:01+00", 120, 70, "left"), "date_in_future"),
    "before birth": (("v7", "ann", "1980-05-09 09:59:59+00", 120, 70, "left"), "date_before_birth"),
    "about nobody": (("v8", None, "2026-03-01 10:00+00", 120, 70, "left"), "subject_missing"),
    "about a stranger": (("v9", "stranger", "2026-03-01 10:00+00", 120, 70, "left"), "subject_unknown"),
    "a site the contract does not know": (("v10", "ann", "2026-03-01 10:00+00", 120, 70, "leg"), "site_unknown"),
    "a warning of the contract": (("v11", "ann", "2026-03-01 10:00+00", 70, 120, "left"), None),
}


@pytest.fixture(scope="module")
def judged(stack, tmp_path_factory):
    tables = Tables(stack, tmp_path_factory.mktemp("tables"))
    tables.people()
    batch_id = tables.vitals({name: row for name, (row, _) in VITALS.items()})
    assert check_batch(batch_id, tables.settings) == "passed"
    return tables, refused_by(stack, batch_id), gate_results(stack, batch_id), batch_row(stack, batch_id)


@pytest.mark.parametrize("case", VITALS)
def test_rows_of_a_table_are_judged_as_the_entity_they_are_mapped_to(judged, case):
    tables, reasons, _, _ = judged
    assert reasons.get(tables.record(case)) == VITALS[case][1]


def test_a_row_that_two_mappings_refuse_is_quarantined_once(judged):
    _, reasons, _, row = judged
    assert row["quarantined"] == len(reasons) == 7
    assert row["received"] == row["loaded"] + row["quarantined"] == 71


def test_rules_that_a_table_cannot_be_asked_are_not_applicable(judged):
    _, _, results, _ = judged
    assert results["observation", "date_unreadable"] == ("not applicable", 0, 0, None)
    assert results["observation", "status_unknown"][0] == "not applicable"
    assert results["contract_checks", "pulse_above_pressure"][0] == "failed"


def test_a_day_against_a_time_has_half_a_day_of_slack(stack, tmp_path):
    tables = Tables(stack, tmp_path)
    tables.people()
    rows = {f"clean {n}": (f"s{n}", "ann", "2026-01-05 10:00+00", "2026-01-06", "done") for n in range(30)}
    rows["still that day somewhere"] = ("a", "ann", "2026-01-05 11:59:59+00", "2026-01-04", "done")
    rows["over everywhere"] = ("b", "ann", "2026-01-05 12:00:01+00", "2026-01-04", "done")
    batch_id = tables.load("stays", "sid uuid, pid uuid, came timestamptz, left_on date, state text", rows)
    check_batch(batch_id, tables.settings)
    assert refused_by(stack, batch_id) == {tables.record("over everywhere"): "end_before_start"}


def test_a_code_that_the_contract_cannot_translate_is_counted_and_a_missing_one_refused(stack, tmp_path):
    tables = Tables(stack, tmp_path)
    tables.people()
    rows = {f"clean {n}": (f"l{n}", "ann", "A1C", 6.1) for n in range(30)}
    rows |= {
        "own test": ("a", "ann", "ward test 7", 6.1),
        "no test": ("b", "ann", None, 6.1),
        "impossible": ("c", "ann", "A1C", 250),
    }
    batch_id = tables.load("labs", "vid uuid, pid uuid, test text, result numeric", rows)
    check_batch(batch_id, tables.settings)
    assert refused_by(stack, batch_id) == {
        tables.record("no test"): "code_missing",
        tables.record("impossible"): "value_impossible",
    }
    assert gate_results(stack, batch_id)["observation", "code_not_coded"][:3] == ("failed", 33, 2)


def test_patients_of_a_table_are_judged_too(stack, tmp_path):
    tables = Tables(stack, tmp_path)
    rows = {f"person {n}": (f"p{n}", "1990-01-01", "F") for n in range(30)}
    rows |= {
        "unborn": ("q1", "2026-11-25", "F"),
        "ancient": ("q2", "1889-12-31", "F"),
        "own word": ("q3", "1990-01-01", "Q"),
    }
    batch_id = tables.load("people", "pid uuid, dob date, sex text", rows)
    check_batch(batch_id, tables.settings)
    assert refused_by(stack, batch_id) == {
        tables.record("unborn"): "birth_in_future",
        tables.record("ancient"): "birth_before_1890",
    }


def test_checks_of_a_contract_with_unknown_words_are_refused_all_at_once(stack, tmp_path):
    spoilt = CONTRACT.replace("value_set: [left, right]", "value_sett: [left]").replace("[sbp, pulse]", "[sbp, pulze]")
    tables = Tables(stack, tmp_path, spoilt)
    tables.people()
    batch_id = tables.vitals({})
    with pytest.raises(SuiteError, match=r"unknown word value_sett.*does not say value_set.*pulze is no column here"):
        check_batch(batch_id, tables.settings)
    assert batch_row(stack, batch_id)["state"] == "loaded"
