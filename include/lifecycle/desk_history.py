"""The desk's verbs for questions over the whole history: asked here, or of files opened for an engine of one's own."""

from __future__ import annotations

import sys
from pathlib import Path

from include.settings import Settings


def add_verbs(add, asked_by) -> None:
    """Add ``history`` and ``unseal``; ``asked_by(parser)`` adds purpose, actor and wait."""
    from include.lifecycle.history import DEFAULT_SELECT

    history = asked_by(add("history", _history))
    history.add_argument("dataset", help="a resource type such as Observation, or a table's name")
    history.add_argument("--query", required=True, help="SQL over table history, in DuckDB's words")
    history.add_argument(
        "--select", default=DEFAULT_SELECT, help=f"what of each row to keep; default: {DEFAULT_SELECT}"
    )
    history.add_argument("--source", help="of this source only")
    history.add_argument("--cost", action="store_true", help="only say what it would read and cost")
    unseal = asked_by(add("unseal", _unseal))
    unseal.add_argument("--class", dest="data_class", help="files of this data class only")
    unseal.add_argument("--year", type=int, help="files of this event year only")
    unseal.add_argument("--table", help="files of this table of schema raw only (resource: FHIR resources)")
    unseal.add_argument("--whole", action="store_true", help="records as they were received, identifiers included")
    unseal.add_argument(
        "--to", type=Path, metavar="FOLDER", help="a new folder; without it only what would be opened is shown"
    )


def _history(asked, settings: Settings) -> int:
    from include.lifecycle.history import ask_history, cost_of
    from include.lifecycle.work import open_work

    with open_work(asked.day, settings) as work:
        print(cost_of(work, asked.dataset, asked.source).told(), file=sys.stderr)
        if asked.cost:
            return 0
        answer = ask_history(
            work, asked.dataset, asked.query, purpose=asked.purpose, actor=asked.actor, select=asked.select,
            source=asked.source, wait_seconds=asked.wait,
        )  # fmt: skip
    print("\t".join(answer.columns))
    for row in answer.rows:
        print("\t".join("" if cell is None else str(cell) for cell in row))
    if answer.unreadable:
        print(f"{answer.unreadable} row(s) of erased persons cannot be read by anyone", file=sys.stderr)
    return 0


def _unseal(asked, settings: Settings) -> int:
    from include.lifecycle.unseal_files import choose_files, unseal_files
    from include.lifecycle.work import open_work

    with open_work(asked.day, settings) as work:
        files = choose_files(work, data_class=asked.data_class, event_year=asked.year, raw_table=asked.table)
        print(
            f"{len(files)} file(s), {sum(f.records for f in files)} record(s), {sum(f.bytes for f in files) / 1e6:.1f} MB sealed"
        )
        if not files or asked.to is None:
            print("Nothing was opened. --to FOLDER writes them in clear; the trail will say who asked and what for.")
            return 0
        counts = unseal_files(
            work, files, asked.to, purpose=asked.purpose, actor=asked.actor, whole=asked.whole, wait_seconds=asked.wait
        )
    print(
        f"{counts['rows']} row(s) in {counts['files']} file(s) below {asked.to}; {counts['unreadable']} of erased persons do not open"
    )
    print(
        f"DuckDB: from read_parquet('{asked.to}/*/*/*.parquet', hive_partitioning = true); Spark: spark.read.parquet('{asked.to}')"
    )
    print("These rows are restricted data in clear. Delete the folder when the purpose is met.")
    return 0
