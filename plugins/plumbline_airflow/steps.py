"""The tasks of a night, one verb each. They call ``include`` and hand on ids; rows never travel between tasks."""

from __future__ import annotations

from datetime import date

from airflow.sdk import TriggerRule, get_current_context, task

from plumbline_airflow.clock import night_from_context
from plumbline_airflow.guard import value_free


def tonight() -> date:
    """The night of the running task. Each task asks anew, so that none depends on another for it."""
    return night_from_context(get_current_context())


@task(task_id="open")
@value_free
def open_night() -> None:
    """Have the trail tell what changed of policies and grants since the last look, then open the night's books."""
    from include.audit.access import note_changes
    from include.nights import open_night
    from include.settings import Settings

    note_changes(Settings.from_environment())
    open_night(tonight())


@task
@value_free
def sources() -> list[str]:
    """Names of the sources that sources.yml declares."""
    from include.settings import Settings
    from include.sources.registry import load_sources

    return [source.name for source in load_sources(Settings.from_environment().sources_file)]


@task
@value_free
def land(source: str) -> str:
    """Bring what the source delivers into the landing bucket, as received. Returns the source's name."""
    from include.landing.land import land_source

    land_source(source, tonight())
    return source


@task
@value_free
def load(source: str) -> list[str]:
    """Parse, seal and copy what landed into intake. Returns the batches' ids."""
    from include.intake.load import load_source

    return list(load_source(source, tonight()))


@task
@value_free
def check(batches: list[str]) -> list[str]:
    """Tell how good the delivery is, then judge each batch at the gate. Returns the ids of those that may pass."""
    from include.quality.catalogue.assess import assess_batches
    from include.quality.gate import check_batch

    assess_batches(batches)
    return [batch for batch in batches if check_batch(batch) == "passed"]


@task
@value_free
def promote(batches: list[str]) -> None:
    """Let the passed batches into raw, one transaction each."""
    from include.intake.promote import promote_batch

    for batch in batches:
        promote_batch(batch)


@task(trigger_rule=TriggerRule.ALL_DONE)
@value_free
def resolve() -> None:
    """Find which records are of one person, and who opted out of what. Waits for every source, however it ended."""
    from include.identity.resolve import resolve_persons
    from include.privacy.consent import refresh_opt_outs

    resolve_persons(tonight())
    refresh_opt_outs(tonight())


@task
@value_free
def notes() -> None:
    """Make documents' text without identifiers."""
    from include.privacy.text.notes import deidentify_notes

    deidentify_notes(tonight())


@task
@value_free
def build() -> None:
    """Run dbt: staging, intermediate and the candidate marts."""
    from include.warehouse.build import build_marts

    build_marts(tonight())


@task
@value_free
def audit() -> None:
    """Tell how good the candidates are, then look for broken promises; raises where there is one: nothing is published."""
    from include.quality.catalogue.after_build import assess_marts
    from include.warehouse.audit import audit_candidate

    assess_marts(tonight())
    audit_candidate(tonight())


@task
@value_free
def publish() -> None:
    """Make the candidates what analysts see, all tables at once; refused where they see a later night and nobody said 'older'."""
    from include.warehouse.publish import publish

    # A DAG without that parameter builds the newest marts anew, as erasing somebody does.
    publish(tonight(), over_newer=get_current_context()["params"].get("older", True))


@task(trigger_rule=TriggerRule.ALL_DONE)
@value_free
def close() -> str:
    """Seal the audit trail of what the night did, then write the verdict, whatever happened. Returns it."""
    from include.audit.anchor import seal_night
    from include.verdict import close_night

    seal_night(tonight())
    return close_night(tonight())


@task(trigger_rule=TriggerRule.ALL_DONE)
@value_free
def report() -> None:
    """Write the night's page, and what other programs read of it."""
    from include.quality.outward import tell_machines
    from include.reports.night import write_report

    write_report(tonight())
    tell_machines(tonight())


@task(trigger_rule=TriggerRule.ALL_DONE, retries=0, on_failure_callback=None)
@value_free
def tell() -> str:
    """Send the message an amber or red night deserves; raises on red, so that Airflow's own view is red as well."""
    from include.alerts.tell import tell_verdict

    return tell_verdict(tonight())
