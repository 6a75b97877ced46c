"""How a command ends for the person who gave it: its work done, or three lines that say what was found and what to do now."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable
from datetime import date

from include.errors import PlumblineError, lines_of_ours
from include.settings import is_day

CANNOT, INTERRUPTED = 2, 130


def run_command(name: str, work: Callable[[], int | None]) -> int:
    """Do the work and return its exit code; 2 with what to do on standard error where it cannot be done.

    A text that Plumbline did not write is not shown: a database's quotes the values it stumbled over. PLUMBLINE_DEBUG=1 shows it.
    """
    try:
        code = work() or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read our output has seen enough, as head does. Python would complain of it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as problem:
        if os.environ.get("PLUMBLINE_DEBUG"):
            traceback.print_exc()
        print(tell(name, as_error(problem)), file=sys.stderr)
        return CANNOT


def tell(name: str, problem: PlumblineError) -> str:
    """The three lines of a problem."""
    return f"{name}: {problem.found}.\n  expected: {problem.expected}\n  now: {problem.action}"


def as_error(problem: Exception) -> PlumblineError:
    """What a person is told of any exception, without its text."""
    import psycopg

    if isinstance(problem, PlumblineError):
        return problem
    if isinstance(problem, psycopg.OperationalError) and problem.sqlstate is None:
        return PlumblineError(
            found="the database does not answer",
            expected="the stack to run",
            action="start it with 'make stack' ('make status' says what runs; PLUMBLINE_HOME says where)",
        )
    if isinstance(problem, OSError) and problem.filename:
        return PlumblineError(
            found=f"{problem.filename} cannot be used ({problem.strerror})",
            expected="files and folders that this account may read, and write where something is written",
            action="correct the path, or who owns it",
        )
    return PlumblineError(
        found=f"{type(problem).__module__}.{type(problem).__qualname__} at {lines_of_ours(problem)}",
        expected="the command to end, or to say what is wrong",
        action="this is a defect; its text is withheld because it may quote a patient's value (PLUMBLINE_DEBUG=1 shows it)",
    )


def day(text: str) -> date:
    """An argument that is a day. Raises ArgumentTypeError, which argparse shows as it is."""
    if not is_day(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a day written YYYY-MM-DD")
    return date.fromisoformat(text)
