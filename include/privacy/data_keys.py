"""Data keys at hand while a batch is sealed: fetched or made in bulk, ready to encrypt."""

from __future__ import annotations

from collections.abc import Callable, Collection

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from include.privacy.keyring import Keyring
from include.privacy.keys import get_or_create, person_key_id

Encrypt = Callable[[bytes, bytes, bytes], bytes]  # nonce, plain, associated data
_MOST_AT_HAND = 60_000  # about 100 MB


class PersonKeys(dict):
    """Person token -> encrypt, for every person ``ensure`` was called with and whose key was not destroyed."""

    def __init__(self, books: psycopg.Connection, keyring: Keyring) -> None:
        super().__init__()
        self._books, self._keyring = books, keyring
        self.erased: set[str] = set()

    def ensure(self, persons: Collection[str]) -> None:
        """Fetch the keys of persons not yet at hand, making those that never existed. Erased persons get into ``erased``."""
        missing = {person for person in persons if person not in self and person not in self.erased}
        if not missing:
            return
        if len(self) + len(missing) > _MOST_AT_HAND:
            self.clear()
            missing = set(persons) - self.erased
        by_id = {person_key_id(person): person for person in missing}
        found = get_or_create(self._books, self._keyring, by_id)
        self.erased |= {by_id[key_id] for key_id in found.destroyed}
        self.update((by_id[key_id], AESGCM(key).encrypt) for key_id, key in found.keys.items())
