"""A second person's word before anything is destroyed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from include.audit.refusals import refusals_told
from include.lifecycle.holds import HoldError, refuse_one_name
from include.settings import Settings


class ApprovalError(HoldError):
    """A destruction that cannot be approved as asked."""


@refusals_told("destruction.approval_refused", role="privacy_officer")
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


@dataclass(frozen=True, slots=True)
class Due:
    """What waits for a second person: the files' keys, and the text that is put before them."""

    object_keys: tuple[str, ...]
    text: str

    def for_terminal(self) -> str:
        """The same for a terminal, with what to do next."""
        if not self.object_keys:
            return "Nothing waits for approval in the newest plan of this day; 'plan --save' makes one."
        how = "To agree: approve FILE … --requested-by NAME --approved-by NAME --reason WHY. To keep them: set a hold."
        return "\n".join([self.text.replace("`", ""), "", how])


def due_for_approval(night: date, settings: Settings | None = None) -> Due:
    """Files that the newest plan of ``night`` would destroy and that nobody has approved. Changes nothing."""
    from include.warehouse.connect import connect

    with connect("privacy_officer", settings=settings) as hot:
        rows = hot.execute(
            """select l.unit, f.data_class, f.event_year, f.records, f.bytes, l.rule
               from lifecycle.plan_line l join lifecycle.cold_file f on f.object_key = l.unit
               where l.plan_id = (select max(plan_id) from lifecycle.plan where night = %s)
                 and l.action = 'destroy' and l.stopped_by = 'waits for approval' order by l.unit""",
            [night],
        ).fetchall()
    lines = [f"- `{key}`: {records} records ({size / 1e6:.1f} MB), {rule}" for key, _, _, records, size, rule in rows]
    head = f"{len(rows)} file(s) with {sum(row[3] for row in rows)} record(s) are past their retention. Destroying them cannot be undone."
    return Due(tuple(row[0] for row in rows), "\n".join([head, "", *lines]))


def planned_for_approval(night: date, settings: Settings | None = None) -> dict[str, str] | None:
    """Make the night's plan and return what to put before a person (text, and the files' keys in it), None where nothing waits."""
    from include.lifecycle.plan import plan_night

    plan_night(night)
    due = due_for_approval(night, settings)
    return {"text": due.text, "files": " ".join(due.object_keys)} if due.object_keys else None


def approve_answer(night: date, answer: Mapping[str, Any], requested_by: str, settings: Settings | None = None) -> int:
    """Act on a person's answer to ``due_for_approval``: approve what they were shown. Returns files approved, 0 where they said no.

    ``answer`` is what Airflow's human-in-the-loop task returns: chosen_options, params_input (reason, files), responded_by_user.
    Files that came to be due since are not approved: they were not seen. Raises HoldError where the same person asked and
    answered, or gave no reason.
    """
    if "Approve" not in answer["chosen_options"]:
        return 0
    told = answer["params_input"]
    who = answer.get("responded_by_user") or {}
    return approve_destruction(
        night,
        object_keys=told["files"].split(),
        requested_by=requested_by,
        approved_by=str(who.get("name") or who.get("id") or ""),
        reason=told["reason"],
        settings=settings,
    )
