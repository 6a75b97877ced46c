"""Destroy what is past its retention, after a second person approved it here, in Airflow's required actions.

The plan of the night says what is due; the person sees it, names the files and a reason, and approves or rejects within
fourteen days. Silence rejects. Who started the run must be somebody else. A hold set meanwhile still wins.
"""

from airflow.sdk import chain, dag

from plumbline_airflow.approval import anything_due, approve, ask
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
def destroy_expired():
    question = ask()
    anything_due() >> question
    chain(approve(question.output), tier())


destroy_expired()
