"""Rehearse a recovery on the first Sunday of a month: newest backups into a scratch server, checked against what was saved.

A drill that fails is red here and names the check. It needs the escrow identity for the keys, so where that is kept elsewhere,
run `python -m include.backups drill` on the machine that has it.
"""

from airflow.sdk import dag

from plumbline_airflow.defaults import AT_TWO, NIGHT_PARAM, START, TASK_DEFAULTS
from plumbline_airflow.maintenance import rehearse


@dag(
    schedule=AT_TWO and "0 14 * * 0#1",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params=NIGHT_PARAM,
    doc_md=__doc__,
    tags=["plumbline"],
)
def restore_drill():
    rehearse()


restore_drill()
