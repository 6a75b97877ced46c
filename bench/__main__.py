"""``make bench``: every benchmark, as ratios to what the machine can do at best, all measured in one run.

``make bench ARGS=night`` runs one of them. Absolute times vary between machines; ratios much less.
"""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = ("load", "hl7v2", "critical", "text", "quality", "night", "tiering", "audit")


def main(wanted: list[str]) -> int:
    """Run the named benchmarks, or all. Each prints a table and returns nothing."""
    unknown = sorted(set(wanted) - set(BENCHMARKS))
    if unknown:
        print(f"bench: unknown {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in wanted or BENCHMARKS:
        print(f"\n== {name}\n", flush=True)
        importlib.import_module(f"bench.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
