"""PLUMBLINE_HOME: the one folder that holds a stack's data, secrets, ports and logs, and who may enter it."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from include.errors import PlumblineError

# Postgres refuses to run as root, so root lends it one of these, the first that the machine knows.
UNPRIVILEGED = ("plumbline", "postgres", "nobody")
# Below it a folder of the stack's own is made with mkdir, which fails where another user already sits.
OUTSIDE = Path("/var/tmp")


class StackError(PlumblineError):
    """The local stack cannot be started, found or trusted."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs Postgres: ourselves, or an unprivileged account when we are root."""

    name: str
    uid: int
    gid: int
    is_lent: bool

    @property
    def popen_arguments(self) -> dict[str, object]:
        """Keyword arguments for subprocess that make the child run as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_lent else {}


@dataclass(frozen=True, slots=True)
class Home:
    """A stack's folder. ``stack_id`` is drawn once; it keeps two stacks on one machine apart."""

    path: Path
    stack_id: str
    account: Account

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def keyring(self) -> Path:
        return self.path / "keyring"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def objects(self) -> Path:
        return self.path / "objects"

    @property
    def record(self) -> Path:
        return self.path / "home.json"

    @property
    def sockets(self) -> Path:
        """Short, because a unix socket's path may have 107 bytes at most."""
        return Path("/tmp") / f"plumbline-{self.stack_id}"

    @property
    def postgres(self) -> Path:
        """Postgres' folder: inside the home where its account can get there, else outside under the stack's id."""
        if self.account.is_lent and not _others_may_pass(self.path):
            return OUTSIDE / f"plumbline-{self.stack_id}"
        return self.path / "postgres"


def open_home(path: Path) -> Home:
    """Find the home at ``path``, or make a new one: an id and private folders. Secrets and keys come later.

    Raises StackError where the folder holds data but not the record of which stack it is.
    """
    path = path.resolve()
    path.mkdir(parents=True, exist_ok=True)
    record = read_record(path)
    if record is None:
        _refuse_orphaned_data(path)
        made = datetime.now().date().isoformat()  # noqa: DTZ005 - the day on the wall; nights are caught up from it
        record = {"stack_id": secrets.token_hex(4), "made": made, "secrets": []}
        write_record(path, record)
    home = Home(path, str(record["stack_id"]), choose_account())
    for folder in (home.secrets, home.logs):
        folder.mkdir(mode=0o700, exist_ok=True)
    return home


def read_record(path: Path) -> dict | None:
    """The home's record, or None where there is none yet."""
    file = path / "home.json"
    return json.loads(file.read_text()) if file.is_file() else None


def last_sources(path: Path) -> Path:
    """The sources of the home's last night, for those who come to look at it. Raises StackError where there was none."""
    known = (read_record(path) or {}).get("last_sources")
    if not known:
        raise StackError(
            found=f"no night was run in {path}",
            expected="a night whose sources are known",
            action="name them with SOURCES=path/to/sources.yml, or run 'make nightly' first",
        )
    return Path(known)


def write_record(path: Path, record: dict) -> None:
    """Replace the home's record in one step."""
    write_private(path / "home.json", json.dumps(record, indent=2, sort_keys=True) + "\n")


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    fresh = file.with_name(f".{file.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)


@contextmanager
def locked(path: Path, name: str, *, waiting: bool = True) -> Iterator[int]:
    """Hold the home's lock ``name``; yields its descriptor. The kernel lets go of it when its last holder dies.

    Raises BlockingIOError at once where another process holds it and ``waiting`` is false.
    """
    path.mkdir(parents=True, exist_ok=True)
    with (path / f"{name}.lock").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if waiting else fcntl.LOCK_NB))
        yield file.fileno()


def choose_account(accounts: tuple[str, ...] = UNPRIVILEGED) -> Account:
    """Ourselves, or the account that root lends to Postgres."""
    if os.geteuid() != 0:
        return Account(str(os.geteuid()), os.geteuid(), os.getegid(), is_lent=False)
    for name in accounts:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid, is_lent=True)
    raise StackError(
        found=f"we are root and the machine has none of the accounts {', '.join(accounts)}",
        expected="an unprivileged account to run Postgres, which refuses to run as root",
        action="add one with 'useradd --system plumbline', or run make as an ordinary user",
    )


def _others_may_pass(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _refuse_orphaned_data(path: Path) -> None:
    left = [name for name in ("postgres", "objects", "secrets", "keyring") if (path / name).exists()]
    if left:
        raise StackError(
            found=f"{path} holds {', '.join(left)} but no home.json, which says whose they are",
            expected="either a whole home or an empty folder",
            action="restore home.json from a backup, or set PLUMBLINE_HOME to a new folder",
        )
