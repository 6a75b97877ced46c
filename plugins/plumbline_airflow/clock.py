"""Which night a run is for. Nothing deeper in reads a clock: the night is an argument everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo


def night_of_run(chosen: str | None, run_after: datetime, timezone: ZoneInfo) -> date:
    """The night that was asked for by name, else the day it is in ``timezone`` at the run's own moment.

    A run that an asset or a person started has no logical date; it always has ``run_after``.
    """
    if chosen:
        return date.fromisoformat(chosen)
    aware = run_after if run_after.tzinfo else run_after.replace(tzinfo=UTC)
    return aware.astimezone(timezone).date()


def night_from_context(context: Mapping[str, Any]) -> date:
    """The night of a running task or of a callback."""
    from include.settings import Settings

    run = context["dag_run"]
    chosen = (context.get("params") or {}).get("night") or (run.conf or {}).get("night")
    return night_of_run(chosen, run.logical_date or run.run_after, Settings.from_environment().timezone)
