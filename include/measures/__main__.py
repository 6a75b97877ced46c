"""``python -m include.measures deck PATH --out results.csv``: the measures on test decks. ``--help`` lists the commands."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from pathlib import Path

from include.command import run_command
from include.local_stack import stack
from include.settings import Settings
from include.warehouse.build import PROJECT


def main(arguments: list[str] | None = None) -> int:
    """Run a command. 0, 1 where cases differ or could not be evaluated, 2 where it cannot be done."""
    given = _parser().parse_args(arguments)
    return run_command("measures", lambda: given.run(given, _settings()))


def _settings() -> Settings:
    """Of the installation; of the embedded stack, started where it does not run, if no server is named."""
    if not os.environ.get("PLUMBLINE_PG_HOST"):
        stack.up(Path(os.environ.get("PLUMBLINE_HOME") or ".local").resolve(), say=_say)
    return Settings.from_environment(os.environ)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _deck(given: argparse.Namespace, settings: Settings) -> int:
    from include.measures.deck_run import run_decks, shown, write_csv

    results = run_decks(given.path, settings, say=_say)
    write_csv(results, given.out)
    for line in shown(results):
        print(line)
    print(f"written to {given.out}")
    return 0 if all(each.agree == "yes" for each in results) else 1


def _terminology(given: argparse.Namespace, settings: Settings) -> int:
    from include.terminology.load import terminology_folder
    from include.terminology.value_sets import read_terminology

    folder = given.path or terminology_folder()
    said = read_terminology([folder] if folder else [])
    with (PROJECT / "seeds" / "ecqm_value_sets.csv").open(newline="") as lines:
        needed = list(csv.DictReader(lines))
    print(f"{len(said.value_sets)} value sets in {folder or 'no folder: PLUMBLINE_TERMINOLOGY is not set'}")
    for row in needed:
        found = said.value_sets.get(row["oid"])
        state = f"{len(found.codes):6} codes, version {found.version or 'unknown'}" if found else "missing"
        print(f"  {row['oid']:42} {row['title'][:58]:58} {row['measures'].upper():28} {state}")
    for problem in said.problems:
        print(f"  not used: {problem}")
    return 0 if all(row["oid"] in said.value_sets for row in needed) else 1


def _reports(given: argparse.Namespace, settings: Settings) -> int:
    from include.measures.fhir_reports import write_reports

    written = write_reports(given.folder, settings, given.base)
    print(", ".join(f"{count} {kind}" for kind, count in written.items()) + f" written to {given.folder}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.measures", description=__doc__)
    commands = parser.add_subparsers(required=True)
    deck = commands.add_parser("deck", help="evaluate a folder of test cases with the night's measure models")
    deck.add_argument("path", type=Path, help="a deck (a folder with cases/) or a folder of several")
    deck.add_argument(
        "--out",
        type=Path,
        default=Path("measures.csv"),
        help="CSV to write: a row a case, expected and actual of each population",
    )
    deck.set_defaults(run=_deck)
    terminology = commands.add_parser(
        "terminology", help="which value sets of the CMS measures a terminology folder holds"
    )
    terminology.add_argument("path", type=Path, nargs="?", help="folder to look at (default: PLUMBLINE_TERMINOLOGY)")
    terminology.set_defaults(run=_terminology)
    reports = commands.add_parser("reports", help="the published results as FHIR Measure and MeasureReport (NDJSON)")
    reports.add_argument("folder", type=Path, help="folder for Measure.ndjson and MeasureReport.ndjson")
    reports.add_argument(
        "--base", default="urn:plumbline", help="what canonical addresses begin with (default: urn:plumbline)"
    )
    reports.set_defaults(run=_reports)
    return parser


if __name__ == "__main__":
    sys.exit(main())
