"""What the night tells other programs: documented metrics with bounded labels, lineage with assertions, and no person in either."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from include.critical import metrics as critical_metrics
from include.quality import lineage, metrics
from include.quality.catalogue import assess
from include.quality.gate import check_batch
from include.quality.outward import tell_machines
from include.reports.night import write_report
from include.settings import Settings
from include.verdict import close_night
from include.warehouse.connect import connect
from tests import openlineage_events
from tests.quality_inputs import NIGHT, Documents


@pytest.fixture
def night(fresh_hot: Settings) -> tuple[Settings, Documents]:
    """A closed night of one source with a failed check and a refused record."""
    made = Documents(fresh_hot, source="north")
    made.patient("ann")
    made.clean(30)
    made.observation("typo", code={"coding": [{"system": "http://loinc.org", "code": "4548-5"}]})
    made.observation("slip", valueQuantity={"value": 61, "unit": "%", "code": "%"})
    with connect("loader", "hot", fresh_hot) as books:
        books.execute("insert into lifecycle.night (night) values (%s)", [NIGHT])
        books.execute(
            "insert into lifecycle.source_state (night, source, kind, required, age_days, max_age_days) values (%s, 'north', 'fhir_bulk', true, 1, 2)",
            [NIGHT],
        )
    batch = made.load()
    assess.assess_batches([batch], fresh_hot)
    check_batch(batch, fresh_hot)
    close_night(NIGHT, fresh_hot)
    return fresh_hot, made


def samples(settings: Settings) -> dict[tuple, float]:
    text = metrics.metrics_path(settings).read_text()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text) for sample in family.samples
    }  # fmt: skip


def test_metrics_say_the_verdict_counts_checks_and_scores(night):
    settings, _ = night
    tell_machines(NIGHT, settings)
    found = samples(settings)
    assert found["plumbline_night_verdict", ("verdict", "red")] == 1  # nothing was built or published
    assert found["plumbline_source_records", ("outcome", "received"), ("source", "north")] == 33
    assert found["plumbline_source_records", ("outcome", "quarantined"), ("source", "north")] == 1
    assert found["plumbline_checks", ("source", "north"), ("stage", "delivery"), ("status", "failed")] >= 3
    overall = ("plumbline_quality_score", ("data_class", "patient_data"), ("dimension", "overall"), ("source", "north"))
    assert 0.5 < found[overall] < 1
    # every metric is documented, and its labels are bounded
    for name, *labels in found:
        assert name in metrics.METRICS
        assert tuple(sorted(word for word, _ in labels)) == tuple(sorted(metrics.METRICS[name][1]))
        assert all(re.fullmatch(r"[a-z0-9_]{1,40}", value) for _, value in labels)


@pytest.mark.parametrize(("of", "least"), [(metrics, 8), (critical_metrics, 4)])
def test_alert_rules_have_prometheus_s_structure_and_are_over_metrics_and_labels_that_exist(of, least):
    told = yaml.safe_load(of.ALERT_RULES.read_text())
    assert set(told) == {"groups"}
    rules = [rule for group in told["groups"] for rule in group["rules"]]
    assert all(set(group) == {"name", "rules"} for group in told["groups"]) and len(rules) >= least
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert (
            {"alert", "expr", "labels", "annotations"} <= set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        )
        assert re.fullmatch(r"[A-Za-z_]\w*", rule["alert"])
        assert re.fullmatch(r"([0-9]+[smhdwy])+", rule.get("for", "1m")), rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        _is_an_expression(rule["expr"])
        named = set(re.findall(r"plumbline_[a-z_]+", rule["expr"]))
        assert named and named <= set(of.METRICS), rule["alert"]
        labels = set().union(*(of.METRICS[name][1] for name in named))
        selected = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", rule["expr"]))
        joined = {
            word.strip() for words in re.findall(r"\bon\s*\(([^)]*)\)", rule["expr"]) for word in words.split(",")
        }
        shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert selected | joined | shown <= labels, rule["alert"]


_PROMQL = re.compile(
    r"""\s+|plumbline_[a-z_]+(\{(\w+(=~|!~|!=|=)"[^"]*",?)*\})?|time\(\)|and|or|unless|on|offset\s+[0-9]+[smhdwy]|[-+*/]|[<>]=?|[=!]=|[0-9.]+|[()]|source"""
)


def _is_an_expression(text: str) -> None:
    """Every token is one of PromQL's that the rules use, brackets close, and no two operands stand side by side."""
    at, depth, before = 0, 0, "operator"
    while at < len(text):
        token = _PROMQL.match(text, at)
        assert token, f"{text[at : at + 20]!r} is no PromQL"
        at, said = token.end(), token.group().strip()
        depth += (said == "(") - (said == ")")
        assert depth >= 0, text
        if said:
            kind = "operand" if re.match(r"plumbline_|time\(|[0-9.]", said) else "operator"
            assert not (kind == before == "operand"), text
            before = kind
    assert depth == 0, text


def written(settings: Settings) -> list[dict]:
    return [json.loads(line) for line in lineage.write_lineage(NIGHT, settings, {}).read_text().splitlines()]


def of_job(events: list[dict], job: str) -> tuple[dict, dict]:
    """The run's two events."""
    first, last = [event for event in events if event["job"]["name"] == job]
    return first, last


def test_lineage_carries_assertions_and_metrics_and_repeats(night):
    settings, _ = night
    events = written(settings)
    _, check = of_job(events, "check.north")
    facets = check["inputs"][0]["inputFacets"]
    said = {each["name"]: each for each in facets["dataQualityAssertions"]["assertions"]}
    wrong = said["Observation.isStandardValidConcept.http://loinc.org"]
    assert (wrong["success"], wrong["expected"], wrong["actual"], wrong.get("column")) == (
        False, "0.01", "0.03125", None,
    )  # fmt: skip
    assert said["Observation.isPrimaryKey.resource_id"]["success"] is True
    assert facets["dataQualityMetrics"]["rowCount"] == 33
    assert facets["dataQualityMetrics"]["columnMetrics"]["observation.category"]["nullCount"] == 32
    assert check["eventType"] == "COMPLETE"
    assert written(settings) == events

    _every_run_starts_and_ends_in_the_form_of_the_standard(settings)
    _a_step_that_was_killed_is_aborted(settings)
    _dbt_s_models_and_tests_are_runs_too_where_the_build_was_this_night_s(settings)


def _every_run_starts_and_ends_in_the_form_of_the_standard(settings: Settings) -> None:
    with connect("publisher", "warm", settings) as warm:
        warm.execute("update governance.steps set state = 'failed', error_code = 'GateError' where step = 'check'")
    events = written(settings)
    for event in events:
        openlineage_events.validate(event)
    by_run: dict[str, list[dict]] = {}
    for event in events:
        by_run.setdefault(event["run"]["runId"], []).append(event)
    assert {event["job"]["name"] for event in events} == {"nightly", "check.north"}
    for first, last in by_run.values():
        assert first["eventType"] == "START"
        assert last["eventType"] in ("COMPLETE", "FAIL", "ABORT")
        assert first["eventTime"] <= last["eventTime"]
    (night_run,) = [run for run, each in by_run.items() if each[0]["job"]["name"] == "nightly"]
    assert by_run[night_run][1]["eventType"] == "FAIL"  # red
    first, last = of_job(events, "check.north")
    assert first["run"]["facets"]["parent"]["run"]["runId"] == night_run
    assert (last["eventType"], last["run"]["facets"]["errorMessage"]["message"]) == ("FAIL", "GateError")
    assert "errorMessage" not in first["run"]["facets"]


def _a_step_that_was_killed_is_aborted(settings: Settings) -> None:
    with connect("publisher", "warm", settings) as warm:
        warm.execute("update governance.steps set state = 'failed', error_code = 'Killed' where step = 'check'")
    assert of_job(written(settings), "check.north")[1]["eventType"] == "ABORT"


def _dbt_s_models_and_tests_are_runs_too_where_the_build_was_this_night_s(settings: Settings) -> None:
    at = datetime.now(UTC)
    with connect("publisher", "warm", settings) as warm:
        warm.execute(
            """insert into governance.steps (step_id, night, attempt, step, state, started_at, finished_at, counts)
               values (999999, %s, 1, 'build', 'done', %s, %s, '{}')""",
            [NIGHT, at - timedelta(minutes=3), at + timedelta(minutes=1)],
        )
    write_artifacts(settings, at)
    events = written(settings)
    for event in events:
        openlineage_events.validate(event)
    states = {event["job"]["name"]: event["eventType"] for event in events}
    assert {job: state for job, state in states.items() if job.startswith("dbt.")} == {
        "dbt.made": "COMPLETE", "dbt.made.tests": "FAIL", "dbt.broken": "FAIL", "dbt.after": "ABORT",
    }  # fmt: skip
    first, made = of_job(events, "dbt.made")
    assert (first["eventTime"], made["eventTime"]) == (stamp(at, -60), stamp(at, -50))
    assert [each["name"] for each in made["inputs"]] == ["staging.stg"]
    assert [each["name"] for each in made["outputs"]] == ["candidate_clinical.made"]
    _, tests = of_job(events, "dbt.made.tests")
    facets = tests["inputs"][0]["inputFacets"]
    said = [
        (each["assertion"], each.get("column"), each["success"])
        for each in facets["dataQualityAssertions"]["assertions"]
    ]
    assert said == [("not_null", "code", True), ("custom_sql", None, False)]
    assert "dataQualityMetrics" in facets
    # a build of another night is none of this one's
    write_artifacts(settings, at - timedelta(days=1))
    assert not [event for event in written(settings) if event["job"]["name"].startswith("dbt.")]


def stamp(at: datetime, seconds: int) -> str:
    return (at + timedelta(seconds=seconds)).isoformat()


def write_artifacts(settings: Settings, at: datetime) -> None:
    """What dbt leaves of three models: one made through a step that is no table, one broken, one skipped; and of the first one's tests."""

    def model(name: str, schema: str, *parents: str) -> dict:
        return {
            "unique_id": f"model.p.{name}",
            "resource_type": "model",
            "name": name,
            "schema": schema,
            "depends_on": {"nodes": list(parents)},
        }

    def check(name: str, **more) -> dict:
        return {"unique_id": f"test.p.{name}", "resource_type": "test", "name": name, "schema": "x", "config": {"severity": "ERROR"},
                "depends_on": {"nodes": ["model.p.made"]}} | more  # fmt: skip

    def result(of: str, status: str, begin: int | None = None) -> dict:
        timing = (
            []
            if begin is None
            else [{"name": "execute", "started_at": stamp(at, begin), "completed_at": stamp(at, begin + 10)}]
        )
        return {"unique_id": of, "status": status, "timing": timing}

    nodes = [
        model("stg", "staging"), model("step", "intermediate", "model.p.stg") | {"config": {"materialized": "ephemeral"}},
        model("made", "candidate_clinical", "model.p.step"), model("broken", "intermediate", "model.p.stg"),
        model("after", "candidate_clinical", "model.p.broken"),
        check("not_null_code", column_name="code", test_metadata={"name": "not_null"}), check("own"),
    ]  # fmt: skip
    results = [
        result("model.p.made", "success", -60), result("model.p.broken", "error", -40), result("model.p.after", "skipped"),
        result("test.p.not_null_code", "pass", -30), result("test.p.own", "fail", -20),
    ]  # fmt: skip
    target = settings.home / "dbt" / "target"
    target.mkdir(parents=True, exist_ok=True)
    (target / "manifest.json").write_text(json.dumps({"nodes": {each["unique_id"]: each for each in nodes}}))
    (target / "run_results.json").write_text(
        json.dumps({"metadata": {"generated_at": at.isoformat()}, "results": results})
    )


@pytest.fixture
def server() -> Iterator[tuple[str, list]]:
    """A lineage server that keeps what it was sent."""
    taken: list = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            """Quiet."""

    running = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}", taken
    running.shutdown()


def test_events_go_to_a_server_where_one_is_named_and_a_dead_one_spoils_nothing(night, server):
    settings, _ = night
    url, taken = server
    path = lineage.write_lineage(NIGHT, settings, {"OPENLINEAGE_URL": url})
    assert [event["job"]["name"] for event in taken] == [
        json.loads(line)["job"]["name"] for line in path.read_text().splitlines()
    ]
    assert lineage.write_lineage(NIGHT, settings, {"OPENLINEAGE_URL": "http://127.0.0.1:1"}) == path


def test_a_night_that_nobody_closed_spoils_nothing(fresh_hot: Settings):
    assert [path.name for path in tell_machines(date(2020, 1, 1), fresh_hot)] == ["plumbline.prom", "2020-01-01.ndjson"]


def test_the_page_and_the_workbench_show_scores_failed_checks_and_who_must_act(night):
    settings, _ = night
    page = write_report(NIGHT, settings).read_text()
    assert "Scores over time" not in page, "one night is no course"
    assert "Observation.isStandardValidConcept.http://loinc.org" in page
    assert "What waits, for whom" in page
    assert "make replay SOURCE=north RULE=value_impossible" in page
    assert "How each number comes about" in page and "accuracy against" not in page
    _the_workbench_says_who_acts_how_old_and_which_way_it_goes(settings)


def _the_workbench_says_who_acts_how_old_and_which_way_it_goes(settings: Settings) -> None:
    with connect("publisher", "warm", settings) as warm:
        trends = warm.execute("select distinct trend from governance.quarantine_workbench").fetchall()
        assert trends == [("new",)], "on a first night nothing has grown"
        warm.execute(
            """insert into governance.quarantine select gen_random_uuid(), batch_id, night - 9, source, dataset, place, scope, 5,
                   resource_type, reason_code, found, expected, action, stage, state from governance.quarantine where source = 'north' limit 1"""
        )
    with connect("analyst", "warm", settings) as warm:
        rows = warm.execute(
            "select source, reason_code, records, oldest_days, age, trend, who_acts, replay_command from governance.quarantine_workbench where source = 'north'"
        ).fetchall()
    assert rows == [
        ("north", "value_impossible", 6, 9, "this month", "shrinking", "source north",
         'make replay SOURCE=north RULE=value_impossible REASON="…" BY=you')
    ]  # fmt: skip
