"""``make up`` and ``make stop``: Airflow's scheduler, UI and helpers on the embedded stack."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from include.local_stack import stack
from include.local_stack.environment import COMPONENTS, command_line
from include.local_stack.home import Home, open_home, read_record, write_private, write_record
from include.local_stack.ports import keep_ports, refuse_taken
from include.local_stack.processes import (
    is_running,
    read_pid,
    refuse_failed_start,
    start_detached,
    stop_process,
    wait_until,
)
from include.settings import Settings
from include.sources.registry import load_sources
from include.terminal import sample
from include.terminal.airflow_run import child_environment, ensure_airflow_database
from include.terminal.night_lock import NightError, close_abandoned_runs, take_night_lock
from include.terminal.overview import overview

_COMES_UP_WITHIN = 300  # seconds; four Pythons import Airflow at once


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which sources the nights are on, and since when they run by themselves; None: never."""

    sources: Path
    since: str | None


def up() -> int:
    """Start the stack and Airflow's components; those that run are left alone. Says where the UI is."""
    path = _home_path()
    print(f"Plumbline in {path}")
    stack.up(path, say=lambda line: print(f"  {line}"))
    home = open_home(path)
    ports = keep_ports(home)
    schedule = keep_schedule(home, os.environ.get("PLUMBLINE_SOURCES"))
    environment = service_environment(home, ports, schedule)
    with ExitStack() as held:
        take_night_lock(path, held)
        ensure_airflow_database(home, environment, print)
        start_components(home, ports, environment)
    print(f"  Airflow is at http://127.0.0.1:{ports['AIRFLOW_UI']}")
    print(f"  user admin, password in {home.secrets / 'airflow_admin_password'}")
    print(f"  {describe_schedule(schedule)}; 'make stop' stops everything")
    return 0


def stop() -> int:
    """Stop Airflow's components and the stack. Data stays."""
    path = _home_path()
    if read_record(path) is None:
        print(f"nothing to stop: {path} is not a Plumbline home")
        return 0
    home = open_home(path)
    stop_components(home, lambda line: print(line, flush=True))
    stack.down(path, say=lambda line: print(f"  Postgres and S3: {line}"))
    return 0


def status() -> int:
    """Print what runs."""
    path, running, ui = _home_path(), [], None
    if read_record(path) is not None:
        home = open_home(path)
        running = [name for name in COMPONENTS if _is_up(home, name)]
        ui = f"http://127.0.0.1:{keep_ports(home)['AIRFLOW_UI']}" if "api-server" in running else None
    print("\n".join(overview(path, running, ui)))
    return 0


def keep_schedule(home: Home, sources: str | None) -> Schedule:
    """The home's schedule: the sources given now or last time, and since when. Nights before that are nobody's loss.

    Without sources given for it there is none: the sample's deliveries do not renew themselves.
    """
    record = read_record(home.path) or {}
    known = record.get("schedule")
    if sources:
        load_sources(Path(sources))
        since = known["since"] if known else datetime.now(UTC).isoformat(timespec="seconds")
        known = {"sources": str(Path(sources).resolve()), "since": since}
        write_record(home.path, {**record, "schedule": known})
    if known:
        load_sources(Path(known["sources"]))
        return Schedule(Path(known["sources"]), known["since"])
    night = Settings.from_environment({**os.environ, "PLUMBLINE_HOME": str(home.path)}).night()
    sources = sample.sources_again(night, home, record.get("last_sources"), print)
    load_sources(sources)
    return Schedule(sources, None)


def describe_schedule(schedule: Schedule) -> str:
    """One line for the person who started it."""
    if schedule.since is None:
        return f"nights on {schedule.sources} run when you trigger 'nightly'; with SOURCES=… they run at 02:00"
    return f"'nightly' runs at 02:00 on {schedule.sources}, missed nights since {schedule.since[:16]} in order"


def service_environment(home: Home, ports: Mapping[str, int], schedule: Schedule) -> dict[str, str]:
    """The components' environment."""
    when = {"PLUMBLINE_FIRST_NIGHT": schedule.since} if schedule.since else {"PLUMBLINE_SCHEDULE": "off"}
    ours = {"PLUMBLINE_SOURCES": str(schedule.sources), **when}
    return child_environment(home, ports, ours)


def start_components(home: Home, ports: Mapping[str, int], environment: Mapping[str, str]) -> None:
    """Start those of Airflow's components that are down, each with its own log, and wait for the API server.

    Call it while holding the night's lock: what a dead terminal night left running in Airflow's books is closed first.
    Raises StackError, with everything stopped again, where one of them ends or the API server does not answer.
    """
    if not _is_up(home, "scheduler"):
        close_abandoned_runs(home)
    if not _is_up(home, "api-server"):
        refuse_taken(home, dict(ports), ("AIRFLOW_UI",))
    if any(not _is_up(home, name) for name in COMPONENTS):
        print(f"  starting Airflow: {', '.join(COMPONENTS)}; about a minute", flush=True)
    started = {name: _start(home, name, environment) for name in COMPONENTS if not _is_up(home, name)}
    wait_until(lambda: _ui_answers(ports) or _ended(started) is not None, seconds=_COMES_UP_WITHIN)
    failed = _ended(started) or (None if _ui_answers(ports) else "api-server")
    if failed:
        stop_components(home)
        raise refuse_failed_start(f"Airflow's {failed}", _log(home, failed))


def refuse_running_scheduler(home: Home) -> None:
    """Raise NightError where the home's scheduler is up: it would do the tasks of a terminal's night a second time."""
    if _is_up(home, "scheduler"):
        raise NightError(
            found=f"Airflow's scheduler is running in {home.path}, and it runs the nights there",
            expected="one runner of nights in one PLUMBLINE_HOME",
            action="trigger 'nightly' in its UI ('make status' says where), or 'make stop' and run this again",
        )


def _start(home: Home, name: str, environment: Mapping[str, str]) -> subprocess.Popen:
    command = command_line(COMPONENTS[name])
    process = start_detached(command, log=_log(home, name), folder=home.path, environment=environment)
    write_private(_pid_file(home, name), f"{process.pid}\n")
    return process


def _ended(started: Mapping[str, subprocess.Popen]) -> str | None:
    return next((name for name, process in started.items() if process.poll() is not None), None)


def _log(home: Home, name: str) -> Path:
    return home.logs / f"airflow-{name}.log"


def stop_components(home: Home, say: Callable[[str], None] = lambda line: None) -> None:
    """Stop Airflow's components one after the other, and say of each that ran."""
    for name in COMPONENTS:
        pid = read_pid(_pid_file(home, name))
        if pid and _stop(pid):
            say(f"  {name} stopped")


def _stop(pid: int) -> bool:
    return stop_process(pid, naming="airflow", seconds=20)


def _is_up(home: Home, name: str) -> bool:
    return is_running(read_pid(_pid_file(home, name)), naming="airflow")


def _pid_file(home: Home, name: str) -> Path:
    return home.path / "airflow" / f"{name}.pid"


def _ui_answers(ports: Mapping[str, int]) -> bool:
    """True where the server answers people and tasks; its part for tasks is only built when it is first asked."""
    base = f"http://127.0.0.1:{ports['AIRFLOW_UI']}"
    try:
        for path in ("/api/v2/version", "/execution/health"):
            urllib.request.urlopen(base + path, timeout=60).close()
        return True
    except OSError:
        return False


def _home_path() -> Path:
    return Path(os.environ.get("PLUMBLINE_HOME") or ".local").resolve()
