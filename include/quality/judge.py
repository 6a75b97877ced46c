"""Great Expectations as the judge: it counts, for every rule, how many rows it tested and how many failed.

Only those two numbers, its verdict and the class of an exception leave this module. No failing value is ever asked of the
database: with result format BOOLEAN_ONLY Great Expectations computes counts and nothing else, and its own messages
(which quote values) are not logged.
"""

from __future__ import annotations

import gc
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from include.quality.check_table import SCHEMA, Part
from include.quality.rules import Rule

# Exceptions are told by class; a class that is not of these modules is told as this.
UNKNOWN_EXCEPTION = "UnknownException"
_QUIET = ("great_expectations", "sqlalchemy", "py.warnings")


@dataclass(frozen=True, slots=True)
class Count:
    """How often a rule was tested and failed. ``error_code`` is the class of an exception; then both numbers are None."""

    tested: int | None
    failed: int | None
    error_code: str | None = None


def count_failures(url: str, table: str, parts: Sequence[Part]) -> dict[tuple[str, str], Count]:
    """Judge a batch's check table: (part label, rule name) -> Count, for every rule of every part.

    ``url`` is an SQLAlchemy URL of the checker. One ephemeral context, one table, one validation of all rules.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with _silence(), _without_collector():
        try:
            results, code = _validate(url, table, parts), UNKNOWN_EXCEPTION
        except Exception as problem:  # its text may quote a value or the connection's password
            results, code = [], _allowed_class(type(problem))
    found = {_of_which_rule(result): _count(result) for result in results}
    return {
        key: found.get(key, Count(None, None, code))
        for key in ((part.label, rule.name) for part in parts for rule in part.rules)
    }


def _validate(url: str, table: str, parts: Sequence[Part]) -> Sequence[Any]:
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_postgres("hot", connection_string=_on_schema(url), create_temp_table=False)
    try:
        whole = source.add_table_asset(table, table_name=table).add_batch_definition_whole_table("whole")
        expectations = [_expectation(gx, part, rule) for part in parts for rule in part.rules]
        suite = gx.ExpectationSuite(name=table, expectations=expectations)
        return whole.get_batch().validate(suite, result_format="BOOLEAN_ONLY").results
    finally:
        source.get_engine().dispose()


def _on_schema(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{SCHEMA}%20-ctimezone%3DUTC"


def _expectation(gx: Any, part: Part, rule: Rule) -> Any:
    from great_expectations.expectations.row_conditions import Column

    made = _counting(getattr(gx.expectations, _class_name(rule.expectation)))
    named = dict(zip(("column",) if len(rule.columns) == 1 else ("column_A", "column_B"), rule.columns, strict=True))
    if len(rule.columns) > 1:
        named["ignore_row_if"] = "either_value_is_missing"
    arguments = {word: list(value) if isinstance(value, tuple) else value for word, value in rule.arguments.items()}
    return made(
        **named, **arguments, row_condition=Column("suite") == part.label, meta={"suite": part.label, "rule": rule.name}
    )


def _class_name(expectation: str) -> str:
    return "".join(word.capitalize() for word in expectation.split("_"))


_COUNTING: dict[type, type] = {}


def _counting(expectation: type) -> type:
    """The expectation, with its counts kept beside its verdict. Great Expectations drops them under BOOLEAN_ONLY."""
    if expectation not in _COUNTING:

        def _validate(self, metrics: Mapping, runtime_configuration=None, execution_engine=None):
            verdict = expectation._validate(self, metrics, runtime_configuration, execution_engine)
            return {"success": verdict["success"], "result": {}, "meta": _counts_of(metrics)}

        def configuration(self):
            # Asked for dozens of times an expectation and built anew each time: almost half of the whole validation.
            if self._kept is None:
                self._kept = expectation.configuration.fget(self)
            return self._kept

        from great_expectations.compatibility.pydantic import PrivateAttr

        _COUNTING[expectation] = type(
            "Counted" + expectation.__name__,
            (expectation,),
            {
                "_validate": _validate,
                "_kept": PrivateAttr(default=None),
                "configuration": property(configuration),
                "__module__": __name__,
            },
        )
    return _COUNTING[expectation]


def _counts_of(metrics: Mapping[str, Any]) -> dict[str, int]:
    rows = int(metrics["table.row_count"] or 0)
    missing = int(metrics.get("column_values.nonnull.unexpected_count") or 0)
    tested = int(metrics[name] or 0) if (name := _named(metrics, "filtered_row_count")) else rows - missing
    failing = _named(metrics, "unexpected_count", besides="column_values.nonnull")
    if failing is None:
        return {"tested": rows, "failed": missing}
    return {"tested": tested, "failed": int(metrics[failing] or 0)}


def _named(metrics: Mapping[str, Any], ending: str, besides: str = "\0") -> str | None:
    return next((name for name in metrics if name.endswith("." + ending) and not name.startswith(besides)), None)


def _of_which_rule(result: Any) -> tuple[str, str]:
    meta = result.expectation_config.meta
    return meta["suite"], meta["rule"]


def _count(result: Any) -> Count:
    """The allow-listed fields of one result, and nothing else of it."""
    counts = result.meta or {}
    if not {"tested", "failed"} <= set(counts):
        return Count(None, None, _exception_code(result.exception_info))
    tested, failed = int(counts["tested"]), int(counts["failed"])
    if bool(result.success) != (failed == 0):
        return Count(None, None, "ContradictoryResult")
    return Count(tested, failed)


def _exception_code(info: Any) -> str:
    """The class of the exception behind a result; its text quotes values and is never looked into further."""
    import psycopg2.errors
    import sqlalchemy.exc

    for word in str(info).replace("(", " ").replace(":", " ").replace(")", " ").split():
        name = word.rpartition(".")[2]
        if name.isidentifier() and (hasattr(psycopg2.errors, name) or name in sqlalchemy.exc.__dict__):
            return name
    return UNKNOWN_EXCEPTION


def _allowed_class(kind: type) -> str:
    return (
        kind.__name__
        if kind.__module__.partition(".")[0] in ("sqlalchemy", "psycopg2", "builtins")
        else UNKNOWN_EXCEPTION
    )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Great Expectations makes millions of objects; looking through all of them for cycles doubles a validation."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _silence() -> Iterator[None]:
    """Let nothing of Great Expectations into the logs while it runs: it logs the text of database errors."""
    loggers = [logging.getLogger(name) for name in _QUIET]
    before = [(logger.level, logger.propagate) for logger in loggers]
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.propagate = propagate
