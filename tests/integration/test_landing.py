"""Landing on the real S3 and Postgres: everything once, as received, encrypted, and nothing half done."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from include.landing import land
from include.landing.catalogue import batch_id, object_key, waiting_objects
from include.landing.encryption import LandingError, encrypt, open_name
from include.landing.land import land_source, open_object
from include.landing.object_store import PART_BYTES, ObjectStoreError, open_store
from include.lifecycle import store as lifecycle_store
from include.lifecycle.store import RegionError
from include.privacy.keyring import load_keyring
from include.settings import Settings
from include.sources.registry import SourcesError
from include.warehouse.connect import connect

NIGHT = date(2026, 11, 23)
ANN = b'{"resourceType":"Patient","id":"p1","name":[{"family":"Unmistakable"}]}\n'


@pytest.fixture(scope="module")
def bucket(stack: Settings) -> str:
    """A landing bucket for these tests. Each has a source of its own, so they need no fresh database."""
    name = f"landing-{uuid4().hex[:8]}"
    open_store(stack).create_bucket(Bucket=name)
    open_store(stack).put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


class Clinic:
    """A source that nobody else has: ``name``, its ``folder``, and the settings that know it."""

    def __init__(self, folder: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name, self.folder = f"clinic_{uuid4().hex[:12]}", folder / "clinic"
        self.folder.mkdir()
        entry = f"{{name: {self.name}, kind: fhir_bulk, path: clinic, required: true, max_age_days: 2}}"
        (folder / "sources.yml").write_text(f"sources: [{entry}]")
        monkeypatch.setenv("PLUMBLINE_SOURCES", str(folder / "sources.yml"))
        monkeypatch.setenv("PLUMBLINE_BUCKET_LANDING", bucket)
        self.settings = Settings.from_environment(os.environ)

    def deliver(self, name: str, content: bytes, day: date = NIGHT) -> Path:
        """Write a file of the source, as of one o'clock on that day."""
        path = self.folder / name
        path.write_bytes(content)
        at = datetime(day.year, day.month, day.day, 1, tzinfo=UTC).timestamp()
        os.utime(path, (at, at))
        return path

    def land(self, night: date = NIGHT):
        return land_source(self.name, night, self.settings)

    def objects(self, columns: str = "*") -> list[tuple]:
        return ask(self.settings, f"select {columns} from lifecycle.landing_object where source = %s", self.name)

    def states(self, columns: str) -> list[tuple]:
        return ask(
            self.settings, f"select {columns} from lifecycle.source_state where source = %s order by night", self.name
        )

    def keys(self, below: str = "objects") -> list[str]:
        listed = open_store(self.settings).list_objects_v2(
            Bucket=self.settings.bucket_landing, Prefix=f"{below}/{self.name}/"
        )
        return [each["Key"] for each in listed.get("Contents", [])]

    def open(self, sha256: str):
        return open_object(sha256, self.name, self.settings)


@pytest.fixture
def clinic(settings: Settings, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    return Clinic(tmp_path, bucket, monkeypatch)


def ask(settings: Settings, question: str, *values):
    with connect("loader", "hot", settings) as hot:
        return hot.execute(question, values).fetchall()


def test_nothing_is_landed_in_a_region_that_a_class_may_not_enter(clinic, monkeypatch):
    clinic.deliver("Patient.ndjson", ANN)
    monkeypatch.setattr(lifecycle_store, "region_of", lambda s3, bucket: "us-west-2")
    with pytest.raises(RegionError, match="is in region us-west-2; expected clinical_notes to stay in us-east-1"):
        clinic.land()
    assert clinic.keys() == clinic.objects() == []


def test_what_was_delivered_comes_back_as_it_was_received(clinic):
    clinic.deliver("Patient.ndjson", ANN)
    result = clinic.land()
    assert (result.objects_new, result.objects_known, result.bytes, result.missing) == (1, 0, len(ANN), False)
    with clinic.open(hashlib.sha256(ANN).hexdigest()) as stream:
        assert stream.read() == ANN


def test_the_same_again_brings_nothing_and_more_brings_only_what_is_new(clinic):
    clinic.deliver("Patient.ndjson", ANN)
    clinic.land()
    before = clinic.objects()
    assert clinic.land().objects_new == 0
    assert clinic.objects() == before
    clinic.deliver("Goal.ndjson", b"{}\n")
    result = clinic.land(date(2026, 11, 24))
    assert (result.objects_new, result.objects_known) == (1, 1)
    assert clinic.states("files_new, files_known") == [(1, 0), (1, 1)]


def test_the_same_bytes_under_two_names_are_one_object(clinic):
    clinic.deliver("Patient.000.ndjson", ANN)
    clinic.deliver("Patient.001.ndjson", ANN)
    result = clinic.land()
    assert (result.objects_new, result.objects_known) == (1, 1)
    assert clinic.keys() == [object_key(clinic.name, hashlib.sha256(ANN).hexdigest())]


def test_neither_content_nor_name_of_a_file_stands_anywhere_in_clear(clinic):
    clinic.deliver("Unmistakable_Ann.ndjson", ANN)
    clinic.land()
    settings, store = clinic.settings, open_store(clinic.settings)
    for key in [*clinic.keys(), *clinic.keys("manifests")]:
        stored = store.get_object(Bucket=settings.bucket_landing, Key=key)
        assert b"Unmistakable" not in stored["Body"].read() + key.encode() + json.dumps(stored["Metadata"]).encode()
    rows = [*clinic.objects("landing_object::text"), *clinic.states("source_state::text")]
    assert len(rows) == 2
    assert "Unmistakable" not in str(rows)
    ((sealed,),) = clinic.objects("name_sealed")
    assert open_name(sealed, load_keyring(settings.keyring_dir).landing_identity) == "Unmistakable_Ann.ndjson"


def test_the_bucket_tells_by_itself_what_a_batch_is_made_of(clinic):
    clinic.deliver("Patient.ndjson", ANN)
    clinic.land()
    sha256 = hashlib.sha256(ANN).hexdigest()
    batch = batch_id(clinic.name, "resource", NIGHT, [sha256])
    assert clinic.keys("manifests") == [f"manifests/{clinic.name}/{batch}.json"]
    stored = open_store(clinic.settings).get_object(
        Bucket=clinic.settings.bucket_landing, Key=f"manifests/{clinic.name}/{batch}.json"
    )
    manifest = json.loads(stored["Body"].read())
    assert (manifest["source"], manifest["batch"], manifest["count"]) == (
        clinic.name,
        batch,
        {"objects": 1, "bytes": len(ANN)},
    )
    assert (manifest["objects"][0]["sha256"], manifest["objects"][0]["resource_type"]) == (sha256, "Patient")


def test_a_large_file_goes_in_parts_and_comes_back_whole(clinic):
    content = os.urandom(PART_BYTES * 2 + 12345)
    clinic.deliver("Patient.ndjson", content)
    assert clinic.land().bytes == len(content)
    with clinic.open(hashlib.sha256(content).hexdigest()) as stream:
        assert hashlib.sha256(stream.read()).digest() == hashlib.sha256(content).digest()
    ((received, stored),) = clinic.objects("bytes_received, bytes_stored")
    assert received == len(content) < stored < received * 1.01


def test_objects_are_kept_in_the_order_of_the_delivery_until_a_batch_takes_them(clinic):
    clinic.deliver("B.Patient.ndjson", ANN)
    clinic.deliver("A.Patient.ndjson", ANN.replace(b"p1", b"p2"))
    (clinic.folder / "manifest.json").write_text('{"output": []}')
    clinic.land()
    with connect("loader", "hot", clinic.settings) as hot:
        waiting = waiting_objects(hot, clinic.name, NIGHT)
        assert [(each.hint["ordinal"], each.file.role) for each in waiting["resource"]] == [(2, "data"), (3, "data")]
        first = waiting["resource"][0]
        hot.execute(
            """insert into lifecycle.batch (batch_id, source, dataset, shape, night, state)
               values (%s, %s, 'resource', 'documents', %s, 'loaded')""",
            [clinic.name, clinic.name, NIGHT],
        )
        hot.execute(
            "insert into lifecycle.batch_object values (%s, 1, %s, %s)", [clinic.name, clinic.name, first.sha256]
        )
        assert [each.sha256 for each in waiting_objects(hot, clinic.name, NIGHT)["resource"]] == [
            waiting["resource"][1].sha256
        ]
        hot.rollback()


# -- what is missing, old or unfinished


def test_a_source_that_is_not_there_is_missing_and_nothing_fails(clinic):
    clinic.folder.rmdir()
    result = clinic.land()
    assert (result.missing, result.objects_new) == (True, 0)
    ((missing, notes),) = clinic.states("missing, notes")
    assert (missing, notes[0]["code"]) == (True, "no_path")


def test_an_empty_folder_is_a_missing_source(clinic):
    assert clinic.land().missing


def test_a_delivery_is_stale_from_the_day_after_its_last_allowed_one(clinic):
    clinic.deliver("Patient.ndjson", ANN, day=date(2026, 11, 20))
    assert clinic.land(date(2026, 11, 22)).stale_days is None
    assert clinic.land(date(2026, 11, 23)).stale_days == 3
    states = clinic.states("age_days, stale")
    assert states == [(2, False), (3, True)]


@pytest.mark.parametrize(
    ("made", "is_told"),
    [
        ("2999-01-01T00:00:00Z", True),
        ("9999-12-31T23:59:59Z", True),
        ("0001-01-01T00:00:00Z", False),
        ("2026-11-24T00:00:00Z", False),
    ],
)
def test_a_delivery_dated_into_the_future_is_not_simply_fresh(clinic, made, is_told):
    clinic.deliver("Patient.ndjson", ANN)
    clinic.deliver("manifest.json", json.dumps({"transactionTime": made}).encode())
    clinic.land()
    ((notes,),) = clinic.states("notes")
    assert [note["level"] for note in notes if note["code"] == "future_delivery"] == ["amber"] * is_told


def test_the_manifest_tells_the_age_where_files_were_copied_later(clinic):
    clinic.deliver("Patient.ndjson", ANN, day=date(2026, 11, 23))
    clinic.deliver(
        "manifest.json",
        b'{"transactionTime": "2026-11-01T00:00:00Z", "output": [{"type": "Goal", "url": "Goal.ndjson"}]}',
    )
    assert clinic.land().stale_days == 22
    ((notes,),) = clinic.states("notes")
    assert notes == [
        {"code": "announced_but_absent", "level": "amber", "text": "no file of Goal, which should be there"}
    ]


def test_a_file_that_changes_while_it_is_read_waits_for_the_next_night(clinic, monkeypatch):
    path = clinic.deliver("Patient.ndjson", ANN)
    clinic.deliver("Goal.ndjson", b"{}\n")
    hash_file = land._hash

    def hash_and_write(stream):
        digest = hash_file(stream)
        if stream.name == str(path):
            with path.open("ab") as more:
                more.write(b"more\n")
        return digest

    monkeypatch.setattr(land, "_hash", hash_and_write)
    result = clinic.land()
    assert (result.objects_new, result.left) == (1, 1)
    ((notes,),) = clinic.states("notes")
    assert notes[0]["text"] == "file 2 of 2 (.ndjson) was written to while it was read; left to the next night"
    monkeypatch.setattr(land, "_hash", hash_file)
    assert clinic.land(date(2026, 11, 24)).objects_new == 1


def test_a_file_that_changes_between_hash_and_upload_is_not_stored_under_the_wrong_name(clinic, monkeypatch):
    path = clinic.deliver("Patient.ndjson", ANN)
    seal = land.encrypt

    def change_and_encrypt(stream, target, recipient):
        path.write_bytes(ANN.replace(b"p1", b"p2"))
        seal(stream, target, recipient)

    monkeypatch.setattr(land, "encrypt", change_and_encrypt)
    assert clinic.land().left == 1
    assert clinic.keys() == []
    assert clinic.objects("count(*)") == [(0,)]


def test_an_unknown_source_is_refused(clinic):
    with pytest.raises(SourcesError, match="no source is named elsewhere"):
        land_source("elsewhere", NIGHT, clinic.settings)


# -- kills, doubles and damage

KILLED = """
    import os, signal, sys
    from datetime import date
    from include.landing import object_store
    from include.landing.land import land_source

    done = 0
    {moment}
    land_source(sys.argv[1], date(2026, 11, 23))
"""
AFTER_TWO_OBJECTS = """
    finish = object_store.Upload.finish
    def finish_twice(upload):
        global done
        held = finish(upload)
        done += 1
        if done == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return held
    object_store.Upload.finish = finish_twice
"""
IN_THE_SECOND_PART = """
    send = object_store.Upload._upload_part
    def send_and_die(upload, part, number, digest):
        answer = send(upload, part, number, digest)
        if number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
    object_store.Upload._upload_part = send_and_die
"""


def land_and_be_killed(clinic: Clinic, moment: str) -> None:
    code = textwrap.dedent(KILLED).format(moment=textwrap.dedent(moment))
    killed = subprocess.run(
        [sys.executable, "-c", code, clinic.name], env=os.environ, cwd=Path(__file__).parents[2], timeout=120
    )
    assert killed.returncode == -signal.SIGKILL


def test_a_kill_leaves_nothing_visible_and_the_next_run_goes_on(clinic):
    for number in range(6):
        clinic.deliver(f"Patient.{number}.ndjson", ANN.replace(b"p1", b"p%d" % number))
    land_and_be_killed(clinic, AFTER_TWO_OBJECTS)
    assert clinic.objects("count(*)") == [(0,)]
    already = len(clinic.keys())
    assert already >= 2
    assert clinic.land().objects_new == 6
    versions = open_store(clinic.settings).list_object_versions(
        Bucket=clinic.settings.bucket_landing, Prefix=f"objects/{clinic.name}/"
    )["Versions"]
    assert len(versions) == 6, "what the killed run stored was stored again"


def test_a_kill_within_a_large_file_leaves_no_open_upload_behind(clinic):
    clinic.deliver("Patient.ndjson", os.urandom(PART_BYTES * 4))
    land_and_be_killed(clinic, IN_THE_SECOND_PART)
    store, bucket = open_store(clinic.settings), clinic.settings.bucket_landing
    assert store.list_multipart_uploads(Bucket=bucket, Prefix=f"objects/{clinic.name}/").get("Uploads"), (
        "the kill came too late to mean anything"
    )
    assert clinic.keys() == []
    assert clinic.land().objects_new == 1
    assert not store.list_multipart_uploads(Bucket=bucket, Prefix=f"objects/{clinic.name}/").get("Uploads")


def test_two_landings_at_once_store_everything_once(clinic):
    for number in range(5):
        clinic.deliver(f"Patient.{number}.ndjson", ANN.replace(b"p1", b"p%d" % number))
    with ThreadPoolExecutor(2) as threads:
        results = [each.result() for each in [threads.submit(clinic.land) for _ in range(2)]]
    assert sorted(result.objects_new for result in results) == [0, 5]
    assert len(clinic.keys()) == 5


def landed(clinic) -> str:
    clinic.deliver("Patient.ndjson", ANN)
    clinic.land()
    return hashlib.sha256(ANN).hexdigest()


def put(settings: Settings, key: str, content: bytes) -> None:
    open_store(settings).put_object(Bucket=settings.bucket_landing, Key=key, Body=content)


def test_an_object_with_other_content_than_its_name_says_is_refused_at_its_end(clinic):
    sha256 = landed(clinic)
    forged = io.BytesIO()
    encrypt(io.BytesIO(b"other bytes"), forged, load_keyring(clinic.settings.keyring_dir).landing_recipient)
    put(clinic.settings, object_key(clinic.name, sha256), forged.getvalue())
    with clinic.open(sha256) as stream, pytest.raises(LandingError, match="holds other bytes than its name says"):
        stream.read()


def test_a_damaged_object_is_refused(clinic):
    sha256 = landed(clinic)
    key = object_key(clinic.name, sha256)
    stored = open_store(clinic.settings).get_object(Bucket=clinic.settings.bucket_landing, Key=key)["Body"].read()
    put(clinic.settings, key, stored[:-1] + bytes([stored[-1] ^ 1]))
    with clinic.open(sha256) as stream, pytest.raises(LandingError, match="cannot be opened"):
        stream.read()
    put(clinic.settings, key, stored[:-20])
    with clinic.open(sha256) as stream, pytest.raises(LandingError, match="cannot be opened"):
        stream.read()


def test_a_lost_object_says_where_to_look(clinic):
    content = b"soon lost"
    clinic.deliver("Patient.ndjson", content)
    clinic.land()
    sha256 = hashlib.sha256(content).hexdigest()
    bucket = clinic.settings.bucket_landing
    open_store(clinic.settings).delete_object(Bucket=bucket, Key=object_key(clinic.name, sha256))
    with (
        clinic.open(sha256) as stream,
        pytest.raises(ObjectStoreError, match="an object of landing-.* cannot be read"),
    ):
        stream.read()


def test_an_object_that_never_came_is_not_looked_for(clinic):
    with pytest.raises(LandingError, match="never delivered"):
        clinic.open("0" * 64)


def test_a_stream_may_be_closed_before_its_end(clinic):
    content = os.urandom(4 << 20)
    clinic.deliver("Patient.ndjson", content)
    clinic.land()
    stream = clinic.open(hashlib.sha256(content).hexdigest())
    assert stream.read(10) == content[:10]
    stream.close()
    assert stream.closed
