"""Data keys on the real database: made once, the same for everybody, gone for good when destroyed."""

from __future__ import annotations

import threading
from dataclasses import replace
from uuid import uuid4

import pytest

from include.privacy import keys
from include.privacy.data_keys import PersonKeys
from include.privacy.keyring import KeyringError, add_key_encryption_key, create_keyring, load_keyring
from include.warehouse.connect import connect


@pytest.fixture
def books(settings):
    with connect("sealer", "keys", settings, autocommit=True) as books:
        yield books


def new_ids(number: int) -> list[str]:
    """Key ids that no other test has asked for."""
    return [keys.person_key_id(str(uuid4())) for _ in range(number)]


@pytest.fixture
def ids() -> list[str]:
    return new_ids(2)


@pytest.fixture
def keyring(tmp_path):
    return create_keyring(tmp_path / "keyring")


def test_a_key_is_made_once_and_then_fetched(books, keyring) -> None:
    ids = new_ids(2_500)
    made = keys.get_or_create(books, keyring, ids[:2_000])
    again = keys.get_or_create(books, keyring, ids)
    assert len(again.keys) == 2_500 and {name: again.keys[name] for name in ids[:2_000]} == made.keys
    assert len(set(again.keys.values())) == 2_500 and {len(key) for key in again.keys.values()} == {32}


def test_keys_are_stored_wrapped_and_only_so(books, keyring, ids) -> None:
    made = keys.get_or_create(books, keyring, [ids[0]])
    (wrapped,) = books.execute("select wrapped from keys.data_key where key_id = %s", [ids[0]]).fetchone()
    assert made.keys[ids[0]] not in wrapped
    assert keys.unwrap(keyring, ids[0], 1, wrapped) == made.keys[ids[0]]


def test_two_who_ask_at_once_for_new_keys_get_the_same(settings, keyring) -> None:
    ids = new_ids(300)
    found: list[dict] = []

    def ask(order: list[str]) -> None:
        with connect("sealer", "keys", settings, autocommit=True) as books:
            for at in range(0, len(order), 30):
                found.append(dict(keys.get_or_create(books, keyring, order[at : at + 30]).keys))

    threads = [threading.Thread(target=ask, args=(order,)) for order in (ids, ids[::-1], ids[150:] + ids[:150])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(map(len, found)) == 900
    merged: dict[str, set] = {}
    for part in found:
        for name, key in part.items():
            merged.setdefault(name, set()).add(key)
    assert {len(values) for values in merged.values()} == {1}


def test_a_destroyed_key_stays_destroyed(books, keyring, ids) -> None:
    keys.get_or_create(books, keyring, [ids[0], ids[1]])
    destroy(books, ids[:1])
    found = keys.get_or_create(books, keyring, [ids[0], ids[1]])
    assert found.destroyed == {ids[0]} and set(found.keys) == {ids[1]}
    with pytest.raises(keys.DataKeyError, match="destroyed: the person was erased"):
        keys.fetch(books, keyring, ids[0])


def test_another_keyring_opens_nothing_and_makes_nothing(books, keyring, tmp_path, ids) -> None:
    keys.get_or_create(books, keyring, [ids[0]])
    other = create_keyring(tmp_path / "other")
    with pytest.raises(keys.DataKeyError, match="does not open with key-encryption key version 1"):
        keys.get_or_create(books, other, [ids[0]])
    with pytest.raises(KeyringError, match="version 1, which this keyring does not have"):
        keys.get_or_create(
            books, replace(keyring, key_encryption_keys={2: bytes(32)}, current_version=2, folder=None), [ids[0]]
        )


def test_a_wrapped_key_put_in_anothers_place_does_not_open(books, keyring, ids) -> None:
    keys.get_or_create(books, keyring, [ids[0], ids[1]])
    books.execute(
        "update keys.data_key set wrapped = (select wrapped from keys.data_key where key_id = %s) where key_id = %s",
        ids[::-1],
    )
    with pytest.raises(keys.DataKeyError, match="does not open"):
        keys.get_or_create(books, keyring, [ids[0]])


def test_keys_of_an_older_version_open_beside_new_ones(books, keyring, tmp_path, ids) -> None:
    old = keys.get_or_create(books, keyring, [ids[0]]).keys
    add_key_encryption_key(tmp_path / "keyring")
    both = keys.get_or_create(books, load_keyring(tmp_path / "keyring"), [ids[0], ids[1]]).keys
    assert both[ids[0]] == old[ids[0]]
    assert dict(
        books.execute("select key_id, kek_version from keys.data_key where key_id = any(%s)", [ids]).fetchall()
    ) == {ids[0]: 1, ids[1]: 2}


def test_person_keys_at_hand_are_fetched_once(books, keyring) -> None:
    one, two, three = (str(uuid4()) for _ in range(3))
    persons = PersonKeys(books, keyring)
    persons.ensure({one, two})
    first = persons[one]
    destroy(books, [keys.person_key_id(one), keys.person_key_id(two)])
    persons.ensure({one, three})
    assert persons[one] is first and set(persons) == {one, two, three}
    later = PersonKeys(books, keyring)
    later.ensure({one, three})
    assert later.erased == {one} and set(later) == {three}


def destroy(books, ids: list[str]) -> None:
    books.execute(
        "update keys.data_key set wrapped = null, destroyed_at = clock_timestamp() where key_id = any(%s)", [ids]
    )


def test_only_the_sealing_code_may_look_at_keys(settings) -> None:
    for role in ("loader", "transformer", "privacy_officer", "lifecycle"):
        with pytest.raises(Exception, match="permission denied"), connect(role, "keys", settings) as books:
            books.execute("select from keys.data_key")
