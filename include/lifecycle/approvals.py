"""A second person's word before anything is destroyed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from include.lifecycle.holds import HoldError, refuse_one_name
from include.settings import Settings


class ApprovalError(HoldError):
    """A destruction that cannot be approved as asked."""


def approve_destruction(
    night: date,
    *,
    object_keys: Collection[str],
    requested_by: str,
    approved_by: str,
    reason: str,
    settings: Settings | None = None,
) -> int:
    """Approve the destruction of files that the newest plan of ``night`` shows as waiting. Returns how many are approved now.

    What the plan does not show cannot be approved: an approval is for what was seen. A hold set later wins over it. Raises
    ApprovalError naming how many are not in the plan, HoldError where two names and a reason are not given.
    """
    from include.warehouse.connect import connect

    refuse_one_name(requested_by, approved_by, reason, doing="an approval")
    keys = sorted(set(object_keys))
    with connect("privacy_officer", settings=settings) as hot:
        waiting = dict(
            hot.execute(
                """select f.object_key, f.file_id from lifecycle.plan_line l join lifecycle.cold_file f on f.object_key = l.unit
                   where l.plan_id = (select max(plan_id) from lifecycle.plan where night = %s)
                     and l.action = 'destroy' and f.tier in ('cold', 'archive') and f.object_key = any(%s)""",
                [night, keys],
            ).fetchall()
        )
        if len(waiting) != len(keys):
            raise ApprovalError(
                found=f"{len(keys) - len(waiting)} of {len(keys)} files are not due for destruction in the plan for {night}",
                expected="files that the newest plan shows as due",
                action="look at the plan with 'python -m include.lifecycle plan' and name its files",
            )
        for key in keys:
            hot.execute(
                """insert into lifecycle.approval (file_id, requested_by, approved_by, reason, night)
                   values (%s, %s, %s, %s, %s) on conflict (file_id) do nothing""",
                [waiting[key], requested_by, approved_by, reason, night],
            )
            hot.execute(
                """select audit.append('destruction.approved', %s,
                       jsonb_build_object('requested_by', %s::text, 'approved_by', %s::text), %s)""",
                [key, requested_by, approved_by, reason],
            )
    return len(keys)
