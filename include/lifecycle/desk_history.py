"""The desk's verb for questions over the whole history."""

from __future__ import annotations

import sys

from include.settings import Settings


def add_verbs(add, asked_by) -> None:
    """Add ``history``; ``asked_by(parser)`` adds purpose, actor and wait."""
    from include.lifecycle.history import DEFAULT_SELECT

    history = asked_by(add("history", _history))
    history.add_argument("dataset", help="a resource type such as Observation, or a table's name")
    history.add_argument("--query", required=True, help="SQL over table history, in DuckDB's words")
    history.add_argument(
        "--select", default=DEFAULT_SELECT, help=f"what of each row to keep; default: {DEFAULT_SELECT}"
    )
    history.add_argument("--source", help="of this source only")
    history.add_argument("--cost", action="store_true", help="only say what it would read and cost")


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
