"""The whole night: every source in, checked, built, audited, published, old data tiered, the verdict told, all of it saved.

Runs at 02:00 in the hospital's time zone, one night at a time, missed nights in order. A red night publishes nothing.
By hand: `make nightly DAY=2026-11-23`, or trigger it here with a night.
"""

from airflow.sdk import chain, dag

from plumbline_airflow import steps
from plumbline_airflow.defaults import (
    AT_TWO,
    FIRST_NIGHT,
    NIGHT_MAY_TAKE,
    NIGHT_PARAM,
    OLDER_PARAM,
    START,
    TASK_DEFAULTS,
)
from plumbline_airflow.extract import extract
from plumbline_airflow.failures import close_unfinished_night
from plumbline_airflow.maintenance import save
from plumbline_airflow.tiering import tier


@dag(
    schedule=AT_TWO,
    start_date=START,
    catchup=bool(FIRST_NIGHT),
    max_active_runs=1,
    dagrun_timeout=NIGHT_MAY_TAKE,
    default_args=TASK_DEFAULTS,
    on_failure_callback=close_unfinished_night,
    params={**NIGHT_PARAM, **OLDER_PARAM},
    doc_md=__doc__,
    tags=["plumbline"],
)
def nightly():
    sources, report = steps.sources(), steps.report()
    steps.open_night() >> sources
    chain(
        extract.expand(source=sources),
        steps.resolve(),
        steps.notes(),
        steps.build(),
        steps.audit(),
        steps.publish(),
        tier(),
        steps.close(),
        report,
        steps.tell(),
    )
    report >> save()


nightly()
