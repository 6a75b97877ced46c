"""Tasks apart from the night: records brought back by hand, the trail checked every day."""

from __future__ import annotations

from airflow.sdk import TriggerRule, get_current_context, task

from plumbline_airflow.clock import night_from_context
from plumbline_airflow.guard import value_free
from plumbline_airflow.who import asked_by


@task
@value_free
def retrieve() -> dict[str, str]:
    """Fetch each record that the run names; returns the tier each was found in, never its content."""
    from include.lifecycle.retrieve import retrieve

    asked = get_current_context()["params"]
    who = {"purpose": asked["purpose"], "actor": asked_by(get_current_context())}
    return {record_id: retrieve(record_id, **who).place.tier for record_id in asked["record_ids"]}


@task(retries=0)
@value_free
def reopen() -> int:
    """Open again what the run names; returns for how many records. Not tried twice: the second time none would be left."""
    from include.quality.replay import reopen_asked

    context = get_current_context()
    return reopen_asked({**context["params"], "asked_by": asked_by(context)}).records


@task
@value_free
def verify() -> int:
    """Have the trail tell of changed policies and grants, check it, and seal its newest entry; returns that entry's number."""
    from include.audit.access import note_changes
    from include.audit.anchor import anchor_trail
    from include.settings import Settings

    note_changes(Settings.from_environment())
    return anchor_trail(night_from_context(get_current_context()))


@task(trigger_rule=TriggerRule.ALL_DONE)
@value_free
def audit_classes() -> dict[str, int]:
    """Look whether records are in their places and files what was written, for classes whose audit is due; returns counts."""
    from include.lifecycle.class_audit import audit_classes

    return audit_classes(night_from_context(get_current_context()))


@task
@value_free
def erase() -> str:
    """Erase the person that the run names; returns the erasure's number, whose receipt is on the books."""
    from include.lifecycle.erase import erase_asked

    context = get_current_context()
    return erase_asked(night_from_context(context), {**context["params"], "requested_by": asked_by(context)})


@task(task_id="back_up", trigger_rule=TriggerRule.ALL_DONE)
@value_free
def save() -> dict[str, int]:
    """Save what is due and prove it; returns counts. After a finished night everything is due."""
    from include.backups.back_up import back_up

    return back_up(night_from_context(get_current_context()))


@task
@value_free
def rehearse() -> float:
    """Restore the newest backups into a scratch server and check them; returns the seconds it took."""
    from include.backups.drill import restore_drill

    return float(restore_drill(night_from_context(get_current_context())).seconds)
