"""What docker-compose.yml must say, computed from what the embedded stack runs; a test compares the two.

Also makes, once, the folder of secrets, keys and derived files that the containers mount.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from include.local_stack.environment import (
    ADMIN,
    API,
    COMPONENTS,
    LISTENER,
    METRICS,
    MIGRATIONS,
    WATCHER,
    WORKER,
    Place,
    airflow_environment,
)
from include.local_stack.home import Home, locked, open_home, write_private
from include.local_stack.object_store import Folders, server_arguments, write_store_files
from include.local_stack.postgres import SERVER_SETTINGS
from include.local_stack.secret_files import AIRFLOW, ensure_secrets, read_secret

INSIDE = Place(
    project=Path("/opt/plumbline"),
    home=Path("/var/lib/plumbline"),
    secrets=Path("/run/secrets"),
    ui_host="0.0.0.0",
    ui_port=8080,
    inner_address="http://api-server:8080",
    browser_address="http://localhost:8080",
)
PORTS = {
    "S3": 8333,
    "S3_GRPC": 18333,
    "FILER": 8888,
    "FILER_GRPC": 18888,
    "MASTER": 9333,
    "MASTER_GRPC": 19333,
    "VOLUME": 9340,
    "VOLUME_GRPC": 19340,
    "ADMIN": 23646,
}
# Settings that a container has to have otherwise than the embedded server.
_POSTGRES_INSIDE = {
    "listen_addresses": "*",
    # In files, so that the audit trail can take up what the log tells of reads and logins; a month in each.
    "logging_collector": "on",
    "log_filename": "postgres-%Y-%m.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
}
_CHANNELS = (
    "PLUMBLINE_ALERT_WEBHOOK",
    *(f"PLUMBLINE_ALERT_SMTP_{name}" for name in ("HOST", "PORT", "SECURITY", "FROM", "TO", "USER")),
)
# What an installation chooses in .env; empty is as good as unset everywhere.
_FROM_DOT_ENV = (
    "PLUMBLINE_TERMINOLOGY",
    "PLUMBLINE_GEOGRAPHY",
    "PLUMBLINE_ESCROW_RECIPIENT",
    "PLUMBLINE_TIMEZONE",
    "PLUMBLINE_FIRST_NIGHT",
    "PLUMBLINE_NIGHT_HOURS",
    "PLUMBLINE_TASK_RETRIES",
    *_CHANNELS,
)
_LISTENER_FROM_DOT_ENV = tuple(
    f"PLUMBLINE_LISTEN_{name}"
    for name in (
        "MAX_CONNECTIONS",
        "MAX_PER_PEER",
        "MAX_MESSAGE_BYTES",
        "IDLE_SECONDS",
        "MESSAGE_SECONDS",
        "TLS_CERT",
        "TLS_KEY",
        "TLS_CLIENT_CA",
    )
)
# Secrets of other people's servers. Compose mounts files that are there only, so they are made empty, which is none.
FILLED_BY_HAND = ("alert_smtp_password", "alert_webhook")
_STORE = Folders(Path("/data"), Path("/tmp"), Path("/etc/plumbline/s3/identity.json"))


def service_commands() -> dict[str, list[str]]:
    """The command of every service, by its name in docker-compose.yml."""
    migrate = " && ".join(shlex.join(command) for command in MIGRATIONS)
    store = server_arguments(_STORE, PORTS, address="s3", listen="0.0.0.0")
    return {
        "postgres": postgres_command(),
        "s3": ["weed", *store],
        "migrate": ["sh", "-c", migrate],
        **{name: list(command) for name, command in COMPONENTS.items()},
        "worker": list(WORKER),
        "listen": list(LISTENER),
        "watch": list(WATCHER),
        "metrics": list(METRICS),
        "api": list(API),
    }


def postgres_command() -> list[str]:
    """Postgres with the embedded server's settings, as options."""
    settings = {**SERVER_SETTINGS, **_POSTGRES_INSIDE}
    return ["postgres", *(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))]


def service_environment() -> dict[str, str]:
    """The environment of every service that runs our own image."""
    reading = {
        "AIRFLOW__CELERY__BROKER_URL_CMD": "cat /run/secrets/airflow_broker_url",
        "AIRFLOW__CELERY__RESULT_BACKEND_CMD": "cat /run/secrets/airflow_result_backend",
    }
    plumbline = {
        "PLUMBLINE_PG_HOST": "postgres",
        "PLUMBLINE_PG_PORT": "5432",
        "PLUMBLINE_PG_SSLMODE": "disable",
        "PLUMBLINE_S3_ENDPOINT": "http://s3:8333",
        "PLUMBLINE_S3_REGION": "us-east-1",
        "PLUMBLINE_SECRETS_DIR": "/run/secrets",
        "PLUMBLINE_KEYRING_DIR": "/run/keyring",
        "PLUMBLINE_SOURCES": "/sources/sources.yml",
    }
    chosen = {name: f"${{{name}:-}}" for name in _FROM_DOT_ENV}
    executor = replace(INSIDE, executor="${PLUMBLINE_EXECUTOR:-LocalExecutor}")
    return {**airflow_environment(executor), **plumbline, **reading, **chosen}


def listener_environment() -> dict[str, str]:
    """The environment of the service that takes live messages: it knows the inbox and nothing else."""
    of_all = service_environment()
    shared = ("PYTHONPATH", "PLUMBLINE_PG_HOST", "PLUMBLINE_PG_PORT", "PLUMBLINE_PG_SSLMODE", "PLUMBLINE_S3_ENDPOINT")
    shared += ("PLUMBLINE_SECRETS_DIR", "PLUMBLINE_SOURCES", "PLUMBLINE_TIMEZONE")
    chosen = {name: f"${{{name}:-}}" for name in _LISTENER_FROM_DOT_ENV}
    return {**{name: of_all[name] for name in shared}, "PLUMBLINE_LISTEN_HOST": "0.0.0.0", **chosen}


def watcher_environment() -> dict[str, str]:
    """The environment of the service that judges live messages: it knows the inbox, the keys and the channels."""
    of_all = service_environment()
    shared = ("PYTHONPATH", "PLUMBLINE_PG_HOST", "PLUMBLINE_PG_PORT", "PLUMBLINE_PG_SSLMODE", "PLUMBLINE_S3_ENDPOINT")
    shared += (
        "PLUMBLINE_SECRETS_DIR",
        "PLUMBLINE_KEYRING_DIR",
        "PLUMBLINE_SOURCES",
        "PLUMBLINE_TIMEZONE",
        "PLUMBLINE_HOME",
        *_CHANNELS,
    )
    return {name: of_all[name] for name in shared}


def api_environment() -> dict[str, str]:
    """The environment of the service that answers the API's clients: it knows the databases and nothing else."""
    of_all = service_environment()
    shared = ("PYTHONPATH", "PLUMBLINE_PG_HOST", "PLUMBLINE_PG_PORT", "PLUMBLINE_PG_SSLMODE", "PLUMBLINE_S3_ENDPOINT")
    own = {
        "PLUMBLINE_API_CLIENTS": "${PLUMBLINE_API_CLIENTS:-/sources/api_clients.yml}",
        "PLUMBLINE_API_BASE": "${PLUMBLINE_API_BASE:-http://localhost:8410}",
    }
    return {**{name: of_all[name] for name in (*shared, "PLUMBLINE_SECRETS_DIR")}, **own}


def make_compose_home(path: Path, say: Callable[[str], None]) -> Home:
    """Make the folder that docker-compose.yml mounts: secrets and keys once, files derived from them anew."""
    from include.local_stack.stack import ensure_keyring

    with locked(path.resolve(), "stack"):
        home = open_home(path)
        fresh = ensure_secrets(home)
        data = home.path / "data"
        for folder in (data, data / "airflow", data / "metrics", home.objects):
            folder.mkdir(mode=0o700, exist_ok=True)
        ensure_keyring(home, home.keyring)
        _write_derived(home, data)
    say(f"{len(fresh)} secrets made in {home.secrets}" if fresh else f"secrets are in {home.secrets}, none was made")
    return home


def _write_derived(home: Home, data: Path) -> None:
    from include.privacy.keyring import load_keyring

    password, redis = read_secret(home, f"pg_{AIRFLOW}"), read_secret(home, "redis_password")
    address = f"{AIRFLOW}:{password}@postgres:5432/{AIRFLOW}"
    derived = {
        "airflow_database_url": f"postgresql+psycopg2://{address}",
        "airflow_result_backend": f"db+postgresql+psycopg2://{address}",
        "airflow_broker_url": f"redis://:{redis}@redis:6379/0",
        "redis_conf": f"requirepass {redis}\nappendonly yes",
        # The public half: who takes messages in can seal them for landing and open none.
        "landing_recipient": load_keyring(home.keyring).landing_recipient,
    }
    for name, text in derived.items():
        write_private(home.secrets / name, text)
    for name in FILLED_BY_HAND:
        if not (home.secrets / name).exists():
            write_private(home.secrets / name, "")
    write_private(data / "airflow" / "passwords.json", json.dumps({ADMIN: read_secret(home, "airflow_admin_password")}))
    keys = (read_secret(home, name) for name in ("s3_access_key", "s3_secret_key", "s3_inner_key"))
    write_store_files(home.path / "s3", *keys, seen_as=_STORE.identity.parent, host="s3")
