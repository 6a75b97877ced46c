"""The privacy officer's desk for persons: which records may be one person, and what was decided.

    python -m include.identity review                                     the likeliest pairs that wait
    python -m include.identity decide 17 accept --by "…" --reason "…"    they are one person
    python -m include.identity decide 17 reject --by "…" --reason "…"    they are two
    python -m include.identity decide TOKEN,TOKEN withdraw --by "…" --reason "…"

Shows tokens and how traits agree, never what they say. A decision is followed from the next night on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from uuid import UUID

from include.command import run_command
from include.identity.decisions import VERDICTS, Review, decide, list_reviews


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the review list or write a decision down. Returns 0, or 2 with the error's text on stderr."""
    asked = _parser().parse_args(arguments)
    return run_command("identity", lambda: _do(asked))


def _do(asked: argparse.Namespace) -> None:
    if asked.verb == "review":
        _show(*list_reviews(limit=asked.limit))
    else:
        one, other = decide(asked.pair, asked.verdict, by=asked.by, reason=asked.reason)
        print(f"Written down: {asked.verdict} {one} and {other}. The next night follows it.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.identity", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    review = verbs.add_parser("review", help="pairs of records that may be one person, the likeliest first")
    review.add_argument("--limit", type=int, default=50, help="how many to show (50)")
    decision = verbs.add_parser("decide", help="say whether two records are one person")
    decision.add_argument(
        "pair", type=_pair, help="a number of the review list, or two person tokens joined by a comma"
    )
    decision.add_argument("verdict", choices=VERDICTS)
    decision.add_argument("--by", required=True, help="who decides; it goes into the audit trail")
    decision.add_argument("--reason", required=True, help="why; it goes into the audit trail")
    return parser


def _pair(said: str) -> int | tuple[UUID, UUID]:
    if said.isdigit():
        return int(said)
    try:
        one, other = map(UUID, said.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError("neither a number of the list nor two tokens joined by a comma") from None
    return one, other


def _show(reviews: Sequence[Review], waiting: int) -> None:
    if not reviews:
        print("No records wait for a decision.")
        return
    print(f"{'no':>6}  {'chance':>7}  {'sources':24}{'since':12}agreement")
    for each in reviews:
        agree = ", ".join(f"{trait.replace('_', ' ')} {level}" for trait, level in each.levels.items())
        print(
            f"{each.review_no:6}  {each.chance:7.3f}  {' + '.join(each.sources):24}{each.first_night:%Y-%m-%d}  {agree}"
        )
        print(f"{'':41}{each.why}; tokens {each.one},{each.other}")
    print(
        f"{waiting} pairs wait in all. Decide with 'python -m include.identity decide NO accept|reject --by WHO --reason WHY'."
    )


if __name__ == "__main__":
    sys.exit(main())
