"""A second person's word before anything is destroyed, asked in Airflow's own 'required actions'."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, get_current_context, task

from plumbline_airflow.guard import value_free
from plumbline_airflow.steps import tonight
from plumbline_airflow.who import asked_by

ANSWER_WITHIN = timedelta(days=14)


@task.short_circuit
@value_free
def anything_due() -> dict[str, str] | None:
    """Plan the night and say what waits for approval; nothing due ends the run."""
    from include.lifecycle.approvals import planned_for_approval

    return planned_for_approval(tonight())


def ask() -> HITLOperator:
    """Put the files before a person, who approves or rejects with a reason. Nobody's silence approves anything."""
    return HITLOperator(
        task_id="ask",
        subject="Destroy files past their retention?",
        body="{{ ti.xcom_pull(task_ids='anything_due')['text'] }}",
        options=["Approve", "Reject"],
        params={
            "reason": Param("", type="string", description="why; goes to the audit trail and the certificate"),
            "files": Param(
                "", type="string", description="keys of the files, as shown; what is not named is not approved"
            ),
        },
        execution_timeout=None,
        response_timeout=ANSWER_WITHIN,
    )


@task
@value_free
def approve(answer: dict) -> int:
    """Write down the approval; returns how many files it covers."""
    from include.lifecycle.approvals import approve_answer

    return approve_answer(tonight(), answer, asked_by(get_current_context()))
