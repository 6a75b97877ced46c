"""What every test may ask for: one real stack a session, and clean databases and buckets a test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from include.local_stack import stack as local_stack
from include.local_stack.object_store import ensure_buckets
from include.settings import Settings
from include.warehouse.connect import DATABASES, connect

PROJECT = Path(__file__).resolve().parents[1]
REAL_INPUTS = PROJECT.parent / "shared" / "data"
_QUIET = {
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "PYTHONPATH": str(PROJECT),
}
os.environ.update(_QUIET)


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root."""
    return PROJECT


@pytest.fixture(scope="session")
def real_inputs() -> Path:
    """Inputs that this project did not write; a test that asks for them is skipped where they are absent."""
    if not REAL_INPUTS.is_dir():
        pytest.skip("the folder ../shared/data with inputs of other projects is not here")
    return REAL_INPUTS


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """One embedded Postgres and S3 for the session, migrated. PLUMBLINE_TEST_HOME keeps and reuses one between runs."""
    kept = os.environ.get("PLUMBLINE_TEST_HOME")
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    home = Path(kept) / worker if kept else Path(tempfile.mkdtemp(prefix="plumbline-test-"))
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    _forget_settings_of_the_caller()
    os.environ["PLUMBLINE_HOME"] = str(home)
    try:
        settings = local_stack.up(home)
        _keep_templates(settings)
        yield settings
    finally:
        if not kept:
            local_stack.destroy(home)
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def settings(stack: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of the session's stack, as anything that reads the environment sees them too."""
    monkeypatch.setenv("PLUMBLINE_HOME", str(stack.home))
    return Settings.from_environment(os.environ)


@pytest.fixture
def renew_hot(stack: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Settings]:
    """Call it for databases as the migrations left them and buckets that nobody wrote to: settings that reach both."""

    def renew() -> Settings:
        for database in DATABASES:
            _renew(stack, database)
        mark = uuid4().hex[:8]
        for bucket in ("landing", "cold", "archive", "audit", "backup", "backup_keys"):
            monkeypatch.setenv(f"PLUMBLINE_BUCKET_{bucket.upper()}", f"{bucket.replace('_', '-')}-{mark}")
        monkeypatch.setenv("PLUMBLINE_HOME", str(stack.home))
        settings = Settings.from_environment(os.environ)
        ensure_buckets(settings, audit_bucket=f"audit-{mark}")
        return settings

    return renew


@pytest.fixture
def fresh_hot(renew_hot: Callable[[], Settings]) -> Settings:
    """Clean databases and buckets, once."""
    return renew_hot()


def _forget_settings_of_the_caller() -> None:
    for name in [name for name in os.environ if name.startswith("PLUMBLINE_") and name != "PLUMBLINE_TEST_HOME"]:
        del os.environ[name]


def _keep_templates(settings: Settings) -> None:
    """Copies of the migrated, empty databases, made once; they are remade when a migration was added."""
    with connect("postgres", "postgres", settings, autocommit=True) as server:
        for database in DATABASES:
            if _template_is_current(settings, server, database):
                continue
            template = sql.Identifier(f"{database}_template")
            server.execute(sql.SQL("drop database if exists {} with (force)").format(template))
            server.execute(sql.SQL("create database {} template {}").format(template, sql.Identifier(database)))


def _template_is_current(settings: Settings, server: psycopg.Connection, database: str) -> bool:
    named = [f"{database}_template"]
    if not server.execute("select 1 from pg_database where datname = %s", named).fetchone():
        return False
    with connect("postgres", database, settings) as now, connect("postgres", named[0], settings) as then:
        applied = "select array_agg(name order by name) from migrations.applied"
        return now.execute(applied).fetchone() == then.execute(applied).fetchone()


def _renew(settings: Settings, database: str) -> None:
    """Drop the database and copy its template; grants on the database itself are not copied, so give them again."""
    name, template = sql.Identifier(database), sql.Identifier(f"{database}_template")
    with connect("postgres", "postgres", settings, autocommit=True) as server:
        owner = server.execute(
            "select pg_get_userbyid(datdba) from pg_database where datname = %s", [database]
        ).fetchone()[0]
        grants = server.execute(
            """select case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end, privilege_type
               from pg_database, aclexplode(datacl) where datname = %s""",
            [database],
        ).fetchall()
        server.execute(sql.SQL("drop database {} with (force)").format(name))
        server.execute(sql.SQL("create database {} owner {} template {}").format(name, sql.Identifier(owner), template))
        if grants:
            server.execute(sql.SQL("revoke all on database {} from public").format(name))
        for grantee, privilege in grants:
            server.execute(sql.SQL("grant {} on database {} to {}").format(sql.SQL(privilege), name, sql.SQL(grantee)))
