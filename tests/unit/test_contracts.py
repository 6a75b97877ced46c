"""A contract lists what is allowed, answers to somebody, and says all that is wrong with it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.sources.contracts import ContractError, load_contract
from include.sources.entities import ENTITIES, OWN_ID, PARTS, columns_of

EXAMPLES = Path(__file__).parents[1] / "integration" / "real_hospitals"
GOOD = """
owner: data steward
identifier_system: http://hospital.example.org/mrn
tables:
  visits:
    files: visits.csv
    data_class: patient_data
    key: [visit]
    person: patient
    event_at: started
    deleted_when: {status: [deleted]}
    columns:
      visit: {type: text, class: source_id, of: Encounter}
      patient: {type: text, class: source_id, of: Patient}
      started: {type: timestamp, class: quasi_identifier, header: Admission Date}
      status: {type: text, class: clinical}
      ssn: {type: text, class: direct_identifier, match: identifier, system: "http://hl7.org/fhir/sid/us-ssn"}
      note: {type: text, class: free_text}
    maps:
      - to: encounter
        fields: {encounter_id: visit, patient_id: patient, started_at: started, status: status}
        values: {status: {open: in-progress, "*": null}}
        where: {status: [open, closed]}
"""


def load(folder: Path, text: str):
    path = folder / "contract.yml"
    path.write_text(text, encoding="utf-8")
    return load_contract(path)


def test_a_contract_is_read_with_its_classes_keys_and_maps(tmp_path):
    contract = load(tmp_path, GOOD)
    (table,) = contract.tables
    assert (contract.owner, table.key, table.person, table.event_at) == (
        "data steward",
        ("visit",),
        "patient",
        "started",
    )
    assert [column.name for column in table.columns if column.is_sealed] == ["ssn", "note"]
    assert [(column.name, column.postgres_type) for column in table.clear_columns] == [
        ("visit", "uuid"),
        ("patient", "uuid"),
        ("started", "timestamptz"),
        ("status", "text"),
    ]
    assert table.columns[2].header == "Admission Date"
    assert table.position("ssn") == 4
    assert table.maps[0].values == {"status": {"open": "in-progress", "*": None}}


@pytest.mark.parametrize("name", ["hospital_a.yml", "hospital_d.yml", "geo.yml"])
def test_the_example_contracts_are_good(name):
    assert load_contract(EXAMPLES / name).tables


MISTAKES = {
    "owner: data steward": ("", "'owner' is missing"),
    "data_class: patient_data": ("", "'data_class' is missing"),
    "key: [visit]": ("key: [nothing]", "key column 'nothing' is not declared"),
    "person: patient": ("person: status", "person 'status' is not a declared column of class source_id, of: Patient"),
    "event_at: started": ("event_at: note", "event_at 'note' is not a declared, unsealed date or timestamp"),
    "{status: [deleted]}": ("{ssn: [x]}", "deleted_when: 'ssn' is not a declared column that stands in raw in clear"),
    "class: clinical}": ("class: harmless}", "class is 'harmless', not one of"),
    "type: timestamp": ("type: datetime", "type is 'datetime', not one of"),
    "status: {type: text, class: clinical}": ("status: {type: text}", "class is missing, not one of"),
    ", of: Encounter": ("", "class source_id and 'of'"),
    ", match: identifier": (", match: nickname", "match is 'nickname', not one of"),
    'system: "http://hl7.org/fhir/sid/us-ssn"': ("x: 1", "'x' is not known"),
    "class: free_text}": ("class: free_text, max_length: 0}", "'max_length' is not a whole number from 1"),
    "note: {": ("record_id: {", "every raw table has a column of that name already"),
    "status: {": ("Status: {", "use 'header' for the file's name"),
    "header: Admission Date": ("header: visit", "two columns have the header 'visit'"),
    "- to: encounter": ("- to: stay", "'to' is not one of"),
    "started_at: started": ("started_at: nothing", "column 'nothing' is not declared"),
    "status: status}": ("status: note}", "column 'note' is sealed, so no mart can see it"),
    "patient_id: patient": ("pat_id: patient", "'pat_id' is not known"),
    "values: {status:": ("values: {class_code:", "values for 'class_code', which is no field of this map"),
    "  visits:\n": ("  Visits:\n", "its name is not of lower case letters"),
    "    files: visits.csv\n": ("", "neither 'files' says which files hold it"),
}


@pytest.mark.parametrize("good", MISTAKES)
def test_a_mistake_is_said_with_where_it_stands(tmp_path, good):
    bad, says = MISTAKES[good]
    assert good in GOOD
    with pytest.raises(ContractError) as problem:
        load(tmp_path, GOOD.replace(good, bad, 1))
    assert says in str(problem.value)
    assert "contract.yml" in problem.value.action


def test_all_mistakes_are_said_at_once(tmp_path):
    text = (
        GOOD.replace("owner: data steward", "")
        .replace("type: timestamp", "type: time")
        .replace("class: clinical", "class: x")
    )
    with pytest.raises(ContractError, match=r"(?s)has 4 mistakes.*owner.*type is 'time'.*class is 'x'"):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("dialect", "says"),
    [
        ("encoding: utf-16", "not one that ASCII is part of"),
        ("encoding: klingon", "not one that ASCII is part of"),
        ("delimiter: ''", "'delimiter' is not one character"),
        ("delimiter: '||'", "'delimiter' is not one character"),
        ("null_values: ''", "'null_values' is not a list"),
        ("null_values: [0]", "'null_values' is not a list of texts"),
        ("booleans: {maybe: [x]}", "'booleans' is not a mapping"),
    ],
)
def test_a_dialect_that_cannot_be_read_is_refused(tmp_path, dialect, says):
    with pytest.raises(ContractError, match=says):
        load(tmp_path, f"{dialect}\n{GOOD}")


def test_entities_with_parts_have_ids_of_their_own():
    assert set(OWN_ID) >= PARTS
    assert all(name in ENTITIES[entity] for entity, name in OWN_ID.items())
    assert list(columns_of("patient"))[:2] == ["record_id", "source"]
