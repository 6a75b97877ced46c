"""Moving data to colder tiers: one task group, used by the night and by ``tier_storage`` alone."""

from __future__ import annotations

from airflow.sdk import task, task_group

from plumbline_airflow.guard import value_free
from plumbline_airflow.steps import tonight


@task
@value_free
def plan() -> None:
    """Decide from the policies what is due; changes nothing."""
    from include.lifecycle.plan import plan_night

    plan_night(tonight())


@task
@value_free
def move() -> None:
    """Do what the plan says: copy, read back, catalogue, drop."""
    from include.lifecycle.move import apply_plan

    apply_plan(tonight())


@task_group
def tier() -> None:
    """plan → move."""
    plan() >> move()
