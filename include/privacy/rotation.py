"""Rotating the key-encryption key: data keys are wrapped anew, what they sealed is not touched, and nights go on meanwhile.

rotate  a new version becomes current; processes that read the keyring before find it when they meet it
rewrap  every data key moves to it, some thousands at a time, each only if it is still as it was read
retire  an old version goes, once nothing is wrapped under it and the policy's days are over
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import psycopg

from include.audit.refusals import refusals_told
from include.errors import PlumblineError
from include.privacy.keyring import Keyring, add_key_encryption_key, load_keyring, made_on, remove_key_encryption_key
from include.privacy.keys import DataKeyError, unwrap, wrap
from include.settings import Settings
from include.warehouse.connect import connect

KEYS_AT_ONCE = 5_000
POLICY_FILE = Path(__file__).parents[1] / "policies" / "keys.yml"


class RotationError(PlumblineError):
    """A rotation that cannot go on; every data key still opens."""


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """Whole days: how long a version is current, and how long the one before stays after the next was made."""

    rotate_after_days: int
    retire_after_days: int


@lru_cache(maxsize=2)
def load_key_policy(path: Path = POLICY_FILE) -> KeyPolicy:
    """Read and check the policy. Raises RotationError naming everything wrong at once."""
    import yaml

    said = yaml.safe_load(path.read_text())
    words = {"owner", "reviewed", "reason", "rotate_after_days", "retire_after_days"}
    faults = [f"unknown word '{word}'" for word in said if word not in words] + [
        f"{word} is missing" for word in sorted(words - said.keys())
    ]
    for word, least in (("rotate_after_days", 1), ("retire_after_days", 8)):
        if not isinstance(said.get(word, least), int) or said.get(word, least) < least:
            faults.append(f"{word} is not a whole number of days, at least {least}")
    if faults:
        raise RotationError(
            found=f"{path.name} has {len(faults)} fault(s): {'; '.join(faults)}",
            expected="an owner, a reason and whole days; a version outlasts backups of keys (7 days)",
            action=f"correct {path.name}",
        )
    return KeyPolicy(said["rotate_after_days"], said["retire_after_days"])


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the key-encryption key: data keys wrapped under it, when it was made (None: with the keyring), where."""

    version: int
    data_keys: int
    made: date | None
    is_current: bool
    is_kms: bool
    is_here: bool


def versions(settings: Settings) -> list[Version]:
    """Every version that the keyring has or that a data key is wrapped under, oldest first."""
    keyring, made = load_keyring(settings.keyring_dir), made_on(settings.keyring_dir)
    with connect("sealer", "keys", settings) as books:
        counts = dict(
            books.execute(
                "select kek_version, count(*) from keys.data_key where wrapped is not null group by 1"
            ).fetchall()
        )
    return [
        Version(
            number, counts.get(number, 0), made.get(number), number == keyring.current_version,
            (settings.keyring_dir / f"kek-{number:04d}.kms").exists(), number in keyring.key_encryption_keys,
        )
        for number in sorted({*keyring.key_encryption_keys, *counts})
    ]  # fmt: skip


@refusals_told("keys.rotation_refused", role="privacy_officer")
def rotate(settings: Settings, *, by: str, kms_key_id: str | None = None) -> int:
    """Make a new version and have it current. Returns its number; ``rewrap`` moves the data keys to it."""
    version = add_key_encryption_key(settings.keyring_dir, kms_key_id)
    _audit(settings, "keys.rotated", {"version": version, "kms": kms_key_id is not None}, by)
    return version


@refusals_told("keys.rewrapping_refused", role="privacy_officer")
def rewrap(settings: Settings, *, by: str) -> dict[str, int]:
    """Wrap every data key under the current version. Returns counts: rewrapped, left (made meanwhile by who read before).

    Safe to kill and run again, and while nights run. Raises DataKeyError naming how many keys do not open; those are left as
    they are, all others are moved first.
    """
    keyring = load_keyring(settings.keyring_dir)
    moved, broken = 0, 0
    with connect("sealer", "keys", settings, autocommit=True) as books:
        for rows in _under_older_versions(books, keyring.current_version):
            fresh, damaged = _wrapped_anew(keyring, rows)
            broken += damaged
            moved += _swap(books, keyring.current_version, fresh)
        left = _count_older(books, keyring.current_version)
    _audit(settings, "keys.rewrapped", {"version": keyring.current_version, "rewrapped": moved, "left": left}, by)
    if broken:
        raise DataKeyError(
            found=f"{broken} data key(s) that do not open with the version they were wrapped under",
            expected="the wrapped key as it was stored and the keyring that wrapped it",
            action="restore them from the newest backup of keys; everything else was re-wrapped, nothing was lost by it",
        )
    return {"rewrapped": moved, "left": left}


@refusals_told("keys.retiring_refused", role="privacy_officer")
def retire(settings: Settings, version: int, *, by: str, today: date | None = None) -> None:
    """Remove a version for good. Raises RotationError while a data key needs it or the policy's days are not over."""
    _refuse_young(settings, load_keyring(settings.keyring_dir), version, today or datetime.now(UTC).date())
    with connect("sealer", "keys", settings) as books:
        # From here on nobody can wrap under it; writers under way are waited for, so that the count is the last word.
        books.execute("insert into keys.retired_version (kek_version) values (%s) on conflict do nothing", [version])
        books.execute("lock table keys.data_key in share row exclusive mode")
        _refuse_used(books, version)
        _audit(settings, "keys.version_retired", {"version": version}, by)
    remove_key_encryption_key(settings.keyring_dir, version)


def refuse_needed(settings: Settings, version: int, *, today: date | None = None) -> None:
    """Raise RotationError where ``retire`` would. Changes nothing."""
    _refuse_young(settings, load_keyring(settings.keyring_dir), version, today or datetime.now(UTC).date())
    with connect("sealer", "keys", settings) as books:
        _refuse_used(books, version)


def _refuse_used(books: psycopg.Connection, version: int) -> None:
    query = "select count(*) from keys.data_key where kek_version = %s and wrapped is not null"
    needed = books.execute(query, [version]).fetchone()[0]
    if needed:
        books.rollback()
        raise RotationError(
            found=f"{needed} data key(s) are wrapped under version {version}",
            expected="none",
            action="re-wrap with 'python -m include.privacy.key_desk rewrap', then retire it",
        )


def check_keys(settings: Settings) -> dict[str, int]:
    """Open every data key and say how many do and do not. Returns counts: opened, destroyed, damaged, without_version."""
    keyring = load_keyring(settings.keyring_dir)
    counts = {"opened": 0, "destroyed": 0, "damaged": 0, "without_version": 0}
    with connect("sealer", "keys", settings) as books, books.cursor(name="every_key") as cursor:
        cursor.itersize = KEYS_AT_ONCE
        cursor.execute("select key_id, kek_version, wrapped from keys.data_key")
        for key_id, version, wrapped in cursor:
            counts[_state_of(keyring, key_id, version, wrapped)] += 1
    return counts


def _state_of(keyring: Keyring, key_id: str, version: int, wrapped: bytes | None) -> str:
    if wrapped is None:
        return "destroyed"
    if version not in keyring.key_encryption_keys:
        return "without_version"
    try:
        unwrap(keyring, key_id, version, bytes(wrapped))
    except DataKeyError:
        return "damaged"
    return "opened"


def _under_older_versions(books: psycopg.Connection, current: int) -> Iterator[list[tuple[str, int, bytes]]]:
    after = ""
    while True:
        rows = books.execute(
            """select key_id, kek_version, wrapped from keys.data_key
               where kek_version < %s and wrapped is not null and key_id > %s order by key_id limit %s""",
            [current, after, KEYS_AT_ONCE],
        ).fetchall()
        if not rows:
            return
        after = rows[-1][0]
        yield rows


def _wrapped_anew(keyring: Keyring, rows: list[tuple[str, int, bytes]]) -> tuple[list[tuple[str, bytes, bytes]], int]:
    fresh, damaged = [], 0
    for key_id, version, wrapped in rows:
        try:
            fresh.append(
                (key_id, bytes(wrapped), wrap(keyring, key_id, unwrap(keyring, key_id, version, bytes(wrapped))))
            )
        except DataKeyError:
            damaged += 1
    return fresh, damaged


def _swap(books: psycopg.Connection, current: int, fresh: list[tuple[str, bytes, bytes]]) -> int:
    """Store those that are still as they were read: a key destroyed meanwhile stays destroyed."""
    if not fresh:
        return 0
    key_ids, olds, news = zip(*fresh, strict=True)
    return books.execute(
        """update keys.data_key k set wrapped = n.new, kek_version = %s
           from unnest(%s::text[], %s::bytea[], %s::bytea[]) as n (key_id, old, new)
           where k.key_id = n.key_id and k.wrapped = n.old""",
        [current, list(key_ids), list(olds), list(news)],
    ).rowcount


def _count_older(books: psycopg.Connection, current: int) -> int:
    return books.execute(
        "select count(*) from keys.data_key where kek_version < %s and wrapped is not null", [current]
    ).fetchone()[0]


def _refuse_young(settings: Settings, keyring: Keyring, version: int, today: date) -> None:
    if version == keyring.current_version:
        raise RotationError(
            found=f"version {version} is the current one",
            expected="an older version",
            action="rotate first, re-wrap, and retire the version before",
        )
    newer = sorted(number for number in keyring.key_encryption_keys if number > version)
    replaced = made_on(settings.keyring_dir).get(newer[0]) if newer else None
    days = load_key_policy().retire_after_days
    if replaced is not None and today < replaced + timedelta(days=days):
        raise RotationError(
            found=f"version {version} was replaced on {replaced}",
            expected=f"{days} days after that, so that no process that read the keyring before is left",
            action=f"retire it on {replaced + timedelta(days=days)} or later",
        )


def _audit(settings: Settings, action: str, detail: dict[str, object], by: str) -> None:
    from include.audit.chain import append

    with connect("privacy_officer", settings=settings) as hot:
        append(hot, action, "keyring", detail, actor=by)
