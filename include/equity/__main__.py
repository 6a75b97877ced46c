"""``python -m include.equity table groups.csv summary.csv``: summary measures of inequality for anyone's table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from include.command import run_command
from include.equity.policy import EquityPolicy
from include.equity.reading import TableError
from include.equity.table import summarise_table


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns 0, or 2 where the table cannot be read as asked."""
    given = _parser().parse_args(arguments)
    return run_command("equity", lambda: _summarise(given))


def _summarise(given: argparse.Namespace) -> None:
    if not given.table.is_file():
        raise TableError(
            found=f"there is no file {given.table}",
            expected="a CSV with the columns of WHO's HEAT",
            action="give TABLE=path/to/groups.csv OUT=summary.csv, or MEASURE=measure_id for a published measure",
        )
    errors = EquityPolicy.load().weak_evidence_errors
    written = summarise_table(given.table, given.out, given.confidence, errors)
    print(f"{written} measures written to {given.out}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.equity", description=__doc__)
    commands = parser.add_subparsers(required=True)
    table = commands.add_parser("table", help="summarise a table with the columns of WHO's HEAT")
    table.add_argument("table", type=Path, help="CSV: one row a setting, date, indicator, dimension and subgroup")
    table.add_argument("out", type=Path, help="CSV to write: one row an indicator, dimension and measure")
    table.add_argument("--confidence", type=float, default=0.95, help="level of the intervals, between 0 and 1")
    return parser


if __name__ == "__main__":
    sys.exit(main())
