"""Saves the databases and the keys: each in one snapshot, encrypted, read back and compared, then put on the books.

The last task of every night does it, so that no finished night is ever without a backup (``unsaved_nights``).

hot (with the catalogue) and warm go as logical dumps, encrypted for the keyring's landing identity, into a locked bucket. The
keys and the keyring go apart, sealed for the escrow recipient whose identity is kept elsewhere, never locked, for a week.
"""

from __future__ import annotations

import io
import os
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import psycopg

from include.audit.chain import append
from include.backups import vault
from include.backups.content import audit_head, count_rows, dumping, grants_of, pack_keys, program
from include.backups.policy import load_backup_policy
from include.backups.vault import BackupError, Manifest
from include.errors import PlumblineError
from include.lifecycle.policy import due_classes, load_retention
from include.lifecycle.store import open_store, require_regions
from include.nights import step
from include.privacy.keyring import Keyring, load_keyring
from include.settings import Settings
from include.warehouse.connect import connect

DATABASES = ("hot", "warm")


def back_up(night: date, settings: Settings | None = None, *, everything: bool = False) -> dict[str, int]:
    """Save what is due on ``night`` (or ``everything``), verify it, and end what has outlived its days.

    Returns counts: saved, bytes, verified, removed, adopted. Killed anywhere, the next run removes what was not finished, puts
    on the books what was and is not there yet (also after the books themselves were restored), and saves anew what is due.
    """
    settings = settings or Settings.from_environment(os.environ)
    with (
        step(night, "back_up", role="lifecycle", settings=settings) as running,
        connect("lifecycle", settings=settings, autocommit=True) as turn,
    ):
        # One at a time: what one has not finished yet, another would take for a killed run's and remove.
        turn.execute("select pg_advisory_lock(hashtext('backups'))")
        keyring, policy = load_keyring(settings.keyring_dir), load_backup_policy()
        counts = {"saved": 0, "bytes": 0, "verified": 0, "removed": 0, "adopted": 0}
        for kind in (*DATABASES, "keys"):
            counts["removed"] += vault.remove_unfinished(settings, kind)
            counts["adopted"] += _adopt(settings, keyring, kind)
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
        unsaved = unsaved_nights(books, _newest_snapshot(books, kind))
    retention = load_retention()
    return tuple(sorted(retention.rules)) if unsaved else due_classes(retention, "backup", dict(rows), night)


def unsaved_nights(books: psycopg.Connection, as_of: str | None) -> int:
    """Nights that were finished after a backup's snapshot was taken and so are not in it; all of them for None."""
    query = "select count(*) from lifecycle.night where finished_at > coalesce(%s::timestamptz, '-infinity')"
    return books.execute(query, [as_of]).fetchone()[0]


def _newest_snapshot(books: psycopg.Connection, kind: str) -> str | None:
    query = "select max(as_of)::text from lifecycle.backup where kind = %s and verified_at is not null"
    return books.execute(query, [kind]).fetchone()[0]


def _save(settings: Settings, keyring: Keyring, kind: str, night: date, expires: date) -> Manifest:
    backup_id = uuid4()
    key = vault.object_name(kind, night, backup_id)
    save = _save_keys if kind == "keys" else _save_database
    if kind in DATABASES:
        require_regions(open_store(settings), vault.bucket_of(settings, kind), load_retention().rules)
    # A dump is whole, so it counts for every class there is.
    manifest = replace(
        save(settings, keyring, kind, night, backup_id, key, expires), classes=sorted(load_retention().rules)
    )
    # Locked last: what a kill leaves before is either no backup and goes, or a whole one and is adopted.
    vault.write_manifest(settings, manifest, vault.signing_key_of(keyring.token_key))
    _enter(settings, manifest)
    return manifest


def _enter(settings: Settings, manifest: Manifest) -> None:
    """Lock a finished backup and put it on the books."""
    vault.lock(settings, manifest)
    with connect("lifecycle", settings=settings) as books:
        is_new = books.execute(
            """insert into lifecycle.backup (backup_id, kind, night, object_key, bytes, sha256, classes, expires_on, as_of)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (backup_id) do nothing returning true""",
            [
                manifest.backup_id, manifest.kind, manifest.night, manifest.object_key, manifest.bytes, manifest.sha256,
                manifest.classes, manifest.expires_on, manifest.holds_until,
            ],
        ).fetchone()  # fmt: skip
        if is_new:
            detail = {"kind": manifest.kind, "bytes": manifest.bytes, "expires": manifest.expires_on}
            append(books, "backup.made", manifest.backup_id, detail)


def _adopt(settings: Settings, keyring: Keyring, kind: str) -> int:
    """Put finished backups on the books, proven, that are not: each then ends on its day. Returns how many.

    One that cannot be proven is told of and left to its day: what is due is saved anew.
    """
    signing, adopted = vault.signing_key_of(keyring.token_key), 0
    with connect("lifecycle", settings=settings, autocommit=True) as books:
        query = "select backup_id::text from lifecycle.backup where kind = %s and verified_at is not null"
        proven = {row[0] for row in books.execute(query, [kind]).fetchall()}
        for manifest in vault.read_manifests(settings, kind, signing):
            if manifest.backup_id in proven:
                continue
            _enter(settings, manifest)
            try:
                adopted += _prove(settings, keyring, manifest)
            except PlumblineError as broken:
                told = {"kind": kind, "error": type(broken).__name__}
                append(books, "backup.unproven", manifest.backup_id, told, outcome="failure")
    return adopted


def _save_database(
    settings: Settings, keyring: Keyring, kind: str, night: date, backup_id: UUID, key: str, expires: date
) -> Manifest:
    with connect("backup", kind, settings) as books:
        # One snapshot for the counts and the dump, so that a restore can be held against them to the row.
        books.execute("set transaction isolation level repeatable read read only")
        as_of, snapshot = books.execute("select clock_timestamp()::text, pg_export_snapshot()").fetchone()
        told = {
            "tables": count_rows(books),
            "grants": grants_of(books, kind),
            **audit_head(books, kind),
            "as_of": as_of,
        }
        with dumping(settings, kind, snapshot) as dump:
            content = vault.put_encrypted(settings, kind, key, dump, keyring.landing_recipient)
    return Manifest(
        str(backup_id), kind, str(night), key, content.digest.hexdigest(), content.size, _now(), str(expires), **told
    )


def _save_keys(
    settings: Settings, keyring: Keyring, kind: str, night: date, backup_id: UUID, key: str, expires: date
) -> Manifest:
    as_of = _now()
    content = vault.put_encrypted(settings, kind, key, io.BytesIO(pack_keys(settings)), escrow_recipient(settings))
    with connect("sealer", "keys", settings) as books:
        rows = books.execute("select count(*) from keys.data_key").fetchone()[0]
        grants = grants_of(books, "keys")
    told = {"tables": {"keys.data_key": rows}, "grants": grants, "as_of": as_of}
    return Manifest(
        str(backup_id), kind, str(night), key, content.digest.hexdigest(), content.size, _now(), str(expires), **told
    )


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
