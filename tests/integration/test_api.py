"""The API over real HTTP on a published night: who is let in, what each audience sees, and that answers are what R4 asks for."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from psycopg import sql

from include.api.clients import ClientsError, load_clients, new_key
from include.api.server import create_app
from include.warehouse.connect import connect
from include.warehouse.publish import publish
from tests.fhir_r4 import complaints
from tests.published_rows import NIGHT, closing_gap

KEYS = {audience: new_key() for audience in ("reader", "analyst", "expired")}
NOTE = "Seen by [NAME] for chest pain; no fever."
_TYPES = {bool: "boolean", int: "bigint", float: "double precision", str: "text", list: "text[]"}


def _fill(hot, schema: str, table: str, rows: Sequence[Mapping[str, Any]], **columns: str) -> None:
    """A candidate table of these rows; ``columns`` says the types that values alone do not tell."""
    names = list(rows[0])
    kinds = {
        name: next((_TYPES[type(row[name])] for row in rows if row[name] is not None), "text") for name in names
    } | columns
    shape = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kinds[name])) for name in names)
    relation = sql.Identifier(schema, table)
    hot.execute(sql.SQL("drop table if exists {}").format(relation))
    hot.execute(sql.SQL("create table {} ({})").format(relation, shape))
    hot.execute(sql.SQL("comment on table {} is 'One row per thing.'").format(relation))
    with hot.cursor() as cursor:
        places = sql.SQL(", ").join([sql.Placeholder()] * len(names))
        cursor.executemany(
            sql.SQL("insert into {} values ({})").format(relation, places), [list(row.values()) for row in rows]
        )


def _publish(settings, night: date = NIGHT) -> None:
    said = closing_gap(range(2022, 2027))
    catalogue = [{**vars(row), "steward": "NCQA", "source": "a source"} for row in said.measures]
    documents = [
        {
            "document_key": f"00000000-0000-0000-0000-00000000000{number}", "person_key": "00000000-0000-0000-0000-0000000000aa",
            "encounter_key": None, "type_system": "http://loinc.org", "type_code": "11506-3", "type_display": "Progress note",
            "category": "clinical-note", "status": "current", "document_status": "final", "event_year": 2024 + number,
            "deidentified_text": text, "text_search": text,
        }
        for number, text in enumerate((NOTE, "Knee pain after a fall."))
    ]  # fmt: skip
    with connect("transformer", "hot", settings) as hot:
        _fill(hot, "candidate_measures", "catalogue", catalogue)
        _fill(hot, "candidate_measures", "results_by_group", [vars(row) for row in said.results], note="text")
        _fill(hot, "candidate_equity", "disparities", [vars(row) for row in said.disparities], note="text")
        _fill(
            hot,
            "candidate_clinical",
            "documents",
            documents,
            document_key="uuid",
            person_key="uuid",
            encounter_key="uuid",
            text_search="tsvector",
        )
        hot.execute("update candidate_clinical.documents set text_search = to_tsvector('english', deidentified_text)")
    publish(night, settings)


@pytest.fixture
def clients(tmp_path: Path) -> Path:
    file = tmp_path / "clients.yml"
    entries = [
        f"  - {{name: {name}, owner: somebody, audience: {'reader' if name == 'expired' else name}, key_sha256: {digest}, expires: {day}}}"
        for (name, (_, digest)), day in zip(KEYS.items(), ("2099-01-01", "2099-01-01", date(2020, 1, 1)), strict=True)
    ]
    file.write_text("clients:\n" + "\n".join(entries) + "\n")
    return file


@pytest.fixture
def api(fresh_hot, clients: Path) -> Iterator[httpx.Client]:
    """The server on a port of its own, and a client that asks as ``reader`` unless it says otherwise."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(fresh_hot, clients, address), port=int(address.rsplit(":", 1)[1]), log_level="warning"
        )
    )
    running = threading.Thread(target=server.run, daemon=True)
    running.start()
    while not server.started:
        time.sleep(0.02)
    with httpx.Client(base_url=address, headers=_as("reader"), timeout=60) as client:
        yield client
    server.should_exit = True
    running.join()


def _as(audience: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[audience][0]}"}


def test_before_anything_is_published_every_answer_says_so(api) -> None:
    assert api.get("/health").json() == {"status": "up", "published": None}
    for path in ("/fhir/metadata", "/fhir/Measure", "/equity/findings"):
        answer = api.get(path)
        assert answer.status_code == 503, path
        assert answer.json()["issue"][0]["diagnostics"].startswith("nothing is published yet")


def test_measures_and_reports_are_found_read_and_as_r4_asks(api, fresh_hot) -> None:
    _publish(fresh_hot)
    (measure,) = [
        entry["resource"] for entry in api.get("/fhir/Measure", params={"title:contains": "CONTROLLED"}).json()["entry"]
    ]
    assert complaints(measure) == []
    assert api.get(f"/fhir/Measure/{measure['id']}").json() == measure
    found = api.get("/fhir/MeasureReport", params={"measure": measure["url"], "period": "ge2024", "_count": 2}).json()
    assert (found["type"], found["total"], len(found["entry"])) == ("searchset", 3, 2)
    for entry in found["entry"]:
        assert complaints(entry["resource"]) == []
        assert api.get(entry["fullUrl"]).json() == entry["resource"]
    for name in ("controlled", "Measure/controlled", f"{measure['url']}|1"):
        assert api.get("/fhir/MeasureReport", params={"measure": name}).json()["total"] == 5, name
    (following,) = [link["url"] for link in found["link"] if link["relation"] == "next"]
    (last,) = api.get(following).json()["entry"]
    assert last["resource"]["period"] == {"start": "2024-01-01", "end": "2024-12-31"}
    hidden = [
        stratum
        for stratum in last["resource"]["group"][0]["stratifier"][0]["stratum"]
        if stratum["value"]["text"] == "self pay"
    ]
    assert "count" not in hidden[0]["population"][0], "a count that readers may not see"


def test_a_period_is_evaluated_only_as_it_was_published(api, fresh_hot) -> None:
    _publish(fresh_hot)
    address = "/fhir/Measure/controlled/$evaluate-measure"
    year = {"periodStart": "2025-01-01", "periodEnd": "2025-12-31"}
    report = api.get(address, params={**year, "stratifier": "payer"}).json()
    assert complaints(report) == [] and report["id"] == "controlled-2025"
    other = api.get(address, params={**year, "periodEnd": "2025-12-30"})
    assert other.status_code == 404 and "2025-01-01 to 2025-12-31" in other.json()["issue"][0]["diagnostics"]
    assert api.get(address, params={**year, "reportType": "subject-list"}).status_code == 422
    assert api.get(address, params={"periodStart": "2025-01-01"}).status_code == 400


def test_what_is_not_known_is_refused_and_not_passed_over(api, fresh_hot) -> None:
    _publish(fresh_hot)
    for path in ("/fhir/MeasureReport?patient=1", "/fhir/MeasureReport?period=soon", "/fhir/MeasureReport?_count=many",
                 "/fhir/MeasureReport?stratifier=shoe", "/equity/disparities?colour=red", "/fhir/metadata?x=1"):  # fmt: skip
        answer = api.get(path)
        assert answer.status_code == 400, path
        assert answer.json()["resourceType"] == "OperationOutcome"
    assert api.get("/fhir/Measure?_format=xml").status_code == 406
    assert api.get("/fhir/Patient").status_code == 404
    assert api.post("/fhir/Measure").status_code == 405


def test_tables_come_as_json_in_pages_and_as_csv(api, fresh_hot) -> None:
    _publish(fresh_hot)
    asked = {"dimension": "payer", "period": "2024,2025", "_count": 4}
    told = api.get("/population-health/results", params=asked).json()
    assert (told["night"], told["total"], len(told["rows"])) == (NIGHT.isoformat(), 10, 4)
    rest = api.get(told["links"]["next"]).json()["rows"]
    assert rest[0] not in told["rows"]
    lines = api.get("/population-health/results", params=asked, headers={"Accept": "text/csv"}).text.splitlines()
    assert lines[0].split(",")[:3] == ["measure_id", "period_kind", "period"] and len(lines) == 5
    assert api.get("/equity/disparities", params={"measure_id": "controlled"}).json()["total"] == 15
    findings = api.get("/equity/findings").json()["rows"]
    assert (
        findings[0]["dimension"] == "payer" and "Title of controlled" in findings[0]["sentence"] + findings[0]["title"]
    )


def test_nobody_is_let_in_without_a_key_that_is_good_and_the_trail_tells_how_many_were_not(
    api, fresh_hot, clients
) -> None:
    _publish(fresh_hot)
    for header in (
        {"Authorization": ""},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic eDp5"},
        _as("expired"),
    ):
        answer = api.get("/fhir/Measure", headers=header)
        assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer")
    assert api.get("/fhir/Measure").status_code == 200
    clients.write_text(clients.read_text().replace(KEYS["reader"][1], "0" * 64))
    assert api.get("/fhir/Measure").status_code == 401, "a client that was taken out is still let in"
    clients.write_text("clients: [")
    assert api.get("/fhir/Measure", headers=_as("analyst")).status_code == 401, "a broken file lets somebody in"
    with connect("privacy_officer", "hot", fresh_hot) as hot:
        entries = hot.execute("select outcome, detail::text from audit.entry where action = 'api.refused'").fetchall()
    assert len(entries) == 1, "one entry a minute, whoever guesses"
    assert entries[0][0] == "failure" and "wrong" not in entries[0][1]


def test_documents_are_for_analysts_found_by_their_text_and_every_read_is_in_the_trail(api, fresh_hot) -> None:
    _publish(fresh_hot)
    assert api.get("/fhir/DocumentReference").status_code == 403
    found = api.get("/fhir/DocumentReference", params={"_content": '"chest pain" -knee'}, headers=_as("analyst")).json()
    (entry,) = found["entry"]
    assert found["total"] == 1 and "data" not in entry["resource"]["content"][0]["attachment"]
    whole = api.get(entry["fullUrl"], headers=_as("analyst")).json()
    assert base64.b64decode(whole["content"][0]["attachment"]["data"]).decode() == NOTE
    for asked, total in (
        ({"type": "http://loinc.org|11506-3"}, 2), ({"type": "11506-3", "date": "2025"}, 1), ({"status": "superseded"}, 0),
        ({"patient": "Patient/00000000-0000-0000-0000-0000000000aa"}, 2),
    ):  # fmt: skip
        assert api.get("/fhir/DocumentReference", params=asked, headers=_as("analyst")).json()["total"] == total, asked
    assert api.get("/fhir/DocumentReference?date=2025-01-01", headers=_as("analyst")).status_code == 400
    with connect("privacy_officer", "hot", fresh_hot) as hot:
        told = [
            row[0] for row in hot.execute("select detail from audit.entry where action = 'api.read' order by entry_no")
        ]
    assert len(told) == 6 and told[0] == {"client": "analyst", "by": ["_content"], "found": 1, "given": 1}
    assert "chest" not in str(told), "the words searched for are in the trail"


def test_an_answer_that_is_still_true_is_not_sent_again(api, fresh_hot) -> None:
    _publish(fresh_hot)
    first = api.get("/fhir/MeasureReport")
    again = api.get("/fhir/MeasureReport", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (
        first.headers["cache-control"] == "private, no-cache" and first.headers["x-content-type-options"] == "nosniff"
    )


def test_the_capability_statement_lists_what_is_served(api, fresh_hot) -> None:
    _publish(fresh_hot)
    told = api.get("/fhir/metadata", headers={"Authorization": ""}).json()
    assert (told["resourceType"], told["fhirVersion"], told["kind"]) == ("CapabilityStatement", "4.0.1", "instance")
    for resource in told["rest"][0]["resource"]:
        headers = _as("analyst")
        for parameter in resource["searchParam"]:
            value = {"date": "2025", "token": "all", "reference": "x"}.get(parameter["type"], "x")
            answer = api.get(f"/fhir/{resource['type']}", params={parameter["name"]: value}, headers=headers)
            assert answer.status_code == 200, (resource["type"], parameter, answer.text)


def test_a_file_of_clients_says_everything_that_is_wrong_at_once(tmp_path: Path) -> None:
    file = tmp_path / "clients.yml"
    file.write_text("clients:\n  - {name: x, audience: everybody, key_sha256: abc, expires: soon, colour: red}\n")
    with pytest.raises(ClientsError) as problem:
        load_clients(file)
    for word in ("owner", "audience", "key_sha256", "expires", "colour"):
        assert word in problem.value.found, word


def test_a_fault_is_answered_and_neither_answer_nor_log_quotes_it(api, fresh_hot, monkeypatch, caplog) -> None:
    _publish(fresh_hot)
    monkeypatch.setattr("include.api.tables.find_gaps", lambda *_, **__: int("Jane Doe"))
    answer = api.get("/equity/findings")
    assert answer.status_code == 500 and answer.json()["issue"][0]["code"] == "exception"
    assert "Jane" not in answer.text + caplog.text and "a request failed: ValueError in include/api/" in caplog.text
