"""``python -m include.privacy.text notes.jsonl out.jsonl``: notes, one JSON object a line, without their identifiers.

Reads lines {"id", "text", "known": {"names": [], "identifiers": [], "addresses": [], "dates": []}}; known and its parts may be
absent, and "person" may name whose note it is. Writes lines {"id", "text", "spans": [{"start", "end", "class"}]}, where start and end
are code points of the text as it came in. Lines that cannot be read go to <out>.rejects.jsonl with their place and reason.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from include.command import day, run_command
from include.privacy.date_shift import make_shifter
from include.privacy.keyring import load_keyring
from include.privacy.text.deidentify import Finder
from include.privacy.text.engines import load_engines
from include.privacy.text.lines import Rules, Summary, deidentify_file, rejects_of
from include.privacy.text.policy import PROFILES, TextPolicy
from include.privacy.text.surrogates import make_inventor
from include.privacy.tokens import Tokeniser


def main(arguments: list[str] | None = None) -> int:
    """De-identify a file. Returns 0; 1 if no line could be used; 2 if it could not begin."""
    given = _parser().parse_args(arguments)
    return run_command("deidentify", lambda: _deidentify(given))


def _deidentify(given: argparse.Namespace) -> int:
    policy = TextPolicy.load()
    rules = _rules(policy, given)
    finder = Finder(rules.today, load_engines(policy.engines))
    summary = deidentify_file(given.notes, given.out, finder, rules, _progress)
    _print(summary, given.out)
    return 1 if summary.refused_count and not summary.notes else 0


def _rules(policy: TextPolicy, given: argparse.Namespace) -> Rules:
    profile = given.profile or policy.profile
    folder = os.environ.get("PLUMBLINE_KEYRING_DIR") or Path(os.environ.get("PLUMBLINE_HOME") or ".local") / "keyring"
    days_of = None
    if profile == "expert_determination":
        days_of = make_shifter(Tokeniser(load_keyring(Path(folder)).token_key), policy.most_days_shifted)
    inventor_of = None
    if given.surrogates or policy.replacement == "surrogates":
        # With a keyring the same file gives the same surrogates; without one they are of this run only.
        has_keyring = (Path(folder) / "keyring.json").exists()
        key = load_keyring(Path(folder)).token_key if has_keyring else secrets.token_bytes(32)
        inventor_of = lru_cache(maxsize=1024)(lambda person: make_inventor(key, person))
    return Rules(given.today or datetime.now().astimezone().date(), days_of, inventor_of)


def _progress(share: float, summary: Summary) -> None:
    print(
        f"deidentify: {share:4.0%}, {summary.notes:,} notes, {summary.refused_count:,} lines refused",
        file=sys.stderr,
        flush=True,
    )


def _print(summary: Summary, out: Path) -> None:
    rate = summary.characters / 1e6 / max(summary.seconds, 1e-9)
    print(
        f"{summary.notes:,} notes, {summary.characters / 1e6:.1f} M characters in {summary.seconds:.1f} s ({rate:.1f} M a second): {out}"
    )
    for label, count in summary.spans.most_common():
        print(f"  {label:13} {count:>9,}")
    if not summary.refused_count:
        print("  no line refused")
        return
    print(f"  {summary.refused_count:,} lines refused: {rejects_of(out)}")
    for reason, places in summary.refused.items():
        shown = ", ".join(map(str, places[:8])) + (", …" if len(places) > 8 else "")
        print(f"    {reason}: line {shown}")
    print("    correct them there and run again; that file holds the lines as they came, identifiers included")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.privacy.text", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notes", type=Path, help="file to read, a JSON object a line")
    parser.add_argument("out", type=Path, help="file to write; replaced when the whole input was read")
    parser.add_argument("--surrogates", action="store_true", help="invented values instead of tags")
    parser.add_argument("--profile", choices=PROFILES, help="what becomes of dates (default: the policy's)")
    parser.add_argument("--today", type=day, help="day that ages over 89 count to (default: today)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
