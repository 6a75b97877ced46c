"""Secrets of a stack: made once, when they have never existed, and never made again."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping

from include.local_stack.home import Home, StackError, read_record, write_private, write_record
from include.warehouse.connect import OWNER, ROLES

SUPERUSER = "postgres"
AIRFLOW = "airflow"


def _password() -> str:
    return secrets.token_urlsafe(24)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _age_identity() -> str:
    import pyrage

    return str(pyrage.x25519.Identity.generate())


def makers() -> Mapping[str, Callable[[], str]]:
    """Every secret a stack has, with what makes it. File names are the contract with Settings.secret."""
    databases = {f"pg_{role}": _password for role in (SUPERUSER, OWNER, AIRFLOW, *ROLES)}
    store = {
        "s3_access_key": lambda: secrets.token_hex(10).upper(),
        "s3_secret_key": lambda: secrets.token_urlsafe(30),
        "s3_inner_key": lambda: secrets.token_hex(32),
    }
    # Opens backups of the keys. On an installation of your own it is kept off the machine: PLUMBLINE_ESCROW_RECIPIENT.
    escrow = {"escrow_identity": _age_identity}
    airflow = {
        "airflow_fernet_key": _fernet_key,
        "airflow_jwt_secret": lambda: secrets.token_urlsafe(48),
        "airflow_api_secret": lambda: secrets.token_urlsafe(48),
        "airflow_admin_password": lambda: secrets.token_urlsafe(12),
        "redis_password": lambda: secrets.token_hex(24),
    }
    return {**databases, **store, **escrow, **airflow}


def ensure_secrets(home: Home) -> list[str]:
    """Make the secrets that this home has never had; returns their names.

    A secret that the home once had and that is gone is an error: what it protects would not open with a new one.
    """
    record = read_record(home.path) or {}
    known = set(record.get("secrets", []))
    lost = sorted(name for name in known if not (home.secrets / name).is_file())
    if lost:
        raise StackError(
            found=f"{len(lost)} secret(s) of this home are gone: {', '.join(lost)}",
            expected=f"the files that were made with it, in {home.secrets}",
            action="restore them from a backup; a new secret would not open what the old one closed",
        )
    fresh = [name for name in makers() if name not in known]
    for name in fresh:
        # A file without an entry in the record is what a kill between the two leaves: keep it.
        if not (home.secrets / name).is_file():
            # No line end: Airflow takes what a command prints as it is.
            write_private(home.secrets / name, makers()[name]())
    write_record(home.path, {**record, "secrets": sorted(known | set(fresh))})
    return fresh


def read_secret(home: Home, name: str) -> str:
    """One secret's text."""
    return (home.secrets / name).read_text().strip()
