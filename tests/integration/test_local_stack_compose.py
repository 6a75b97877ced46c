"""docker-compose.yml runs what the embedded stack runs. No Docker engine is needed to check that."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from include.api.clients import ROLES
from include.local_stack.containers import (
    api_environment,
    listener_environment,
    make_compose_home,
    service_commands,
    service_environment,
    watcher_environment,
)
from include.local_stack.environment import COMPONENTS
from include.local_stack.home import StackError
from include.warehouse.connect import OWNER

PROJECT = Path(__file__).resolve().parents[2]
FILE = PROJECT / "docker-compose.yml"
SCHEMAS = (
    "/usr/lib/python3/dist-packages/compose/config/compose_spec.json",
    "/usr/local/lib/python3/dist-packages/compose/config/compose_spec.json",
)


RUN_BY_TASKS = (
    "alerts", "audit", "backups", "equity", "identity", "intake", "landing", "lifecycle", "privacy", "quality", "reports",
    "warehouse",
)  # fmt: skip


@pytest.fixture(scope="module")
def composed() -> dict:
    return yaml.safe_load(FILE.read_text())


@pytest.fixture
def compose_home(tmp_path: Path) -> Iterator[Path]:
    yield make_compose_home(tmp_path / "compose", say=lambda line: None).path


def test_docker_compose_itself_accepts_the_file(composed):
    program = shutil.which("docker-compose")
    if not program:
        pytest.skip("docker-compose is not installed (Debian: apt-get install docker-compose)")
    shown = subprocess.run(
        [program, "-f", str(FILE), "config", "--services"], capture_output=True, text=True, cwd=PROJECT
    )
    assert shown.returncode == 0, shown.stderr
    assert set(shown.stdout.split()) == set(composed["services"])


def test_the_file_follows_the_compose_schema(composed):
    schema = next((Path(path) for path in SCHEMAS if Path(path).is_file()), None)
    if schema is None:
        pytest.skip("the Compose schema is not here (it comes with Debian's docker-compose)")
    import jsonschema

    jsonschema.Draft7Validator(json.loads(schema.read_text())).validate(composed)


def test_every_service_runs_the_command_of_the_embedded_stack(composed):
    commands = {name: service["command"] for name, service in composed["services"].items() if name != "redis"}
    assert commands == service_commands()


def test_every_service_of_ours_has_the_environment_of_the_embedded_stack(composed):
    ours = {**{name: composed["services"][name] for name in COMPONENTS}, "worker": composed["services"]["worker"]}
    assert {name: service["environment"] for name, service in ours.items()} == dict.fromkeys(
        ours, service_environment()
    )


def test_what_an_installation_chooses_in_dot_env_reaches_what_runs_tasks(composed):
    offered = set(re.findall(r"^#?(PLUMBLINE_[A-Z_]+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE))
    # Where things are is compose's own business; what else may be chosen must not be read and then ignored.
    elsewhere = (
        "UID",
        "GID",
        "EXECUTOR",
        "HOME",
        "SOURCES",
        "PG_",
        "S3_",
        "BUCKET_",
        "LISTEN_",
        "COMPOSE_",
        "METRICS_",
        "API_",
    )
    elsewhere += ("SOURCES_DIR", "SECRETS_DIR", "KEYRING_DIR")
    chosen = {name for name in offered if not name.removeprefix("PLUMBLINE_").startswith(elsewhere)}
    assert {"PLUMBLINE_TIMEZONE", "PLUMBLINE_ESCROW_RECIPIENT"} <= chosen
    environment = composed["services"]["scheduler"]["environment"]
    assert {name: environment.get(name) for name in chosen} == {name: f"${{{name}:-}}" for name in chosen}


def test_secrets_of_the_alerts_reach_whoever_tells_of_a_night_and_are_never_overwritten(composed, compose_home: Path):
    for name in ("scheduler", "worker", "dag-processor"):  # callbacks of a DAG run in the last
        assert {"alert_smtp_password", "alert_webhook"} <= set(composed["services"][name]["secrets"]), name
    hook = compose_home / "secrets" / "alert_webhook"
    assert hook.read_text() == ""
    hook.write_text("https://chat.example.org/a-secret-token")
    make_compose_home(compose_home, say=lambda line: None)
    assert hook.read_text() == "https://chat.example.org/a-secret-token"


def test_the_listener_holds_its_own_password_and_no_key(composed):
    listener = composed["services"]["listen"]
    assert listener["environment"] == listener_environment()
    assert listener["secrets"] == ["pg_listener", "landing_recipient"]
    assert listener["profiles"] == ["listen"]
    assert listener["networks"] == ["outside"], "whoever talks to hospitals' interfaces must not reach the object store"
    assert "outside" not in composed["services"]["s3"].get("networks", ["inside"])
    assert "outside" in composed["services"]["postgres"]["networks"]


def test_the_watcher_holds_the_keys_and_nothing_listens_in_it(composed):
    watcher = composed["services"]["watch"]
    assert watcher["environment"] == watcher_environment() and watcher["profiles"] == ["watch"]
    roles = ["pg_watcher", "pg_clinician", "pg_sealer"]
    assert watcher["secrets"] == [*roles, "alert_smtp_password", "alert_webhook"]
    assert watcher["networks"] == ["outside"] and "ports" not in watcher


def test_what_serves_the_api_holds_the_passwords_of_its_audiences_and_no_key(composed):
    api = composed["services"]["api"]
    assert api["environment"] == api_environment() and api["profiles"] == ["api"]
    assert api["secrets"] == [f"pg_{role}" for role in ROLES.values()]
    assert api["networks"] == ["outside"], "whoever answers the world must not reach the object store"


def test_what_serves_metrics_holds_no_secret_and_reaches_no_database(composed):
    metrics = composed["services"]["metrics"]
    assert "secrets" not in metrics and metrics["networks"] == ["outside"] and metrics["profiles"] == ["metrics"]
    assert [volume.rsplit(":", 1)[1] for volume in metrics["volumes"]] == ["ro"]
    assert set(metrics["environment"]) == {"PYTHONPATH", "PLUMBLINE_HOME"}


def test_no_secret_stands_in_the_file_and_every_one_it_names_is_made(composed, compose_home: Path):
    made = {file.name: file.read_text().strip() for file in (compose_home / "secrets").iterdir()}
    assert set(composed["secrets"]) <= set(made)
    assert not [name for name, secret in made.items() if len(secret) > 8 and secret in FILE.read_text()]
    files = [entry["file"].rsplit("/", 1)[-1] for entry in composed["secrets"].values()]
    assert files == list(composed["secrets"])


def test_every_secret_that_the_environment_names_is_mounted_where_it_is_read(composed):
    named = set(re.findall(r"/run/secrets/(\w+)", " ".join(service_environment().values())))
    for name in (*COMPONENTS, "worker", "migrate"):
        assert named <= set(composed["services"][name]["secrets"]), name


def test_what_runs_tasks_holds_the_password_of_every_role_that_a_step_connects_as(composed):
    named = re.compile(r"""\bconnect\(\s*("([a-z_]+)"|OWNER)""")
    files = [file for folder in RUN_BY_TASKS for file in (PROJECT / "include" / folder).rglob("*.py")]
    used = {found[2] or OWNER for file in files for found in named.finditer(file.read_text())}
    assert {"loader", "sealer", OWNER} <= used
    needed = {f"pg_{role}" for role in used - {"postgres"}}  # only 'migrate' and restoring connect as the superuser
    for name in ("scheduler", "worker"):
        assert needed <= set(composed["services"][name]["secrets"]), name


def test_only_what_runs_tasks_or_judges_live_messages_holds_the_keys(composed):
    holding = {n for n, s in composed["services"].items() if "pg_sealer" in s.get("secrets", [])}
    keyring = {n for n, s in composed["services"].items() if any(":/run/keyring" in v for v in s.get("volumes", []))}
    assert holding == {"scheduler", "worker", "migrate", "watch"}
    assert keyring == {"scheduler", "worker", "watch"}


def test_every_service_says_how_it_is(composed):
    assert [name for name, service in composed["services"].items() if "healthcheck" not in service] == ["migrate"]


def test_nothing_listens_beyond_this_host(composed):
    published = [port for service in composed["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_celery_services_start_only_under_their_profile(composed):
    under = {name for name, service in composed["services"].items() if service.get("profiles") == ["celery"]}
    assert under == {"redis", "worker"}


def test_secrets_for_containers_are_made_once(compose_home: Path):
    before = {file.name: file.read_text() for file in (compose_home / "secrets").iterdir()}
    make_compose_home(compose_home, say=lambda line: None)
    assert {file.name: file.read_text() for file in (compose_home / "secrets").iterdir()} == before
    (compose_home / "secrets" / "pg_sealer").unlink()
    with pytest.raises(StackError, match="pg_sealer.*restore them from a backup"):
        make_compose_home(compose_home, say=lambda line: None)


def test_the_image_holds_only_what_runs():
    allowed = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set(re.findall(r"^COPY (\S+) ", (PROJECT / "Dockerfile").read_text(), re.MULTILINE))
    assert copied == allowed
    assert all((PROJECT / name).exists() for name in copied - {"dbt_project"})


def test_every_setting_that_may_be_chosen_is_explained():
    explained = set(re.findall(r"^#?(PLUMBLINE_\w+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE))
    chosen = set(re.findall(r"\$\{(PLUMBLINE_\w+)", FILE.read_text()))
    assert chosen <= explained
    assert os.access(PROJECT / ".ci" / "run", os.X_OK)
