"""The one shape of every error: what was found, what was expected, what to do. Never a patient's value."""

from __future__ import annotations

import traceback
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


class PlumblineError(Exception):
    """An error a person can act on.

    ``found``, ``expected`` and ``action`` are whole phrases without a patient's value in them, because messages
    become logs and logs are read by more people than data is.
    """

    def __init__(self, *, found: str, expected: str, action: str) -> None:
        self.found, self.expected, self.action = found, expected, action
        super().__init__(f"{found}; expected {expected}; {action}")

    def __reduce__(self):
        return _rebuild, (type(self), self.found, self.expected, self.action)


def _rebuild(kind: type[PlumblineError], found: str, expected: str, action: str) -> PlumblineError:
    return kind(found=found, expected=expected, action=action)


class SettingsError(PlumblineError):
    """The environment does not say what is needed, or contradicts itself."""


class DataPlaneError(PlumblineError):
    """A database or the object store does not hold what the records say it holds."""


def lines_of_ours(problem: BaseException) -> str:
    """The last lines of this project that an exception came through: what may be told of one whose text may quote a value."""
    ours = [
        f"{Path(frame.filename).resolve().relative_to(PROJECT)}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(problem.__traceback__)
        if _is_ours(Path(frame.filename))
    ]
    return " > ".join(ours[1:][-6:]) or "outside this project's code"


def _is_ours(file: Path) -> bool:
    resolved = file.resolve()
    inside = resolved.is_relative_to(PROJECT) and "site-packages" not in resolved.parts
    return inside and not resolved.is_relative_to(PROJECT / ".venv")
