"""Everything a night leaves outside of the databases: its page, logs, metrics, lineage, dbt's target, Airflow's own tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from psycopg import sql

from include.settings import Settings
from include.warehouse.connect import connect

FOLDERS = ("reports", "logs", "metrics", "lineage", "dbt")
# Files of servers, which say nothing of a night, and binary ones, which are searched as text all the same.
_AIRFLOW_TABLES = ("xcom", "log", "dag_run", "task_instance", "rendered_task_instance_fields", "import_error", "job")
_MOST_BYTES = 64 << 20


def iterate_files(home: Path) -> Iterator[tuple[str, str]]:
    """Yield (file below the home, line) of every file that a night writes."""
    for folder in FOLDERS:
        for file in sorted((home / folder).rglob("*")):
            if file.is_file() and file.stat().st_size <= _MOST_BYTES:
                place = str(file.relative_to(home))
                yield place, place
                for line in file.read_bytes().decode("utf-8", "replace").splitlines():
                    yield place, line


def iterate_airflow(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield (table, row as text) of Airflow's own tables that a task can write to: XComs, events, rendered fields."""
    with connect("airflow", "airflow", settings) as books:
        for table in _AIRFLOW_TABLES:
            if books.execute("select to_regclass(%s)", [table]).fetchone()[0] is None:
                continue
            rows = books.execute(sql.SQL("select t::text from {} t").format(sql.Identifier(table)))
            yield from ((f"airflow.{table}", row) for (row,) in rows)
