"""One source's way into raw: land, load, check, promote. Mapped over all sources; one failing stops none of the others."""

from __future__ import annotations

from airflow.sdk import task_group

from plumbline_airflow.steps import check, land, load, promote


@task_group
def extract(source: str) -> None:
    """land → load → check → promote."""
    promote(check(load(land(source))))
