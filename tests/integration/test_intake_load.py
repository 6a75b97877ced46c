"""Loading on the real Postgres and S3: every record counted once, nothing named in clear, nothing lost to a kill."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from psycopg import sql

from include.intake.load import load_source
from include.privacy import keys
from include.privacy.keyring import load_keyring
from include.privacy.sealing import rebuild, unseal
from include.privacy.tokens import Tokeniser
from include.warehouse.connect import connect
from tests.deliveries import NAME, NIGHT, SSN, Delivery, ndjson, observation, patient, text_of


def test_every_line_is_loaded_a_duplicate_or_refused_with_its_reason_and_place(settings, tmp_path) -> None:
    lines = [
        patient(1), b'{"resourceType": "Patient", "id": ', b"", patient(1), patient(2, name=[{"text": "\x00"}]), b'{"resourceType":"Patient","id":"\xff"}',
        {"resourceType": "Encounter", "id": "e"}, {"resourceType": "Patient"}, patient(1, gender="male"), patient(3, name=[{"text": "x" * 5000}]), patient(4),
        b"[1]", patient(5, meta={"versionId": "1"}), patient(5, meta={"versionId": "2"}), {"resourceType": "Patient", "id": 7},
    ]  # fmt: skip
    source = Delivery.of(settings, tmp_path, max_record_bytes=4096).put("Patient.ndjson", ndjson(*lines))
    (batch,) = source.load()
    assert source.refusals() == [
        ("line 10", "record", "over_long", 1),
        ("line 12", "record", "not_an_object", 1),
        ("line 15", "record", "bad_id", 1),
        ("line 2", "record", "malformed_json", 1),
        ("line 5", "record", "nul", 1),
        ("line 6", "record", "invalid_utf8", 1),
        ("line 7", "record", "wrong_resource_type", 1),
        ("line 8", "record", "missing_id", 1),
        ("line 9", "record", "duplicate_id", 1),
    ]
    assert source.counts(batch) == ("loaded", 14, 4, 1, 9)
    assert sorted(row["place"] for row in source.rows(batch)) == ["line 1", "line 11", "line 13", "line 14"]
    (counted,) = source.rows("batch_object", "lifecycle")
    assert [counted[name] for name in ("received", "loaded", "duplicate", "quarantined")] == [14, 4, 1, 9]


SILENT = {  # what the splitter does not parse, in elements that it keeps, seals and does not know
    "number_out_of_range": [
        *(b'{"resourceType":"Patient","id":"p%d",%b}' % (number, element) for number, element in enumerate([
            b'"multipleBirthInteger":1e999', b'"x":-1E+400', b'"name":[{"x":[1e0309 ]}]', b'"x":' + b"9" * 400, b'"extension":[{"valueDecimal":' + b"7" * 250 + b"e99}]",
        ])),
    ],
    "lone_surrogate": [b'{"resourceType":"Patient","id":"p","x":"\\ud800"}', b'{"resourceType":"Patient","id":"p","name":[{"family":"\\udfff"}]}'],
    "missing_resource_type": [b"{}"],
    "nul": [b'{"resourceType":"Patient","id":"p","x":{"y":"\\u0000"}}'],
    "nested_too_deep": [b'{"resourceType":"Patient","id":"p","x":' + b"[" * 2000 + b"]" * 2000 + b"}"],
    "malformed_json": [b'{"resourceType":"Patient","id":"p","x":[NaN]}', b'{"resourceType":"Patient","id":"p","x":01}', b'{"resourceType":"Patient","id":"p","x":"\t"}'],
}  # fmt: skip


def test_what_only_a_whole_parse_would_notice_is_refused_as_the_reader_does_and_the_rest_goes_on(
    settings, tmp_path
) -> None:
    bad = [(reason, line) for reason, lines in SILENT.items() for line in lines]
    good = [
        patient(1),
        patient(2, multipleBirthInteger=10**30),
        {**patient(3), "x": 1e300},
        {**patient(4), "x": [1e-320]},
    ]
    source = Delivery.of(settings, tmp_path).put("Patient.ndjson", ndjson(*(line for _, line in bad), *good))
    (batch,) = source.load()
    told = {int(place.removeprefix("line ")): reason for place, _, reason, _ in source.refusals()}
    assert told == {number: reason for number, (reason, _) in enumerate(bad, 1)}
    assert source.counts(batch) == ("loaded", len(bad) + 4, 4, 0, len(bad))


def test_a_broken_file_is_refused_whole_and_the_others_are_loaded(settings, tmp_path) -> None:
    source = Delivery.of(settings, tmp_path)
    whole = gzip.compress(ndjson(*[observation(number, note=[{"text": str(number) * 50}]) for number in range(20_000)]))
    source.put("Patient.ndjson.gz", ndjson(patient(1), b"broken"))
    (source.folder / "Observation.ndjson.gz").write_bytes(whole[: len(whole) // 2])
    (batch,) = source.load()
    (file, line) = source.refusals()
    assert file == ("file", "file", "truncated_gzip", 1)
    assert line == ("line 2", "record", "malformed_json", 1)
    assert source.counts(batch) == ("loaded", 3, 1, 0, 2)
    assert [row["resource_type"] for row in source.rows(batch)] == ["Patient"]


def test_no_identifier_stands_in_clear_anywhere(settings, tmp_path) -> None:
    source = Delivery.of(settings, tmp_path).put(
        "Patient.ndjson",
        ndjson(
            patient(1), {"resourceType": "Patient", "id": NAME[:3], "name": NAME, "x": SSN}, f'{{"a": "{NAME}'.encode()
        ),
    )
    source.put("Observation.ndjson", ndjson(observation(1), observation(2, person=9)))
    (batch,) = source.load()
    assert len(source.rows(batch)) == 4
    for schema, table in (
        ("intake", batch),
        ("quality", "quarantine"),
        ("lifecycle", "batch"),
        ("lifecycle", "batch_object"),
        ("lifecycle", "step"),
        ("lifecycle", "landing_object"),
    ):
        shown = text_of(source.rows(table, schema))
        assert NAME not in shown and SSN not in shown and "'p1'" not in shown, table
    assert all(NAME.encode() not in row["sealed"] for row in source.rows(batch))


def test_a_sealed_record_gives_back_what_was_received_to_those_allowed_and_the_trail_says_so(
    settings, tmp_path
) -> None:
    received = {
        "Patient": patient(1),
        "Observation": observation(1),
        "Organization": {"resourceType": "Organization", "id": "x", "name": NAME},
    }
    source = Delivery.of(settings, tmp_path)
    for kind, resource in received.items():
        source.put(f"{kind}.ndjson", ndjson(resource))
    (batch,) = source.load()
    for row in source.rows(batch):
        plain = unseal(
            row["record_id"],
            row["sealed"],
            row["person_token"],
            batch_id=batch,
            purpose="test",
            settings=source.settings,
        )
        assert rebuild(row["body"], plain) == received[row["resource_type"]]
    trail = [(entry["subject"], entry["purpose"], entry["outcome"]) for entry in source.trail("record.unsealed")]
    assert (
        len(trail) == 6
        and {purpose for _, purpose, _ in trail} == {"test"}
        and {outcome for *_, outcome in trail} == {"attempt", "success"}
    )


def test_a_failed_unsealing_is_in_the_trail(settings, tmp_path) -> None:
    source = Delivery.of(settings, tmp_path).put("Patient.ndjson", ndjson(patient(1), patient(2)))
    (batch,) = source.load()
    one, other = source.rows(batch)
    with pytest.raises(keys.DataKeyError, match="not in the database keys"):
        unseal(one["record_id"], one["sealed"], None, batch_id="unknown", purpose="test", settings=source.settings)
    with pytest.raises(Exception, match="belongs to another record or key"):
        unseal(one["record_id"], other["sealed"], one["person_token"], purpose="test", settings=source.settings)
    assert [entry["outcome"] for entry in source.trail("record.unsealed")].count("failure") == 2


def test_the_same_delivery_again_loads_nothing_and_its_records_in_another_file_are_duplicates(
    settings, tmp_path
) -> None:
    source = Delivery.of(settings, tmp_path).put("Patient.ndjson", ndjson(patient(1), patient(2)))
    (batch,) = source.load()
    assert source.load() == [batch], "it still waits for the gate, and is the same"
    from include.intake.promote import promote_batch

    promote_batch(source.pass_gate(batch), source.settings)
    assert source.load() == []
    source.put("Patient.001.ndjson.gz", ndjson(patient(2), patient(3)))
    (again,) = source.load()
    assert source.counts(again) == ("loaded", 2, 1, 1, 0)


def test_a_deletion_is_a_tombstone_with_the_token_of_what_it_deletes(settings, tmp_path) -> None:
    source = Delivery.of(settings, tmp_path).put("Observation.ndjson", ndjson(observation(1)))
    (source.folder / "deleted").mkdir()
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"request": {"method": "DELETE", "url": "Observation/o1"}}],
    }
    (source.folder / "deleted" / "del.ndjson").write_bytes(ndjson(bundle))
    (batch,) = source.load()
    rows = {row["is_deleted"]: row for row in source.rows(batch)}
    assert rows[True]["resource_id"] == rows[False]["resource_id"] and rows[True]["resource_type"] == "Observation"
    assert rows[True]["body"] == {"resourceType": "Observation", "id": rows[True]["resource_id"]}


def test_rows_tell_class_person_event_and_what_did_not_fit(settings, tmp_path) -> None:
    source = Delivery.of(settings, tmp_path).put(
        "Observation.ndjson", ndjson(observation(1, status=NAME, effectiveDateTime="2026-02-30"))
    )
    source.put("Patient.ndjson", ndjson(patient(1)))
    (batch,) = source.load()
    rows = {row["resource_type"]: row for row in source.rows(batch)}
    assert rows["Observation"]["unfit"] == ["effectiveDateTime", "status"] and rows["Observation"]["event_at"] is None
    assert rows["Observation"]["person_token"] == rows["Patient"]["person_token"]
    assert (rows["Observation"]["data_class"], rows["Patient"]["data_class"]) == ("lab_results", "patient_data")
    kinds = [token.split(":")[0] for token in rows["Patient"]["match_tokens"]]
    assert kinds[0] == "id" and not {"id", "demo"} & set(kinds[1:]), "one identifier, and traits of the name"


def test_bundles_load_with_their_references_resolved(settings, tmp_path) -> None:
    source = Delivery.of(settings, tmp_path, kind="fhir_bundles")
    person, value = patient(1), observation(1)
    value["subject"] = {"reference": "urn:uuid:0a0a0a0a-0000-0000-0000-000000000001"}
    entries = [
        {"fullUrl": "urn:uuid:0a0a0a0a-0000-0000-0000-000000000001", "resource": person},
        {"resource": value},
        {"resource": {"resourceType": "Klingon", "id": "k"}},
    ]
    source.put(f"{NAME}.json", json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode())
    (batch,) = source.load()
    rows = {row["resource_type"]: row for row in source.rows(batch)}
    assert rows["Observation"]["person_token"] == rows["Patient"]["person_token"] is not None
    assert source.refusals() == [("entry 3", "record", "bad_resource_type", 1)]


CONTRACT = """
owner: data steward
identifier_system: http://north/mrn
tables:
  patients:
    files: "patients*.csv"
    data_class: patient_data
    key: [patient_id]
    person: patient_id
    event_at: seen_at
    deleted_when: {state: [deleted]}
    columns:
      patient_id: {type: text, class: source_id, of: Patient}
      last_name: {type: text, class: direct_identifier, match: family}
      first_name: {type: text, class: direct_identifier, match: given}
      born: {type: date, class: quasi_identifier, match: birth_date}
      sex: {type: text, class: clinical, match: sex}
      zip: {type: text, class: quasi_identifier, match: postal_code}
      ssn: {type: text, class: direct_identifier, match: identifier, system: http://hl7.org/fhir/sid/us-ssn}
      seen_at: {type: timestamp, class: quasi_identifier}
      weight: {type: decimal, class: clinical}
      state: {type: text, class: clinical}
      note: {type: text, class: free_text}
"""
HEADER = "patient_id,last_name,first_name,born,sex,zip,ssn,seen_at,weight,state,note,surprise\n"


def table_source(settings, tmp_path: Path, *rows: str) -> Delivery:
    (tmp_path / "contract.yml").write_text(CONTRACT)
    source = Delivery.of(settings, tmp_path, kind="csv", contract="contract.yml", timezone="America/New_York")
    return source.put("patients.csv", (HEADER + "".join(row + "\n" for row in rows)).encode())


def test_a_table_is_loaded_typed_with_tokens_and_without_what_its_contract_seals(settings, tmp_path) -> None:
    row = f'p1,{NAME},Zeb,1980-02-29,F,02139,{SSN},2026-03-08 01:30:00,70.50,"a\\b\tc","{NAME}, {SSN}",x'
    source = table_source(
        settings,
        tmp_path,
        row,
        "p2,,,,,,,,,deleted,,",
        "p1,Other,Zeb,1980-02-29,F,02139,,,1,,,",
        row,
        "p3,,,1980-13-01,,,,,,,,",
    )
    (batch,) = source.load()
    assert source.counts(batch) == ("loaded", 5, 2, 1, 2)
    assert {(place, reason) for place, _, reason, _ in source.refusals()} == {
        ("line 4", "duplicate_id"),
        ("line 6", "bad_value_type"),
    }
    first, second = sorted(source.rows(batch), key=lambda row: row["place"])
    tokeniser = Tokeniser(load_keyring(source.settings.keyring_dir).token_key)
    token = tokeniser.id_token(source.name, "Patient", "p1")
    assert (first["resource_id"], str(first["patient_id"]), str(first["person_token"])) == (token, token, token)
    assert (str(first["weight"]), first["state"], str(first["born"])) == ("70.50", "a\\b\tc", "1980-02-29")
    assert first["event_at"].isoformat() == "2026-03-08T06:30:00+00:00" and (
        first["is_deleted"],
        second["is_deleted"],
    ) == (False, True)
    assert first["match_tokens"][0] == tokeniser.identifier_token("http://north/mrn", "p1") and [
        token.split(":")[0] for token in first["match_tokens"]
    ][:3] == ["id", "id", "demo"]
    shown = text_of(source.rows(batch)) + text_of(source.rows("quarantine", "quality"))
    assert NAME not in shown and SSN not in shown and "'p1'" not in shown and "last_name" not in first
    plain = json.loads(
        unseal(first["record_id"], first["sealed"], first["person_token"], purpose="test", settings=source.settings)
    )
    assert plain == {"patient_id": "p1", "last_name": NAME, "first_name": "Zeb", "ssn": SSN, "note": f"{NAME}, {SSN}"}


def test_columns_that_came_undeclared_are_written_down(settings, tmp_path) -> None:
    source = table_source(settings, tmp_path, "p1,,,,,,,,,,,x")
    source.load()
    (state,) = source.rows("source_state", "lifecycle")
    assert state["drift"] == [{"table": "patients", "kind": "undeclared_column", "columns": ["surprise"], "count": 1}]


def test_a_person_who_was_erased_is_refused_and_gets_no_new_key(settings, tmp_path) -> None:
    source = Delivery.of(settings, tmp_path).put("Patient.ndjson", ndjson(patient(1), patient(2)))
    source.load()
    token = Tokeniser(load_keyring(settings.keyring_dir).token_key).id_token(source.name, "Patient", "p1")
    with connect("sealer", "keys", settings) as books:
        books.execute(
            "update keys.data_key set wrapped = null, destroyed_at = clock_timestamp() where key_id = %s",
            [keys.person_key_id(token)],
        )
    source.put("Observation.ndjson", ndjson(observation(1, person=1), observation(2, person=2)))
    batch = source.load()[-1]
    assert source.counts(batch) == ("loaded", 2, 1, 0, 1)
    assert source.refusals() == [("line 1", "record", "erased_person", 1)]
    with connect("sealer", "keys", settings) as books:
        assert books.execute(
            "select wrapped from keys.data_key where key_id = %s", [keys.person_key_id(token)]
        ).fetchone() == (None,)


def test_rows_that_a_crash_of_the_server_took_are_loaded_again(settings, tmp_path) -> None:
    source = Delivery.of(settings, tmp_path).put("Patient.ndjson", ndjson(patient(1), patient(2), b"broken"))
    (batch,) = source.load()
    before = {row["record_id"] for row in source.rows(batch)}
    with connect("postgres", "hot", settings) as books:
        books.execute(sql.SQL("truncate {}").format(sql.Identifier("intake", batch)))
    assert source.load() == [batch]
    assert {row["record_id"] for row in source.rows(batch)} == before and len(source.refusals()) == 1


KILLED = """
import os, signal, sys
from datetime import date
from include.intake import {module}
def die(*a, **k): os.kill(os.getpid(), signal.SIGKILL)
{module}.{name} = die
from include.intake.load import load_source
load_source({source!r}, date(2026, 11, 22))
"""


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("batches", "create_table"),
        ("document_rows", "pack_group"),
        ("settling", "remove_duplicates"),
        ("settling", "quarantine_contradictions"),
        ("load", "_close"),
    ],
)
def test_a_load_killed_anywhere_leaves_nothing_and_the_next_one_loads_the_same(
    settings, tmp_path, monkeypatch, module, name
) -> None:
    source = Delivery.of(settings, tmp_path).put(
        "Patient.ndjson", ndjson(patient(1), patient(2), patient(1), b"broken")
    )
    source.put("Observation.ndjson", ndjson(*[observation(number) for number in range(50)])).land()
    monkeypatch.setenv("PLUMBLINE_SOURCES", str(source.settings.sources_file))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED.format(module=module, name=name, source=source.name)],
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr.decode()
    assert source.rows("batch", "lifecycle") == [] and source.refusals() == []
    (batch,) = load_source(source.name, NIGHT, source.settings)
    assert source.counts(batch) == ("loaded", 54, 52, 1, 1)
    assert len(source.rows(batch)) == 52


def test_two_sources_load_at_once(settings, tmp_path) -> None:
    sources = [
        Delivery.of(settings, tmp_path).put(
            "Observation.ndjson", ndjson(*[observation(number, person=number % 50) for number in range(2_000)])
        )
        for _ in range(2)
    ]
    sources = [Delivery(sources[-1].settings, source.folder, source.name) for source in sources]
    loaded: dict[str, list[str]] = {}
    threads = [threading.Thread(target=lambda one=one: loaded.update({one.name: one.load()})) for one in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for source in sources:
        (batch,) = loaded[source.name]
        assert source.counts(batch) == ("loaded", 2_000, 2_000, 0, 0)
    tokens = [{row["person_token"] for row in source.rows(loaded[source.name][0])} for source in sources]
    assert len(tokens[0]) == len(tokens[1]) == 50 and tokens[0].isdisjoint(tokens[1])


def test_only_the_gate_may_read_a_batch_before_it_is_promoted(settings, tmp_path) -> None:
    source = Delivery.of(settings, tmp_path).put("Patient.ndjson", ndjson(patient(1)))
    (batch,) = source.load()
    for role in ("transformer", "publisher", "lifecycle", "api", "leak_scanner", "privacy_officer"):
        with connect(role, "hot", settings) as books, pytest.raises(Exception, match="permission denied"):
            books.execute(sql.SQL("select from {}").format(sql.Identifier("intake", batch)))
    with connect("checker", "hot", settings) as books:
        assert books.execute(sql.SQL("select count(*) from {}").format(sql.Identifier("intake", batch))).fetchone() == (
            1,
        )
