"""Rows sealed whole: they open under both keys, in their place, and nowhere else."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.lifecycle.row_seal import KeyGoneError, RowSeal, SealedRowError, owner_of

FILE, PERSON = "file:1", "person:1"


class KeysInMemory:
    """Data keys without a database."""

    def __init__(self):
        self.keys = {}

    def fetch(self, key_ids, *, make=False):
        if make:
            for key_id in key_ids:
                self.keys.setdefault(key_id, os.urandom(32))
        return {key_id: self.keys[key_id] for key_id in key_ids if key_id in self.keys}


def ready(keys, file_key=FILE):
    seal = RowSeal(keys, file_key, make=True)
    assert not seal.prepare({PERSON, "person:2"}, make=True)
    return seal


@settings(deadline=None)
@given(st.binary(max_size=2_000), st.text(max_size=40))
def test_any_row_comes_back_as_it_went_in(row, record_id):
    keys = KeysInMemory()
    sealed = ready(keys).seal(PERSON, record_id, row)
    again = RowSeal(keys, FILE)
    again.prepare({PERSON})
    assert again.open(PERSON, record_id, sealed) == row


def test_a_row_does_not_open_for_another_record_person_or_file():
    keys = KeysInMemory()
    seal = ready(keys)
    sealed = seal.seal(PERSON, "record 1", b"row")
    for opener, owner, record_id in (
        (seal, PERSON, "record 2"),
        (seal, "person:2", "record 1"),
        (ready(keys, "file:2"), PERSON, "record 1"),
    ):
        with pytest.raises(SealedRowError, match="a sealed row does not open under its key"):
            opener.open(owner, record_id, sealed)


def test_every_altered_byte_is_noticed():
    seal = ready(KeysInMemory())
    sealed = seal.seal(PERSON, "record 1", b"row" * 20)
    assert len(sealed) > 30
    for place in range(len(sealed)):
        bent = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(SealedRowError, match="does not open"):
            seal.open(PERSON, "record 1", bent)
    with pytest.raises(SealedRowError, match="does not open"):
        seal.open(PERSON, "record 1", sealed[:9])


def test_without_the_persons_key_nothing_opens():
    keys = KeysInMemory()
    sealed = ready(keys).seal(PERSON, "record 1", b"row")
    del keys.keys[PERSON]
    again = RowSeal(keys, FILE)
    assert again.prepare({PERSON, "person:2"}) == {PERSON}
    with pytest.raises(KeyGoneError, match="the key of the record's person was destroyed"):
        again.open(PERSON, "record 1", sealed)


def test_without_the_files_key_nothing_opens():
    keys = KeysInMemory()
    ready(keys)
    del keys.keys[FILE]
    with pytest.raises(KeyGoneError, match="the key of the file was destroyed"):
        RowSeal(keys, FILE)


def test_a_row_without_a_person_belongs_to_its_batch():
    assert owner_of(None, "clinic__x") == "batch:clinic__x"
    assert owner_of("7", "clinic__x") == "person:7"
