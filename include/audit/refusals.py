"""What was asked for and refused, told by the trail: who asked, what for, and which error answered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

import psycopg

from include.audit.chain import append
from include.errors import PlumblineError
from include.settings import Settings

log = logging.getLogger(__name__)
Act = TypeVar("Act", bound=Callable[..., Any])
_NAMES = ("requested_by", "approved_by", "actor", "by")


def refusals_told(action: str, *, role: str) -> Callable[[Act], Act]:
    """Decorate an act so that a call which ends in a PlumblineError leaves an entry ``<action>``, outcome 'failure'.

    ``role`` is the database role that writes it, on a connection of its own: what the act had begun is rolled back. Names are
    taken from the call's arguments, the purpose from ``purpose`` or ``reason``; of the error its class, never its text.
    """

    def decorate(act: Act) -> Act:
        @wraps(act)
        def told(*arguments, **named):
            try:
                return act(*arguments, **named)
            except PlumblineError as refusal:
                _tell(action, role, _settings_of(arguments, named), named, refusal)
                raise

        return told

    return decorate


def _tell(action: str, role: str, settings: Settings | None, named: Mapping[str, Any], refusal: PlumblineError) -> None:
    from include.warehouse.connect import connect

    who = {name: str(named[name]) for name in _NAMES if named.get(name)}
    purpose = named.get("purpose") or named.get("reason") or None
    try:
        with connect(role, settings=settings) as hot:
            append(hot, action, None, {"error": type(refusal).__name__, **who}, purpose=purpose, outcome="failure")
    except psycopg.Error as trouble:
        # The refusal stands and is raised; that the trail could not be told must not hide it.
        log.warning("the audit trail could not be told of a refused %s: %s", action, type(trouble).__name__)


def _settings_of(arguments: tuple, named: Mapping[str, Any]) -> Settings | None:
    """The call's settings: an argument, what its work was opened with, or None for the environment's."""
    for candidate in (
        named.get("settings"),
        *arguments[:1],
        getattr(arguments[0] if arguments else None, "settings", None),
    ):
        if isinstance(candidate, Settings):
            return candidate
    return None
