"""When row-level marts may be refreshed; see ``include/decisions/0003-row-release.md``."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

import yaml

from include.errors import PlumblineError

POLICY_FILE = Path(__file__).parents[1] / "policies" / "row_release.yml"
CHOICES = ("nightly", "monthly")


class RowReleaseError(PlumblineError):
    """The row release policy does not say ``nightly`` or ``monthly``."""


def is_held_until_month_end(*, shown_night: date, night: date, choice: str | None = None) -> bool:
    """True while a row-level table has to keep the rows it shows: under ``monthly``, until the month has closed."""
    if (choice or read_choice()) == "nightly":
        return False
    return (night.year, night.month) <= (shown_night.year, shown_night.month)


@cache
def read_choice(file: Path = POLICY_FILE) -> str:
    """``nightly`` or ``monthly``, as the privacy officer's policy says."""
    policy = yaml.safe_load(file.read_text())
    choice = policy.get("row_release") if isinstance(policy, dict) else None
    if choice not in CHOICES or not policy.get("owner"):
        raise RowReleaseError(
            found=f"{file.name} has no owner or an unknown row_release",
            expected=f"an owner and row_release: {' or '.join(CHOICES)}",
            action=f"correct {file.name}",
        )
    return choice
