"""Backups: ``python -m include.backups <verb>``.

now              save everything now, whatever is due
due              save what is due on the day
status           each class's frequency, newest backup and whether it is overdue; what there is, until when
drill            restore the newest into a scratch server, check it, and say how long it takes
restore          into the server of the settings, which must have none of the databases (--databases, --night)
restore-keyring  write the keyring of the newest backup of keys into an empty folder (--to, --identity FILE)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from include.backups.vault import Manifest
from include.command import day, run_command
from include.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns 0, 1 where a check failed, or 2 with the error's text on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m include.backups", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=sorted(_VERBS))
    parser.add_argument("--day", type=day, help="YYYY-MM-DD; default: the night the settings name")
    parser.add_argument("--night", help="restore: the newest backup not later than this day")
    parser.add_argument("--databases", nargs="+", choices=("hot", "warm", "keys"), default=["hot", "warm", "keys"])
    parser.add_argument(
        "--identity", type=Path, help="file with the escrow identity; default: the secret escrow_identity"
    )
    parser.add_argument("--to", type=Path, help="restore-keyring: an empty folder")
    asked = parser.parse_args(arguments)
    return run_command(f"backups {asked.verb}", lambda: _do(asked))


def _do(asked) -> int:
    settings = Settings.from_environment()
    asked.day = asked.day or settings.night()
    return _VERBS[asked.verb](asked, settings)


def _now(asked, settings: Settings, everything: bool = True) -> int:
    from include.backups.back_up import back_up

    print("saving hot, warm and keys, and reading each back", file=sys.stderr)
    done = back_up(asked.day, settings, everything=everything)
    print(
        f"{done['verified']} of {done['saved']} backups saved and read back, {done['bytes'] / 1e6:.1f} MB; {done['removed']} old ones removed"
    )
    print("'make restore-drill' proves that they can be restored; 'python -m include.backups status' lists them")
    return 0


def _due(asked, settings: Settings) -> int:
    return _now(asked, settings, everything=False)


def _status(asked, settings: Settings) -> int:
    from include.lifecycle.policy import due_classes, load_retention
    from include.warehouse.connect import connect

    retention = load_retention()
    with connect("lifecycle", settings=settings) as books:
        newest = dict(
            books.execute(
                "select c, max(night) from lifecycle.backup, unnest(classes) c where kind = 'hot' and verified_at is not null group by 1"
            ).fetchall()
        )
        kept = books.execute(
            """select kind, night, bytes, verified_at is not null, expires_on from lifecycle.backup
               where removed_at is null order by kind, night desc, made_at desc"""
        ).fetchall()
    due = set(due_classes(retention, "backup", newest, asked.day))
    for name, rule in sorted(retention.rules.items()):
        print(
            f"{name:20} {rule.backup:8} newest {str(newest.get(name) or 'none'):10}  {'due' if name in due else 'saved'}"
        )
    for kind, night, size, verified, expires in kept:
        print(
            f"{kind:5} {night}  {size / 1e6:9.1f} MB  {'verified' if verified else 'NOT VERIFIED'}  kept to {expires}"
        )
    return 0


def _drill(asked, settings: Settings) -> int:
    from include.backups.drill import restore_drill

    print("restoring the newest backups into a server of their own; what runs is not touched", flush=True)
    drill = restore_drill(asked.day, settings)
    for name, check in drill.checks.items():
        told = ", ".join(f"{word} {_shown(value)}" for word, value in check.items() if word != "passed")
        print(f"{'ok  ' if check['passed'] else 'FAIL'} {name.replace('_', ' ')}: {told}")
    print(
        f"time to recover (RTO): {drill.seconds:.1f} s; finished nights that would be lost (RPO): {drill.nights_lost}"
    )
    if drill.nights_lost:
        print("save them now with 'python -m include.backups due'; every night does so at its end")
    return 0


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={_shown(count)}" for name, count in value.items()) or "none"
    if isinstance(value, list):
        return " ".join(map(_shown, value)) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value) if value else "none"


def _restore(asked, settings: Settings) -> int:
    from include.backups import vault
    from include.backups.restore import newest_of, restore
    from include.privacy.keyring import load_keyring

    keyring = load_keyring(settings.keyring_dir)
    signing = vault.signing_key_of(keyring.token_key)
    manifests = [newest_of(settings, kind, signing, asked.night) for kind in asked.databases]
    restored = restore(
        settings,
        settings,
        manifests,
        landing_identity=keyring.landing_identity,
        escrow_identity=_identity(asked, settings),
    )
    for manifest in restored.manifests:
        print(f"{manifest.kind}: as of the night {manifest.night}")
        if manifest.kind == "hot":
            _tell_the_trail(settings, manifest)
    print(f"{restored.erasures} erasure(s) applied again, {restored.rows_erased} row(s) and keys they took out; open")
    return _tell_whether_keys_open(settings, asked.night) if "keys" in asked.databases else 0


def _tell_the_trail(settings: Settings, hot: Manifest) -> None:
    """What was written after the backup is gone from the restored trail: said in the bucket, in the trail and here."""
    from include.audit.anchor import note_restored
    from include.audit.chain import append
    from include.warehouse.connect import connect

    backup = f"the backup of {hot.night}"
    lost = note_restored(settings, entry=hot.audit_entries, hash=hot.audit_hash, backup=backup)
    with connect("privacy_officer", settings=settings) as books:
        append(
            books, "database.restored", "hot", {"backup": hot.backup_id, "night": hot.night, "anchors_set_aside": lost}
        )
    print(
        f"  the audit trail goes on from entry {hot.audit_entries}; {lost} anchor(s) of what came after are set aside"
    )


def _tell_whether_keys_open(settings: Settings, night: str | None) -> int:
    """A backup of keys may be older than a rotation or a retirement: only its own keyring opens it then."""
    from include.privacy.rotation import check_keys

    counts = check_keys(settings)
    print("data keys: " + ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items()))
    if not counts["damaged"] + counts["without_version"]:
        return 0
    same = f" --night {night}" if night else ""
    print(
        f"The keyring here is not the one that these keys were saved with. Put that one back: 'python -m include.backups restore-keyring{same} "
        "--to FOLDER', name the folder as PLUMBLINE_KEYRING_DIR, then 'python -m include.privacy.key_desk check'.",
        file=sys.stderr,
    )
    return 1


def _restore_keyring(asked, settings: Settings) -> int:
    from include.backups.restore import newest_of, restore_keyring

    if asked.to is None:
        print("name an empty folder with --to", file=sys.stderr)
        return 1
    manifest = newest_of(settings, "keys", None, asked.night)
    print(
        f"{restore_keyring(settings, manifest, _identity(asked, settings), asked.to)} files of the night {manifest.night}"
    )
    return 0


def _identity(asked, settings: Settings) -> str:
    return asked.identity.read_text().strip() if asked.identity else settings.secret("escrow_identity")


_VERBS = {
    "now": _now, "due": _due, "status": _status, "drill": _drill, "restore": _restore, "restore-keyring": _restore_keyring,
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
