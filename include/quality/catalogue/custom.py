"""Checks of one's own: a file in a folder, YAML or SQL, and nothing else to touch. README.md in that folder has the words."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg import sql

from include.quality.catalogue.check_types import FOLDER, CheckType, Instance, check_type, refuse
from include.quality.catalogue.results import Result, result
from include.quality.catalogue.subjects import Subject, read_subjects

SHIPPED = FOLDER / "custom"
_HEADER = re.compile(r"^--\s*([a-z]+):\s*(.*)$")
_WORDS = {"check", "subject", "asks", "kahn", "dimension", "threshold", "action", "owner", "applies", "fails", "tested", "failed", "column", "other", "values", "low", "high", "regex", "days"}  # fmt: skip
_SECONDS = 300


@dataclass(frozen=True, slots=True)
class SqlCheck:
    """A check in SQL: one select of two numbers, tested and failed, over the flat tables."""

    instance: Instance
    statement: str


def checks_folder() -> Path:
    """Where checks of one's own are: PLUMBLINE_CHECKS_DIR, else the folder beside this file."""
    return Path(os.environ.get("PLUMBLINE_CHECKS_DIR") or SHIPPED)


@lru_cache(maxsize=4)
def read_custom(folder: Path) -> tuple[tuple[Instance, ...], tuple[SqlCheck, ...]]:
    """Checks of a folder as (YAML ones, SQL ones). Raises SuiteError naming everything that is wrong at once."""
    problems: list[str] = []
    by_name = {subject.name: subject for subject in read_subjects()}
    instances = [_from_yaml(file, by_name, problems) for file in sorted(folder.glob("*.yml"))]
    statements = [_from_sql(file, by_name, problems) for file in sorted(folder.glob("*.sql"))]
    refuse(problems, str(folder.name))
    return tuple(filter(None, instances)), tuple(filter(None, statements))


def count(books: psycopg.Connection, checks: Sequence[SqlCheck]) -> Iterator[Result]:
    """Run each statement alone: it may only read, and it has five minutes."""
    for check in checks:
        try:
            with books.transaction(force_rollback=True):  # a temporary table could be written to even so
                books.execute("set local transaction_read_only = on")
                books.execute(sql.SQL("set local statement_timeout = {}").format(sql.Literal(f"{_SECONDS}s")))
                row = books.execute(sql.SQL(check.statement)).fetchone()
                tested, failed = (int(row[0] or 0), int(row[1] or 0)) if row and len(row) == 2 else (None, None)
            yield result(check.instance, tested, failed, error_code=None if tested is not None else "NotTwoNumbers")
        except (psycopg.Error, ValueError, TypeError) as problem:
            code = getattr(problem, "sqlstate", None) or type(problem).__name__
            yield result(check.instance, None, None, error_code=code)


def _kind(said: dict[str, Any], counted: bool, where: str, problems: list[str]) -> CheckType | None:
    words = {word: said[word] for word in ("asks", "kahn", "dimension", "threshold", "action", "applies", "fails", "tested", "failed") if word in said}  # fmt: skip
    if counted:
        words["counted"] = "custom"
    if not said.get("owner"):
        problems.append(f"{where} does not say its owner")
    kind = check_type(str(said.get("check") or ""), words, problems)
    return kind and replace(kind, name=str(said["check"]))


def _from_yaml(file: Path, subjects: dict[str, Subject], problems: list[str]) -> Instance | None:
    said = yaml.safe_load(file.read_text())
    if not isinstance(said, dict) or not said.get("check"):
        problems.append(f"{file.name} does not say check")
        return None
    problems += [f"{file.name}: unknown word {word}" for word in sorted(set(said) - _WORDS)]
    subject = subjects.get(said.get("subject"))
    if subject is None:
        problems.append(f"{file.name}: subject is one of {', '.join(subjects)}")
        return None
    kind = _kind(said, False, file.name, problems)
    named = [said[word] for word in ("column", "other") if said.get(word)]
    unknown = [name for name in named if name not in subject.columns]
    problems += [f"{file.name}: {name} is no column of {subject.name}" for name in unknown]
    if kind is None or unknown:
        return None
    arguments = {word: said[word] for word in ("other", "values", "low", "high", "regex", "days") if word in said}
    name = f"{subject.resource_type}.{kind.name}"
    return Instance(name, kind, subject.name, said.get("column"), kind.threshold, arguments)


def _from_sql(file: Path, subjects: dict[str, Subject], problems: list[str]) -> SqlCheck | None:
    text = file.read_text()
    headers = (_HEADER.match(line) for line in text.splitlines())
    said = {match.group(1): yaml.safe_load(match.group(2)) for match in headers if match}
    problems += [f"{file.name}: unknown word {word}" for word in sorted(set(said) - _WORDS)]
    if not said.get("check") or said.get("subject") not in subjects:
        problems.append(f"{file.name} says '-- check: name' and '-- subject: one of {', '.join(subjects)}'")
        return None
    kind = _kind(said, True, file.name, problems)
    if kind is None:
        return None
    subject = subjects[said["subject"]]
    # Braces and percent signs of the statement are its own.
    return SqlCheck(Instance(f"{subject.resource_type}.{kind.name}", kind, subject.name, None, kind.threshold), text)
