"""Running Airflow's commands as children that end when we end."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

from include.local_stack.environment import airflow_environment, command_line, place_of
from include.local_stack.home import Home, StackError, write_private
from include.local_stack.processes import read_pid

_PARENT_DEATH_SIGNAL = 1  # prctl's PR_SET_PDEATHSIG


def child_environment(home: Home, ports: Mapping[str, int], extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of every program we start: the caller's, Airflow's settings, and what this night adds.

    A value of the caller's own would win over a command that reads a secret, and lead to another Airflow's database.
    """
    # Airflow reads its own files in the terminal's encoding, and fails where that is not UTF-8.
    ours = {**airflow_environment(place_of(home, ports)), "PYTHONUTF8": "1", **extra}
    return {name: value for name, value in os.environ.items() if f"{name}_CMD" not in ours} | ours


def ensure_airflow_database(home: Home, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Bring Airflow's own tables up to date, once per home and version."""
    mark = home.path / "airflow" / f"migrated-{version('apache-airflow-core')}"
    if mark.exists():
        return
    say("  preparing Airflow's own database (once)")
    log = home.logs / "airflow-migrate.log"
    with log.open("ab") as out:
        done = subprocess.run(command_line(("airflow", "db", "migrate")), env=environment, stdout=out, stderr=out)
    if done.returncode != 0:
        raise StackError(
            found="Airflow's own database could not be brought up to date",
            expected="'airflow db migrate' to succeed",
            action=f"read the end of {log}",
        )
    mark.touch()


def start_night(
    home: Home, environment: Mapping[str, str], conf: str, log: Path, keep_open: tuple[int, ...]
) -> subprocess.Popen:
    """Start ``airflow dags test nightly``. It dies with us; ``keep_open`` holds the night's lock as long as it lives."""
    command = command_line(("airflow", "dags", "test", "nightly", "-c", conf))
    with log.open("ab") as out:
        child = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=keep_open,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    write_private(home.path / "night.pid", f"{child.pid}\n")
    return child


def stop_night(child: subprocess.Popen, seconds: float = 15) -> None:
    """End the night's process and all it started, gently first."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        _signal_group(child.pid, sign)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            child.poll()
            if not _members(child.pid):
                return
            time.sleep(0.1)


def end_leftovers(home: Home) -> int:
    """End what a killed run left behind (dbt outlives an Airflow that was killed). Returns how many processes."""
    pid = read_pid(home.path / "night.pid")
    left = [member for member, command in _members(pid).items() if _is_ours(command)] if pid else []
    for member in left:
        os.kill(member, signal.SIGKILL)
    (home.path / "night.pid").unlink(missing_ok=True)
    return len(left)


def _members(group: int) -> dict[int, str]:
    """Living processes of a process group, with their command lines."""
    shown = subprocess.run(["ps", "-ww", "-eo", "pid=,pgid=,stat=,command="], capture_output=True, text=True).stdout
    rows = (line.split(None, 3) for line in shown.splitlines())
    return {int(r[0]): r[3] for r in rows if len(r) == 4 and int(r[1]) == group and not r[2].startswith("Z")}


def _is_ours(command: str) -> bool:
    return str(Path(sys.executable).parent) in command or "dbt" in command or "airflow" in command


def _signal_group(group: int, sign: signal.Signals) -> None:
    try:
        os.killpg(group, sign)
    except ProcessLookupError:
        return


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
