"""The shape of the night: what runs when, and what a failure may and may not stop."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from include.errors import PlumblineError
from plumbline_airflow.clock import night_of_run
from plumbline_airflow.guard import StepError, value_free
from plumbline_airflow.who import NobodyAskedError, asked_by

IN_ORDER = [
    "open",
    "sources",
    "resolve",
    "notes",
    "build",
    "audit",
    "publish",
    "tier.plan",
    "tier.move",
    "close",
    "report",
    "tell",
]


@pytest.fixture
def nightly(dag_bag):
    return dag_bag.dags["nightly"]


def test_the_night_is_one_dag_in_the_order_of_the_design(nightly):
    for earlier, later in zip(IN_ORDER, IN_ORDER[1:], strict=False):
        assert later in {task.task_id for task in nightly.get_task(earlier).get_flat_relatives(upstream=False)}


def test_every_source_is_landed_loaded_checked_and_promoted_by_a_mapped_group(nightly):
    steps = [f"extract.{verb}" for verb in ("land", "load", "check", "promote")]
    assert [task.task_id for task in nightly.topological_sort() if task.task_id.startswith("extract.")] == steps
    assert all(nightly.get_task(step).get_closest_mapped_task_group() is not None for step in steps)


def test_the_night_that_is_killed_and_timed_calls_what_the_dag_calls():
    project = Path(__file__).parents[2]
    in_airflow = {
        called
        for module in ("steps", "tiering")
        for called in _imported_from_include(project / "plugins" / "plumbline_airflow" / f"{module}.py")
    }
    assert _imported_from_include(project / "bench" / "one_night.py") == in_airflow - {
        "include.alerts.tell.tell_verdict"
    }


def _imported_from_include(file: Path) -> set[str]:
    imports = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    return {
        f"{node.module}.{name.name}" for node in imports if node.module.startswith("include.") for name in node.names
    }


def test_one_source_s_failure_stops_none_of_what_follows(nightly):
    assert nightly.get_task("resolve").trigger_rule == "all_done"


@pytest.mark.parametrize("task", ["notes", "build", "audit", "publish", "tier.plan", "tier.move"])
def test_a_step_that_shows_data_to_anyone_waits_for_the_success_of_the_one_before(nightly, task):
    assert nightly.get_task(task).trigger_rule == "all_success"


def test_a_finished_night_is_saved_and_a_backup_that_fails_shows(nightly):
    task = nightly.get_task("back_up")
    assert {each.task_id for each in task.upstream_list} == {"report"}
    assert task.trigger_rule == "all_done"
    assert not task.downstream_list, "a last task: where it fails the run is red in Airflow"


@pytest.mark.parametrize("task", ["close", "report", "tell"])
def test_the_verdict_is_written_and_told_whatever_happened(nightly, task):
    assert nightly.get_task(task).trigger_rule == "all_done"


def test_a_night_gives_way_to_a_later_one_unless_the_run_says_otherwise_and_an_erasure_never_waits(dag_bag):
    assert dag_bag.dags["nightly"].params["older"] is False
    assert "older" not in dag_bag.dags["erase_person"].params


BY_HAND = ("destroy_expired", "erase_person", "retrieve_records", "replay_quarantine")


@pytest.mark.parametrize("name", BY_HAND)
def test_who_asks_is_who_is_logged_in_and_cannot_be_typed(dag_bag, name):
    dag = dag_bag.dags[name]
    assert type(dag.timetable).__name__ == "NullTimetable", "only a person starts it"
    assert not {"requested_by", "asked_by", "actor"} & set(dag.params)
    called = {
        node.func.id
        for module in ("maintenance", "approval")
        for task in ast.parse((Path(__file__).parents[2] / f"plugins/plumbline_airflow/{module}.py").read_text()).body
        if isinstance(task, ast.FunctionDef) and task.name in {t.task_id for t in dag.tasks}
        for node in ast.walk(task)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert "asked_by" in called


def test_a_run_that_nobody_known_started_is_refused():
    assert asked_by({"dag_run": SimpleNamespace(triggering_user_name="A. Manager")}) == "A. Manager"
    for unknown in (None, " "):
        with pytest.raises(NobodyAskedError, match="knows nobody to have started"):
            asked_by({"dag_run": SimpleNamespace(triggering_user_name=unknown)})


def test_no_dag_triggers_another(dag_bag):
    kinds = {type(task).__name__ for dag in dag_bag.dags.values() for task in dag.tasks}
    assert not [kind for kind in kinds if "Trigger" in kind]


def test_nights_run_at_two_one_at_a_time_with_a_deadline(nightly):
    assert "0 2 * * *" in str(nightly.schedule)
    assert nightly.max_active_runs == 1
    assert nightly.dagrun_timeout == timedelta(hours=6)
    assert nightly.on_failure_callback is not None


@pytest.mark.parametrize("since", ["2026-03-07", "2026-03-07T15:00:00+00:00"])
def test_two_o_clock_is_two_o_clock_in_the_hospital_also_when_clocks_change(project, since):
    script = (
        "import sys; sys.path[:0] = ['plugins', 'dags', '.']; from nightly import nightly; import pendulum;"
        "from airflow.timetables.trigger import CronTriggerTimetable; dag = nightly();"
        "from airflow.timetables.base import TimeRestriction as R; t = CronTriggerTimetable(dag.schedule, timezone=dag.timezone);"
        "print(dag.timezone, dag.catchup, t._get_next(pendulum.datetime(2026, 3, 9, 12)), t._get_next(pendulum.datetime(2026, 3, 6, 12)))"
    )
    where = {"PLUMBLINE_TIMEZONE": "America/New_York", "PLUMBLINE_FIRST_NIGHT": since}
    shown = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **where}, cwd=project, capture_output=True, text=True
    )
    assert shown.stdout.strip().splitlines()[-1:] == [
        "America/New_York True 2026-03-10 06:00:00+00:00 2026-03-07 07:00:00+00:00"
    ], shown.stderr


def test_every_task_is_retried_and_reports_its_failure(dag_bag):
    tasks = [task for dag in dag_bag.dags.values() for task in dag.tasks if task.task_id not in ("tell", "reopen")]
    assert {task.retries for task in tasks} == {2}
    assert all(task.on_failure_callback for task in tasks)


def test_telling_a_red_night_is_not_a_failed_step_of_it(nightly):
    assert nightly.get_task("tell").retries == 0
    assert not nightly.get_task("tell").on_failure_callback


def test_tier_storage_uses_the_same_tasks_as_the_night(dag_bag):
    verbs = {
        dag: [t.python_callable for t in dag_bag.dags[dag].tasks if t.task_id.startswith("tier.")]
        for dag in ("nightly", "tier_storage")
    }
    assert verbs["nightly"]
    assert verbs["nightly"] == verbs["tier_storage"]


@pytest.mark.parametrize(
    ("chosen", "moment", "zone", "night"),
    [
        ("2026-02-03", datetime(2026, 11, 23, 2, tzinfo=UTC), "UTC", date(2026, 2, 3)),
        (None, datetime(2026, 11, 23, 7, tzinfo=UTC), "America/New_York", date(2026, 11, 23)),
        (None, datetime(2026, 11, 23, 4, 59, tzinfo=UTC), "America/New_York", date(2026, 11, 22)),
        (None, datetime(2026, 3, 8, 6, 59, tzinfo=UTC), "America/New_York", date(2026, 3, 8)),
        (None, datetime(2026, 11, 23, 12), "Asia/Tokyo", date(2026, 11, 23)),  # noqa: DTZ001
    ],
)
def test_the_night_is_the_one_asked_for_or_the_day_it_is_in_the_hospital(chosen, moment, zone, night):
    assert night_of_run(chosen, moment, ZoneInfo(zone)) == night


def test_an_unforeseen_error_reaches_airflow_without_its_text_or_its_causes():
    @value_free
    def stumble():
        try:
            int("Jane Doe 1980-02-30")
        except ValueError as cause:
            raise KeyError("MRN-4711 of Jane Doe") from cause

    with pytest.raises(StepError, match="builtins.KeyError at tests/dags/test_nightly.py:.* stumble") as caught:
        stumble()
    assert _everything_said(caught.value).count("Jane") == 0
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_our_own_error_keeps_its_words_and_loses_its_cause():
    @value_free
    def refuse():
        try:
            int("Jane Doe")
        except ValueError as cause:
            raise PlumblineError(found="1 malformed number", expected="digits", action="ask the source") from cause

    with pytest.raises(PlumblineError, match="1 malformed number; expected digits; ask the source") as caught:
        refuse()
    assert "Jane" not in _everything_said(caught.value)


def _everything_said(problem: BaseException) -> str:
    import traceback

    lines = traceback.format_exception(problem)
    # The source lines of this very test name her; what Airflow would print beside them must not.
    return "".join(line for line in lines if "tests/dags" not in line)
