"""The data steward's desk: what was refused, its shape, and opening it again.

    make quarantine                                                                     what is open, by source and reason
    make quarantine SOURCE=south RULE=bad_value_type BY=steward                         where it stands, and its shape
    make replay SOURCE=south REASON="source corrected its export" BY=steward            everything of a source
    make replay SOURCE=south RULE=date_in_future REASON=… BY=…                          records refused by one rule
    make replay BATCH=south__labs__20261122__0123456789ab REASON=… BY=…                 one batch that is held back

Values are never shown: letters read x and digits 9. Replay shows what would be opened again; DO=1 opens it. The next
night reads it from landing and the gate judges it anew.

    make check SOURCE=exports/north                    the whole catalogue on a folder, without loading it anywhere
    make check SOURCE=sources.yml:south OUT=result.json
    make rejudge DAY=2026-11-22                        a night's results under the thresholds of today, without scanning
"""

from __future__ import annotations

import argparse
import getpass
import sys
import textwrap
from collections.abc import Sequence
from datetime import date

from include.errors import PlumblineError
from include.local_stack.home import last_sources
from include.quality import replay
from include.quality.preview import preview
from include.settings import Settings
from include.sources.registry import load_sources
from include.warehouse.connect import connect


def main(arguments: Sequence[str] | None = None) -> int:
    """Show refused records, or show or do a replay. Returns 0, or 2 with the error's text on stderr."""
    asked = _parser().parse_args(arguments)
    try:
        return asked.run(asked)
    except PlumblineError as problem:
        print(f"{asked.verb}: {problem}", file=sys.stderr)
        return 2


def _run_replay(asked: argparse.Namespace) -> int:
    _show(asked)
    if asked.do:
        _replay(asked)
    else:
        print("Nothing was changed. Add DO=1 to open them again; the next night takes them in.")
    return 0


def _run_check(asked: argparse.Namespace) -> int:
    from include.quality.catalogue import folder_check

    told = {"kind": asked.kind, "contract": asked.contract, "words": asked.set}
    return folder_check.main(asked.source, **told, out=asked.out, night=asked.night)


def _run_rejudge(asked: argparse.Namespace) -> int:
    from include.quality.catalogue.assess import rejudge

    changed = rejudge(asked.night)
    for source, instance, before, after in changed:
        print(f"{source:16}{instance:70}{before} → {after}")
    print(f"{len(changed)} results of {asked.night} are judged otherwise. What the night published stays as it was.")
    return 0


def _run_list(asked: argparse.Namespace) -> int:
    from include.quality.catalogue.listing import lines

    print("\n".join(lines()))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m include.quality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True, dest="verb")
    look = verbs.add_parser("show", help="what is in quarantine; with --source, where and in what shape")
    look.add_argument("--source", help="shapes of this source's refused records")
    look.add_argument("--rule", help="only records refused for this reason")
    look.add_argument("--most", type=int, default=5, help="how many records (5)")
    look.add_argument("--by", default=getpass.getuser(), help="who looks; it goes into the audit trail")
    look.set_defaults(run=_run_show)
    folder = verbs.add_parser("check", help="the whole catalogue of checks on a folder, without loading it anywhere")
    folder.add_argument(
        "--source",
        required=True,
        help="a folder, sources.yml, sources.yml:name, or with its kind a FHIR server or database",
    )
    folder.add_argument("--kind", help="of a folder's files, where their names do not tell it")
    folder.add_argument("--contract", help="of tables")
    folder.add_argument(
        "--set", action="append", default=[], metavar="WORD=VALUE", help="any other word of sources.yml"
    )
    folder.add_argument("--out", help="write all results there as JSON")
    folder.add_argument(
        "--night", type=date.fromisoformat, help="the day after which nothing can have happened; default today"
    )
    folder.set_defaults(run=_run_check)
    again_judged = verbs.add_parser("rejudge", help="judge a night's results under the thresholds of today")
    again_judged.add_argument("--night", type=date.fromisoformat, required=True)
    again_judged.set_defaults(run=_run_rejudge)
    verbs.add_parser("list", help="every check, its threshold and its place in Kahn's framework").set_defaults(
        run=_run_list
    )
    again = verbs.add_parser("replay", help="open quarantined records or held-back batches again")
    what = again.add_mutually_exclusive_group(required=True)
    what.add_argument("--source", help="everything of this source that is open: held-back batches and refused records")
    what.add_argument("--batch", help="this batch, which is held back")
    again.add_argument("--rule", help="with --source: only records refused for this reason")
    again.add_argument("--reason", required=True, help="why; it goes into the audit trail")
    again.add_argument("--by", required=True, help="who asks; it goes into the audit trail")
    again.add_argument("--do", action="store_true", help="do it; without, only show")
    again.set_defaults(run=_run_replay)
    return parser


def _run_show(asked: argparse.Namespace) -> int:
    _count(asked)
    if not asked.source:
        print("Look closer with SOURCE=, and RULE= for one reason; open again with 'make replay'.")
        return 0
    settings = Settings.from_environment()
    sources = load_sources(settings.sources_file or last_sources(settings.home))
    for seen in preview(sources, asked.source, asked.rule, most=asked.most, by=asked.by, settings=settings):
        refused = seen.refused
        print(f"\n{refused.reason_code}  {refused.dataset}, night of {refused.night}, {refused.place}")
        print(f"  found     {refused.found}\n  expected  {refused.expected}\n  to do     {refused.action}")
        print(f"  shape     {seen.shape or 'not to be read record by record'}")
    return 0


def _count(asked: argparse.Namespace) -> None:
    with connect("checker") as books:
        rows = books.execute(
            """select source, reason_code, sum(records), count(distinct dataset), min(night), min(action)
               from quality.quarantine where state = 'open' and source = coalesce(%s, source)
                 and reason_code = coalesce(%s, reason_code) group by 1, 2 order by 3 desc, 1, 2""",
            [asked.source, asked.rule],
        ).fetchall()
    print(f"{sum(row[2] for row in rows):,} records are in quarantine\n")
    print(f"{'source':16}{'reason':26}{'records':>8}{'tables':>8}  {'since':12}to do")
    for source, reason, records, tables, since, action in rows:
        print(
            f"{source:16}{reason:26}{records:8,}{tables:8}  {since}  {textwrap.shorten(action, 70, placeholder=' …')}"
        )
    print()


def _show(asked: argparse.Namespace) -> None:
    with connect("checker") as books:
        rows = books.execute(
            """select q.source, q.dataset, q.reason_code, b.state, sum(q.records)
               from quality.quarantine q join lifecycle.batch b using (batch_id)
               where q.state = 'open' and q.source = coalesce(%s, q.source) and q.batch_id = coalesce(%s, q.batch_id)
                 and q.reason_code = coalesce(%s, q.reason_code)
               group by 1, 2, 3, 4 order by 5 desc""",
            [asked.source, asked.batch, asked.rule],
        ).fetchall()
    print(f"{'source':16}{'dataset':16}{'reason':28}{'batch is':12}{'records':>9}")
    for source, dataset, reason, state, records in rows:
        print(f"{source:16}{dataset:16}{reason:28}{state.replace('_', ' '):12}{records:9,}")


def _replay(asked: argparse.Namespace) -> None:
    why = {"asked_by": asked.by, "reason": asked.reason}
    if asked.batch:
        done = [replay.reopen_batch(asked.batch, **why)]
    elif asked.rule:
        done = [replay.reopen_records(asked.source, reason_code=asked.rule, **why)]
    else:
        done = [replay.reopen_held_back(asked.source, **why), _records_if_any(asked.source, why)]
    print(
        f"Opened again: {sum(each.batches for each in done)} batches and {sum(each.objects for each in done)} landing objects, "
        f"{sum(each.records for each in done):,} records. Run 'make nightly' to take them in."
    )


def _records_if_any(source: str, why: dict[str, str]) -> replay.Reopened:
    try:
        return replay.reopen_records(source, **why)
    except PlumblineError:
        return replay.Reopened()


if __name__ == "__main__":
    sys.exit(main())
