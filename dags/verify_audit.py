"""Check the audit trail from its first entry and seal its newest in the locked bucket: every day, an hour after noon.

Every night does so as well, before its verdict; this is for what happened since, and for days without one.
A trail that was bent fails the run and names the first entry; it is not sealed. Then classes of data whose audit is due by their
policy: is every record in its place, is every file in cold and the archive what was written?
"""

from airflow.sdk import dag

from plumbline_airflow.defaults import AT_TWO, NIGHT_PARAM, START, TASK_DEFAULTS
from plumbline_airflow.maintenance import audit_classes, verify


@dag(
    schedule=AT_TWO and "0 13 * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    params=NIGHT_PARAM,
    doc_md=__doc__,
    tags=["plumbline"],
)
def verify_audit():
    verify() >> audit_classes()


verify_audit()
