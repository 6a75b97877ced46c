"""Alerts through the API: for clinicians' clients alone, in the audit trail before they are given, and no value where none belongs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from include.api.clients import ROLES, new_key
from include.api.server import create_app
from tests.integration.test_critical import OURS, SECRETS, feed, potassium, rows  # noqa: F401
from tests.integration.test_critical_kept import judge_all
from tests.integration.test_live import Feed
from tests.integration.test_live_erasure import put

KEYS = {audience: new_key() for audience in ROLES}


def clients_in(folder: Path) -> Path:
    file = folder / "clients.yml"
    entries = [
        f"  - {{name: {name} desk, owner: somebody, audience: {name}, key_sha256: {digest}, expires: 2099-01-01}}"
        for name, (_, digest) in KEYS.items()
    ]
    file.write_text("clients:\n" + "\n".join(entries) + "\n")
    return file


def as_(audience: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[audience][0]}"}


@pytest.fixture
def api(feed: Feed, tmp_path: Path) -> Iterator[TestClient]:  # noqa: F811
    with TestClient(
        create_app(feed.settings, clients_in(tmp_path), "http://testserver"), headers=as_("clinician")
    ) as client:
        yield client


@pytest.fixture
def alert(feed: Feed) -> str:  # noqa: F811
    put(feed, potassium())
    judge_all(feed)
    return str(rows(feed, "select alert_id from critical.alert")[0][0])


def test_open_alerts_are_listed_without_a_value_and_to_clinicians_alone(api, alert):
    for audience in ("reader", "analyst"):
        assert api.get("/alerts", headers=as_(audience)).status_code == 403
        assert api.get(f"/alerts/{alert}?by=Ann", headers=as_(audience)).status_code == 403
        assert api.post(f"/alerts/{alert}/close", json={}, headers=as_(audience)).status_code == 403
    assert api.get("/alerts", headers={"Authorization": ""}).status_code == 401
    answer = api.get("/alerts")
    (listed,) = answer.json()["alerts"]
    assert listed["alert_id"] == alert and listed["state"] == "new" and listed["age"] >= 0
    assert not any(secret in answer.text for secret in (*SECRETS, "otassium"))
    assert answer.headers["cache-control"] == "no-store"


def test_a_clinician_s_client_sees_nothing_of_the_marts(api):
    for path in ("/fhir/Measure", "/fhir/DocumentReference", "/equity/findings"):
        assert api.get(path).status_code == 403, path


def test_an_alert_is_opened_read_back_and_closed_and_the_trail_knows_by_whom(api, alert, feed):  # noqa: F811
    assert api.get(f"/alerts/{alert}").status_code == 400
    opened = api.get(f"/alerts/{alert[:8]}", params={"by": "Nurse Ann"})
    assert opened.json()["result"]["valueQuantity"]["value"] == 7.31 and '"value":7.31' in opened.text
    assert opened.json()["patient"]["name"][0]["family"] == "Quackenbush"
    trail = rows(feed, f"select action, outcome, actor from audit.entry where {OURS} order by entry_no")
    assert trail[-2:] == [
        (("alert.opened"), each, "clinician Nurse Ann (clinician desk)") for each in ("attempt", "success")
    ]
    wrong = api.post(f"/alerts/{alert}/acknowledge", json={"by": "Nurse Ann", "read_back": "1.37"})
    assert wrong.status_code == 409 and "1.37" not in wrong.text and "7.31" not in wrong.text
    early = api.post(f"/alerts/{alert}/close", json={"by": "Nurse Ann", "outcome": "treated"})
    assert early.status_code == 409
    right = api.post(f"/alerts/{alert}/acknowledge", json={"by": "Nurse Ann", "read_back": "7.31 mmol/L"})
    assert right.status_code == 200
    assert api.post(f"/alerts/{alert}/close", json={"by": "Nurse Ann", "outcome": "cured by magic"}).status_code == 409
    assert api.post(f"/alerts/{alert}/close", json={"by": "Nurse Ann", "outcome": "treated"}).status_code == 200
    assert rows(feed, "select state, acknowledged_by, outcome from critical.alert") == [
        ("closed", "Nurse Ann (clinician desk)", "treated")
    ]
    assert api.get("/alerts").json() == {"total": 0, "alerts": []}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"by": "Ann"}', b'{"by": "Ann", "read_back": 7.31}', b'{"by": "", "read_back": "7.31"}', b'{"by": "A\\n", "read_back": "7.31"}',
             b'{"by": "Ann", "read_back": "7.31", "more": "x"}', b"x" * 5_000]
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused_without_quoting_it(api, alert, body):
    answer = api.post(f"/alerts/{alert}/acknowledge", content=body)
    assert answer.status_code == 400 and "7.31" not in answer.text and "xxxx" not in answer.text


def test_an_alert_that_is_not_there_is_not_found(api):
    for said in ("12345678", "nonsense!", "%25", "a" * 300):
        assert api.get(f"/alerts/{said}?by=Ann").status_code == 404, said


def test_a_server_without_the_keyring_lists_and_opens_none(feed, alert, tmp_path):  # noqa: F811
    keyless = replace(feed.settings, keyring_dir=tmp_path / "none")
    with TestClient(create_app(keyless, clients_in(tmp_path), "http://testserver"), headers=as_("clinician")) as client:
        assert client.get("/alerts").json()["total"] == 1
        answer = client.get(f"/alerts/{alert}?by=Ann")
    assert answer.status_code == 501 and "make alert ID=" in answer.text
