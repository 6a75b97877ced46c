"""The desk's verbs about the end of records: what waits for a second person, agreeing to it, and the certificates."""

from __future__ import annotations

import json

from include.lifecycle.tables import show_table
from include.settings import Settings


def add_verbs(add, two_names) -> None:
    """Add the verbs; ``add(name, function)`` makes a parser, ``two_names(parser)`` adds reason and both names."""
    add("due", _due)
    approve = two_names(add("approve", _approve))
    approve.add_argument("files", nargs="+", help="files as 'due' lists them")
    certificates = add("certificates", _certificates)
    certificates.add_argument("--of", type=int, metavar="NUMBER", help="print one certificate in full")


def _due(asked, settings: Settings) -> int:
    from include.lifecycle.approvals import due_for_approval

    print(due_for_approval(asked.day, settings).for_terminal())
    return 0


def _approve(asked, settings: Settings) -> int:
    from include.lifecycle.approvals import approve_destruction

    approved = approve_destruction(
        asked.day,
        object_keys=asked.files,
        requested_by=asked.requested_by,
        approved_by=asked.approved_by,
        reason=asked.reason,
        settings=settings,
    )
    print(f"{approved} file(s) approved. The next night destroys them for good, unless a hold is set before: 'hold'.")
    return 0


def _certificates(asked, settings: Settings) -> int:
    from include.warehouse.connect import connect

    with connect("privacy_officer", settings=settings) as hot:
        if asked.of is not None:
            query = "select content, sha256 from lifecycle.certificate where certificate_id = %s"
            row = hot.execute(query, [asked.of]).fetchone()
            print(
                json.dumps({**row[0], "certificate_sha256": row[1]}, indent=1, sort_keys=True)
                if row
                else "no such certificate"
            )
            return 0 if row else 1
        rows = hot.execute(
            """select certificate_id, night, content ->> 'object', content ->> 'records', content ->> 'approved_by',
                      coalesce('bytes locked to ' || (content ->> 'bytes_remain_until'), 'nothing left'), left(sha256, 12)
               from lifecycle.certificate order by certificate_id"""
        ).fetchall()
    show_table(("number", "night", "file", "records", "approved by", "left at the store", "sha256"), rows)
    return 0
