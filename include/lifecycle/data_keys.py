"""Data keys as the movers use them: fetched in bulk, made for files, destroyed with files."""

from __future__ import annotations

from collections.abc import Collection
from uuid import uuid4

from include.privacy.keyring import Keyring, load_keyring
from include.privacy.keys import get_or_create, unwrap
from include.settings import Settings
from include.warehouse.connect import connect


def new_file_key_id() -> str:
    """The id of a key for a file about to be written."""
    return f"file:{uuid4()}"


class StoredDataKeys:
    """Keys in the database ``keys``. Each ``fetch`` asks the database anew, so that what it returns is known to be stored."""

    def __init__(self, settings: Settings) -> None:
        self._keyring: Keyring = load_keyring(settings.keyring_dir)
        self._books = connect("sealer", "keys", settings, autocommit=True)

    def __enter__(self) -> StoredDataKeys:
        return self

    def __exit__(self, *_) -> None:
        self._books.close()

    def fetch(self, key_ids: Collection[str], *, make: bool = False) -> dict[str, bytes]:
        """Keys by id, without the destroyed ones. ``make`` creates those never made."""
        if make:
            return get_or_create(self._books, self._keyring, key_ids).keys
        rows = self._books.execute(
            "select key_id, kek_version, wrapped from keys.data_key where key_id = any(%s) and wrapped is not null",
            [list(key_ids)],
        ).fetchall()
        return {key_id: unwrap(self._keyring, key_id, version, bytes(wrapped)) for key_id, version, wrapped in rows}

    def destroy(self, key_id: str) -> bool:
        """Destroy a file's key for good; its row stays, so that it is never made again. Returns False where it was gone."""
        return (
            self._books.execute(
                """update keys.data_key set wrapped = null, destroyed_at = clock_timestamp()
                   where key_id = %s and wrapped is not null returning key_id""",
                [key_id],
            ).fetchone()
            is not None
        )
