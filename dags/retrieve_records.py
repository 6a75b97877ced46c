"""Bring records back from whichever tier holds them, by record id; what was found where is on the books."""

from airflow.sdk import Param, dag

from plumbline_airflow.defaults import START, TASK_DEFAULTS
from plumbline_airflow.maintenance import retrieve


@dag(
    schedule=None,
    start_date=START,
    default_args=TASK_DEFAULTS,
    params={
        "record_ids": Param([], type="array", items={"type": "string", "format": "uuid"}),
        "purpose": Param(type="string", minLength=3, description="what for; goes to the audit trail"),
    },
    doc_md=__doc__,
    tags=["plumbline"],
)
def retrieve_records():
    retrieve()


retrieve_records()
