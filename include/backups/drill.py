"""Rehearses a recovery: the newest backups into a scratch server, held against what was saved, and timed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from uuid import uuid4

from psycopg import sql

from include.audit.chain import append
from include.backups import vault
from include.backups.back_up import unsaved_nights
from include.backups.content import count_rows
from include.backups.restore import newest_of, restore
from include.backups.vault import BackupError, Manifest
from include.nights import step
from include.privacy.keyring import Keyring, load_keyring
from include.settings import Settings
from include.warehouse.connect import connect

KINDS = ("hot", "warm", "keys")


@dataclass(frozen=True, slots=True)
class Drill:
    """How a drill went. ``checks`` say, by name, what was found and whether it is as it must be."""

    seconds: float
    nights_lost: int
    checks: dict[str, dict[str, object]]

    @property
    def passed(self) -> bool:
        """True where every check is as it must be."""
        return all(check["passed"] for check in self.checks.values())


def restore_drill(night: date, settings: Settings | None = None) -> Drill:
    """Restore the newest backups into a scratch server, check everything, throw it away and put the result on the books.

    Raises BackupError where a check failed, after it was written down.
    """
    settings = settings or Settings.from_environment(os.environ)
    with step(night, "restore_drill", role="lifecycle", settings=settings) as running:
        drill = rehearse(settings)
        running.count(seconds=round(drill.seconds, 1), nights_lost=drill.nights_lost, passed=int(drill.passed))
        with connect("lifecycle", settings=settings) as books:
            drill_id = uuid4()
            books.execute(
                """insert into lifecycle.restore_drill (drill_id, night, passed, seconds, nights_lost, checks)
                   values (%s, %s, %s, %s, %s, %s)""",
                [drill_id, night, drill.passed, drill.seconds, drill.nights_lost, json.dumps(drill.checks)],
            )
            append(books, "backup.drilled", str(drill_id), {"passed": drill.passed, "nights_lost": drill.nights_lost})
        if not drill.passed:
            failed = sorted(name for name, check in drill.checks.items() if not check["passed"])
            raise BackupError(
                found=f"a restore that fails at {', '.join(failed)}",
                expected="what was saved, whole and readable",
                action="see lifecycle.restore_drill; save anew with 'python -m include.backups now' and rehearse again",
            )
        return drill


def rehearse(settings: Settings, up_to_night: str | None = None) -> Drill:
    """The same without the books; ``up_to_night`` takes older backups."""
    keyring = load_keyring(settings.keyring_dir)
    signing = vault.signing_key_of(keyring.token_key)
    manifests = [newest_of(settings, kind, signing, up_to_night) for kind in KINDS]
    with scratch_server(settings) as scratch:
        begun = time.monotonic()
        restored = restore(
            settings, scratch, manifests,
            landing_identity=keyring.landing_identity, escrow_identity=settings.secret("escrow_identity"),
        )  # fmt: skip
        seconds = time.monotonic() - begun
        checks = check_restored(settings, scratch, manifests, keyring)
        checks["erasures"]["applied"] = restored.erasures
        checks["not_saved"] = _not_saved(settings, manifests[0])
    return Drill(seconds, _nights_lost(settings, manifests[0]), checks)


@contextmanager
def scratch_server(settings: Settings) -> Iterator[Settings]:
    """An empty Postgres of the embedded kind in a folder of its own, with this installation's passwords; gone afterwards."""
    from include.local_stack import postgres
    from include.local_stack.home import open_home
    from include.local_stack.ports import LOOPBACK, keep_ports
    from include.local_stack.secret_files import ensure_secrets
    from include.local_stack.stack import destroy

    folder = Path(tempfile.mkdtemp(prefix="plumbline-drill-"))
    folder.chmod(0o711)
    try:
        home = open_home(folder)
        for secret in settings.secrets_dir.glob("pg_*"):
            shutil.copyfile(secret, home.secrets / secret.name)
        for secret in ("s3_access_key", "s3_secret_key", "escrow_identity"):
            if (settings.secrets_dir / secret).is_file():
                shutil.copyfile(settings.secrets_dir / secret, home.secrets / secret)
        ports = keep_ports(home)
        ensure_secrets(home)
        postgres.start_postgres(home, ports)
        yield replace(
            settings, pg_host=LOOPBACK, pg_port=ports["POSTGRES"], secrets_dir=home.secrets, pg_sslmode="disable"
        )
    finally:
        destroy(folder)


def check_restored(
    settings: Settings, scratch: Settings, manifests: list[Manifest], keyring: Keyring
) -> dict[str, dict[str, object]]:
    """Everything a recovery must show, by name: rows, the audit chain, erasures, keys, a measure read as an analyst."""
    hot, warm, keys = manifests
    return {
        "rows_hot": _rows(scratch, hot, settings),
        "rows_warm": _rows(scratch, warm, settings),
        "audit_chain": _audit_chain(settings, scratch, hot),
        "erasures": _erasures(settings, scratch),
        "keys": _keys(scratch, keys, keyring),
        "sealed_rows": _sealed_rows(scratch, keyring),
        "measure": _measure(settings, scratch),
    }


def _rows(scratch: Settings, manifest: Manifest, settings: Settings) -> dict[str, object]:
    """Rows by table, as they were in the snapshot; fewer only where an erasure took some."""
    from include.lifecycle.erasure_ledger import read_ledger

    with connect("postgres", manifest.kind, scratch) as books:
        now = count_rows(books)
    may_shrink = any(True for _ in read_ledger(settings))
    ignored = ("lifecycle.erasure", "quality.build_state")
    wrong = {
        table: [rows, now.get(table)]
        for table, rows in manifest.tables.items()
        if not table.startswith(ignored)
        and now.get(table) != rows
        and not (may_shrink and now.get(table, rows + 1) < rows)
    }
    return {"passed": not wrong, "tables": len(manifest.tables), "rows": sum(now.values()), "wrong": wrong}


def _audit_chain(settings: Settings, scratch: Settings, manifest: Manifest) -> dict[str, object]:
    from include.audit.anchor import read_anchors
    from include.audit.chain import verify

    anchors = {no: hashed for no, hashed in read_anchors(settings).items() if no <= manifest.audit_entries}
    if manifest.audit_entries:
        anchors[manifest.audit_entries] = manifest.audit_hash
    with connect("privacy_officer", "hot", scratch, autocommit=True) as hot:
        verdict = verify(hot, anchors)
    return {"passed": verdict.holds, "entries": verdict.entries, "anchors": len(anchors)}


def _erasures(settings: Settings, scratch: Settings) -> dict[str, object]:
    from include.lifecycle.erase_rows import remaining_rows
    from include.lifecycle.erasure_ledger import read_ledger

    left = 0
    for entry in read_ledger(settings):
        left += sum(remaining_rows(scratch, entry.tokens, entry.person_keys).values())
        with connect("sealer", "keys", scratch) as books:
            ids = [f"person:{token}" for token in entry.tokens]
            query = "select count(*) from keys.data_key where key_id = any(%s) and wrapped is not null"
            left += books.execute(query, [ids]).fetchone()[0]
    return {"passed": left == 0, "left": left}


def _keys(scratch: Settings, manifest: Manifest, keyring: Keyring) -> dict[str, object]:
    """Every wrapped key opens with the keyring."""
    from include.privacy.keys import unwrap

    opened = 0
    with connect("sealer", "keys", scratch) as books, books.cursor(name="all_keys") as cursor:
        cursor.execute("select key_id, kek_version, wrapped from keys.data_key where wrapped is not null")
        for key_id, version, wrapped in cursor:
            unwrap(keyring, key_id, version, bytes(wrapped))
            opened += 1
    with connect("sealer", "keys", scratch) as books:
        rows = books.execute("select count(*) from keys.data_key").fetchone()[0]
    return {"passed": rows >= manifest.tables["keys.data_key"], "opened": opened, "rows": rows}


def _sealed_rows(scratch: Settings, keyring: Keyring) -> dict[str, object]:
    """Some sealed rows open: the databases and the keys belong together."""
    from include.privacy.keys import fetch_many
    from include.privacy.sealing import open_sealed

    with connect("lifecycle", "hot", scratch) as hot:
        rows = hot.execute(
            """select record_id, 'person:' || person_token, sealed from raw.resource
               where sealed is not null and person_token is not null limit 200"""
        ).fetchall()
    with connect("sealer", "keys", scratch) as books:
        known = fetch_many(books, keyring, {key_id for _, key_id, _ in rows}).keys
    opened = sum(
        bool(open_sealed(known[key_id], record_id, sealed)) for record_id, key_id, sealed in rows if key_id in known
    )
    return {"passed": opened == len(rows), "opened": opened, "of": len(rows)}


def _measure(settings: Settings, scratch: Settings) -> dict[str, object]:
    """Every published table answers an analyst through its view, with the rows that its books say; rates are recomputed."""
    with connect("analyst", "warm", scratch) as warm:
        said = warm.execute("select relation, rows from governance.published_version order by 1").fetchall()
        wrong = []
        for relation, rows in said:
            query = sql.SQL("select count(*) from {}").format(sql.Identifier(*relation.split(".")))
            if warm.execute(query).fetchone()[0] != rows:
                wrong.append(relation)
        recomputed = (
            _recomputed_rates(warm, _people_erased(settings))
            if ("measures.membership" in {relation for relation, _ in said})
            else {}
        )
    return {"passed": not wrong and not recomputed.get("wrong", 0), "tables": len(said), "wrong": wrong, **recomputed}


def _people_erased(settings: Settings) -> int:
    from include.lifecycle.erasure_ledger import read_ledger

    return sum(len(entry.person_keys) for entry in read_ledger(settings))


def _recomputed_rates(warm, erased: int) -> dict[str, int]:
    """No group has more people than its measure: counted again from who is in it. Published rates may still count the erased."""
    rows = warm.execute(
        """with counted as (
               select measure_id, period, count(*) filter (where is_denominator) as people from measures.membership group by 1, 2)
           select count(*), count(*) filter (where r.people > c.people + r.rounded_to + %(erased)s)
           from measures.results_by_group r join counted c using (measure_id, period)
           where not r.is_suppressed and r.people is not null""",
        {"erased": erased},
    ).fetchone()
    return {"results": rows[0], "wrong": rows[1]}


def _nights_lost(settings: Settings, manifest: Manifest) -> int:
    """Nights that the live books call finished and the backup of hot does not have."""
    with connect("lifecycle", settings=settings) as hot:
        return unsaved_nights(hot, manifest.holds_until)


def _not_saved(settings: Settings, manifest: Manifest) -> dict[str, object]:
    """What was done since the backup and would have to be done again: entries of the trail by act, messages not landed yet.

    Tells of it and does not judge: the target is no finished night, and what sources deliver later they deliver again.
    """
    with connect("backup", settings=settings) as hot:
        acts = dict(
            hot.execute(
                "select action, count(*) from audit.entry where entry_no > %s group by 1 order by 1",
                [manifest.audit_entries],
            ).fetchall()
        )
        messages = hot.execute(
            "select count(*) from intake.live where sealed is not null and received_at > %s", [manifest.holds_until]
        ).fetchone()[0]
    return {"passed": True, "as_of": manifest.holds_until, "acts": acts, "live_messages": messages}
