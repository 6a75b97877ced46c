"""Checks of one's own: a file in a folder, YAML or SQL, and nothing else to touch. README.md in that folder has the words."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from include.quality.catalogue.check_types import FOLDER, PIECES, CheckType, Instance, check_type, refuse
from include.quality.catalogue.marts import read_marts
from include.quality.catalogue.results import MART, Result, error_of, result
from include.quality.catalogue.subjects import OF_EVERY_ROW, Subject, read_subjects
from include.quality.suites import read_yaml

SHIPPED = FOLDER / "custom"
_HEADER = re.compile(r"^--\s*([a-z]+):\s*(.*)$")
_ASKED = ("asks", "kahn", "dimension", "threshold", "action", "applies", "fails", "tested", "failed")
_ARGUMENTS = ("other", "values", "low", "high", "regex", "days")
_WORDS = {"check", "subject", "owner", "column", *_ASKED, *_ARGUMENTS}
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
    problems: list[str] = [] if folder.is_dir() else [f"there is no folder {folder}"]
    by_name = {subject.name: subject for subject in (*read_subjects(), *(mart.subject for mart in read_marts()))}
    instances = [_from_yaml(file, by_name, problems) for file in sorted(folder.glob("*.yml"))]
    statements = [_from_sql(file, by_name, problems) for file in sorted(folder.glob("*.sql"))]
    names = Counter(each.name for each in filter(None, instances))
    names += Counter(each.instance.name for each in filter(None, statements))
    shipped = {each.name for subject in by_name.values() for each in subject.instances}
    problems += [
        f"{name} is there twice: give one another name" for name, n in names.items() if n > 1 or name in shipped
    ]
    refuse(problems, f"the checks in {folder.name}")
    return tuple(filter(None, instances)), tuple(filter(None, statements))


def of_stage(checks: Sequence[SqlCheck], stage: str) -> list[SqlCheck]:
    """Those of the checks that look at deliveries, or at marts."""
    marts = {mart.subject.name for mart in read_marts()}
    return [check for check in checks if (check.instance.subject in marts) == (stage == MART)]


def named_in(checks: Sequence[SqlCheck]) -> frozenset[str]:
    """Subjects that the statements name: their flat tables must be in one session."""
    words = {word.lower() for check in checks for word in re.findall(r"\w+", check.statement)}
    return frozenset(subject.name for subject in read_subjects() if subject.name in words)


def count(books: psycopg.Connection, checks: Sequence[SqlCheck]) -> Iterator[Result]:
    """Run each statement alone: it may only read, and it has five minutes."""
    for check in checks:
        try:
            with books.transaction(force_rollback=True):  # a temporary table could be written to even so
                books.execute("set local transaction_read_only = on")
                books.execute(sql.SQL("set local statement_timeout = {}").format(sql.Literal(f"{_SECONDS}s")))
                row = books.execute(sql.SQL(check.statement)).fetchone()
                tested, failed = (int(row[0] or 0), int(row[1] or 0)) if row and len(row) == 2 else (None, None)
            wrong = (
                None if tested is not None else ("NotTwoNumbers", "it does not select two numbers, tested and failed")
            )
        except (psycopg.Error, ValueError, TypeError) as problem:
            tested = failed = None
            wrong = error_of(problem)
        yield result(check.instance, tested, failed, error=wrong)


def _kind(said: Mapping[str, Any], counted: bool, where: str, problems: list[str]) -> CheckType | None:
    words = {word: said[word] for word in _ASKED if word in said}
    if counted:
        words["counted"] = "custom"
    if not said.get("owner"):
        problems.append(f"{where} does not say its owner")
    wrong: list[str] = []
    kind = check_type(str(said["check"]), words, wrong)
    problems += [f"{where}: {problem}" for problem in wrong]
    return kind and replace(kind, name=str(said["check"]))


def _from_yaml(file: Path, subjects: Mapping[str, Subject], problems: list[str]) -> Instance | None:
    said = read_yaml(file, problems)
    subject = _subject(file, said, subjects, problems)
    if subject is None:
        return None
    kind = _kind(said, False, file.name, problems)
    named = [said[word] for word in ("column", "other") if said.get(word)]
    wrong = [
        f"{name} is no column of {subject.name}; it has {', '.join(sorted(subject.columns))}"
        for name in named if name not in subject.columns and name not in OF_EVERY_ROW
    ]  # fmt: skip
    wrong += _piece_problems(said)
    problems += [f"{file.name}: {problem}" for problem in wrong]
    if kind is None or wrong:
        return None
    arguments = {word: said[word] for word in _ARGUMENTS if word in said}
    return Instance(_name(subject, kind), kind, subject.name, said.get("column"), kind.threshold, arguments)


def _from_sql(file: Path, subjects: Mapping[str, Subject], problems: list[str]) -> SqlCheck | None:
    text = file.read_text()
    headers = (_HEADER.match(line) for line in text.splitlines())
    said = {match.group(1): _header_value(file, *match.groups(), problems) for match in headers if match}
    subject = _subject(file, said, subjects, problems)
    kind = _kind(said, True, file.name, problems) if subject else None
    if kind is None:
        return None
    # Braces and percent signs of the statement are its own.
    return SqlCheck(Instance(_name(subject, kind), kind, subject.name, None, kind.threshold), text)


def _header_value(file: Path, word: str, text: str, problems: list[str]) -> Any:
    """Words as they stand; the two that are no words, read."""
    if word == "kahn":
        return [None if each == "null" else each for each in (part.strip() for part in text.strip("[] ").split(","))]
    if word != "threshold":
        return text.strip()
    try:
        return float(text)
    except ValueError:
        problems.append(f"{file.name}: threshold is a share from 0 to 1")
        return 0.0


def _subject(
    file: Path, said: Mapping[str, Any], subjects: Mapping[str, Subject], problems: list[str]
) -> Subject | None:
    """The subject that a file names; None with what is wrong told where it names none."""
    problems += [f"{file.name}: unknown word {word}" for word in sorted(set(said) - _WORDS)]
    if not said:
        problems.append(f"{file.name} says nothing: it needs at least check, subject and owner")
        return None
    problems += [f"{file.name} does not say {word}" for word in ("check", "subject") if not said.get(word)]
    if said.get("subject") and said["subject"] not in subjects:
        problems.append(f"{file.name}: subject {said['subject']} is none of {', '.join(subjects)}")
    return subjects.get(said.get("subject")) if said.get("check") else None


def _piece_problems(said: Mapping[str, Any]) -> Iterator[str]:
    """What a piece of SQL leaves open: a name in braces that the file does not say, or braces of its own."""
    for word in ("applies", "fails", "tested", "failed"):
        text = str(said.get(word) or "").replace("{{", "").replace("}}", "")
        named = set(re.findall(r"\{([^{}]*)\}", text))
        for name in sorted(named - {"latest", *(piece for piece in PIECES if piece in said)}):
            yield (
                f"{word} has {{{name}}}, which the file does not say" if name in PIECES
                else f"{word} has {{{name}}}: braces stand for {', '.join(PIECES)}; write others twice"
            )  # fmt: skip
        if not isinstance(said.get(word), str | None):
            yield f"{word} is not a text: put it in quotation marks"


def _name(subject: Subject, kind: CheckType) -> str:
    label = subject.name.replace("mart_", "mart.", 1) if subject.name.startswith("mart_") else subject.resource_type
    return f"{label}.{kind.name}"
