"""Puts backups back into a server that has none of the databases, and forgets the erased before anyone may connect.

A restored database takes no connection but the superuser's until every erasure of the ledger was applied to it: rows gone,
keys destroyed. Nothing is ever restored over a database that is there.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from include.backups import vault
from include.backups.content import KEY_TABLES, program
from include.backups.vault import BackupError, Manifest
from include.lifecycle.erase_rows import count_published
from include.lifecycle.erasure_ledger import LedgerEntry, read_ledger
from include.settings import Settings
from include.warehouse.connect import OWNER, connect

_KEYRING_FILES = ("keyring.json", "token.key", "landing.age", "kek-")


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back: the backups used, and erasures applied to them."""

    manifests: tuple[Manifest, ...]
    erasures: int
    rows_erased: int


def newest_of(settings: Settings, kind: str, signing_key: bytes | None, night: str | None = None) -> Manifest:
    """The newest finished backup of a kind, or the newest not later than ``night``. Raises BackupError where there is none."""
    for manifest in vault.read_manifests(settings, kind, signing_key):
        if night is None or manifest.night <= night:
            return manifest
    raise BackupError(
        found=f"no finished backup of {kind}" + (f" of {night} or before" if night else ""),
        expected="a backup with its manifest in the bucket",
        action="see that the bucket is the right one; 'python -m include.backups status' lists what there is",
    )


def restore(
    source: Settings, target: Settings, manifests: Sequence[Manifest], *, landing_identity: str, escrow_identity: str
) -> Restored:
    """Restore databases of ``source``'s buckets into ``target``'s server. Raises BackupError where one is there already.

    hot, warm and keys each come from their manifest. The databases open only after every erasure was applied.
    """
    from include.warehouse.migrate import ensure_roles

    with connect("postgres", "postgres", target, autocommit=True) as server:
        _refuse_present(server, [manifest.kind for manifest in manifests])
        ensure_roles(server, target)
        for manifest in manifests:
            # Nobody but a superuser gets in: not a reader, not a step of the night.
            statement = (
                "create database {} owner {} template template0 encoding 'UTF8' locale 'C.UTF-8' connection limit 0"
            )
            server.execute(sql.SQL(statement).format(sql.Identifier(manifest.kind), sql.Identifier(OWNER)))
            server.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(manifest.kind)))
    for manifest in manifests:
        _fill(source, target, manifest, landing_identity if manifest.kind != "keys" else escrow_identity)
    erasures = list(read_ledger(source))
    kinds = [manifest.kind for manifest in manifests]
    erased = sum(forget(target, entry, kinds) for entry in erasures)
    with connect("postgres", "postgres", target, autocommit=True) as server:
        for manifest in manifests:
            _open(server, manifest)
    return Restored(tuple(manifests), len(erasures), erased)


def forget(target: Settings, entry: LedgerEntry, kinds: Collection[str]) -> int:
    """Apply an erasure to restored databases, as the superuser. Returns rows and keys that the backup had brought back."""
    tokens, erased = [str(token) for token in entry.tokens], 0
    person_keys = [str(key) for key in entry.person_keys]
    if "hot" in kinds:
        with connect("postgres", "hot", target) as hot:
            # Under which keys the person was published when the backup was made may differ from what the ledger knew.
            found = hot.execute(
                "select person_key::text from restricted.person_link where person_token::text = any(%s)", [tokens]
            )
            person_keys = sorted({*person_keys, *(row[0] for row in found.fetchall())})
            erased += _delete_everywhere(hot, tokens, person_keys)
            _tombstone(hot, entry)
    if "warm" in kinds:
        with connect("postgres", "warm", target) as warm:
            erased += _delete_everywhere(warm, tokens, person_keys)
            count_published(warm)
    if "keys" in kinds:
        with connect("postgres", "keys", target) as books:
            erased += _destroy_keys(books, tokens)
    return erased


def restore_keyring(source: Settings, manifest: Manifest, escrow_identity: str, folder: Path) -> int:
    """Write the keyring of a backup of keys into an empty folder. Returns files written. Raises BackupError where one is there."""
    if folder.exists() and any(folder.iterdir()):
        raise BackupError(
            found="the folder for the keyring is not empty",
            expected="a folder without a keyring",
            action="name another folder; compare what is there with the backup before anything is thrown away",
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = 0
    for name, content in _key_files(source, manifest, escrow_identity):
        plain = Path(name).name
        if name.startswith("keyring/") and plain.startswith(_KEYRING_FILES):
            descriptor = os.open(folder / plain, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            written += 1
    return written


def _refuse_present(server: psycopg.Connection, names: list[str]) -> None:
    rows = server.execute("select datname from pg_database where datname = any(%s) order by 1", [names]).fetchall()
    if rows:
        raise BackupError(
            found=f"the server already has {', '.join(row[0] for row in rows)}",
            expected="a server without the databases that are to be restored",
            action="restore into a new server, or rename what is there first; nothing is restored over data",
        )


def _fill(source: Settings, target: Settings, manifest: Manifest, identity: str) -> None:
    if manifest.kind == "keys":
        _fill_keys(source, target, manifest, identity)
        return
    command = [
        program("pg_restore"), "--exit-on-error", "--no-password", f"--host={target.pg_host}", f"--port={target.pg_port}",
        "--username=postgres", f"--dbname={manifest.kind}",
    ]  # fmt: skip
    environment = {
        "PATH": os.defpath,
        "PGPASSWORD": target.secret("pg_postgres"),
        "PGSSLMODE": target.pg_sslmode,
        "PGAPPNAME": "plumbline restore",
    }
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    try:
        # Opened as it streams: what the dump holds in clear never touches a disk but the server's.
        with vault.open_backup(source, manifest, identity) as content:
            while block := content.read(1 << 20):
                process.stdin.write(block)
        process.stdin.close()
    except BrokenPipeError:
        pass  # its exit code says more
    finally:
        code = process.wait()
    if code != 0:
        raise BackupError(
            found=f"pg_restore of {manifest.kind} ended with code {code}",
            expected="a dump that restores whole",
            action="drop the half restored database and try an older backup; see the server's log",
        )


def _fill_keys(source: Settings, target: Settings, manifest: Manifest, identity: str) -> None:
    from include.warehouse.migrate import MIGRATIONS

    files = dict(_key_files(source, manifest, identity))
    with connect("postgres", "keys", target) as books:
        # As the owner, who may not connect yet, so that everything belongs to whom it should.
        books.execute(sql.SQL("set role {}").format(sql.Identifier(OWNER)))
        books.execute(
            "create schema migrations; create table migrations.applied (name text primary key, sha256 text not null)"
        )
        for file in sorted((MIGRATIONS / "keys").glob("*.sql")):
            books.execute(file.read_bytes())
            books.execute(
                "insert into migrations.applied values (%s, encode(sha256(%s), 'hex'))", [file.name, file.read_bytes()]
            )
        # Keys first: under a version that is retired none may be put in.
        for table in (table for table in KEY_TABLES if f"{table}.copy" in files):
            into = sql.SQL("copy {} from stdin").format(sql.Identifier("keys", table))
            with books.cursor() as cursor, cursor.copy(into) as copy:
                copy.write(files[f"{table}.copy"])


def _key_files(source: Settings, manifest: Manifest, identity: str) -> list[tuple[str, bytes]]:
    with vault.open_backup(source, manifest, identity) as content:
        packed = content.read()
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return [(entry.name, tar.extractfile(entry).read()) for entry in tar if entry.isfile()]


def _delete_everywhere(books: psycopg.Connection, tokens: list[str], person_keys: list[str]) -> int:
    """Delete the person's rows in every table but the tombstones."""
    from include.lifecycle.erase_rows import TOMBSTONES, tables_naming_persons

    removed = 0
    for schema, table, column in list(tables_naming_persons(books)):
        if f"{schema}.{table}" in TOMBSTONES:
            continue
        query = sql.SQL("delete from {} where {}::text = any(%s)").format(
            sql.Identifier(schema, table), sql.Identifier(column)
        )
        removed += books.execute(query, [tokens if column == "person_token" else person_keys]).rowcount
    return removed


def _tombstone(hot: psycopg.Connection, entry: LedgerEntry) -> None:
    """The restored catalogue says erased, and knows the erasure itself, which may be younger than the backup."""
    tokens = [str(token) for token in entry.tokens]
    hot.execute(
        """update lifecycle.record set tier = 'erased'
           where person_token::text = any(%s) and tier not in ('erased', 'destroyed')""",
        [tokens],
    )
    hot.execute("delete from quality.build_state")
    for table in ("identity_review", "identity_decision"):
        query = sql.SQL("delete from restricted.{} where one::text = any(%s) or other::text = any(%s)")
        hot.execute(query.format(sql.Identifier(table)), [tokens, tokens])
    hot.execute(
        """insert into lifecycle.erasure (erasure_id, night, reason, requested_by, approved_by, state)
           values (%s, %s, 'restored from the ledger', 'the ledger of erasures', 'the restore', 'keys_gone')
           on conflict (erasure_id) do update set state = 'keys_gone', receipt = null, final_on = null, receipt_sha256 = null
           where erasure.state in ('begun', 'landing_done')""",
        [entry.erasure_id, entry.night],
    )
    hot.execute(
        """insert into lifecycle.erasure_person (erasure_id, person_token) select %s, t::uuid from unnest(%s::text[]) t
           on conflict do nothing""",
        [entry.erasure_id, tokens],
    )


def _destroy_keys(books: psycopg.Connection, tokens: list[str]) -> int:
    ids = [f"person:{token}" for token in tokens]
    gone = books.execute(
        "update keys.data_key set wrapped = null, destroyed_at = clock_timestamp() where key_id = any(%s) and wrapped is not null",
        [ids],
    ).rowcount
    books.execute(
        """insert into keys.data_key (key_id, kek_version, wrapped, destroyed_at)
           select id, 0, null, clock_timestamp() from unnest(%s::text[]) id on conflict (key_id) do nothing""",
        [ids],
    )
    return gone


def _open(server: psycopg.Connection, manifest: Manifest) -> None:
    name = sql.Identifier(manifest.kind)
    for grantee, privilege in manifest.grants:
        who = sql.SQL("public") if grantee == "public" else sql.Identifier(grantee)
        server.execute(sql.SQL("grant {} on database {} to {}").format(sql.SQL(privilege), name, who))
    server.execute(sql.SQL("alter database {} connection limit -1").format(name))
