"""``python -m include.audit verify`` checks the trail; ``anchor`` checks it and seals its newest entry for the night."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date

from include.errors import PlumblineError
from include.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 where the trail holds, 1 where it does not or cannot be checked."""
    parser = argparse.ArgumentParser(prog="python -m include.audit", description=__doc__)
    parser.add_argument("verb", choices=("verify", "anchor"))
    parser.add_argument("--day", type=date.fromisoformat, help="YYYY-MM-DD; default: the night the settings name")
    asked = parser.parse_args(arguments)
    try:
        return _do(asked, Settings.from_environment())
    except PlumblineError as problem:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
        return 1


def _do(asked: argparse.Namespace, settings: Settings) -> int:
    from include.audit.anchor import anchor_trail, read_anchors, verify_trail

    if asked.verb == "anchor":
        print(f"entry {anchor_trail(asked.day or settings.night(), settings)} is anchored")
        return 0
    verdict = verify_trail(settings)
    if verdict.first_break:
        print(f"{verdict.first_break.kind}: {verdict.first_break.says}", file=sys.stderr)
        return 1
    print(f"{verdict.entries} entries hold; {len(read_anchors(settings))} anchors agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
