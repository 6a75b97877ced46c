"""Sealed values open for their own record and key only, and give back exactly what was sealed."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from include.privacy.sealing import SealError, merge, open_sealed, rebuild, seal

KEY = bytes(range(32))
RECORD = UUID("00000000-0000-0000-0000-000000000001")
OTHER = UUID("00000000-0000-0000-0000-000000000002")


@pytest.mark.parametrize("plain", [b"", b"{}", b'{"name":"\x00 Ann"}', bytes(100_000)])
def test_what_was_sealed_opens(plain: bytes) -> None:
    assert open_sealed(KEY, RECORD, seal(KEY, RECORD, plain)) == plain


def test_the_same_text_never_looks_the_same_twice() -> None:
    assert len({seal(KEY, RECORD, b"Ann") for _ in range(100)}) == 100


@pytest.mark.parametrize(("key", "record"), [(KEY, OTHER), (bytes(32), RECORD)])
def test_another_record_or_key_does_not_open_it(key: bytes, record: UUID) -> None:
    with pytest.raises(SealError, match="altered, or that belongs to another record or key"):
        open_sealed(key, record, seal(KEY, RECORD, b"Ann"))


def test_a_changed_byte_is_noticed_wherever_it_is() -> None:
    sealed = seal(KEY, RECORD, b"Ann")
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(SealError):
            open_sealed(KEY, RECORD, changed)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" + bytes(40)])
def test_what_is_no_sealed_value_is_said_to_be_none(sealed: bytes) -> None:
    with pytest.raises(SealError, match="unknown format or cut off"):
        open_sealed(KEY, RECORD, sealed)


def test_an_error_quotes_nothing() -> None:
    with pytest.raises(SealError) as raised:
        open_sealed(bytes(32), RECORD, seal(KEY, RECORD, b"Ann"))
    assert "Ann" not in str(raised.value) and KEY.hex() not in str(raised.value)


@pytest.mark.parametrize(
    ("clear", "sealed", "whole"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"b": [None]}, {"a": 1, "b": [None]}),
        ({"a": [{}, {"x": 1}]}, {"a": [{"y": 2}, None]}, {"a": [{"y": 2}, {"x": 1}]}),
        ({"id": "token"}, {"id": "17"}, {"id": "17"}),
        ({"a": {"r": "Patient/t", "s": 1}}, {"a": {"r": "Patient/1"}}, {"a": {"r": "Patient/1", "s": 1}}),
    ],
)
def test_parts_merge(clear: dict, sealed: dict, whole: dict) -> None:
    assert merge(clear, sealed) == whole
    assert rebuild(clear, json.dumps(sealed).encode()) == whole
