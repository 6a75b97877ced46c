"""``python -m include.audit verify`` checks the trail; ``anchor`` checks it and seals its newest entry for the night;
``export`` prints it as FHIR AuditEvents (NDJSON; --after NUMBER); ``access`` lists who can read what, when they last acted and
what nobody used for 90 days; ``watch`` has the trail tell of changed policies and grants, of refused logins, and of tables read and sessions opened by hand."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from include.command import day, run_command
from include.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 where the trail holds, 1 where it does not, 2 where it cannot be checked."""
    parser = argparse.ArgumentParser(prog="python -m include.audit", description=__doc__)
    parser.add_argument("verb", choices=("verify", "anchor", "export", "access", "watch"))
    parser.add_argument("--day", type=day, help="YYYY-MM-DD; default: the night the settings name")
    parser.add_argument("--after", type=int, default=0, help="export: entries later than this number")
    asked = parser.parse_args(arguments)
    return run_command(f"audit {asked.verb}", lambda: _do(asked, Settings.from_environment()))


def _do(asked: argparse.Namespace, settings: Settings) -> int:
    from include.audit.anchor import anchor_trail, read_sealed, verify_trail

    if asked.verb == "anchor":
        print(f"entry {anchor_trail(asked.day or settings.night(), settings)} is anchored")
        return 0
    if asked.verb in _OTHERS:
        return _OTHERS[asked.verb](asked, settings)
    verdict = verify_trail(settings)
    if verdict.first_break:
        print(f"{verdict.first_break.kind}: {verdict.first_break.says}", file=sys.stderr)
        return 1
    sealed = read_sealed(settings)
    print("\n".join([f"{verdict.entries} entries hold; {len(sealed.anchors)} anchors agree", *sealed.restored]))
    return 0


def _export(asked: argparse.Namespace, settings: Settings) -> int:
    import orjson

    from include.audit.fhir_export import export_events

    for event in export_events(settings, asked.after):
        sys.stdout.buffer.write(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))
    return 0


def _access(asked: argparse.Namespace, settings: Settings) -> int:
    from include.audit.access import review_access, show_review

    print(show_review(review_access(settings)))
    return 0


def _watch(asked: argparse.Namespace, settings: Settings) -> int:
    from include.audit.access import note_changes

    counts = note_changes(settings)
    print(
        f"the trail tells of {', '.join(f'{name.replace(chr(95), chr(32))} {count}' for name, count in counts.items())}"
    )
    return 0


_OTHERS = {"export": _export, "access": _access, "watch": _watch}


if __name__ == "__main__":
    sys.exit(main())
