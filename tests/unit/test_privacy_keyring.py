"""A keyring is made once, on purpose, and never makes itself."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from include.privacy.keyring import (
    HMAC_KEY_FILE,
    LANDING_IDENTITY,
    MANIFEST,
    KeyringError,
    add_key_encryption_key,
    create_keyring,
    load_keyring,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_keyring(tmp_path / "keyring")
    return tmp_path / "keyring"


def test_reading_a_keyring_gives_the_keys_it_was_made_with(tmp_path: Path) -> None:
    made = create_keyring(tmp_path / "keyring")
    read = load_keyring(tmp_path / "keyring")
    assert read == made
    assert len(read.token_key) == 32 and len(read.key_encryption_key(read.current_version)) == 32
    assert read.landing_recipient.startswith("age1")


def test_nobody_else_can_read_its_files(folder: Path) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o600} and stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_missing_keyring_is_an_error_and_not_a_new_keyring(tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match=r"keyring.json cannot be read .*never make a new one for existing data"):
        load_keyring(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", [HMAC_KEY_FILE, LANDING_IDENTITY, "kek-0001.key"])
def test_a_missing_file_is_an_error_and_is_not_remade(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(KeyringError, match=f"{name} cannot be read"):
        load_keyring(folder)
    assert not (folder / name).exists()


def test_a_key_of_another_keyring_is_noticed(folder: Path, tmp_path: Path) -> None:
    create_keyring(tmp_path / "other")
    (folder / "kek-0001.key").write_text((tmp_path / "other" / "kek-0001.key").read_text())
    with pytest.raises(KeyringError, match=r"altered or not listed: kek-0001\.key"):
        load_keyring(folder)


def test_a_list_of_files_that_was_changed_is_noticed(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "landing_recipient": "age1other"}))
    with pytest.raises(KeyringError, match="not signed with this keyring's token key"):
        load_keyring(folder)


def test_a_list_of_files_that_is_no_json_is_noticed(folder: Path) -> None:
    (folder / MANIFEST).write_text("{")
    with pytest.raises(KeyringError, match=r"keyring.json cannot be understood"):
        load_keyring(folder)


def test_a_keyring_that_others_may_read_is_refused(folder: Path) -> None:
    (folder / HMAC_KEY_FILE).chmod(0o640)
    with pytest.raises(KeyringError, match=r"token.key can be read by others; expected mode 0600"):
        load_keyring(folder)


def test_a_second_keyring_is_not_made_over_the_first(folder: Path) -> None:
    before = load_keyring(folder)
    with pytest.raises(KeyringError, match="the folder already holds"):
        create_keyring(folder)
    assert load_keyring(folder) == before


def test_a_new_version_becomes_current_and_the_old_one_stays(folder: Path) -> None:
    before = load_keyring(folder)
    assert add_key_encryption_key(folder) == 2
    after = load_keyring(folder)
    assert after.current_version == 2 and after.token_key == before.token_key
    assert after.key_encryption_key(1) == before.key_encryption_key(1) != after.key_encryption_key(2)


def test_a_version_the_keyring_does_not_have_is_named(folder: Path) -> None:
    with pytest.raises(
        KeyringError, match=r"version 7, which this keyring does not have; expected one of the versions \[1\]"
    ):
        load_keyring(folder).key_encryption_key(7)


def test_a_keyring_shows_no_key_when_printed(folder: Path) -> None:
    keyring = load_keyring(folder)
    assert keyring.token_key.hex() not in repr(keyring) and "AGE-SECRET" not in repr(keyring)
