"""dbt on the real database: the whole project builds with every test, and corrections end in the marts as they should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from include.identity.resolve import resolve_persons
from include.settings import Settings
from include.warehouse.build import PROJECT, dbt_environment
from include.warehouse.connect import OWNER, connect
from include.warehouse.dbt_variables import dbt_variables
from tests.dbt.small_hospital import NIGHT, coded, map_rows, patient, promote, token

LOINC, CVX, ACT = "http://loinc.org", "http://hl7.org/fhir/sid/cvx", "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CORE = ["+clinical", "--exclude-resource-type", "unit_test"]


def dbt(settings: Settings, *arguments: str, night=NIGHT) -> dict[str, str]:
    """Run dbt as the nightly build does. Returns the state of every node; fails the test where dbt did not run them."""
    results = settings.home / "dbt" / "target" / "run_results.json"
    results.unlink(missing_ok=True)
    ended = subprocess.run(
        [str(Path(sys.executable).with_name("dbt")), "--quiet", *arguments, "--project-dir", str(PROJECT), "--profiles-dir",
         str(PROJECT), "--target", "nightly", "--vars", json.dumps(dbt_variables(night))],
        env={**os.environ, **dbt_environment(settings)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert results.is_file(), ended.stdout[-3000:]
    states = {each["unique_id"]: each["status"] for each in json.loads(results.read_text())["results"]}
    assert set(states.values()) <= {"success", "pass"}, ended.stdout[-6000:]
    return states


def rows(settings: Settings, query: str) -> list[tuple]:
    with connect("transformer", "hot", settings) as hot:
        return hot.execute(query).fetchall()


def visit(name: str, person: str, **changes) -> dict:
    return {
        "resourceType": "Encounter", "id": name, "person": person, "status": "finished", "class": {"system": ACT, "code": "AMB"},
        "period": {"start": "2026-03-01T10:00:00Z", "end": "2026-03-01T11:00:00Z"}, **changes,
    }  # fmt: skip


def pressure(name: str, person: str, **changes) -> dict:
    return {
        "resourceType": "Observation", "id": name, "person": person, "status": "final", "code": coded(LOINC, "85354-9"),
        "encounter": {"reference": "Encounter/v1"}, "effectiveDateTime": "2026-03-01T10:30:00Z",
        "component": [
            {"code": coded(LOINC, "8480-6"), "valueQuantity": {"value": 140, "code": "mm[Hg]"}},
            {"code": coded(LOINC, "8462-4"), "valueQuantity": {"value": 90, "code": "mm[Hg]"}},
        ], **changes,
    }  # fmt: skip


@pytest.fixture
def hospital(fresh_hot: Settings) -> Settings:
    """Two sources that share a person; one person of documents only, one whose patient record was never sent."""
    promote(fresh_hot, "records", [
        patient("shared", match=["id:1"], birthDate="1950-05-01", gender="female",
                address=[{"postalCode": "03601", "state": "NH", "country": "US"}]),
        patient("alone", birthDate="1936-11-23", gender="male"),
        visit("v1", "shared"), pressure("p1", "shared"), visit("v2", "alone"),
        {"resourceType": "Immunization", "id": "i1", "person": "never sent", "status": "completed",
         "vaccineCode": coded(CVX, "140"), "occurrenceDateTime": "2026-10"},
    ])  # fmt: skip
    told = str(token("tables", "Patient", "s"))
    map_rows(fresh_hot, "tables", {
        "patient": [{"patient_id": told, "match_tokens": ["id:1"], "race": "white;asian", "payer": "Medicare"}],
        "encounter": [{"encounter_id": str(token("tables", "Encounter", "t1")), "patient_id": told, "class_code": "AMB",
                       "started_at": "2026-03-01 10:00Z"}],
        "observation": [
            {"observation_id": str(token("tables", "Observation", code)), "patient_id": told, "system": LOINC, "code": code,
             "encounter_id": str(token("tables", "Encounter", "t1")), "value_number": value, "observed_at": at}
            for code, value, at in (("8480-6", 140, "2026-03-01 10:30Z"), ("8480-6 later", 150, "2026-03-02 10:30Z"))
        ],
    })  # fmt: skip
    resolve_persons(NIGHT, fresh_hot)
    return fresh_hot


def test_the_whole_project_builds_and_every_test_of_it_passes(hospital):
    states = dbt(hospital, "build")
    kinds = [node.split(".")[0] for node in states]
    assert kinds.count("unit_test") >= 16, "no unit tests ran, so nothing at the boundaries was tried"
    assert kinds.count("model") > 50
    shown = "select age_status, zip3, race, payer, has_patient_record, source_count from candidate_clinical.persons order by 1, 2"
    assert rows(hospital, shown) == [
        ("known", "000", "Asian;White", "medicare", True, 2),
        ("unknown", "unknown", "unknown", "unknown", False, 1),
        ("withheld at 90+", "unknown", "unknown", "unknown", True, 1),
    ]
    told_once = "select code, value_number, count(distinct encounter_key) from candidate_clinical.observations group by 1, 2 order by 1"
    assert rows(hospital, told_once) == [("8462-4", 90, 1), ("8480-6", 140, 1), ("8480-6 later", 150, 1)]
    assert rows(hospital, "select count(*), count(distinct encounter_key) from candidate_clinical.encounters") == [
        (2, 2)
    ]
    of_one_visit = "select count(distinct encounter_key) from candidate_clinical.observations"
    assert rows(hospital, of_one_visit) == [(1,)], "facts of a visit told twice belong to the visit that stays"


def test_corrections_deletions_and_erasures_reach_the_marts_and_keys_stay(hospital):
    dbt(hospital, "build", "--select", *CORE)
    keys = "select encounter_key from candidate_clinical.encounters where person_key in (select person_key from candidate_clinical.persons where source_count = 2)"
    before = rows(hospital, keys)
    assert len(before) == 1

    amended = {"component": [{"code": coded(LOINC, "8480-6"), "valueQuantity": {"value": 120, "code": "mm[Hg]"}}]}
    promote(hospital, "records", [
        pressure("p1", "shared", meta={"lastUpdated": "2026-11-23T09:00:00Z"}, status="amended", **amended),
        {"resourceType": "Encounter", "id": "v2", "person": "alone", "deleted": True},
    ])  # fmt: skip
    with connect(OWNER, "hot", hospital) as hot:
        hot.execute("update lifecycle.record set tier = 'destroyed' where dataset = 'Immunization'")
        hot.execute("delete from raw.resource where resource_type = 'Immunization'")
    resolve_persons(NIGHT + timedelta(days=1), hospital)
    dbt(hospital, "build", "--select", *CORE, night=NIGHT + timedelta(days=1))
    values = "select code, value_number, status from candidate_clinical.observations where panel_code is not null"
    assert rows(hospital, values) == [("8480-6", 120, "amended")]
    assert rows(hospital, "select count(*) from candidate_clinical.encounters") == [(1,)]
    assert rows(hospital, keys) == before
    assert rows(hospital, "select count(*) from staging.stg_fhir__encounters") == [(3,)], "a version was staged twice"
    assert rows(hospital, "select count(*) from staging.stg_fhir__immunizations") == [(0,)]
    assert rows(hospital, "select count(*) from candidate_clinical.persons where not has_patient_record") == [(0,)]


def test_a_changed_contract_stages_its_rows_anew_unless_months_have_left_hot(hospital):
    dbt(hospital, "build", "--select", "stg_tables__patients")
    with connect(OWNER, "hot", hospital) as hot:
        hot.execute("update raw.test__patient set language = 'Spanish'")
        hot.execute("""insert into lifecycle.declared_table (raw_table, source, table_name, declared, fingerprint)
                       values ('test__patient', 'tables', 'patient', '{}', 'another map')""")  # fmt: skip
    staged = "select language from staging.stg_tables__patients"
    assert rows(hospital, staged) == [(None,)]
    dbt(hospital, "run", "--select", "stg_tables__patients")
    assert rows(hospital, staged) == [("Spanish",)]

    with connect(OWNER, "hot", hospital) as hot:
        hot.execute("update lifecycle.declared_table set fingerprint = 'a third map'")
        hot.execute("update lifecycle.record set tier = 'cold', file_id = 1 where dataset = 'Encounter'")
    with pytest.raises(AssertionError, match="months it was made from have left hot"):
        dbt(hospital, "run", "--select", "stg_tables__patients")
    assert rows(hospital, staged) == [("Spanish",)]
