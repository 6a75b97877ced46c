"""Key-encryption keys are rotated while nights run, wrapped by KMS where asked, and retired without losing a data key."""

from __future__ import annotations

import io
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from include.audit.access import note_changes
from include.audit.anchor import anchor_trail, read_sealed, verify_trail
from include.backups import __main__ as backups
from include.backups import vault
from include.backups.back_up import back_up
from include.backups.drill import scratch_server
from include.backups.restore import newest_of, restore_keyring
from include.lifecycle.retrieve import retrieve_with
from include.lifecycle.work import open_work
from include.privacy import keys, rotation
from include.privacy.key_desk import main
from include.privacy.keyring import KeyringError, add_key_encryption_key, load_keyring
from include.privacy.keys import DataKeyError
from include.privacy.kms import KmsError, unwrap_kek
from include.privacy.rotation import RotationError, check_keys, retire, rewrap, rotate, versions
from include.warehouse.connect import connect
from tests.months import store_month

LATER = datetime.now(UTC).date() + timedelta(days=31)


@pytest.fixture
def own_keyring(fresh_hot, tmp_path, monkeypatch):
    """Clean databases with a keyring of their own, so that rotating it disturbs nobody."""
    folder = tmp_path / "keyring"
    shutil.copytree(fresh_hot.keyring_dir, folder)
    monkeypatch.setenv("PLUMBLINE_KEYRING_DIR", str(folder))
    return replace(fresh_hot, keyring_dir=folder)


def key_ids(number):
    return [keys.person_key_id(str(uuid4())) for _ in range(number)]


def test_data_keys_are_wrapped_anew_and_everything_sealed_stays_readable(own_keyring):
    stored = store_month(own_keyring, date(2026, 10, 10), records=8, people=4)
    with connect("sealer", "keys", own_keyring) as books:
        before = books.execute("select key_id, wrapped from keys.data_key order by 1").fetchall()
    assert rotate(own_keyring, by="A. Officer") == 2
    assert rewrap(own_keyring, by="A. Officer") == {"rewrapped": 4, "left": 0}
    with connect("sealer", "keys", own_keyring) as books:
        after = books.execute("select key_id, wrapped from keys.data_key order by 1").fetchall()
    assert [row[0] for row in after] == [row[0] for row in before]
    assert not {bytes(row[1]) for row in after} & {bytes(row[1]) for row in before}
    with open_work(date(2026, 11, 23), own_keyring) as work:
        found = list(retrieve_with(work, [r.record_id for r in stored], purpose="test", actor="test"))
    assert {r.place.record_id: r.content for r in found} == {r.record_id: r.content for r in stored}
    assert [(v.version, v.data_keys, v.is_current) for v in versions(own_keyring)] == [(1, 0, False), (2, 4, True)]


def test_a_night_that_read_the_keyring_before_goes_on_and_loses_nothing(own_keyring):
    night = load_keyring(own_keyring.keyring_dir)
    first = key_ids(400)
    with connect("sealer", "keys", own_keyring, autocommit=True) as books:
        made = keys.get_or_create(books, night, first).keys
    stop, later, trouble = threading.Event(), {}, []

    def load():
        try:
            with connect("sealer", "keys", own_keyring, autocommit=True) as books:
                while not stop.is_set():
                    fresh = key_ids(20)
                    later.update(keys.get_or_create(books, night, fresh).keys)
                    assert keys.get_or_create(books, night, first).keys == made
        except BaseException as problem:
            trouble.append(problem)

    thread = threading.Thread(target=load)
    thread.start()
    rotate(own_keyring, by="A. Officer")
    rewrap(own_keyring, by="A. Officer")
    stop.set()
    thread.join()
    assert trouble == []
    assert later
    assert rewrap(own_keyring, by="A. Officer")["left"] == 0
    with connect("sealer", "keys", own_keyring) as books:
        now = keys.fetch_many(books, load_keyring(own_keyring.keyring_dir), [*first, *later]).keys
    assert now == {**made, **later}


def test_an_old_version_goes_only_when_nothing_needs_it_and_its_days_are_over(own_keyring):
    night = load_keyring(own_keyring.keyring_dir)
    with connect("sealer", "keys", own_keyring, autocommit=True) as books:
        keys.get_or_create(books, night, key_ids(3))
        rotate(own_keyring, by="A. Officer")
        with pytest.raises(RotationError, match="30 days after that"):
            retire(own_keyring, 1, by="A. Officer")
        with pytest.raises(RotationError, match=r"3 data key\(s\) are wrapped under version 1"):
            retire(own_keyring, 1, by="A. Officer", today=LATER)
        rewrap(own_keyring, by="A. Officer")
        retire(own_keyring, 1, by="A. Officer", today=LATER)
        with pytest.raises(Exception, match="version 1 is retired"):
            keys.get_or_create(books, night, key_ids(1))
    assert sorted(load_keyring(own_keyring.keyring_dir).key_encryption_keys) == [2]
    assert not list(own_keyring.keyring_dir.glob("kek-0001*"))
    with pytest.raises(RotationError, match="the current one"):
        retire(own_keyring, 2, by="A. Officer", today=LATER)
    assert add_key_encryption_key(own_keyring.keyring_dir) == 3
    assert check_keys(own_keyring) == {"opened": 3, "destroyed": 0, "damaged": 0, "without_version": 0}


def test_a_restore_says_which_keyring_and_which_entries_of_the_trail_are_missing_and_both_go_on(
    own_keyring, tmp_path, monkeypatch, capsys
):
    night = date(2026, 11, 23)
    with connect("sealer", "keys", own_keyring, autocommit=True) as books:
        made = keys.get_or_create(books, load_keyring(own_keyring.keyring_dir), key_ids(3)).keys
    store_month(own_keyring, date(2026, 10, 10), records=2, people=1)
    note_changes(own_keyring)
    back_up(night, own_keyring)
    rotate(own_keyring, by="A. Officer")
    rewrap(own_keyring, by="A. Officer")
    retire(own_keyring, 1, by="A. Officer", today=LATER)
    lost = anchor_trail(night, own_keyring)
    with scratch_server(own_keyring) as scratch:
        asked = SimpleNamespace(night=f"{night}", databases=["hot", "keys"], identity=None)
        monkeypatch.setattr(backups, "_tell_the_trail", lambda *_: None)
        assert backups._restore(asked, scratch) == 1
        said = capsys.readouterr()
        assert "without version 4" in said.out
        assert f"restore-keyring --night {night} --to FOLDER" in said.err
        assert verify_trail(scratch).first_break.kind == "cut", "as if somebody had taken entries away"
        monkeypatch.undo()
        saved = newest_of(own_keyring, "hot", None)
        backups._tell_the_trail(scratch, saved)
        assert verify_trail(scratch).holds
        assert anchor_trail(night, scratch) == saved.audit_entries + 1
        (told,) = read_sealed(scratch).restored
        assert told.endswith(
            f"from the backup of {night}; entries {saved.audit_entries + 1} to at least {lost} were lost"
        )
        with connect("postgres", settings=scratch) as hot:
            hot.execute("set local session_replication_role = replica; delete from audit.entry where entry_no > 1")
        assert verify_trail(scratch).first_break.kind == "cut", "what was restored is sealed like anything else"
        escrow = own_keyring.secret("escrow_identity")
        restore_keyring(own_keyring, newest_of(own_keyring, "keys", None), escrow, tmp_path / "as it was")
        as_it_was = replace(scratch, keyring_dir=tmp_path / "as it was")
        assert backups._tell_whether_keys_open(as_it_was, None) == 0
        with connect("sealer", "keys", scratch) as books:
            assert keys.fetch_many(books, load_keyring(as_it_was.keyring_dir), made).keys == made


def test_a_backup_of_keys_keeps_which_versions_are_retired(own_keyring):
    rotate(own_keyring, by="A. Officer")
    rewrap(own_keyring, by="A. Officer")
    retire(own_keyring, 1, by="A. Officer", today=LATER)
    back_up(date(2026, 11, 23), own_keyring)
    manifest, escrow = newest_of(own_keyring, "keys", None), own_keyring.secret("escrow_identity")
    with vault.open_backup(own_keyring, manifest, escrow) as it, tarfile.open(fileobj=io.BytesIO(it.read())) as packed:
        assert packed.extractfile("retired_version.copy").read().startswith(b"1\t")


def test_loss_wrong_key_and_tampering_each_say_so_and_lose_nothing(own_keyring):
    ids = key_ids(3)
    keyring = load_keyring(own_keyring.keyring_dir)
    with connect("sealer", "keys", own_keyring, autocommit=True) as books:
        made = keys.get_or_create(books, keyring, ids).keys
        books.execute(
            "update keys.data_key set wrapped = set_byte(wrapped, 20, 255 - get_byte(wrapped, 20)) where key_id = %s",
            [ids[0]],
        )
        books.execute("update keys.data_key set kek_version = 7 where key_id = %s", [ids[1]])
        assert check_keys(own_keyring) == {"opened": 1, "destroyed": 0, "damaged": 1, "without_version": 1}
        with pytest.raises(DataKeyError, match="does not open with key-encryption key version 1"):
            keys.fetch(books, keyring, ids[0])
        with pytest.raises(KeyringError, match="version 7, which this keyring does not have"):
            keys.fetch(books, keyring, ids[1])
        rotate(own_keyring, by="A. Officer")
        with pytest.raises(DataKeyError, match=r"1 data key\(s\) that do not open"):
            rewrap(own_keyring, by="A. Officer")
        assert keys.fetch(books, load_keyring(own_keyring.keyring_dir), ids[2]) == made[ids[2]]
    assert main(["check"]) == 1


@pytest.fixture
def kms(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    unwrap_kek.cache_clear()
    with mock_aws():
        yield boto3.client("kms", region_name="us-east-1")
    unwrap_kek.cache_clear()


def test_kms_wraps_one_key_a_version_and_is_asked_once_a_process(own_keyring, kms, monkeypatch):
    arn = kms.create_key(Description="plumbline")["KeyMetadata"]["Arn"]
    with connect("sealer", "keys", own_keyring, autocommit=True) as books:
        made = keys.get_or_create(books, load_keyring(own_keyring.keyring_dir), key_ids(50)).keys
        assert main_in(own_keyring, monkeypatch, "rotate") == 2  # without --by
        assert rotate(own_keyring, by="A. Officer", kms_key_id=arn) == 2
        assert rewrap(own_keyring, by="A. Officer") == {"rewrapped": 50, "left": 0}
        keyring = load_keyring(own_keyring.keyring_dir)
        assert keys.fetch_many(books, keyring, made).keys == made
    text = (own_keyring.keyring_dir / "kek-0002.kms").read_text()
    assert keyring.key_encryption_key(2).hex() not in text
    assert [v.is_kms for v in versions(own_keyring)] == [False, True]
    assert unwrap_kek.cache_info().misses == 1
    unwrap_kek.cache_clear()
    assert load_keyring(own_keyring.keyring_dir) == keyring
    with pytest.raises(KmsError, match=r"version 3: KMS refused to decrypt \(InvalidCiphertextException\)"):
        unwrap_kek(text.strip(), 3)
    with pytest.raises(KmsError, match=r"version 2: KMS refused to decrypt \(\w+\)"):
        unwrap_kek(text.strip().replace(arn[-12:], "000000000000"), 2)
    with pytest.raises(KmsError, match="its file in the keyring cannot be understood"):
        unwrap_kek(text.strip()[:-9], 2)


def main_in(settings, monkeypatch, *arguments) -> int:
    try:
        return main(list(arguments))
    except SystemExit as ended:
        return ended.code


def test_no_key_appears_in_a_log_an_environment_a_repr_or_the_repository(own_keyring, project: Path, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    rotate(own_keyring, by="A. Officer")
    with connect("sealer", "keys", own_keyring, autocommit=True) as books:
        made = keys.get_or_create(books, load_keyring(own_keyring.keyring_dir), key_ids(2))
        print(made, books)
    rewrap(own_keyring, by="A. Officer")
    assert main(["status"]) == main(["check"]) == 0
    keyring = load_keyring(own_keyring.keyring_dir)
    print(keyring, own_keyring)
    secrets = {
        keyring.landing_identity,
        *(key.hex() for key in (keyring.token_key, *keyring.key_encryption_keys.values())),
    }
    secrets |= {key.hex() for key in made.keys.values()} | {
        own_keyring.secret(name) for name in ("pg_sealer", "escrow_identity")
    }
    assert min(map(len, secrets)) > 20
    environment = subprocess.run(
        [sys.executable, "-m", "include.terminal", "env"],
        capture_output=True,
        text=True,
        cwd=project,
        check=True,
        env=os.environ,
    ).stdout
    tracked = subprocess.run(["git", "ls-files", "-z"], capture_output=True, cwd=project, check=True).stdout.decode()
    files = [project / name for name in tracked.split("\0") if name]
    logs = [file for file in (own_keyring.home / "logs").rglob("*") if file.is_file()]
    texts = [file.read_text(errors="replace") for file in (*files, *logs) if file.is_file()]
    shown = [*texts, environment, caplog.text, capsys.readouterr().out, str(dict(os.environ))]
    assert len(files) > 300
    assert not [secret[:4] for secret in secrets if any(secret in text for text in shown)]
    copied = (project / ".dockerignore").read_text()
    assert not any(word in copied for word in ("!keyring", "!secrets", "!.local"))
    assert rotation.load_key_policy().retire_after_days > 7
