"""`python -m include.sample make --out FOLDER` writes the sample; `score` compares a night with its answer key; `coverage` tries intervals."""

import argparse
import sys
import time
from datetime import date
from pathlib import Path

from include.command import day, run_command
from include.sample.make import DEFAULT_NIGHT, DEFAULT_PEOPLE, DEFAULT_SEED, Request, make_sample
from include.sample.next_night import make_next_night
from include.sample.score import read_key


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 2 not possible as asked."""
    given = _parser().parse_args(arguments)
    return run_command("sample", lambda: given.run(given))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.sample", description=__doc__)
    commands = parser.add_subparsers(required=True)
    make = commands.add_parser("make", help="write every source's delivery of one night and the answer key")
    make.add_argument(
        "--out", type=Path, required=True, help="folder to write to; what an earlier run wrote is replaced"
    )
    make.add_argument("--seed", type=int, default=DEFAULT_SEED)
    make.add_argument("--people", type=int, default=DEFAULT_PEOPLE)
    make.add_argument("--night", type=day, default=DEFAULT_NIGHT, help="the first night, YYYY-MM-DD")
    make.add_argument(
        "--day", type=int, default=0, help="deliver this many nights after the first one: only what is new since"
    )
    make.add_argument("--next-night", dest="day", action="store_const", const=1, help="the same as --day 1")
    make.set_defaults(run=_make)
    score = commands.add_parser(
        "score", help="compare a night that ran on the sample with its answer key; exit 1 where it falls short"
    )
    score.add_argument("--sample", type=Path, required=True, help="the folder that `make` wrote")
    score.add_argument("--night", type=day, default=DEFAULT_NIGHT)
    score.add_argument("--day", type=int, help="the delivery that the night took in; without it, the night's own")
    score.set_defaults(run=_score)
    coverage = commands.add_parser(
        "coverage", help="how often intervals hold the planted sizes, over many seeds; exit 1 where too seldom"
    )
    coverage.add_argument("--seeds", type=int, default=200)
    coverage.add_argument("--people", type=int, default=DEFAULT_PEOPLE)
    coverage.set_defaults(run=_coverage)
    return parser


def _score(given: argparse.Namespace) -> int:
    from include.sample.scoring import score_night

    scored = score_night(_key_of(given.sample / "answer_key", given.night, given.day), given.night)
    print(scored)
    failures = scored.failures()
    print("\n" + ("\n".join(f"FALLS SHORT: {failure}" for failure in failures) or "All as the key says."))
    return 1 if failures else 0


def _key_of(key: Path, night: date, day: int | None) -> Path:
    """The key of the delivery that a night took in: of so many nights after the first, where there was one."""
    first = date.fromisoformat(read_key(key)["night"])
    later = key / f"day_{(night - first).days if day is None else day}"
    return later if later.is_dir() else key


def _coverage(given: argparse.Namespace) -> int:
    from include.sample.coverage import measure_coverage
    from include.sample.tables import coverage_table

    covered = measure_coverage(range(given.seeds), given.people, DEFAULT_NIGHT)
    print(coverage_table(covered))
    short = [each for each in covered if each.falls_short]
    print(
        "\n"
        + (
            "\n".join(f"FALLS SHORT: {each.measure}, {each.what}" for each in short)
            or "Intervals hold what they claim."
        )
    )
    return 1 if short else 0


def _make(given: argparse.Namespace) -> int:
    began = time.monotonic()
    request = Request(given.out, given.seed, given.people, given.night, given.day)
    path = make_next_night(request) if request.day else make_sample(request)
    size = sum(file.stat().st_size for file in given.out.rglob("*") if file.is_file())
    print(f"{given.people:,} people, {size / 1e6:.1f} MB in {time.monotonic() - began:.1f} s: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
