"""Bringing a stack up, down, and telling how it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from include.local_stack import object_store, postgres
from include.local_stack.environment import write_derived_files
from include.local_stack.home import Home, StackError, locked, open_home, read_record
from include.local_stack.ports import keep_ports
from include.local_stack.secret_files import ensure_secrets
from include.settings import Settings, read_env_file


def up(path: Path, say: Callable[[str], None] = lambda line: None) -> Settings:
    """Bring the stack at ``path`` up, whole: servers answering, databases migrated, buckets there.

    What runs already is adopted. Two callers at once take turns. Returns the settings that reach it.
    """
    with locked(path.resolve(), "stack"):
        home = open_home(path)
        ports = keep_ports(home)
        ensure_secrets(home)
        write_derived_files(home, ports)
        settings = settings_of(home)
        ensure_keyring(home, settings.keyring_dir)
        if postgres.start_postgres(home, ports):
            say(f"Postgres 17 listens on 127.0.0.1:{ports['POSTGRES']}")
        if object_store.start_object_store(home, ports):
            say(f"S3 listens on 127.0.0.1:{ports['S3']}")
        migrate_installation(settings, say)
        return settings


def down(path: Path, say: Callable[[str], None] = lambda line: None) -> bool:
    """Stop the stack's servers; their data stays. Returns False where nothing ran."""
    if read_record(path.resolve()) is None:
        return False
    with locked(path.resolve(), "stack"):
        home = open_home(path)
        stopped = [object_store.stop_object_store(home), postgres.stop_postgres(home)]
        for socket in (*home.sockets.glob("*.sock"), *object_store.inner_sockets(keep_ports(home))):
            socket.unlink(missing_ok=True)
        say("stopped" if any(stopped) else "nothing was running")
        return any(stopped)


def destroy(path: Path) -> None:
    """Stop the stack and delete all it has: data, secrets, keys. There is no way back."""
    path = path.resolve()
    if read_record(path) is None:
        if path.is_dir() and any(path.iterdir()):
            raise StackError(
                found=f"{path} is not a Plumbline home (it has no home.json)",
                expected="the folder that the local stack made",
                action="delete it by hand if that is what you mean",
            )
        return
    home = open_home(path)
    object_store.stop_object_store(home, seconds=0)
    postgres.stop_postgres(home, ("immediate",))
    for socket in object_store.inner_sockets(keep_ports(home)):
        socket.unlink(missing_ok=True)
    for folder in (home.sockets, home.postgres, home.path):
        shutil.rmtree(folder, ignore_errors=folder != home.path)


def status(path: Path) -> dict[str, object]:
    """What runs and where: for people and for tests. Never a secret."""
    if read_record(path.resolve()) is None:
        return {"home": str(path.resolve()), "made": False, "postgres": False, "s3": False}
    home = open_home(path)
    ports = keep_ports(home)
    return {
        "home": str(home.path),
        "made": True,
        "postgres": postgres.answers(home, ports),
        "postgres_port": ports["POSTGRES"],
        "postgres_folder": str(home.postgres),
        "s3": object_store.is_up(home, ports),
        "s3_port": ports["S3"],
    }


def settings_of(home: Home) -> Settings:
    """Settings of this very stack: its addresses win over whatever the caller's environment says."""
    ours = {**os.environ, **read_env_file(home.path / "stack.env"), "PLUMBLINE_HOME": str(home.path)}
    for name in ("PLUMBLINE_SECRETS_DIR", "PLUMBLINE_KEYRING_DIR"):
        ours.pop(name, None)
    return Settings.from_environment(ours)


def ensure_keyring(home: Home, keyring: Path) -> None:
    """A new home gets a keyring; a home with data that lost it gets an error, never a new one."""
    from include.privacy.keyring import create_keyring

    mark = home.path / "keyring.made"
    if keyring.is_dir() and any(keyring.iterdir()):
        mark.touch()
        return
    if mark.exists():
        raise StackError(
            found=f"the keyring of this home is gone from {keyring}",
            expected="the keys that sealed its data",
            action="restore the folder from a backup; new keys would not open what the old ones sealed",
        )
    create_keyring(keyring)
    mark.touch()


def migrate_installation(settings: Settings, say: Callable[[str], None]) -> None:
    """Bring databases and buckets to the shape that this version needs; does nothing where they have it."""
    from include.warehouse.migrate import migrate

    applied = migrate(settings)
    if applied:
        say(f"databases brought up to date ({applied} migration files)")
    made = object_store.ensure_buckets(settings, os.environ.get("PLUMBLINE_BUCKET_AUDIT") or "audit")
    if made:
        say(f"buckets made: {', '.join(made)}")
