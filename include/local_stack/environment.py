"""The one place that says what environment Plumbline's programs run in; Makefile, compose and tests all read it."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from include.local_stack.home import Home, write_private
from include.local_stack.ports import LOOPBACK
from include.local_stack.secret_files import AIRFLOW, read_secret

PROJECT = Path(__file__).resolve().parents[2]
ADMIN = "admin"
# Names the file that a night run at a terminal collects its steps' errors in.
FAILURES_FILE = "PLUMBLINE_FAILURES_FILE"

TELEMETRY_OFF = {
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
    "SCARF_ANALYTICS": "false",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}

# Airflow's own lineage stays off unless a server is named; the night's events are written by include/quality/lineage.py.
LINEAGE = {
    "AIRFLOW__OPENLINEAGE__DISABLED": "true",
    "AIRFLOW__OPENLINEAGE__DISABLE_SOURCE_CODE": "true",
}

# What runs Airflow, the same words on the embedded stack and in docker-compose.yml.
COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "scheduler": ("airflow", "scheduler"),
    "dag-processor": ("airflow", "dag-processor"),
    "api-server": ("airflow", "api-server"),
    "triggerer": ("airflow", "triggerer"),
}
WORKER = ("airflow", "celery", "worker")
LISTENER = ("python", "-m", "include.live")
WATCHER = ("python", "-m", "include.critical", "watch")
METRICS = ("python", "-m", "include.quality", "metrics", "--address", "0.0.0.0", "--port", "9464")
API = ("python", "-m", "include.api", "serve", "--address", "0.0.0.0", "--port", "8410", "--behind-proxy")
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    ("python", "-m", "include.local_stack", "migrate"),
    ("airflow", "db", "migrate"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an installation's parts are, as its programs see them."""

    project: Path
    home: Path
    secrets: Path
    ui_host: str
    ui_port: int
    inner_address: str
    browser_address: str
    executor: str = "LocalExecutor"
    log_port: int = 8793
    trigger_log_port: int = 8794


def place_of(home: Home, ports: Mapping[str, int]) -> Place:
    """The embedded stack's place."""
    return Place(
        project=PROJECT,
        home=home.path,
        secrets=home.secrets,
        ui_host=LOOPBACK,
        ui_port=ports["AIRFLOW_UI"],
        inner_address=f"http://{LOOPBACK}:{ports['AIRFLOW_UI']}",
        browser_address=f"http://{LOOPBACK}:{ports['AIRFLOW_UI']}",
        log_port=ports["AIRFLOW_LOGS"],
        trigger_log_port=ports["AIRFLOW_TRIGGERER_LOGS"],
    )


def airflow_environment(place: Place) -> dict[str, str]:
    """Airflow's settings for a place. Secrets are named by the file that holds them, never by value."""
    home = place.home / "airflow"
    return {
        **TELEMETRY_OFF,
        **LINEAGE,
        **({"AIRFLOW__OPENLINEAGE__DISABLED": "false"} if os.environ.get("OPENLINEAGE_URL") else {}),
        "PYTHONPATH": str(place.project),
        "PLUMBLINE_HOME": str(place.home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(place.project / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(place.project / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
        "AIRFLOW__CORE__EXECUTOR": place.executor,
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__FERNET_KEY_CMD": _reading(place, "airflow_fernet_key"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(place.home / "airflow" / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{place.inner_address}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": _reading(place, "airflow_database_url"),
        "AIRFLOW__API__HOST": place.ui_host,
        "AIRFLOW__API__PORT": str(place.ui_port),
        "AIRFLOW__API__BASE_URL": place.browser_address,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY_CMD": _reading(place, "airflow_api_secret"),
        "AIRFLOW__API__EXPOSE_CONFIG": "false",
        "AIRFLOW__API__EXPOSE_STACKTRACE": "false",
        "AIRFLOW__API_AUTH__JWT_SECRET_CMD": _reading(place, "airflow_jwt_secret"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(place.home / "logs" / "airflow"),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(place.log_port),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(place.trigger_log_port),
        # A busy API server is no reason to fail a task; by default five tries of five seconds are.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "8",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "false",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "60",
    }


def write_derived_files(home: Home, ports: Mapping[str, int]) -> None:
    """Files that follow from secrets and ports and are written anew at each start."""
    password = read_secret(home, f"pg_{AIRFLOW}")
    url = f"postgresql+psycopg2://{AIRFLOW}:{password}@{LOOPBACK}:{ports['POSTGRES']}/{AIRFLOW}"
    write_private(home.secrets / "airflow_database_url", url)
    (home.path / "airflow").mkdir(mode=0o700, exist_ok=True)
    passwords = {ADMIN: read_secret(home, "airflow_admin_password")}
    write_private(home.path / "airflow" / "passwords.json", json.dumps(passwords) + "\n")


def command_line(command: tuple[str, ...]) -> list[str]:
    """A component's command with the programs of our own environment."""
    program, *arguments = command
    found = sys.executable if program == "python" else str(Path(sys.executable).with_name(program))
    return [found, *arguments]


def _reading(place: Place, secret: str) -> str:
    return shlex.join(["cat", str(place.secrets / secret)])
