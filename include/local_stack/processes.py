"""Servers that outlive whoever started them: own session, own log, found again by what they are."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from include.local_stack.home import StackError


def start_detached(
    command: Sequence[str],
    *,
    log: Path,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    arguments: Mapping[str, object] | None = None,
) -> subprocess.Popen:
    """Start a server in a session of its own, so that neither Ctrl-C nor the caller's death reaches it."""
    with log.open("ab") as out:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(environment) if environment is not None else None,
            start_new_session=True,
            **(arguments or {}),
        )


def command_of(pid: int) -> str:
    """The command line of a process, empty where there is none: a pid alone may be someone else's by now."""
    shown = subprocess.run(["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True)
    state, _, command = shown.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else command.strip()


def is_running(pid: int | None, *, naming: str) -> bool:
    """True where the process lives and its command line contains ``naming``."""
    return pid is not None and naming in command_of(pid)


def wait_until(ready: Callable[[], bool], *, seconds: float, process: subprocess.Popen | None = None) -> bool:
    """Wait for ``ready``; False when time is over or the process has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():
            return True
        if process is not None and process.poll() is not None:
            return False
        time.sleep(0.05)
    return ready()


def stop_process(pid: int, *, naming: str, seconds: float = 30) -> bool:
    """Ask a process to end and wait; kill it and what it started when it does not. False where it was not running."""
    if not is_running(pid, naming=naming):
        return False
    os.kill(pid, signal.SIGTERM)
    if not wait_until(lambda: not is_running(pid, naming=naming), seconds=seconds):
        kill_group(pid)
        wait_until(lambda: not is_running(pid, naming=naming), seconds=5)
    return True


def kill_group(leader: int) -> None:
    """Kill a process that start_detached started, with everything in its group."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def read_pid(file: Path) -> int | None:
    """The first line of a pid file as a number, or None."""
    try:
        return int(file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def refuse_failed_start(what: str, log: Path) -> StackError:
    """The error for a server that did not come up: names its log, quotes nothing of it."""
    return StackError(
        found=f"{what} did not come up",
        expected="it to answer on its port",
        action=f"read the end of {log}",
    )
