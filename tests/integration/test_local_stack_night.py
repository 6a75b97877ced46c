"""A night at a terminal and a night under Airflow's scheduler, on the real stack."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.local_stack.home import locked, open_home
from include.local_stack.ports import keep_ports
from include.sample.artefacts import iterate_night
from include.sample.exposure import search_texts
from include.sample.search import index_of
from include.settings import Settings
from include.terminal import service
from include.terminal.airflow_run import child_environment, ensure_airflow_database
from include.terminal.books import open_books
from include.terminal.night_lock import close_abandoned_runs, take_night_lock

PROJECT = Path(__file__).resolve().parents[2]
NIGHT = "2026-11-22"


@pytest.fixture
def terminal(fresh_hot: Settings) -> dict[str, str]:
    return {**os.environ, "PEOPLE": "60", "SEED": "7", "PLUMBLINE_DAY": NIGHT, "PYTHONUNBUFFERED": "1"}


def start(environment: dict[str, str]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "include.terminal", "nightly"],
        env=environment,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell without job control has what it runs in the background, and all below it, pass over Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for_a_step(settings: Settings, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    with open_books(settings) as books:
        while time.monotonic() < deadline:
            if books.execute("select 1 from lifecycle.step limit 1").fetchone():
                return
            time.sleep(0.1)
    raise TimeoutError("the night never began a step")


def of_the_night(home: Path) -> list[str]:
    """Command lines of every process that belongs to the home's night."""
    shown = subprocess.run(["ps", "-ww", "-eo", "command="], capture_output=True, text=True).stdout.splitlines()
    return [line for line in shown if "dags test nightly" in line and str(home) in _environment_of(line)]


def _environment_of(line: str) -> str:
    pids = subprocess.run(["pgrep", "-f", "dags test nightly"], capture_output=True, text=True).stdout.split()
    found = [Path(f"/proc/{pid}/environ") for pid in pids]
    return " ".join(file.read_bytes().decode(errors="replace") for file in found if file.exists())


def test_another_airflow_of_the_caller_is_not_written_to(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    home = open_home(settings.home)
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:////somewhere/else.db")
    monkeypatch.setenv("AIRFLOW__SMTP__SMTP_HOST", "mail.example.org")
    environment = child_environment(home, keep_ports(home), {})
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in environment
    assert environment["AIRFLOW__SMTP__SMTP_HOST"] == "mail.example.org"


def test_a_second_night_on_one_home_is_refused_politely(terminal, settings: Settings):
    with locked(settings.home, "night", waiting=False):
        refused = start(terminal)
        out, said = refused.communicate(timeout=60)
    assert refused.returncode == 2
    assert re.search(r"another night is running in .*\n  expected: one night at a time.*\n  now: wait for it", said)


def test_ctrl_c_ends_everything_and_says_that_the_next_run_goes_on(terminal, settings: Settings):
    night = start(terminal)
    wait_for_a_step(settings)
    os.kill(night.pid, signal.SIGINT)
    out, said = night.communicate(timeout=60)
    assert night.returncode == 130
    assert "Interrupted. Nothing is half done: run 'make nightly' again" in said
    assert of_the_night(settings.home) == []


def test_kill_9_leaves_no_airflow_behind_and_the_lock_free(terminal, settings: Settings):
    night = start(terminal)
    wait_for_a_step(settings)
    night.kill()
    night.wait()
    with ExitStack() as held:
        take_night_lock(settings.home, held)
        assert close_abandoned_runs(open_home(settings.home)) >= 1, "Airflow never heard of the killed night"
        assert close_abandoned_runs(open_home(settings.home)) == 0
    assert of_the_night(settings.home) == []


def one_source_of(sources: Path) -> Path:
    """The first source alone: what is tested is who runs the night, not how much."""
    declared = yaml.safe_load(sources.read_text())
    alone = sources.with_name("one_source.yml")
    alone.write_text(yaml.safe_dump({**declared, "sources": declared["sources"][:1]}))
    return alone


@pytest.fixture
def airflow(fresh_hot: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Airflow's scheduler, API server and helpers with the LocalExecutor; gives a function that calls its API."""
    monkeypatch.setenv("PLUMBLINE_TASK_RETRIES", "0")
    monkeypatch.setenv("PLUMBLINE_DAY", NIGHT)
    home, ports = open_home(fresh_hot.home), keep_ports(open_home(fresh_hot.home))
    sources = one_source_of(service.sample.sources_for(date.fromisoformat(NIGHT), home, 60, 7, print))
    environment = service.service_environment(home, ports, service.Schedule(sources, None))
    ensure_airflow_database(home, environment, print)
    service.start_components(home, ports, environment)
    password = fresh_hot.secret("airflow_admin_password")
    base = f"http://127.0.0.1:{ports['AIRFLOW_UI']}"

    def call(method: str, path: str, body: dict | None = None, token: str | None = None) -> dict:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(base + path, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    call.token = call("POST", "/auth/token", {"username": "admin", "password": password})["access_token"]
    yield call
    service.stop_components(home)


@pytest.mark.scheduler
def test_the_night_runs_under_the_scheduler_for_whoever_has_the_password(airflow, terminal, settings: Settings):
    refused = start(terminal)
    assert "it runs the nights there" in refused.communicate(timeout=60)[1]
    assert refused.returncode == 2
    for path, body in (("/api/v2/dags", None), ("/auth/token", {"username": "admin", "password": "admin"})):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            airflow("POST" if body else "GET", path, body)
    deadline = time.monotonic() + 400
    while not airflow("GET", "/api/v2/dags", token=airflow.token)["total_entries"]:
        assert time.monotonic() < deadline, "Airflow read no DAG"
        time.sleep(1)
    started = {"logical_date": None, "conf": {"night": NIGHT}}
    run = airflow("POST", "/api/v2/dags/nightly/dagRuns", started, airflow.token)
    with open_books(settings) as books:
        while not (
            told := books.execute("select verdict, published from lifecycle.night where verdict <> ''").fetchone()
        ):
            assert time.monotonic() < deadline, "the night got no verdict"
            time.sleep(1)
    path = f"/api/v2/dags/nightly/dagRuns/{urllib.request.quote(run['dag_run_id'])}"
    while (state := airflow("GET", path, token=airflow.token)["state"]) in ("queued", "running"):
        assert time.monotonic() < deadline, "the run did not end"
        time.sleep(1)
    tasks = airflow("GET", f"{path}/taskInstances", token=airflow.token)["task_instances"]
    assert {task["task_id"]: task["state"] for task in tasks if task["state"] != "success"} == {}
    assert state == "success"
    runs = airflow("GET", "/api/v2/dags/nightly/dagRuns", token=airflow.token)["dag_runs"]
    assert [run["run_type"] for run in runs if run["run_type"] == "scheduled"] == [], "a night nobody asked for"
    assert told[0] in ("green", "amber")
    assert told[1]
    nothing_that_airflow_kept_names_anybody(settings)


def nothing_that_airflow_kept_names_anybody(settings: Settings) -> None:
    """Task logs, XComs, events and rendered fields of a whole night under the scheduler, and all that it wrote."""
    (key,) = (settings.home / "sample").rglob("answer_key")
    places: set[str] = set()

    def noted() -> Iterator[tuple[str, str]]:
        for place, text in iterate_night(settings):
            places.add(place)
            yield place, text

    assert not search_texts(noted(), index_of([key]))
    for kept in (
        "logs/airflow/dag_id=nightly",
        "lineage/",
        "metrics/",
        "reports/",
        "dbt/target/",
        "postgres/postgres.log",
        "airflow.public.xcom",
        "airflow.public.log",
        "airflow.public.task_instance",
        "hot.quality.quarantine",
        "hot.raw.resource.body",
        "warm.versions.",
        "warm.governance.check_results",
        "keys.keys.",
        "object landing",
        "message of ",
    ):
        assert any(place.startswith(kept) for place in places), f"a night leaves {kept}, and it was not searched"
