"""Save the databases and the keys where something is due: every morning at seven, for days whose night did not come to its end.

A night that does is saved by its own last task; then nothing is due here.

Each backup is encrypted, read back whole and compared before it counts. Databases lie locked to the end of their days; keys lie
apart, sealed for the escrow recipient, and end within a week.
"""

from airflow.sdk import dag

from plumbline_airflow.defaults import AT_TWO, NIGHT_PARAM, START, TASK_DEFAULTS
from plumbline_airflow.maintenance import save


@dag(
    schedule=AT_TWO and "0 7 * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params=NIGHT_PARAM,
    doc_md=__doc__,
    tags=["plumbline"],
)
def back_up():
    save()


back_up()
