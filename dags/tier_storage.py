"""Move what is due to a colder tier, apart from a night: the same plan and the same moves as at the night's end.

By hand only. The plan is the first task; its step on the books says what is due before anything moves.
"""

from airflow.sdk import dag

from plumbline_airflow.defaults import NIGHT_PARAM, START, TASK_DEFAULTS
from plumbline_airflow.tiering import tier


@dag(
    schedule=None,
    start_date=START,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params=NIGHT_PARAM,
    doc_md=__doc__,
    tags=["plumbline"],
)
def tier_storage():
    tier()


tier_storage()
