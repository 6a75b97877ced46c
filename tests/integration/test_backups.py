"""Backups on the real servers: saved, proven, ended by policy, restored into another server, and never bringing the erased back."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import date, timedelta

import psycopg
import pytest

from include.audit.anchor import anchor_trail
from include.backups import back_up as saving
from include.backups import restore as restoring
from include.backups import vault
from include.backups.back_up import back_up, unsaved_nights
from include.backups.drill import rehearse, restore_drill, scratch_server
from include.backups.restore import newest_of, restore, restore_keyring
from include.backups.vault import BackupError
from include.landing.encryption import LandingError
from include.lifecycle import store
from include.lifecycle.erase import erase_person
from include.lifecycle.erase_rows import remaining_rows
from include.lifecycle.store import RegionError
from include.lifecycle.work import open_work
from include.privacy.keyring import load_keyring
from include.warehouse.connect import OWNER, connect
from tests.months import person, store_month

NIGHT = date(2026, 11, 23)
TWO = {"reason": "request of the person", "requested_by": "A. Officer", "approved_by": "B. Manager"}


def link_persons(settings) -> None:
    """Give every stored person a key, and a row in a published table, as identity and publishing would."""
    with connect("transformer", settings=settings) as hot:
        hot.execute(
            """insert into restricted.person (person_key, first_night) select gen_random_uuid(), %s
               from (select distinct person_token from lifecycle.record) t""",
            [NIGHT],
        )
        hot.execute(
            """insert into restricted.person_link (person_token, person_key)
               select person_token, person_key
               from (select person_token, row_number() over (order by person_token) n
                     from (select distinct person_token from lifecycle.record) d) t
               join (select person_key, row_number() over (order by person_key) n from restricted.person) p using (n)"""
        )
        rows = hot.execute("select person_key from restricted.person_link").fetchall()
    with connect("publisher", "warm", settings) as warm:
        warm.execute("create table versions.clinical__persons__1 (person_key uuid primary key, age int)")
        for row in rows:
            warm.execute("insert into versions.clinical__persons__1 values (%s, 40)", row)


def save_and_read(settings, kind="hot"):
    keyring = load_keyring(settings.keyring_dir)
    return newest_of(settings, kind, vault.signing_key_of(keyring.token_key)), keyring


def test_the_oldest_backup_restored_does_not_bring_an_erased_person_back(fresh_hot, monkeypatch):
    store_month(fresh_hot, date(2026, 10, 10), records=12, people=3)
    link_persons(fresh_hot)
    anchor_trail(NIGHT, fresh_hot)
    assert back_up(NIGHT, fresh_hot) == back_up(NIGHT, fresh_hot) | {
        "saved": 3,
        "bytes": pytest.approx(1, abs=1e9),
        "verified": 3,
    }
    oldest, keyring = save_and_read(fresh_hot)
    with open_work(NIGHT, fresh_hot) as work:
        people = dict(work.hot.execute("select person_token, person_key from restricted.person_link").fetchall())
        erase_person(work, person(1), **TWO)
    manifests = [oldest, save_and_read(fresh_hot, "warm")[0], save_and_read(fresh_hot, "keys")[0]]
    shut = _try_the_doors_before_forgetting(monkeypatch)
    with scratch_server(fresh_hot) as scratch:
        restored = restore(
            fresh_hot, scratch, manifests,
            landing_identity=keyring.landing_identity, escrow_identity=fresh_hot.secret("escrow_identity"),
        )  # fmt: skip
        assert shut == [("lifecycle", "hot"), ("analyst", "warm"), ("sealer", "keys")], "nobody gets in before"
        assert restored.erasures == 1
        assert restored.rows_erased > 4, "the backup did hold the person, so forgetting them is put to the test"
        assert remaining_rows(scratch, [person(1)], [people[person(1)]]) == {}
        assert remaining_rows(scratch, [person(2)], [people[person(2)]]) != {}
        with connect("sealer", "keys", scratch) as books:
            alive = dict(books.execute("select key_id, wrapped is not null from keys.data_key").fetchall())
        assert (alive[f"person:{person(1)}"], alive[f"person:{person(2)}"]) == (False, True)
        with connect("lifecycle", "hot", scratch) as hot:
            tiers = hot.execute("select tier, count(*) from lifecycle.record group by 1 order by 1").fetchall()
        assert tiers == [("erased", 4), ("hot", 8)]
        with pytest.raises(BackupError, match="already has hot"):
            restore(fresh_hot, scratch, manifests[:1], landing_identity="", escrow_identity="")


def _try_the_doors_before_forgetting(monkeypatch) -> list[tuple[str, str]]:
    """Roles and databases that refused a login just before the first erasure was applied to what was restored."""
    refused, forget = [], restoring.forget

    def tried(target, *arguments):
        for door in (("lifecycle", "hot"), ("analyst", "warm"), ("sealer", "keys")):
            try:
                connect(*door, target).close()
            except psycopg.OperationalError:
                refused.append(door)
        return forget(target, *arguments)

    monkeypatch.setattr(restoring, "forget", tried)
    return refused


def test_a_drill_restores_checks_and_is_written_down(fresh_hot):
    store_month(fresh_hot, date(2026, 10, 10), records=12, people=3)
    with connect("lifecycle", settings=fresh_hot) as hot:
        hot.execute("select audit.append('test.first'), audit.append('test.second')")
    anchor_trail(NIGHT, fresh_hot)
    with connect("lifecycle", settings=fresh_hot) as hot:
        hot.execute("select audit.append('test.third')")
    with connect("listener", settings=fresh_hot) as inbox:  # acknowledged and not landed yet: it is nowhere else
        inbox.execute(
            """insert into intake.live (source, sender_key, content_key, message_type, bytes, sealed)
               values ('feed', 'a', 'b', 'ADT^A01', 1, 'age')"""
        )
    finish_night(fresh_hot, NIGHT)
    back_up(NIGHT, fresh_hot)
    finish_night(fresh_hot, NIGHT + timedelta(1))
    with connect("lifecycle", settings=fresh_hot) as hot:
        hot.execute("select audit.append('hold.set')")
    drill = restore_drill(NIGHT, fresh_hot)
    assert drill.passed
    # Two entries of the backup itself were written after its snapshot.
    assert drill.checks["not_saved"]["acts"] == {"backup.made": 3, "hold.set": 1}
    assert drill.checks["not_saved"]["live_messages"] == 0
    assert drill.checks["rows_hot"]["wrong"] == {}
    assert drill.checks["sealed_rows"] == {"passed": True, "opened": 12, "of": 12}
    assert drill.checks["audit_chain"]["anchors"] == 2
    assert drill.nights_lost == 1
    with connect("privacy_officer", settings=fresh_hot) as hot:
        assert hot.execute("select passed, nights_lost from lifecycle.restore_drill").fetchone() == (True, 1)


def finish_night(settings, night) -> None:
    """What closing a night leaves on the books."""
    with connect(OWNER, settings=settings) as hot:
        hot.execute(
            """insert into lifecycle.night (night, finished_at) values (%s, clock_timestamp())
               on conflict (night) do update set finished_at = excluded.finished_at""",
            [night],
        )


def nights_lost(settings) -> int:
    manifest, _ = save_and_read(settings)
    with connect("lifecycle", settings=settings) as hot:
        return unsaved_nights(hot, manifest.holds_until)


def test_after_the_backup_at_a_night_s_end_no_finished_night_is_lost(fresh_hot):
    store_month(fresh_hot, date(2026, 10, 10), records=3)
    assert back_up(NIGHT, fresh_hot)["saved"] == 3  # at seven, while the night still runs
    assert back_up(NIGHT, fresh_hot)["saved"] == 0, "everything of the day is saved"
    store_month(fresh_hot, date(2026, 11, 10), records=4)
    finish_night(fresh_hot, NIGHT)
    assert nights_lost(fresh_hot) == 1, "saved under the same date, but before the night was finished"
    assert back_up(NIGHT, fresh_hot)["saved"] == 3
    assert nights_lost(fresh_hot) == 0
    manifest, _ = save_and_read(fresh_hot)
    assert sum(rows for table, rows in manifest.tables.items() if table.startswith("raw.")) == 7
    finish_night(fresh_hot, NIGHT)  # run again by hand
    assert (nights_lost(fresh_hot), back_up(NIGHT, fresh_hot)["saved"], nights_lost(fresh_hot)) == (1, 3, 0)


@pytest.mark.parametrize("killed_before", ["_enter", "_prove"])
def test_a_backup_whose_run_was_killed_before_it_was_on_the_books_still_ends_on_its_day(
    fresh_hot, monkeypatch, killed_before
):
    store_month(fresh_hot, date(2026, 10, 10), records=3)
    with monkeypatch.context() as killing:
        killing.setattr(saving, killed_before, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            back_up(NIGHT, fresh_hot)
    assert back_up(NIGHT, fresh_hot) | {"bytes": 0} == {
        "saved": 2,
        "bytes": 0,
        "verified": 2,
        "removed": 0,
        "adopted": 1,
    }
    with connect("lifecycle", settings=fresh_hot) as hot:
        kept = dict(hot.execute("select object_key, kind from lifecycle.backup where removed_at is null").fetchall())
    for kind in ("hot", "warm", "keys"):
        found = {manifest.object_key for manifest in vault.read_manifests(fresh_hot, kind, None)}
        assert found == {key for key, of in kept.items() if of == kind}, "what is in the bucket is on the books"
    (adopted,) = (m for m in vault.read_manifests(fresh_hot, "hot", None))
    s3 = store.open_store(fresh_hot)
    for key in (adopted.object_key, adopted.object_key + ".json"):
        assert store.look(s3, fresh_hot.bucket_backup, key).locked_until == NIGHT + timedelta(days=35)


def test_a_drill_that_finds_something_else_than_was_saved_fails(fresh_hot, monkeypatch):
    store_month(fresh_hot, date(2026, 10, 10), records=3)
    back_up(NIGHT, fresh_hot)
    read = vault.read_manifests

    def told_otherwise(settings, kind, signing_key):
        for manifest in read(settings, kind, signing_key):
            yield replace(manifest, tables={**manifest.tables, "lifecycle.record": 4}) if kind == "hot" else manifest

    monkeypatch.setattr(vault, "read_manifests", told_otherwise)
    assert rehearse(fresh_hot).checks["rows_hot"]["wrong"] == {"lifecycle.record": [4, 3]}


def test_what_was_saved_is_locked_and_encrypted_and_keys_are_apart_and_go_within_a_week(fresh_hot):
    stored = store_month(fresh_hot, date(2026, 10, 10), records=3)
    back_up(NIGHT, fresh_hot)
    s3 = store.open_store(fresh_hot)
    manifest, keyring = save_and_read(fresh_hot)
    body = s3.get_object(Bucket=fresh_hot.bucket_backup, Key=manifest.object_key)["Body"].read()
    assert str(stored[0].record_id).encode() not in body
    assert store.look(s3, fresh_hot.bucket_backup, manifest.object_key).locked_until == NIGHT + timedelta(days=35)
    assert not [key for key in store.list_keys(s3, fresh_hot.bucket_backup) if key.startswith("keys/")]
    (of_keys,) = vault.read_manifests(fresh_hot, "keys", None)
    with (
        pytest.raises(LandingError, match="cannot be opened"),
        vault.open_backup(fresh_hot, of_keys, keyring.landing_identity) as it,
    ):
        it.read()
    assert back_up(NIGHT + timedelta(days=8), fresh_hot)["removed"] == 1
    names = {key for key in store.list_keys(s3, fresh_hot.bucket_backup_keys) if of_keys.backup_id in key}
    assert names == set()


def test_half_of_a_backup_that_the_store_finished_late_is_none_and_goes_with_the_next(fresh_hot):
    back_up(NIGHT, fresh_hot)
    whole = newest_of(fresh_hot, "hot", None)
    back_up(NIGHT + timedelta(days=1), fresh_hot, everything=True)
    s3, bucket = store.open_store(fresh_hot), fresh_hot.bucket_backup
    late = f"hot/{NIGHT + timedelta(days=2)}/late.age"
    newest = newest_of(fresh_hot, "hot", None).object_key
    for key, of in ((late + ".json", newest + ".json"), (late + "2.age", whole.object_key)):
        body = s3.get_object(Bucket=bucket, Key=of)["Body"].read()
        s3.put_object(Bucket=bucket, Key=key, Body=body.replace(newest.encode(), late.encode()))
    before = store.list_keys(s3, bucket)
    assert newest_of(fresh_hot, "hot", None).night == f"{NIGHT + timedelta(days=1)}"
    assert back_up(NIGHT + timedelta(days=1), fresh_hot)["removed"] == 2
    assert store.list_keys(s3, bucket) == before - {late + ".json", late + "2.age"}


def test_records_are_not_saved_where_one_of_their_classes_may_not_lie(fresh_hot, monkeypatch):
    monkeypatch.setattr(store, "region_of", lambda s3, bucket: "us-west-2")
    with pytest.raises(
        RegionError, match=f"{fresh_hot.bucket_backup} is in region us-west-2.*clinical_notes to stay in us-east-1"
    ):
        back_up(NIGHT, fresh_hot)
    assert store.list_keys(store.open_store(fresh_hot), fresh_hot.bucket_backup) == set()


def test_a_keyring_that_was_lost_comes_back_from_the_sealed_backup(fresh_hot, tmp_path):
    back_up(NIGHT, fresh_hot)
    manifest = newest_of(fresh_hot, "keys", None)
    folder = tmp_path / "keyring"
    assert restore_keyring(fresh_hot, manifest, fresh_hot.secret("escrow_identity"), folder) >= 4
    assert load_keyring(folder) == load_keyring(fresh_hot.keyring_dir)
    with pytest.raises(BackupError, match="is not empty"):
        restore_keyring(fresh_hot, manifest, fresh_hot.secret("escrow_identity"), folder)


def test_a_backup_that_was_altered_or_half_made_is_never_restored_from(fresh_hot, monkeypatch):
    store_month(fresh_hot, date(2026, 10, 10), records=3)
    monkeypatch.setattr(vault, "write_manifest", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        back_up(NIGHT, fresh_hot)
    with pytest.raises(BackupError, match="no finished backup of hot"):
        save_and_read(fresh_hot)
    monkeypatch.undo()
    monkeypatch.setenv("PLUMBLINE_HOME", str(fresh_hot.home))
    back_up(NIGHT, fresh_hot)
    manifest, keyring = save_and_read(fresh_hot)
    s3 = store.open_store(fresh_hot)
    forged = s3.get_object(Bucket=fresh_hot.bucket_backup, Key=manifest.object_key + ".json")["Body"].read()
    s3.put_object(
        Bucket=fresh_hot.bucket_backup, Key=manifest.object_key + ".json", Body=forged.replace(b'"hot"', b'"hot" ')
    )
    assert save_and_read(fresh_hot)[0] == manifest
    s3.put_object(
        Bucket=fresh_hot.bucket_backup,
        Key=manifest.object_key + ".json",
        Body=forged.replace(b"2026-11-23", b"2026-11-24"),
    )
    with pytest.raises(BackupError, match="did not sign"):
        save_and_read(fresh_hot)


def test_pg_dump_that_fails_leaves_nothing_on_the_books(fresh_hot, monkeypatch):
    real = subprocess.Popen

    def broken(command, **named):
        return real(["false"] if "pg_dump" in command[0] else command, **named)

    monkeypatch.setattr(subprocess, "Popen", broken)
    with pytest.raises(BackupError, match="pg_dump of hot ended with code 1"):
        back_up(NIGHT, fresh_hot)
    with connect("lifecycle", settings=fresh_hot) as hot:
        assert hot.execute("select count(*) from lifecycle.backup").fetchone() == (0,)


def test_the_backup_role_reads_everything_but_keys_and_writes_nothing(fresh_hot):
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect("backup", "keys", fresh_hot)
    with connect("backup", "hot", fresh_hot) as hot:
        assert hot.execute("select count(*) from raw.resource").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            hot.execute("delete from raw.resource")
