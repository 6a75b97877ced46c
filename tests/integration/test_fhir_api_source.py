"""Kind fhir_api, from a real server through raw: what a pull brought is loaded once, whatever was killed in between."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from include.landing import land, pulls
from include.local_stack.home import write_private
from tests.fhir_server import Fault, MisbehavingServer, serve
from tests.source_systems import NAME, NIGHT, Feed, everything_in_clear

PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1980-02-29", "name": [{"family": NAME}],
           "meta": {"versionId": "1", "lastUpdated": "2026-11-20T10:00:00Z"}}  # fmt: skip


def visit(number: int, version: int = 1, **more) -> dict:
    """An encounter in one of its versions; each is an hour after the one before."""
    return {
        "resourceType": "Encounter", "id": f"e{number}", "status": "finished", "subject": {"reference": "Patient/p1"},
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "period": {"start": f"2026-10-{number:02}T10:00:00Z", "end": f"2026-10-{number:02}T11:00:00Z"},
        "meta": {"versionId": str(version), "lastUpdated": f"2026-11-20T{10 + version}:00:00Z"}, **more,
    }  # fmt: skip


@pytest.fixture
def server():
    with serve(
        MisbehavingServer({"Patient": [PATIENT], "Encounter": [visit(number) for number in range(1, 6)]})
    ) as running:
        yield running


def feed_of(settings, folder, server: MisbehavingServer, **words) -> Feed:
    quick = {"wait_seconds": 0.01, "tries": 3, "timeout_seconds": 5, "page_size": 2, "longest_wait_seconds": 2}
    return Feed.of(settings, folder, "fhir_api", url=server.url, types=["Patient", "Encounter"], **quick, **words)


def current(feed: Feed) -> list[tuple]:
    """Newest version and state of every encounter by type of visit."""
    return feed.ask(
        """select body -> 'period' ->> 'start', version_id, is_deleted from (
               select *, row_number() over (partition by resource_id order by coalesce(last_updated, 'infinity') desc, batch_seq desc) as nth
               from raw.resource where source = %s and resource_type = 'Encounter') newest where nth = 1 order by 1""",
        feed.name,
    )


@pytest.mark.parametrize("export", [None, "system"])
def test_nights_bring_what_is_new_and_overlaps_are_duplicates(settings, tmp_path, server, export):
    feed = feed_of(settings, tmp_path, server, **({"export": export} if export else {"deletions": True}))
    assert not feed.night().missing
    assert feed.counts("resource") == (6, 6, 0, 0)
    server.resources["Encounter"][2] = visit(
        3, 5, status="cancelled", meta={"versionId": "5", "lastUpdated": "2026-11-22T05:00:00Z"}
    )
    server.deleted["Encounter"] = [("e4", "2026-11-22T00:30:00Z")]
    server.resources["time"] = "2026-11-23T01:00:00Z"
    del server.resources["Encounter"][3]
    feed.night(NIGHT + timedelta(days=1))
    received, loaded, duplicate, quarantined = feed.counts("resource")
    assert (loaded, quarantined) == (8, 0)
    assert received == loaded + duplicate
    newest = [(start[8:10] if start else None, version, gone) for start, version, gone in current(feed)]
    assert newest == [
        ("01", "1", False),
        ("02", "1", False),
        ("03", "5", False),
        ("05", "1", False),
        (None, None, True),
    ]
    assert feed.state(NIGHT + timedelta(days=1)) == (False, [])


@pytest.mark.parametrize("export", [None, "patient"])
@pytest.mark.parametrize("place", ["write_down", "add_objects", "tidy"])
def test_a_killed_night_is_repeated_without_loss_or_double(settings, tmp_path, server, monkeypatch, export, place):
    feed = feed_of(settings, tmp_path, server, **({"export": export} if export else {}))
    where = {
        "write_down": (pulls.Fetched, "write_down"),
        "tidy": (pulls.Fetched, "tidy"),
        "add_objects": (land.catalogue, "add_objects"),
    }

    def kill(*words, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(*where[place], kill)
        with pytest.raises(KeyboardInterrupt):
            feed.land()
    before = len(server.asked)
    feed.night()
    assert feed.ask("select count(*)::int from raw.resource where source = %s", feed.name) == [(6,)]
    assert not (settings.home / "pulls" / feed.name).exists()
    if export and place != "tidy":
        assert not [path for _, path, _ in server.asked[before:] if "$export" in path or "/files/" in path], (
            "an export was fetched twice"
        )


def test_files_that_fail_wait_for_the_next_night_and_the_rest_is_loaded(settings, tmp_path, server):
    server.faults = [
        Fault("/files/job1/1", "drop", 700),
        Fault("/files/job1/1", "status", 503, 99, {"Retry-After": "0"}),
    ]
    feed = feed_of(settings, tmp_path, server, export="system")
    landed = feed.night()
    missing, notes = feed.state()
    assert not missing
    assert "file 2 of 2 of the export (Encounter)" in notes[0]
    assert feed.counts("resource") == (1, 1, 0, 0)
    assert feed.ask("select marks from lifecycle.pull_state where source = %s", feed.name) == [({},)]
    server.faults.clear()
    server.asked.clear()
    feed.night(NIGHT + timedelta(days=1))
    assert feed.counts("resource") == (6, 6, 0, 0)
    assert server.paths("/files/") == ["/r4/files/job1/1"]
    assert [headers.get("Range") for _, path, headers in server.asked if "/files/" in path] == ["bytes=700-"]
    assert server.released == ["job1"]
    assert landed.objects_new == 2


def test_a_server_that_is_down_is_a_missing_source_and_what_it_has_comes_later(settings, tmp_path, server):
    server.faults = [Fault("", "status", 503, 99)]
    feed = feed_of(settings, tmp_path, server, required=True)
    assert feed.night().missing
    missing, notes = feed.state()
    assert missing
    assert "failed 3 times, last with status 503" in notes[0]
    server.faults.clear()
    feed.night(NIGHT + timedelta(days=1))
    assert feed.counts("resource") == (6, 6, 0, 0)


def test_lines_that_are_no_resources_are_quarantined(settings, tmp_path, server):
    server.resources["Encounter"] += [
        {"resourceType": "Encounter"},
        {"resourceType": "Patient", "id": "px", "gender": "male"},
    ]
    feed = feed_of(settings, tmp_path, server)
    feed.night()
    assert feed.counts("resource") == (8, 7, 0, 1)
    assert feed.ask("select reason_code from quality.quarantine where source = %s", feed.name) == [("missing_id",)]


def test_neither_names_nor_urls_nor_tokens_are_kept_in_clear(fresh_hot, tmp_path, server):
    key = ec.generate_private_key(ec.SECP384R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    server.check_client = lambda assertion: True
    server.faults = [Fault("/files/job1/0", "status", 503, 99)]
    auth = {"client_id": "us", "key_secret": "east_key", "algorithm": "ES384"}
    feed = feed_of(fresh_hot, tmp_path, server, export="system", auth=auth)
    write_private(fresh_hot.secrets_dir / "east_key", pem)
    feed.night()
    shown = everything_in_clear(fresh_hot)
    assert feed.name in shown
    for planted in (NAME, server.tokens[0], "/status/job1", "/files/job1", "BEGIN PRIVATE"):
        assert planted not in shown, planted
        assert planted.encode().hex() not in shown, f"{planted}, as bytes"
