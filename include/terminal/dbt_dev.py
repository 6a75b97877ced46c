"""dbt for data teams: in schemas of one's own, on last night's data, deferring to last night's build."""

from __future__ import annotations

import getpass
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psycopg
from psycopg import sql

from include.errors import PlumblineError
from include.settings import Settings
from include.warehouse.build import PROJECT, dbt_environment, forget_messages
from include.warehouse.connect import connect
from include.warehouse.dbt_variables import dbt_variables

# dbt's commands that read the project's variables.
_WITH_VARS = {
    "build",
    "run",
    "test",
    "seed",
    "snapshot",
    "compile",
    "parse",
    "ls",
    "list",
    "show",
    "docs",
    "run-operation",
}
# What Postgres says besides "violates" and "invalid input": the row, its key, the text that is no date.
_QUOTES_A_ROW = re.compile(r"\s*(DETAIL|CONTEXT): ")
_QUOTES_A_VALUE = re.compile(r"((?:invalid input syntax|invalid value|out of range|invalid \w+) for [^:]*): \".*\"")


class DbtError(PlumblineError):
    """dbt cannot run, or there is nothing to compare."""


def run_dbt_as_developer() -> int:
    """``make dbt ARGS=…``: dbt with the arguments of DBT_ARGS, in ``dev_<user>_…``. Returns dbt's own exit code."""
    settings = Settings.from_environment(os.environ)
    arguments = shlex.split(os.environ.get("DBT_ARGS") or "")
    if not arguments:
        raise DbtError(
            found="no command for dbt",
            expected="""for example make dbt ARGS="build -s state:modified+" """.strip(),
            action="say what dbt should do",
        )
    environment = developer_environment(settings)
    with subprocess.Popen(
        dbt_command(arguments, settings), env=environment, stdout=subprocess.PIPE, text=True, errors="replace"
    ) as dbt:
        for line in dbt.stdout:
            print(withhold(line), end="", flush=True)
    results = Path(environment["DBT_TARGET_PATH"]) / "run_results.json"
    if results.is_file():
        forget_messages(results)
    return dbt.returncode


def withhold(line: str) -> str:
    """A line of dbt's output without what a database's error quotes of a row."""
    if _QUOTES_A_ROW.match(line):
        return "  (a row is quoted here; it is withheld)\n"
    return _QUOTES_A_VALUE.sub(r'\1: "…"', line)


def dbt_command(arguments: list[str], settings: Settings) -> list[str]:
    """dbt's command line: the arguments as given, and last night's date where the command reads variables."""
    program = str(Path(sys.executable).with_name("dbt"))
    given = "--vars" in arguments or not _WITH_VARS & set(arguments)
    night = [] if given else ["--vars", json.dumps(dbt_variables(last_built_night(settings)))]
    return [program, *arguments, *night]


def developer_environment(settings: Settings, target: str = "dev", folder: str = "dev") -> dict[str, str]:
    """dbt's environment for a person: own schemas, own target folder, last night's build as the state to defer to."""
    state = settings.home / "dbt" / "target"
    ours = {
        "DBT_PROJECT_DIR": str(PROJECT),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_TARGET": target,
        "DBT_TARGET_PATH": str(settings.home / "dbt" / folder),
        "PLUMBLINE_DEV_USER": developer(),
        "TERM": os.environ.get("TERM", "dumb"),
        "DBT_USE_COLORS": str(sys.stdout.isatty() and not os.environ.get("NO_COLOR")).lower(),
    }
    deferring = {"DBT_STATE": str(state), "DBT_DEFER": "true"} if (state / "manifest.json").is_file() else {}
    return {**dbt_environment(settings), **ours, **(deferring if target == "dev" else {})}


def developer() -> str:
    """Whose schemas: PLUMBLINE_DEV_USER, else the account's name, in the letters that a schema's name may have."""
    name = os.environ.get("PLUMBLINE_DEV_USER") or getpass.getuser()
    return re.sub(r"[^a-z0-9_]", "_", name.lower())


def last_built_night(settings: Settings) -> date:
    """The night whose marts stand."""
    with connect("transformer", "hot", settings) as hot:
        row = hot.execute(
            "select coalesce((select night from quality.build_state), (select max(night) from lifecycle.night))"
        ).fetchone()
    if row[0] is None:
        raise DbtError(
            found="no night has been built here yet",
            expected="last night's marts to work against",
            action="run 'make nightly' first",
        )
    return row[0]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a change does to one model's rows. ``changed`` counts, per column, values that are not in the other."""

    model: str
    before: int | None
    after: int
    gone: int
    new: int
    added_columns: tuple[str, ...]
    removed_columns: tuple[str, ...]
    changed: Mapping[str, int]

    @property
    def is_none(self) -> bool:
        """True where the model is as last night, in rows and in columns."""
        return self.before is not None and not (self.gone or self.new or self.added_columns or self.removed_columns)


def show_differences() -> int:
    """``make dbt-diff``: every model in your schemas against last night's, in rows and columns, never in values."""
    settings = Settings.from_environment(os.environ)
    with connect("transformer", "hot", settings) as hot:
        differences = [compare(hot, *pair) for pair in built_by(hot, developer())]
    if not differences:
        raise DbtError(
            found=f"no model stands in the schemas dev_{developer()}_…",
            expected="a change of yours that has been built",
            action='run make dbt ARGS="build -s state:modified+" first',
        )
    for difference in differences:
        if not difference.is_none:
            print("\n".join(describe(difference)))
    print(f"{sum(difference.is_none for difference in differences)} of {len(differences)} models are unchanged")
    return 0


def built_by(hot: psycopg.Connection, user: str) -> list[tuple[str, str, str]]:
    """Developer's schema, nightly schema and name of every table or view that the developer built."""
    prefix = f"dev_{user}_"
    rows = hot.execute(
        """select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where starts_with(n.nspname, %s) and c.relkind in ('r', 'v', 'm', 'p') order by 1, 2""",
        [prefix],
    ).fetchall()
    return [(schema, schema.removeprefix(prefix), name) for schema, name in rows]


def compare(hot: psycopg.Connection, ours: str, theirs: str, name: str) -> Difference:
    """Compare two relations as bags of rows over the columns they share."""
    mine, nightly = _columns(hot, ours, name), _columns(hot, theirs, name)
    after = _count(hot, ours, name)
    if not nightly:
        return Difference(f"{theirs}.{name}", None, after, 0, after, tuple(mine), (), {})
    shared = [column for column in mine if column in nightly]
    changed = {column: _only_in(hot, (ours, theirs), name, [column]) for column in shared}
    return Difference(
        model=f"{theirs}.{name}",
        before=_count(hot, theirs, name),
        after=after,
        gone=_only_in(hot, (theirs, ours), name, shared),
        new=_only_in(hot, (ours, theirs), name, shared),
        added_columns=tuple(column for column in mine if column not in nightly),
        removed_columns=tuple(column for column in nightly if column not in mine),
        changed={column: count for column, count in changed.items() if count},
    )


def describe(difference: Difference) -> Iterable[str]:
    """Lines for a person."""
    if difference.before is None:
        yield f"{difference.model}: new, {difference.after:,} rows"
        return
    rows = f"{difference.before:,} rows, now {difference.after:,}"
    yield f"{difference.model}: {rows}" + (", unchanged" if difference.is_none else "")
    if difference.gone or difference.new:
        yield f"  {difference.gone:,} rows are gone or changed, {difference.new:,} are new or changed"
    for column, count in sorted(difference.changed.items(), key=lambda item: -item[1]):
        yield f"  {column}: {count:,} values differ"
    for word, columns in (("added", difference.added_columns), ("removed", difference.removed_columns)):
        if columns:
            yield f"  columns {word}: {', '.join(columns)}"


def _columns(hot: psycopg.Connection, schema: str, name: str) -> list[str]:
    rows = hot.execute(
        """select attname from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
           where (n.nspname, c.relname) = (%s, %s) and attnum > 0 and not attisdropped order by attnum""",
        [schema, name],
    ).fetchall()
    return [row[0] for row in rows]


def _count(hot: psycopg.Connection, schema: str, name: str) -> int:
    return hot.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, name))).fetchone()[0]


def _only_in(hot: psycopg.Connection, schemas: tuple[str, str], name: str, columns: list[str]) -> int:
    """How many rows of the first relation, over these columns as text, have no partner in the second."""
    if not columns:
        return 0
    chosen = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in columns)
    sides = [sql.SQL("select {} from {}").format(chosen, sql.Identifier(schema, name)) for schema in schemas]
    query = sql.SQL("select count(*) from ({} except all {}) as only_here").format(*sides)
    return hot.execute(query).fetchone()[0]
