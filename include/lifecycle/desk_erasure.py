"""The desk's verbs about erasing a person: token, erase, erasures."""

from __future__ import annotations

import json
import sys
from uuid import UUID

from include.settings import Settings


def add_verbs(add, two_names) -> None:
    """Add the verbs; ``add(name, function)`` makes a parser, ``two_names(parser)`` adds reason and both names."""
    token = add("token", _token)
    token.add_argument("--source", required=True, help="the source that knows the person by the id on standard input")
    erase = two_names(add("erase", _erase))
    erase.add_argument("person", type=UUID, help="one of the person's tokens; all of them are erased")
    erase.add_argument("--do", action="store_true", help="erase; without it only what would be erased is shown")
    erase.add_argument("--no-rebuild", action="store_true", help="leave rebuilding the marts to the next night")
    erasures = add("erasures", _erasures)
    erasures.add_argument("--receipt", type=UUID, help="print one erasure's receipt")


def _token(asked, settings: Settings) -> int:
    """An id never stands on a command line, where history and process lists keep it."""
    from include.privacy.keyring import load_keyring
    from include.privacy.tokens import Tokeniser

    if sys.stdin.isatty():
        print(f"the id by which {asked.source} knows the person:", file=sys.stderr)
    known_as = _as_in_records(asked.source, sys.stdin.readline().rstrip("\r\n"), settings)
    print(Tokeniser(load_keyring(settings.keyring_dir).token_key).id_token(asked.source, "Patient", known_as))
    return 0


def _as_in_records(name: str, known_as: str, settings: Settings) -> str:
    """The id that records bear: messages, notes and pictures name a person by a number of which one is made."""
    from include.local_stack.home import last_sources
    from include.sources.registry import SourcesError, find_source, load_sources, reader_of

    reader = reader_of(find_source(load_sources(settings.sources_file or last_sources(settings.home)), name))
    try:
        return reader.patient_id(known_as) if hasattr(reader, "patient_id") else known_as
    except ValueError:
        raise SourcesError(
            found="no number on standard input",
            expected="the number as messages write it, number^^^authority^type",
            action="copy it from PID-3",
        ) from None


def _erase(asked, settings: Settings) -> int:
    from include.lifecycle.erase import erase_person, reach_of
    from include.lifecycle.work import open_work

    names = {"reason": asked.reason, "requested_by": asked.requested_by, "approved_by": asked.approved_by}
    with open_work(asked.day, settings) as work:
        if not asked.do:
            _show_reach(reach_of(work, asked.person))
            return 0
        erasure_id = erase_person(work, asked.person, **names)
        print(_summary(work.hot, erasure_id))
    if not asked.no_rebuild:
        rebuild_marts(asked.day, settings)
        print("the marts were built and published without the person")
    return 0


def rebuild_marts(night, settings: Settings) -> None:
    """Build, audit and publish the marts of a night again. Raises what the steps raise; nothing half is published."""
    from include.warehouse.audit import audit_candidate
    from include.warehouse.build import build_marts
    from include.warehouse.publish import publish

    for step in (build_marts, audit_candidate, publish):
        step(night, settings)


def _show_reach(reach) -> None:
    print(f"{len(reach.tokens)} token(s) of this person, in {', '.join(reach.sources)}")
    for tier, records in sorted(reach.records.items()):
        print(f"  {tier}: {records} record(s)")
    print(f"  {reach.files} sealed file(s) would hold rows that nobody can open any more")
    print(
        "  landing objects of these sources, and live messages that wait, are read and written anew where the person stands in them"
    )
    print("  aggregates already published stay; the marts are built anew without the person")
    for held in reach.held:
        print(f"FORBIDDEN by {held}")
    if not reach.held:
        print("Nothing was changed. --do erases, and there is no way back.")


def _summary(hot, erasure_id: UUID) -> str:
    counts, final_on, digest = hot.execute(
        "select counts, final_on, receipt_sha256 from lifecycle.erasure where erasure_id = %s", [erasure_id]
    ).fetchone()
    told = ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))
    return f"erased: {told}\nreceipt {erasure_id} (sha256 {digest}); final on {final_on}"


def _erasures(asked, settings: Settings) -> int:
    from include.warehouse.connect import connect

    with connect("privacy_officer", settings=settings) as hot:
        if asked.receipt:
            row = hot.execute("select receipt from lifecycle.erasure where erasure_id = %s", [asked.receipt]).fetchone()
            print(json.dumps(row[0], indent=1, sort_keys=True) if row and row[0] else "no receipt")
            return 0 if row and row[0] else 1
        for row in hot.execute(
            """select erasure_id, night, state, case when state = 'done' and final_on <= %s then 'final'
                      else 'final on ' || coalesce(final_on::text, 'its end') end from lifecycle.erasure order by begun_at""",
            [asked.day],
        ):
            print("  ".join(map(str, row)))
    return 0
