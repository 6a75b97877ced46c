"""Open again what stayed outside, after the source, the contract or the policy was corrected.

Nothing is let in here: the next night reads it from landing once more, and the gate judges it like anything else. Who asked
and why goes to the audit trail.
"""

from airflow.sdk import Param, dag

from plumbline_airflow.defaults import START, TASK_DEFAULTS
from plumbline_airflow.maintenance import reopen


@dag(
    schedule=None,
    start_date=START,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params={
        "source": Param(type="string", minLength=1, description="name in sources.yml"),
        "what": Param(
            "records", enum=["records", "held_back"], description="refused records, or batches held back whole"
        ),
        "reason_code": Param(None, type=["null", "string"], description="records refused for this reason only"),
        "reason": Param(type="string", minLength=3, description="what was corrected; goes to the audit trail"),
    },
    doc_md=__doc__,
    tags=["plumbline"],
)
def replay_quarantine():
    reopen()


replay_quarantine()
