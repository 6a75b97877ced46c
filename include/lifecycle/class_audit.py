"""Audits classes of data at the frequency of their policy: is every record in its place, is every file what was written?"""

from __future__ import annotations

from collections import Counter
from datetime import date

from include.audit.chain import append
from include.errors import PlumblineError
from include.lifecycle.policy import due_classes, load_retention
from include.lifecycle.reconcile import LOSSES, check_places, deep_check
from include.settings import Settings
from include.warehouse.connect import connect


class ClassAuditError(PlumblineError):
    """Records are not where the catalogue says, or a file is not what was written."""


def audit_classes(night: date, settings: Settings | None = None) -> dict[str, int]:
    """Audit the classes that are due on ``night`` and tell the trail of each. Returns counts: classes, losses, left_over.

    Every place is looked at, every file of a due class that the store can read now is read. Raises ClassAuditError where
    anything is lost; what is merely left over is counted. A class that fails stays due. Repeatable.
    """
    settings = settings or Settings.from_environment()
    due = due_classes(load_retention(), "audit", _audited(settings), night)
    if not due:
        return {"classes": 0, "losses": 0, "left_over": 0}
    found = Counter(finding.kind for finding in [*check_places(settings), *deep_check(settings, due)])
    lost = {kind: count for kind, count in found.items() if kind in LOSSES}
    outcome = "failure" if lost else "success"
    with connect("lifecycle", settings=settings) as hot:
        for name in due:
            append(hot, "class.audited", name, {"night": str(night), "found": dict(found)}, outcome=outcome)
    if lost:
        raise ClassAuditError(
            found=", ".join(f"{kind.replace('_', ' ')}: {count}" for kind, count in sorted(lost.items())),
            expected="every record in one place, every file as it was written",
            action="'python -m include.lifecycle reconcile --deep' names each; restore what is lost from the newest backup that has it",
        )
    return {"classes": len(due), "losses": 0, "left_over": found.total()}


def _audited(settings: Settings) -> dict[str, date]:
    """The last night on which each class passed."""
    with connect("lifecycle", settings=settings) as hot:
        return dict(
            hot.execute(
                """select subject, max((detail ->> 'night')::date) from audit.entry
                   where action = 'class.audited' and outcome = 'success' group by 1"""
            ).fetchall()
        )
