"""What a source database's tables held before tonight, compared with what they hold now, some thousand rows at a time.

Of a row only keyed hashes are kept, and, sealed under the person's data key, what the news of its deletion must tell. Tonight's
rows stand in temporary tables until the night writes down what landed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import sql

from include.privacy import keys
from include.privacy.data_keys import PersonKeys
from include.privacy.keyring import Keyring
from include.privacy.keys import NONCE_BYTES, person_key_id
from include.privacy.tokens import Tokeniser, as_uuid
from include.sources.pulling import SourceRow

_DIGEST_BYTES = 16
_numbers = count(1)


class _Known(NamedTuple):
    content: bytes | None
    version: int
    is_gone: bool
    came_tonight: bool


class PulledRows:
    """One table of one source on one night (the Comparison of include/sources/pulling.py)."""

    def __init__(
        self,
        hot: psycopg.Connection,
        key_books: psycopg.Connection,
        keyring: Keyring,
        tokeniser: Tokeniser,
        persons: PersonKeys,
        source: str,
        table: str,
    ) -> None:
        self._hot, self._key_books, self._keyring, self._persons = hot, key_books, keyring, persons
        self._of = {"source": source, "table": table}
        self._digest_key = tokeniser.digester(f"pulled key|{source}|{table}|".encode())
        self._digest_content = tokeniser.digester(f"pulled content|{source}|{table}|".encode())
        self._digest_person = tokeniser.id_digester(source, "Patient")
        self._own_key_id = f"pull:{source}"
        self._own: AESGCM | None = None
        self._buries, self._is_discarded = False, False
        number = next(_numbers)
        self._rows, self._keys = (sql.Identifier(f"pulled_{word}_{number}") for word in ("rows", "keys"))
        hot.execute(
            sql.SQL(
                """create temporary table {} (key_digest bytea primary key, content_digest bytea not null, version integer not null,
                   person_token uuid, kept bytea, is_new boolean not null)"""
            ).format(self._rows)
        )
        hot.execute(sql.SQL("create temporary table {} (key_digest bytea not null)").format(self._keys))
        hot.commit()

    def changed(self, rows: Sequence[SourceRow]) -> tuple[list[tuple[int, SourceRow]], list[SourceRow]]:
        """Rows that are new or changed, with their version, and rows whose key came before tonight."""
        digests = [self._key_digest(row.key) for row in rows]
        known = self._look_up(digests)
        self._persons.ensure({token for row in rows if (token := self._token(row))})
        new, again, met = [], [], set()
        with (
            self._hot.cursor() as cursor,
            cursor.copy(
                sql.SQL("copy {} (key_digest, content_digest, version, person_token, kept, is_new) from stdin").format(
                    self._rows
                )
            ) as copy,
        ):
            for row, digest in zip(rows, digests, strict=True):
                before = known[digest]
                if digest in met or before.came_tonight:
                    again.append(row)
                    continue
                met.add(digest)
                content = self._digest_content(row.content)[:_DIGEST_BYTES]
                is_new = content != before.content or before.is_gone
                version = before.version + is_new
                kept = self._seal(row, digest) if is_new else None
                copy.write_row((digest, content, version, self._token(row), kept, is_new))
                if is_new:
                    new.append((version, row))
        self._hot.commit()
        return new, again

    def note_keys(self, keys: Sequence[str]) -> None:
        """Say of keys that they are still there."""
        with (
            self._hot.cursor() as cursor,
            cursor.copy(sql.SQL("copy {} (key_digest) from stdin").format(self._keys)) as copy,
        ):
            for key in keys:
                copy.write_row((self._key_digest(key),))
        self._hot.commit()

    def unknown(self) -> int:
        """How many keys noted are of rows that never came."""
        return self._count(
            """select count(*) from {keys} k where not exists (select from {rows} r where r.key_digest = k.key_digest)
               and not exists (select from lifecycle.pulled_row p where (p.source, p.table_name) = (%(source)s, %(table)s)
                   and p.key_digest = k.key_digest and not p.is_gone)"""
        )

    def gone(self) -> tuple[int, int]:
        """How many known keys were neither pulled nor noted tonight, of how many."""
        for table in (self._rows, self._keys):
            self._hot.execute(sql.SQL("analyze {}").format(table))
        known = self._count(
            """select count(*) from lifecycle.pulled_row p
               where (p.source, p.table_name) = (%(source)s, %(table)s) and not p.is_gone"""
        )
        return self._count("select count(*) from lifecycle.pulled_row p where {gone}"), known

    def bury(self) -> Iterator[tuple[int, bytes]]:
        """Take those off the books: version of each deletion, and what was kept. Persons who were erased are passed over."""
        self._buries = True
        with self._hot.cursor(name="buried") as cursor:
            cursor.execute(
                self._sql(
                    """select p.key_digest, p.version + 1, p.person_token, p.kept from lifecycle.pulled_row p
                       where {gone} order by p.key_digest"""
                ),
                self._of,
            )
            while rows := cursor.fetchmany(2_000):
                yield from self._open(rows)
        self._hot.commit()

    def discard(self) -> None:
        """Let nothing of tonight count: the table was not read to its end."""
        self._hot.rollback()
        self._is_discarded = True

    def write_down(self, hot: psycopg.Connection) -> None:
        """Tonight's rows become what is known, in the caller's transaction."""
        if self._is_discarded:
            return
        if self._buries:
            hot.execute(
                self._sql(
                    "update lifecycle.pulled_row p set is_gone = true, version = version + 1, kept = null where {gone}"
                ),
                self._of,
            )
        hot.execute(
            self._sql(
                """insert into lifecycle.pulled_row (source, table_name, key_digest, content_digest, version, person_token, kept)
                   select %(source)s, %(table)s, key_digest, content_digest, version, person_token, kept from {rows} where is_new
                   on conflict (source, table_name, key_digest) do update set content_digest = excluded.content_digest,
                       version = excluded.version, is_gone = false, person_token = excluded.person_token, kept = excluded.kept"""
            ),
            self._of,
        )

    def _look_up(self, digests: list[bytes]) -> dict[bytes, _Known]:
        rows = self._hot.execute(
            self._sql(
                """select k.digest, p.content_digest, coalesce(p.version, 0), coalesce(p.is_gone, false), r.key_digest is not null
                   from unnest(%(digests)s::bytea[]) k (digest)
                   left join lifecycle.pulled_row p on (p.source, p.table_name, p.key_digest) = (%(source)s, %(table)s, k.digest)
                   left join {rows} r on r.key_digest = k.digest"""
            ),
            {**self._of, "digests": digests},
        )
        return {digest: _Known(*known) for digest, *known in rows.fetchall()}

    def _key_digest(self, key: str) -> bytes:
        return self._digest_key(key.encode("utf-8", "surrogatepass"))[:_DIGEST_BYTES]

    def _token(self, row: SourceRow) -> str | None:
        return None if row.person is None else as_uuid(self._digest_person(row.person.encode("utf-8", "surrogatepass")))

    def _seal(self, row: SourceRow, digest: bytes) -> bytes | None:
        token = self._token(row)
        if token in self._persons.erased:
            return None
        nonce = os.urandom(NONCE_BYTES)
        encrypt = self._persons[token] if token else self._own_cipher().encrypt
        return nonce + encrypt(nonce, row.kept, digest)

    def _own_cipher(self) -> AESGCM:
        """For rows of nobody."""
        if self._own is None:
            made = keys.get_or_create(self._key_books, self._keyring, [self._own_key_id])
            self._own = AESGCM(made.keys[self._own_key_id])
        return self._own

    def _open(self, rows: list[tuple]) -> Iterator[tuple[int, bytes]]:
        wanted = {person_key_id(str(token)) for _, _, token, _ in rows if token}
        found = keys.fetch_many(self._key_books, self._keyring, wanted).keys
        for digest, version, token, kept in rows:
            key = found.get(person_key_id(str(token))) if token else None
            if kept is not None and (key is not None or token is None):
                cipher = AESGCM(key) if key else self._own_cipher()
                yield version, cipher.decrypt(kept[:NONCE_BYTES], kept[NONCE_BYTES:], digest)

    def _count(self, query: str) -> int:
        number = self._hot.execute(self._sql(query), self._of).fetchone()[0]
        self._hot.commit()
        return number

    def _sql(self, query: str) -> sql.Composed:
        names = {"rows": self._rows, "keys": self._keys}
        return sql.SQL(query).format(**names, gone=sql.SQL(_GONE).format(**names))


_GONE = """(p.source, p.table_name) = (%(source)s, %(table)s) and not p.is_gone
    and not exists (select from {rows} r where r.key_digest = p.key_digest)
    and not exists (select from {keys} k where k.key_digest = p.key_digest)"""
