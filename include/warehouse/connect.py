"""Connections, one role each. Whoever connects says as whom; there is no default role."""

from __future__ import annotations

import os
import re
from urllib.parse import quote

import psycopg

from include.settings import Settings

OWNER = "plumbline_owner"
ROLES = (
    "loader",
    "checker",
    "transformer",
    "leak_scanner",
    "publisher",
    "lifecycle",
    "api",
    "analyst",
    "reader",
    "privacy_officer",
    "sealer",
    "listener",
    "watcher",
    "clinician",
    "backup",
    "researcher",
    "public_health",
)
# Roles of the night's own steps and desks. Nobody reads as one of them by hand; whoever does is told as a session.
OF_THE_NIGHT = (
    "loader",
    "checker",
    "transformer",
    "leak_scanner",
    "publisher",
    "lifecycle",
    "backup",
    "listener",
    "watcher",
)
DATABASES = ("hot", "warm", "keys")


def connect(
    role: str,
    database: str = "hot",
    settings: Settings | None = None,
    *,
    autocommit: bool = False,
    purpose: str | None = None,
) -> psycopg.Connection:
    """Open a connection as ``role``. Sessions run in UTC and name themselves, so that locks can be traced.

    A role that people read with gets no row of a raw or restricted table without a ``purpose``, which the trail keeps.
    """
    settings = settings or Settings.from_environment(os.environ)
    return psycopg.connect(
        host=settings.pg_host,
        port=settings.pg_port,
        dbname=database,
        user=role,
        password=settings.secret(f"pg_{role}"),
        sslmode=settings.pg_sslmode,
        autocommit=autocommit,
        connect_timeout=10,
        application_name=f"plumbline {role}",
        options="-c timezone=UTC -c datestyle=ISO" + (f" -c plumbline.purpose={_escaped(purpose)}" if purpose else ""),
    )


def _escaped(text: str) -> str:
    """As one word of libpq's ``options``."""
    return re.sub(r"([\\\s])", r"\\\1", text)


def url(role: str, database: str = "hot", settings: Settings | None = None) -> str:
    """A libpq URL with the password in it: for clients and child processes, never for a log."""
    settings = settings or Settings.from_environment(os.environ)
    password = quote(settings.secret(f"pg_{role}"), safe="")
    return (
        f"postgresql://{role}:{password}@{settings.pg_host}:{settings.pg_port}/{database}?sslmode={settings.pg_sslmode}"
    )


def sqlalchemy_url(role: str, database: str = "hot", settings: Settings | None = None) -> str:
    """The same for SQLAlchemy over psycopg 2, which Great Expectations and Airflow use."""
    named = f"{url(role, database, settings)}&application_name={quote(f'plumbline {role}')}"
    return named.replace("postgresql://", "postgresql+psycopg2://", 1)
