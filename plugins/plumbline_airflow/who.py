"""Who asked for a run that only a person starts: the name under which they are logged in at Airflow, not one they typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.errors import PlumblineError


class NobodyAskedError(PlumblineError):
    """A run that somebody must answer for was started by nobody who is known."""


def asked_by(context: Mapping[str, Any]) -> str:
    """Name of the person who triggered the running task's run. Raises NobodyAskedError where Airflow knows none."""
    name = (context["dag_run"].triggering_user_name or "").strip()
    if not name:
        raise NobodyAskedError(
            found="a run that Airflow knows nobody to have started",
            expected="one that a person started who is logged in: the audit trail names them",
            action="trigger it in Airflow's pages or with its API or command, not by a schedule",
        )
    return name
