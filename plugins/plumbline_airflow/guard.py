"""Keeps patients' values out of Airflow's logs, whatever goes wrong inside a step.

A database's or a parser's exception quotes the value it stumbled over, and Airflow logs what a task raises with all
its causes. So a task raises only what this module made of it: where, what kind, and what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from include.errors import PlumblineError, lines_of_ours

P = ParamSpec("P")
R = TypeVar("R")


class StepError(PlumblineError):
    """A step ended in an error that Plumbline did not foresee; its text is withheld because it may quote a value.

    ``kind`` is the class name of that error.
    """

    kind = "StepError"


def value_free(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function raise only errors that quote nothing: Plumbline's own without their causes, or a StepError."""

    @wraps(function)
    def guarded(*arguments: P.args, **named: P.kwargs) -> R:
        try:
            return function(*arguments, **named)
        except PlumblineError as problem:
            safe: PlumblineError = problem
        except Exception as problem:
            safe = describe(problem)
        safe.__cause__ = safe.__context__ = None
        raise safe.with_traceback(None) from None

    return guarded


def describe(problem: BaseException) -> StepError:
    """What may be told of an exception: its class and the lines of ours that it came through."""
    safe = StepError(
        found=f"{type(problem).__module__}.{type(problem).__qualname__} at {lines_of_ours(problem)}",
        expected="the step to end or to say what is wrong",
        action="look at these lines; the error's text is withheld because it may quote a patient's value",
    )
    safe.kind = type(problem).__name__
    return safe
