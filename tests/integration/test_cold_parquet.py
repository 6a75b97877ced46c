"""Files of cold as other engines read them: sealed as they lie in the store, and plain once opened by those allowed."""

from __future__ import annotations

import json
import stat
from datetime import date

import duckdb
import pytest

from include.lifecycle import store
from include.lifecycle.erase import erase_person
from include.lifecycle.move import apply_plan
from include.lifecycle.plan import plan_night
from include.lifecycle.policy import load_retention
from include.lifecycle.retrieve import RetrieveError
from include.lifecycle.unseal_files import choose_files, unseal_files
from include.lifecycle.work import open_work
from include.warehouse.connect import connect
from tests.months import person, store_month, store_table_month

RECEIVED = date(2018, 1, 10)
NIGHT = load_retention().rule("lab_results").leaves_hot_on(RECEIVED.replace(day=1))
ASKED = {"purpose": "a study", "actor": "A. Analyst"}


@pytest.fixture
def cold(fresh_hot):
    """Settings and what was stored, all of it in cold: documents of two years, and rows of a table."""
    documents = store_month(fresh_hot, RECEIVED, records=40, people=5, event_years=(2015, 2016))
    rows = store_table_month(fresh_hot, RECEIVED, records=6, year=2016)
    night = max(NIGHT, load_retention().rule("patient_data").leaves_hot_on(RECEIVED.replace(day=1)))
    plan_night(night)
    assert apply_plan(night)["tier_out"] == 2
    return fresh_hot, night, documents, rows


def test_what_lies_in_cold_is_sorted_parquet_nobody_can_read_and_what_is_opened_is_told(cold, tmp_path):
    settings, night, documents, _ = cold
    _read_sealed(settings, documents, tmp_path / "sealed")
    _open_and_tell(settings, night, tmp_path)


def _read_sealed(settings, documents, tmp_path):
    s3 = store.open_store(settings)
    for key in store.list_keys(s3, settings.bucket_cold):
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        store.get_file(s3, settings.bucket_cold, key, tmp_path / key)
    files = f"read_parquet('{tmp_path}/*/*/*.parquet', hive_partitioning = false, filename = true)"
    found = duckdb.sql(
        f"select filename, data_class, event_year, list(record_id), max(sealed_row) from {files} group by all"
    ).fetchall()
    assert len(found) == 3
    for name, data_class, year, ids, _ in found:
        assert f"/data_class={data_class}/event_year={year}/" in name
        assert ids == sorted(ids), "in order of record id within a file"
    hive = f"read_parquet('{tmp_path}/*/*/*.parquet', hive_partitioning = true)"
    assert duckdb.sql(
        f"select count(*) from {hive} where data_class = 'lab_results' and event_year = 2015"
    ).fetchall() == [(20,)]
    whole = b"".join(path.read_bytes() for path in tmp_path.rglob("*.parquet"))
    assert not any(word in whole for word in (b"Dr Example", b"mg/dL", b"valueQuantity"))
    assert b"clinic" in whole, "the search did look into the files"
    assert {record_id for *_, ids, _ in found for record_id in ids} >= {str(record.record_id) for record in documents}


def _open_and_tell(settings, night, tmp_path):
    """File by file in the trail, and where only its owner looks."""
    with open_work(night, settings) as work:
        files = choose_files(work)
        with pytest.raises(RetrieveError, match="without a purpose or a name"):
            unseal_files(work, files, tmp_path / "a", purpose=" ", actor="A. Analyst")
        unseal_files(work, files, tmp_path / "b", **ASKED)
        with pytest.raises(RetrieveError, match="is not empty"):
            unseal_files(work, files, tmp_path / "b", **ASKED)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "b", *(tmp_path / "b").rglob("*"))}
    assert modes == {0o700, 0o600}
    with connect("privacy_officer", settings=settings) as hot:
        told = hot.execute(
            "select action, subject, outcome from audit.entry where action like 'file.unseal%' order by entry_no"
        ).fetchall()
    assert [row for row in told if row[0] == "file.unsealed"] == [
        ("file.unsealed", file.key, "success") for file in files
    ]
    assert [row for row in told if row[0] != "file.unsealed"] == [("file.unsealing_refused", None, "failure")] * 2


def test_opened_for_a_purpose_other_engines_read_the_rows_as_received(cold, tmp_path):
    settings, night, documents, rows = cold
    with open_work(night, settings) as work:
        erase_person(work, person(4), reason="request", requested_by="A", approved_by="B")
        files = choose_files(work, data_class="lab_results")
        clear = unseal_files(work, files, tmp_path / "clear", **ASKED)
        whole = unseal_files(work, choose_files(work), tmp_path / "whole", whole=True, **ASKED)
        assert choose_files(work, event_year=2015, data_class="lab_results") == [
            file for file in files if "=2015/" in file.key
        ]
    assert clear == {"files": 2, "rows": 32, "unreadable": 8}
    assert whole == {"files": 3, "rows": 38, "unreadable": 8}
    hive = "read_parquet('{}/*/*/*.parquet', hive_partitioning = true)"
    found = duckdb.sql(f"select record_id, row from {hive.format(tmp_path / 'whole')}").fetchall()
    expected = {str(r.record_id): r.content for r in (*documents, *rows) if r.person_token != person(4)}
    kept = {record_id: json.loads(row) for record_id, row in found}
    for record_id, content in expected.items():
        assert {name: kept[record_id][name] for name in content} == content
    assert kept.keys() == expected.keys()
    average = f"select event_year, avg((row->>'$.body.valueQuantity.value')::double) from {hive.format(tmp_path / 'clear')} group by 1 order by 1"
    values = {2015: [], 2016: []}
    for number, record in enumerate(documents):
        if record.person_token != person(4):
            values[2015 + number % 2].append(record.content["valueQuantity"]["value"])
    assert duckdb.sql(average).fetchall() == [(year, pytest.approx(sum(v) / len(v))) for year, v in values.items()]
    text = duckdb.sql(f"select string_agg(row) from {hive.format(tmp_path / 'clear')}").fetchall()[0][0]
    assert "Dr Example" not in text and "sealed" not in text, (
        "identifiers stay sealed unless records are asked for whole"
    )
