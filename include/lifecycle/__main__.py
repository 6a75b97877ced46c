"""The records manager's desk: ``python -m include.lifecycle <verb>``.

plan          show what would happen on a day and why; --save makes it the plan that apply follows
apply         do exactly what the saved plan of the day says
holds         list holds in force; --all: lifted ones too
hold          set a hold: nothing it matches moves down, ends or is erased (two names, a reason)
lift          end a hold (two names, a reason)
due           list the files that wait for a second person's word before they are destroyed
approve       agree to the destruction of files that wait (two names, a reason)
certificates  list certificates of destruction, or print one (--of)
files         list the files in cold and archive
find          tell where records of a person, class, source or year are
retrieve      bring records back, from whichever tier, as they were received
rehydrate     bring a month (or all of them, before a full refresh of staging) back to hot, on loan until a day
reconcile     check that every record is in exactly one place
history       ask hot, cold and archive together, in SQL; --cost says first what it reads
unseal        open files of cold and archive into a folder, for DuckDB, Spark or Trino; shows first
token         the person token of an id read from standard input; erase and hold take it
erase         show what erasing a person would reach; --do erases for good (two names, a reason)
erasures      list erasures, or print one's receipt (--receipt)

Each verb has its own --help. Names, reasons and purposes go to the audit trail, with the login they were typed under: name no patient in
them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from include.audit.terminal_login import note_login
from include.command import day, run_command
from include.lifecycle import desk_destruction, desk_erasure, desk_history
from include.lifecycle.tables import show_table
from include.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns 0, 1 where something was found wrong, or 2 with the error's text on stderr."""
    asked = _parser().parse_args(arguments)
    return run_command(asked.verb_function.__name__.strip("_"), lambda: _do(asked))


def _do(asked) -> int | None:
    settings = Settings.from_environment()
    asked.day = asked.day or settings.night()
    if getattr(asked, "approved_by", None) or getattr(asked, "actor", None):
        note_login(asked.verb_function.__name__.strip("_"), settings)
    return asked.verb_function(asked, settings)


def _plan(asked, settings: Settings) -> int:
    from include.lifecycle.plan import plan_moves, plan_night, show_difference, show_plan
    from include.lifecycle.policy import load_retention
    from include.lifecycle.units import read_state
    from include.warehouse.connect import connect

    retention = load_retention(asked.policy) if asked.policy else load_retention()
    with connect("lifecycle", settings=settings) as hot:
        state = read_state(hot, retention, asked.day)
    if asked.policy:
        now, then = (
            plan_moves(state.units, rules, state.holds, today=asked.day) for rules in (load_retention(), retention)
        )
        print(show_difference(now, then, today=asked.day), end="\n\n")
    print(show_plan(plan_moves(state.units, retention, state.holds, today=asked.day), today=asked.day))
    if asked.save and not asked.policy:
        plan_night(asked.day)
        print("saved; 'python -m include.lifecycle apply' does exactly this")
    return 0


def _apply(asked, settings: Settings) -> int:
    from include.lifecycle.move import apply_plan

    print(", ".join(f"{name} {number}" for name, number in apply_plan(asked.day).items()))
    return 0


def _holds(asked, settings: Settings) -> int:
    lifted = ", lifted_night, lift_approved_by, lift_reason" if asked.all else ""
    rows = _query(
        settings,
        f"""select hold_id, person_token, data_class, source, event_from, event_to, set_night, requested_by, approved_by, reason
                   {lifted} from lifecycle.hold where {"true" if asked.all else "lifted_at is null"} order by hold_id""",  # noqa: S608
    )
    heads = ("hold", "person token", "class", "source", "from", "to", "set", "requested by", "approved by", "reason")
    show_table((*heads, *(("lifted", "lifting approved by", "because") if asked.all else ())), rows)
    return 0


def _hold(asked, settings: Settings) -> int:
    from include.lifecycle.holds import set_hold

    hold_id = set_hold(
        asked.day,
        reason=asked.reason,
        requested_by=asked.requested_by,
        approved_by=asked.approved_by,
        person_token=asked.person,
        data_class=asked.data_class,
        source=asked.source,
        event_from=asked.event_from,
        event_to=asked.event_to,
        settings=settings,
    )
    print(f"hold {hold_id} is in force; 'plan' shows what it stops")
    return 0


def _lift(asked, settings: Settings) -> int:
    from include.lifecycle.holds import lift_hold

    names = {"reason": asked.reason, "requested_by": asked.requested_by, "approved_by": asked.approved_by}
    lift_hold(asked.hold_id, asked.day, **names, settings=settings)
    print(f"hold {asked.hold_id} is lifted; the next plan moves what has become due")
    return 0


def _files(asked, settings: Settings) -> int:
    rows = _query(
        settings,
        """select object_key, tier, data_class, event_year, to_char(received_month, 'YYYY-MM'), records, bytes, locked_until
           from lifecycle.cold_file where tier in ('cold', 'archive') order by object_key""",
    )
    show_table(("file", "tier", "class", "event year", "received", "records", "bytes", "locked until"), rows)
    return 0


def _find(asked, settings: Settings) -> int:
    from collections import Counter

    from include.audit.chain import append
    from include.lifecycle.retrieve import EXPECT, find
    from include.warehouse.connect import connect

    with connect("lifecycle", settings=settings) as hot:
        places = find(
            hot, person_token=asked.person, source=asked.source, data_class=asked.data_class, event_year=asked.year
        )
        told = {"records": len(places), "ids_shown": asked.ids, "source": asked.source, "class": asked.data_class}
        append(hot, "record.located", asked.person and str(asked.person), told)
    counts = Counter((place.tier, place.dataset) for place in places)
    show_table(
        ("tier", "dataset", "records", "to bring back"),
        [(*key, n, EXPECT[key[0]]) for key, n in sorted(counts.items())],
    )
    for place in places if asked.ids else ():
        print(place.record_id)
    return 0


def _retrieve(asked, settings: Settings) -> int:
    import msgspec

    from include.lifecycle.retrieve import retrieve_with
    from include.lifecycle.work import open_work

    encode = msgspec.json.Encoder(decimal_format="number").encode
    with open_work(asked.day, settings) as work:
        found = retrieve_with(work, asked.records, purpose=asked.purpose, actor=asked.actor, wait_seconds=asked.wait)
        for record in found:
            print(encode(record.content).decode())
    return 0


def _rehydrate(asked, settings: Settings) -> int:
    from include.lifecycle.rehydrate import rehydrate, rehydrate_all
    from include.lifecycle.work import open_work

    with open_work(asked.day, settings) as work:
        lent = {"until": asked.until, "purpose": asked.purpose, "actor": asked.actor, "wait_seconds": asked.wait}
        if asked.month is None:
            counts = rehydrate_all(work, **lent)
        else:
            month = asked.month.replace(day=1)
            counts = rehydrate(work, raw_table=asked.table, received_month=month, data_class=asked.data_class, **lent)
    print(", ".join(f"{name} {number}" for name, number in counts.items()))
    return 0


def _reconcile(asked, settings: Settings) -> int:
    from include.lifecycle.class_audit import audit_classes
    from include.lifecycle.reconcile import check_places, deep_check

    if asked.due:
        counts = audit_classes(asked.day, settings)
        print(", ".join(f"{name} {number}" for name, number in counts.items()))
        return 0
    findings = [*check_places(settings), *(deep_check(settings) if asked.deep else ())]
    show_table(("finding", "where", "count", "says"), [(f.kind, f.subject, f.count, f.says) for f in findings])
    return 1 if findings else 0


def _query(settings: Settings, query: str) -> list[tuple]:
    from include.warehouse.connect import connect

    with connect("privacy_officer", settings=settings) as hot:
        return hot.execute(query).fetchall()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.lifecycle", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True, metavar="verb")
    plan = _verb(verbs, "plan", _plan)
    plan.add_argument("--save", action="store_true", help="save it, for apply")
    plan.add_argument("--policy", type=_path, help="show what this policy file would do; never saved")
    _verb(verbs, "apply", _apply)
    _verb(verbs, "holds", _holds).add_argument("--all", action="store_true", help="lifted ones too")
    hold = _criteria(_two_names(_verb(verbs, "hold", _hold)))
    hold.add_argument("--event-from", type=day, metavar="YYYY-MM-DD", help="events of this day and later")
    hold.add_argument("--event-to", type=day, metavar="YYYY-MM-DD", help="events up to this day")
    _two_names(_verb(verbs, "lift", _lift)).add_argument("hold_id", type=int)
    _verb(verbs, "files", _files)
    find = _criteria(_verb(verbs, "find", _find))
    find.add_argument("--year", type=int, help="event year")
    find.add_argument("--ids", action="store_true", help="list record ids too")
    _asked_by(_verb(verbs, "retrieve", _retrieve)).add_argument("records", nargs="+", type=UUID)
    _rehydrate_arguments(_asked_by(_verb(verbs, "rehydrate", _rehydrate)))
    reconcile = _verb(verbs, "reconcile", _reconcile)
    reconcile.add_argument("--deep", action="store_true", help="read every file")
    reconcile.add_argument("--due", action="store_true", help="read files of classes whose audit is due, for the trail")
    desk_destruction.add_verbs(partial(_verb, verbs), _two_names)
    desk_erasure.add_verbs(partial(_verb, verbs), _two_names)
    desk_history.add_verbs(partial(_verb, verbs), _asked_by)
    return parser


def _verb(verbs, name: str, function) -> argparse.ArgumentParser:
    says = next(line.removeprefix(name).strip() for line in __doc__.splitlines() if line.split()[:1] == [name])
    parser = verbs.add_parser(name, description=says[0].upper() + says[1:] + ".")
    parser.set_defaults(verb_function=function)
    parser.add_argument("--day", type=day, help="YYYY-MM-DD; default: the night the settings name")
    return parser


def _two_names(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--requested-by", required=True, metavar="NAME", help="who asks")
    parser.add_argument("--approved-by", required=True, metavar="NAME", help="who agrees: somebody else")
    parser.add_argument("--reason", required=True, help="goes to the audit trail")
    return parser


def _asked_by(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    for name in ("--purpose", "--actor"):
        parser.add_argument(name, required=True, help="goes to the audit trail")
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="poll a frozen archive for so long")
    return parser


def _criteria(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "--person", type=UUID, metavar="TOKEN", help="a person, by one of their tokens; 'token' tells it"
    )
    parser.add_argument("--class", dest="data_class", metavar="CLASS", help="a data class of retention.yml")
    parser.add_argument("--source", help="a source of sources.yml")
    return parser


def _rehydrate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--table", default="resource", help="table of schema raw")
    parser.add_argument("--month", type=day, help="any day of the month received; default: every month")
    parser.add_argument("--until", type=day, required=True, help="last day of the loan")
    parser.add_argument("--class", dest="data_class")


def _path(text: str):
    from pathlib import Path

    return Path(text).resolve()


if __name__ == "__main__":
    sys.exit(main())
