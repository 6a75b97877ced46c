"""``python -m include.equity table groups.csv summary.csv``: summary measures of inequality for anyone's table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from include.equity.policy import EquityPolicy
from include.equity.table import summarise_table
from include.errors import PlumblineError


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns 0, or 2 where the table cannot be read as asked."""
    given = _parser().parse_args(arguments)
    try:
        errors = EquityPolicy.load().weak_evidence_errors
        written = summarise_table(given.table, given.out, given.confidence, errors)
    except PlumblineError as error:
        print(f"equity: {error}", file=sys.stderr)
        return 2
    except FileNotFoundError:
        print(f"equity: there is no file {given.table}; give TABLE=path/to/groups.csv", file=sys.stderr)
        return 2
    print(f"{written} measures written to {given.out}")
    return 0


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
