"""What a failure leaves on the night's books, also when the step itself could no longer write."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from include.errors import PlumblineError
from include.local_stack.environment import FAILURES_FILE
from plumbline_airflow.clock import night_from_context

log = logging.getLogger(__name__)


def record_failed_step(context: Mapping[str, Any]) -> None:
    """Task callback: a task that failed for good leaves a failed step, so that the night cannot be published over it."""
    from include.nights import record_failure

    instance, problem = context["task_instance"], context.get("exception")
    step = instance.task_id.rsplit(".", 1)[-1]
    code = getattr(problem, "kind", type(problem).__name__) if problem else "Killed"
    _quietly(record_failure, night_from_context(context), step, code)
    _quietly(_write_down, step, problem)


def _write_down(step: str, problem: BaseException | None) -> None:
    """Tell whoever watches at a terminal in full; only our own errors, which quote nothing."""
    file = os.environ.get(FAILURES_FILE)
    if file and isinstance(problem, PlumblineError):
        with Path(file).open("a") as out:
            out.write(f"{step}: {problem.found}\n  expected: {problem.expected}\n  now: {problem.action}\n")


def close_unfinished_night(context: Mapping[str, Any]) -> None:
    """DAG callback: a night that ran out of time or was stopped still gets its verdict, and somebody is told."""
    from include.alerts.tell import close_and_tell_unfinished

    _quietly(close_and_tell_unfinished, night_from_context(context))


def _quietly(function, *arguments) -> None:
    """A callback must not hide the failure it reports; and what it could not do is logged by kind, not by text."""
    try:
        function(*arguments)
    except Exception as problem:
        log.warning("%s could not be done: %s", function.__name__, type(problem).__name__)
