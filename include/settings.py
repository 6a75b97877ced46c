"""What the environment says, read once at the edge and passed on as a frozen value."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from include.errors import SettingsError

STACK_FILE = "stack.env"
_NEEDED = ("PLUMBLINE_PG_HOST", "PLUMBLINE_PG_PORT", "PLUMBLINE_S3_ENDPOINT")


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and how this installation is run. Holds no secret: those are read from files when used."""

    home: Path
    pg_host: str
    pg_port: int
    pg_sslmode: str
    secrets_dir: Path
    keyring_dir: Path
    s3_endpoint: str
    s3_region: str
    bucket_landing: str
    bucket_cold: str
    bucket_archive: str
    bucket_audit: str
    bucket_backup: str
    bucket_backup_keys: str
    sources_file: Path | None
    day: date | None
    timezone: ZoneInfo
    strict: bool
    escrow_recipient: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read settings, falling back to what the local stack wrote down in ``$PLUMBLINE_HOME/stack.env``.

        Raises SettingsError naming everything that is missing or malformed at once.
        """
        home = Path(environment.get("PLUMBLINE_HOME") or ".local").resolve()
        known = {**read_env_file(home / STACK_FILE), **{k: v for k, v in environment.items() if v}}
        _refuse_what_is_wrong(known)
        day = known.get("PLUMBLINE_DAY")
        sources = known.get("PLUMBLINE_SOURCES")
        return cls(
            home=home,
            pg_host=known["PLUMBLINE_PG_HOST"],
            pg_port=int(known["PLUMBLINE_PG_PORT"]),
            pg_sslmode=known.get("PLUMBLINE_PG_SSLMODE", "prefer"),
            secrets_dir=Path(known.get("PLUMBLINE_SECRETS_DIR") or home / "secrets"),
            keyring_dir=Path(known.get("PLUMBLINE_KEYRING_DIR") or home / "keyring"),
            s3_endpoint=known["PLUMBLINE_S3_ENDPOINT"],
            s3_region=known.get("PLUMBLINE_S3_REGION", "us-east-1"),
            bucket_landing=known.get("PLUMBLINE_BUCKET_LANDING", "landing"),
            bucket_cold=known.get("PLUMBLINE_BUCKET_COLD", "cold"),
            bucket_archive=known.get("PLUMBLINE_BUCKET_ARCHIVE", "archive"),
            bucket_audit=known.get("PLUMBLINE_BUCKET_AUDIT", "audit"),
            bucket_backup=known.get("PLUMBLINE_BUCKET_BACKUP", "backup"),
            bucket_backup_keys=known.get("PLUMBLINE_BUCKET_BACKUP_KEYS", "backup-keys"),
            sources_file=Path(sources).resolve() if sources else None,
            day=date.fromisoformat(day) if day else None,
            timezone=ZoneInfo(known.get("PLUMBLINE_TIMEZONE", "UTC")),
            strict=known.get("STRICT", "") not in ("", "0", "false", "no"),
            escrow_recipient=known.get("PLUMBLINE_ESCROW_RECIPIENT"),
        )

    def night(self) -> date:
        """The night to run: ``PLUMBLINE_DAY``, else today in the installation's time zone."""
        return self.day or datetime.now(self.timezone).date()

    def secret(self, name: str) -> str:
        """Read one secret from its file. A missing secret is an error, never a new secret."""
        path = self.secrets_dir / name
        try:
            return path.read_text().strip()
        except OSError as cause:
            raise SettingsError(
                found=f"the secret {name} cannot be read ({type(cause).__name__})",
                expected=f"a readable file {name} in PLUMBLINE_SECRETS_DIR",
                action="start the local stack with 'make stack', or mount the secret there",
            ) from cause


def read_env_file(path: Path) -> dict[str, str]:
    """NAME=value lines of a file; an absent file is an empty environment."""
    if not path.is_file():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def _refuse_what_is_wrong(known: Mapping[str, str]) -> None:
    wrong = [f"{name} is not set" for name in _NEEDED if not known.get(name)]
    if known.get("PLUMBLINE_PG_PORT") and not known["PLUMBLINE_PG_PORT"].isdigit():
        wrong.append("PLUMBLINE_PG_PORT is not a number")
    if known.get("PLUMBLINE_DAY") and not is_day(known["PLUMBLINE_DAY"]):
        wrong.append("PLUMBLINE_DAY (DAY=) is not a day written YYYY-MM-DD")
    if not known.get("PLUMBLINE_PG_SSLMODE") and not _is_this_machine(known.get("PLUMBLINE_PG_HOST", "")):
        wrong.append(
            "PLUMBLINE_PG_SSLMODE is not set, and the database is on another machine (verify-full, or why not)"
        )
    if not _is_zone(known.get("PLUMBLINE_TIMEZONE", "UTC")):
        wrong.append("PLUMBLINE_TIMEZONE is not the name of a time zone")
    if wrong:
        raise SettingsError(
            found="; ".join(wrong),
            expected="the settings that .env.example lists",
            action="start the local stack with 'make stack', or set them in the environment",
        )


def is_day(text: str) -> bool:
    """True for a day of the calendar written YYYY-MM-DD, and for no other form of ISO 8601."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def _is_this_machine(host: str) -> bool:
    return host in ("", "localhost", "::1") or host.startswith(("127.", "/"))
