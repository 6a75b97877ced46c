"""What the night tells other programs: documented metrics with bounded labels, lineage with assertions, and no person in either."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from include.quality import lineage, metrics
from include.quality.catalogue import assess
from include.quality.gate import check_batch
from include.quality.outward import tell_machines
from include.reports.night import write_report
from include.settings import Settings
from include.verdict import close_night
from include.warehouse.connect import connect
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
    assert found["plumbline_checks", ("source", "north"), ("status", "failed")] >= 3
    overall = ("plumbline_quality_score", ("data_class", "patient_data"), ("dimension", "overall"), ("source", "north"))
    assert 0.5 < found[overall] < 1


def test_every_metric_is_documented_and_its_labels_are_bounded(night):
    settings, made = night
    metrics.write_metrics(NIGHT, settings)
    for name, *labels in samples(settings):
        assert name in metrics.METRICS
        assert tuple(sorted(word for word, _ in labels)) == tuple(sorted(metrics.METRICS[name][1]))
        assert all(re.fullmatch(r"[a-z0-9_]{1,40}", value) for _, value in labels)


def test_alert_rules_are_over_metrics_that_exist():
    rules = yaml.safe_load(metrics.ALERT_RULES.read_text())["groups"][0]["rules"]
    assert len(rules) >= 8
    for rule in rules:
        named = set(re.findall(r"plumbline_[a-z_]+", rule["expr"]))
        assert named, rule["alert"]
        assert named <= set(metrics.METRICS), rule["alert"]
        assert rule["annotations"]["summary"]


def test_lineage_carries_assertions_and_metrics_and_repeats(night):
    settings, _ = night
    path = lineage.write_lineage(NIGHT, settings, {})
    first = path.read_text()
    events = [json.loads(line) for line in first.splitlines()]
    (check,) = [event for event in events if event["job"]["name"] == "check.north"]
    facets = check["inputs"][0]["inputFacets"]
    said = {each["name"]: each for each in facets["dataQualityAssertions"]["assertions"]}
    assert said["Observation.isStandardValidConcept.http://loinc.org"]["success"] is False
    assert said["Observation.isPrimaryKey.resource_id"]["success"] is True
    assert facets["dataQualityMetrics"]["rowCount"] == 33
    assert check["eventType"] == "COMPLETE"
    lineage.write_lineage(NIGHT, settings, {})
    assert path.read_text() == first


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


def test_the_page_shows_scores_failed_checks_and_who_must_act(night):
    settings, _ = night
    page = write_report(NIGHT, settings).read_text()
    assert "Scores over time" in page
    assert "<svg" in page
    assert "Observation.isStandardValidConcept.http://loinc.org" in page
    assert "What waits, for whom" in page
    assert "make replay SOURCE=north RULE=value_impossible" in page


def test_the_workbench_says_who_acts_how_old_and_which_way_it_goes(night):
    settings, _ = night
    with connect("publisher", "warm", settings) as warm:
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
