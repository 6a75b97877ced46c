"""The catalogue in the night: results kept, judged again without scanning, keys that only the privacy role resolves."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
import yaml
from psycopg import sql

from include.quality import profile
from include.quality.batches import read_batch
from include.quality.catalogue import assess, contents, thresholds
from include.quality.catalogue.contents import shared
from include.quality.gate import check_batch
from include.quality.scores import score_source
from include.settings import Settings
from include.warehouse.connect import connect
from tests.quality_inputs import NIGHT, Documents, token


def results_of(settings: Settings, source: str, night=NIGHT) -> dict[str, tuple]:
    with connect("checker", "hot", settings) as books:
        rows = books.execute(
            "select instance, status, tested, failed, threshold, judge from quality.check_result where source = %s and night = %s",
            [source, night],
        ).fetchall()
    return {instance: tuple(rest) for instance, *rest in rows}


@pytest.fixture
def delivery(settings: Settings) -> Documents:
    """Thirty sound results of one person and one whose code has a wrong check digit, and one value out of range."""
    made = Documents(settings)
    made.patient("ann")
    made.clean(30)
    made.observation("typo", code={"coding": [{"system": "http://loinc.org", "code": "4548-5"}]})
    made.observation("slip", valueQuantity={"value": 61, "unit": "%", "code": "%"})
    with connect("loader", "hot", settings) as books:
        books.execute(
            "insert into lifecycle.source_state (night, source, kind, required, max_age_days, age_days) values (%s, %s, 'fhir_bulk', true, 2, 1)",
            [NIGHT, made.source],
        )
    return made


def test_results_are_kept_and_the_gate_s_stand_beside_them(settings: Settings, delivery: Documents):
    batch = delivery.load()
    assess.assess_batches([batch], settings)
    check_batch(batch, settings)
    found = results_of(settings, delivery.source)
    assert found["Observation.isStandardValidConcept.http://loinc.org"][:3] == ("failed", 32, 1)
    assert found["Observation.plausibleValueHigh.4548-4[%]"][:3] == ("failed", 31, 1)
    assert found["Observation.plausibleAmount.value_impossible"][:3] == ("failed", 31, 1)
    assert found["Observation.plausibleAmount.value_impossible"][4] == "gate"
    assert not [name for name, each in found.items() if each[0] == "error"]


def test_running_it_again_leaves_the_same_results(settings: Settings, delivery: Documents):
    batch = delivery.load()
    assess.assess_batches([batch], settings)
    first = results_of(settings, delivery.source)
    assess.assess_batches([batch], settings)
    assert results_of(settings, delivery.source) == first


def test_two_sessions_count_what_one_does(settings: Settings, delivery: Documents, monkeypatch):
    delivery.observation("early", effectiveDateTime="1900-01-01T10:00:00Z")
    batch = delivery.load()
    with connect("checker", "hot", settings) as books:
        batches = [read_batch(books, batch)]
    shares = []
    monkeypatch.setattr(contents, "shared", lambda *said: shares.append(shared(*said)) or shares[-1])
    assess.assess(delivery.source, NIGHT, batches, settings)
    in_one = everything_kept(settings, delivery.source)
    assert not shares
    monkeypatch.setattr(assess, "ROWS_FOR_TWO", 1)
    assess.assess(delivery.source, NIGHT, batches, settings)
    mine, others = ([subject.resource_type for subject in share] for share in shares[0])
    assert "Observation" in others and {"Patient", "Encounter", "Condition"} <= set(mine), (
        "visits and diagnoses are joined by a shipped check in SQL"
    )
    assert everything_kept(settings, delivery.source) == in_one
    assert any("Observation.placeholderDate.happened_at" in row for row in in_one["check_evidence"])


def everything_kept(settings: Settings, source: str) -> dict[str, list[str]]:
    """All that assessing leaves in the books but the time."""
    with connect("postgres", "hot", settings) as books:
        return {
            table: [
                row
                for (row,) in books.execute(
                    sql.SQL(
                        "select (to_jsonb(t) - 'judged_at')::text from quality.{} t where source = %s order by 1"
                    ).format(sql.Identifier(table)),
                    [source],
                )
            ]
            for table in ("check_result", "check_evidence", "profile", "drift")
        }


def test_what_is_left_of_a_delivery_after_a_kill_does_not_stand_for_the_whole(settings: Settings, delivery: Documents):
    first = delivery.load()
    delivery.rows = [row[:5] + (f"{row[5]}-b", *row[6:]) for row in delivery.rows[:5]]
    both = [first, delivery.load(number=2)]
    assess.assess_batches(both, settings)
    whole = results_of(settings, delivery.source)
    check_batch(first, settings)
    assess.assess_batches(both, settings)  # the night goes on: one batch is judged, the other waits
    after = results_of(settings, delivery.source)
    assert {name: after[name] for name in whole} == whole


def test_a_night_is_judged_again_without_its_rows(settings: Settings, delivery: Documents, tmp_path, monkeypatch):
    batch = delivery.load()
    assess.assess_batches([batch], settings)
    check_batch(batch, settings)
    with connect("loader", "hot", settings) as books:
        books.execute(psycopg.sql.SQL("drop table intake.{}").format(psycopg.sql.Identifier(batch)))
    name = "Observation.isStandardValidConcept.http://loinc.org"
    policy = tmp_path / "check_thresholds.yml"
    policy.write_text(yaml.safe_dump({"owner": "o", "thresholds": [{
        "check": "isStandardValidConcept", "source": delivery.source, "threshold": 0.1, "owner": "o", "reason": "known", "expires": NIGHT,
    }]}))  # fmt: skip
    lenient = thresholds.load_thresholds(policy)
    monkeypatch.setattr(assess, "load_thresholds", lambda: lenient)
    strict_score = {each.data_class: each.dimensions for each in score_source_of(settings, delivery.source)}
    assert (delivery.source, name, "failed", "passed") in assess.rejudge(NIGHT, settings)
    assert results_of(settings, delivery.source)[name][:3] == ("passed", 32, 1)
    kept = validity_kept(settings, delivery.source)
    assert kept > float(strict_score["patient_data"]["validity"]), "the score moves with the threshold"
    monkeypatch.setattr(assess, "load_thresholds", lambda: thresholds.Thresholds())
    assert (delivery.source, name, "passed", "failed") in assess.rejudge(NIGHT, settings)
    assert validity_kept(settings, delivery.source) == pytest.approx(float(strict_score["patient_data"]["validity"]))


def score_source_of(settings: Settings, source: str) -> list:
    with connect("checker", "hot", settings) as books:
        return score_source(books, NIGHT, source)


def validity_kept(settings: Settings, source: str) -> float:
    with connect("checker", "hot", settings) as books:
        row = books.execute(
            "select validity from quality.score where (night, source, data_class) = (%s, %s, 'patient_data')",
            [NIGHT, source],
        ).fetchone()
    return float(row[0])


def test_failing_keys_are_tokens_that_only_the_privacy_officer_resolves_and_the_trail_says_so(
    settings: Settings, delivery: Documents
):
    delivery.observation("early", effectiveDateTime="1900-01-01T10:00:00Z")
    batch = delivery.load()
    assess.assess_batches([batch], settings)
    asked = [NIGHT, delivery.source, "Observation.placeholderDate.happened_at", "look into a complaint"]
    for role in ("checker", "publisher", "transformer", "loader"):
        with connect(role, "hot", settings) as books, pytest.raises(psycopg.errors.InsufficientPrivilege):
            books.execute("select record_id from quality.check_evidence")
        with connect(role, "hot", settings) as books, pytest.raises(psycopg.errors.InsufficientPrivilege):
            books.execute("select * from quality.evidence(%s, %s, %s, %s)", asked)
    with connect("privacy_officer", "hot", settings) as books:
        rows = books.execute("select record_id from quality.evidence(%s, %s, %s, %s)", asked).fetchall()
        assert rows == [(token(delivery.source, "Observation", "early", "record"),)]
        trail = books.execute(
            "select count(*) from audit.entry where action = 'evidence.read' and subject = %s", [asked[2]]
        ).fetchone()
        assert trail[0] >= 1
    with connect("privacy_officer", "hot", settings) as books, pytest.raises(psycopg.errors.RaiseException):
        books.execute("select * from quality.evidence(%s, %s, %s, '')", asked[:3])


def test_what_cannot_be_counted_is_an_error_and_makes_the_night_amber(
    settings: Settings, delivery: Documents, monkeypatch
):
    batch = delivery.load()

    def fail(*args, **named):
        raise psycopg.errors.OutOfMemory

    monkeypatch.setattr(assess.run.contents, "prepare", fail)
    assess.assess_batches([batch], settings)
    found = results_of(settings, delivery.source)
    assert {each[0] for name, each in found.items() if not name.endswith("readableRecord")} == {"error"}
    with connect("checker", "hot", settings) as books:
        (notes,) = books.execute(
            "select notes from lifecycle.source_state where source = %s", [delivery.source]
        ).fetchone()
    assert [note["level"] for note in notes if note["code"] == assess.NOTE] == ["amber"]


def test_scores_use_the_checks_and_say_how_sure_and_how_changed(settings: Settings, delivery: Documents):
    with connect("checker", "hot", settings) as books:
        for back in (1, 2, 3):
            books.execute(
                "insert into quality.score (night, source, data_class, overall, formula) values (%s, %s, 'patient_data', 0.5, 'x')",
                [NIGHT - timedelta(days=back), delivery.source],
            )
    batch = delivery.load()
    assess.assess_batches([batch], settings)
    check_batch(batch, settings)
    with connect("checker", "hot", settings) as books:
        (score,) = score_source(books, NIGHT, delivery.source)
        low, high, change, nights = books.execute(
            "select overall_low, overall_high, change, nights_compared from quality.score where source = %s and night = %s",
            [delivery.source, NIGHT],
        ).fetchone()
    assert 0 < low < score.overall < high <= 1
    assert float(change) == pytest.approx(score.overall - 0.5)
    assert nights == 3
    assert score.dimensions["timeliness"] == 1
    assert "beyond it" in score.formula


def test_a_source_that_halves_is_told_by_its_own_history(settings: Settings):
    source = f"north_{uuid4().hex[:8]}"
    for back in range(14, -2, -1):
        night = NIGHT - timedelta(days=back)
        made = Documents(settings, source=source, night=night)
        made.patient("ann")
        made.clean(200 + back % 3 if back > 0 else 60)
        with connect("loader", "hot", settings) as books:
            books.execute(
                "insert into lifecycle.source_state (night, source, kind, required) values (%s, %s, 'fhir_bulk', false)",
                [night, source],
            )
        assess.assess_batches([made.load(number=back + 2)], settings)
    with connect("checker", "hot", settings) as books:
        alarms = books.execute(
            "select night, signal from quality.drift where source = %s and is_alarm order by 1, 2", [source]
        ).fetchall()
        (notes,) = books.execute(
            "select notes from lifecycle.source_state where source = %s and night = %s", [source, NIGHT]
        ).fetchone()
        known = dict(profile._history(books, source, NIGHT + timedelta(days=1))["Observation.rows"])
    assert known[NIGHT] > min(known[NIGHT - timedelta(days=back)] for back in range(1, 14)) - 0.1, "it is drawn in"
    next_night = NIGHT + timedelta(days=1)
    assert alarms == [(NIGHT, "Observation.rows"), (next_night, "Observation.rows")], (
        "a night like the last one's alarm is no usual one"
    )
    assert [note["text"] for note in notes if note["code"] == "drift"] == [
        "unlike its own last nights: Observation.rows"
    ]


def test_every_kind_of_record_can_be_profiled_also_where_a_category_is_only_present(
    settings: Settings, delivery: Documents
):
    category = [{"coding": [{"system": "http://loinc.org", "code": "x"}]}]
    delivery.add("ServiceRequest", "s1", {"status": "active", "intent": "order", "category": category}, person="ann")
    delivery.add("Procedure", "p1", {"status": "completed", "category": category[0]}, person="ann")
    assess.assess_batches([delivery.load()], settings)
    found = results_of(settings, delivery.source)
    assert not [name for name, each in found.items() if each[0] == "error"]
    with connect("checker", "hot", settings) as books:
        signals = books.execute(
            "select kind, count(*) from quality.profile where source = %s group by 1", [delivery.source]
        )
        assert set(dict(signals.fetchall())) >= {"volume", "null_share", "category_mix", "distribution", "schema"}
