"""Seals whole rows for files that leave Postgres.

A row's key is derived from two data keys: its person's (its batch's where there is no person) and its file's. Without either
the row is noise: destroying the person's key erases the person from every file, locked or not; destroying the file's key
ends the file while the person lives on elsewhere.
"""

from __future__ import annotations

import hmac
import os
import struct
from collections import OrderedDict
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from include.errors import PlumblineError

FORMAT = 1
LEVEL = 3
# What raw rows have in common, learnt from the synthetic sample: no patient of anybody's is in it. Format 1 means this very
# file; a better one gets a format of its own, and this one stays as long as a file sealed with it.
DICTIONARY = Path(__file__).with_name("rows-1.zdict")
_HEAD = struct.Struct(">BI")  # format, length of the row before compression
_NONCE, _TAG = 12, 16
_CIPHERS_KEPT = 100_000


class SealedRowError(PlumblineError):
    """A sealed row was altered, belongs elsewhere, or was sealed under another key."""


class KeyGoneError(PlumblineError):
    """The key of a row was destroyed: what it sealed cannot be read by anyone."""


class DataKeys(Protocol):
    """Where data keys come from; ``include.lifecycle.data_keys`` has the real one."""

    def fetch(self, key_ids: Collection[str], *, make: bool = False) -> Mapping[str, bytes]:
        """Keys by id; without those that were destroyed. ``make`` creates those never made."""
        ...


def owner_of(person_token: object, batch_id: str) -> str:
    """Id of the data key that a row belongs to: its person's, or its batch's where it has no person."""
    return f"person:{person_token}" if person_token else f"batch:{batch_id}"


class RowSeal:
    """Seals and opens the rows of one file. Keys are fetched in bulk with ``prepare`` and kept while the file is worked on."""

    def __init__(self, keys: DataKeys, file_key_id: str, *, make: bool = False) -> None:
        import zstandard

        self._keys = keys
        self._pack = zstandard.ZstdCompressor(level=LEVEL, dict_data=_shared()).compress
        self._unpack = zstandard.ZstdDecompressor(dict_data=_shared()).decompress
        found = keys.fetch([file_key_id], make=make)
        self._file_key = found.get(file_key_id)
        self._ciphers: OrderedDict[str, object] = OrderedDict()
        self._bound_to_file = file_key_id.encode() + b"|"
        if self._file_key is None:
            raise KeyGoneError(
                found="the key of the file was destroyed",
                expected="a file whose retention has not ended",
                action="nothing can open it; its certificate of destruction says when and why it ended",
            )

    def prepare(self, owners: Collection[str], *, make: bool = False) -> set[str]:
        """Fetch the keys of these owners; returns the owners whose key is gone."""
        unknown = set(owners) - self._ciphers.keys()
        if unknown:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            for owner, key in self._keys.fetch(unknown, make=make).items():
                self._ciphers[owner] = AESGCM(hmac.digest(self._file_key, key, "sha256"))
        gone = set(owners) - self._ciphers.keys()
        while len(self._ciphers) > _CIPHERS_KEPT + len(owners):
            self._ciphers.popitem(last=False)
        return gone

    def seal(self, owner: str, record_id: str, row: bytes) -> bytes:
        """Compress and seal one row; bound to its record and file, so that sealed rows cannot be swapped."""
        nonce = os.urandom(_NONCE)
        head = _HEAD.pack(FORMAT, len(row))
        return head + nonce + self._ciphers[owner].encrypt(nonce, self._pack(row), self._bound(head, record_id))

    def open(self, owner: str, record_id: str, sealed: bytes) -> bytes:
        """The row that ``seal`` was given. Raises KeyGoneError or SealedRowError."""
        from cryptography.exceptions import InvalidTag

        if owner not in self._ciphers:
            raise KeyGoneError(
                found="the key of the record's person was destroyed",
                expected="a person who was not erased",
                action="nothing can open it; the receipt of the erasure says when and why",
            )
        try:
            head, nonce = sealed[: _HEAD.size], sealed[_HEAD.size : _HEAD.size + _NONCE]
            version, length = _HEAD.unpack(head)
            packed = self._ciphers[owner].decrypt(nonce, sealed[_HEAD.size + _NONCE :], self._bound(head, record_id))
        except (InvalidTag, struct.error, ValueError) as cause:
            raise _damaged() from cause
        if version != FORMAT:
            raise _damaged()
        return self._unpack(packed, max_output_size=length)

    def _bound(self, head: bytes, record_id: str) -> bytes:
        return head + self._bound_to_file + record_id.encode()


@lru_cache(maxsize=1)
def _shared():
    """The dictionary, digested once a process and before anything uses it: doing so again would free what others hold."""
    import zstandard

    dictionary = zstandard.ZstdCompressionDict(DICTIONARY.read_bytes())
    dictionary.precompute_compress(level=LEVEL)
    return dictionary


def _damaged() -> SealedRowError:
    return SealedRowError(
        found="a sealed row does not open under its key",
        expected="the bytes that were written, in the place they were written to",
        action="compare the file with its checksum in lifecycle.cold_file and restore it from a replica",
    )
