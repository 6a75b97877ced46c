"""One runner of nights a home: a terminal or a scheduler, never both, and nothing of a runner that is dead."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import psycopg

from include.errors import PlumblineError
from include.local_stack.home import Home, locked
from include.local_stack.secret_files import read_secret

_A_KILLED_NIGHT_DIES_WITHIN = (0.2, 0.8, 2.0)


class NightError(PlumblineError):
    """The night could not be run to a verdict."""


def take_night_lock(home: Path, held: ExitStack) -> int:
    """The night's lock, held until ``held`` ends. A killed night needs a moment to die; after that one is alive."""
    for seconds in _A_KILLED_NIGHT_DIES_WITHIN:
        try:
            return held.enter_context(locked(home, "night", waiting=False))
        except BlockingIOError:
            time.sleep(seconds)
    raise NightError(
        found=f"another night is running in {home}",
        expected="one night at a time in one PLUMBLINE_HOME",
        action="wait for it, or set PLUMBLINE_HOME to another folder",
    )


def close_abandoned_runs(home: Home) -> int:
    """Mark runs that a terminal began and did not live to end as failed, for Airflow's eyes. Returns how many.

    Call it while holding the night's lock. Airflow would count them as running for ever: a scheduler would go on with
    their tasks in its own environment, and wait for their end before it begins a night of its own. Airflow has no
    command for it, so the two columns that say so are set in its tables.
    """
    with psycopg.connect(read_secret(home, "airflow_database_url").replace("+psycopg2", "")) as airflow:
        airflow.execute(
            """update task_instance t set state = 'failed', end_date = now() from dag_run r
               where (r.dag_id, r.run_id) = (t.dag_id, t.run_id) and r.triggered_by = 'TEST'
                 and r.state in ('running', 'queued')
                 and coalesce(t.state, '') not in ('success', 'failed', 'skipped', 'upstream_failed', 'removed')"""
        )
        return airflow.execute(
            """update dag_run set state = 'failed', end_date = now()
               where triggered_by = 'TEST' and state in ('running', 'queued')"""
        ).rowcount
