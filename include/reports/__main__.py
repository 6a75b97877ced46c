"""``python -m include.reports measure <measure_id>``: a published measure and its gaps in the terminal; ``page``: as HTML;
``anonymity``: how well people are hidden in the row-level marts."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date
from pathlib import Path

from include.command import run_command
from include.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run a command. Returns 0, or 2 where what was asked for is not there."""
    given = _parser().parse_args(arguments)
    return run_command("equity", lambda: given.run(given, Settings.from_environment(os.environ)))


def _print_measure(given: argparse.Namespace, settings: Settings) -> int:
    from include.equity.shown import view_measure
    from include.reports.equity_text import lines_of
    from include.reports.facts import ReportError
    from include.reports.findings import find_gaps, not_known
    from include.reports.published import read_published

    published = read_published(settings, given.measure)
    view = view_measure(published.measures[0], published.results, published.disparities)
    if view is None:
        raise ReportError(
            found=f"{given.measure} has no results", expected="a night that computed it", action="run 'make nightly'"
        )
    names = [dimension.name for dimension in view.dimensions]
    if given.dimension and given.dimension not in names:
        raise ReportError(
            found=f"there is no dimension {given.dimension!r} in {given.measure}",
            expected=f"one of {', '.join(names)}",
            action="give DIMENSION= one of these, or leave it out for all",
        )
    for line in lines_of(view, find_gaps(published), published.night, given.dimension):
        print(line)
    for said in not_known(published.results):
        print(said)
    return 0


def _write_page(given: argparse.Namespace, settings: Settings) -> int:
    from include.reports.equity_page import write_equity_page

    print(f"equity page written to {write_equity_page(given.out, settings, shapes=given.shapes)}")
    return 0


def _print_anonymity(given: argparse.Namespace, settings: Settings) -> int:
    from include.reports.anonymity_part import lines_of, read_anonymity

    for line in lines_of(*read_anonymity(settings, given.day or settings.day)):
        print(line)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.reports", description=__doc__)
    commands = parser.add_subparsers(required=True)
    measure = commands.add_parser("measure", help="rates by group, gaps, summaries and trends of a published measure")
    measure.add_argument("measure", help="measure_id of measures.catalogue")
    measure.add_argument("--dimension", help="one dimension only: race_ethnicity, payer, …")
    measure.set_defaults(run=_print_measure)
    page = commands.add_parser("page", help="all published measures and their gaps as one page of HTML")
    page.add_argument("out", type=Path, help="HTML file to write")
    page.add_argument("--shapes", type=Path, help="GeoJSON of areas with a property zip3 or state, for a map")
    page.set_defaults(run=_write_page)
    anonymity = commands.add_parser("anonymity", help="how well people are hidden in the row-level marts of a night")
    anonymity.add_argument("--day", type=date.fromisoformat, help="YYYY-MM-DD; the newest night where left out")
    anonymity.set_defaults(run=_print_anonymity)
    return parser


if __name__ == "__main__":
    sys.exit(main())
