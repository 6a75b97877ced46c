"""Erase a person from everything the platform holds, and build and publish the marts without them.

Takes one of the person's tokens, never an id: parameters stay in Airflow's database. The token of an id comes from
`python -m include.lifecycle token --source NAME`. Show first what it would reach: `python -m include.lifecycle erase TOKEN …`
without `--do`. There is no way back. A legal hold forbids it and fails the run with its reason. Who asks is who starts the
run; the second person is named.
"""

from airflow.sdk import Param, chain, dag

from plumbline_airflow import steps
from plumbline_airflow.defaults import NIGHT_PARAM, START, TASK_DEFAULTS
from plumbline_airflow.maintenance import erase


@dag(
    schedule=None,
    start_date=START,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        **NIGHT_PARAM,
        "person_token": Param(type="string", format="uuid", description="one of the person's tokens"),
        "reason": Param(type="string", minLength=3, description="goes to the audit trail; name nobody"),
        "approved_by": Param(type="string", minLength=2, description="the second person; goes to the audit trail"),
    },
    doc_md=__doc__,
    tags=["plumbline"],
)
def erase_person():
    chain(erase(), steps.build(), steps.audit(), steps.publish())


erase_person()
