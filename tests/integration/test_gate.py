"""The gate as a door: what leaves, what stays, what an error does, and that nothing of a patient gets out."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from psycopg import sql

from include.quality import counting, expectations, gate, judge
from include.quality.check_table import Part
from include.quality.errors import GateDisagreementError, GateError, IntakeLostError, ReplayError
from include.quality.gate import check_batch
from include.quality.replay import reopen_batch, reopen_records
from include.quality.rules import Rule
from include.quality.suites import read_suites
from include.warehouse.connect import connect, sqlalchemy_url
from tests.quality_inputs import Documents, batch_row, gate_results, refused_by, token

PLANTED = "Zebedee Quux"
BOOKS = (
    "quality.gate_result", "quality.quarantine", "quality.score", "quality.dimension_count", "lifecycle.batch",
    "lifecycle.batch_object", "lifecycle.step", "lifecycle.source_state", "audit.entry",
)  # fmt: skip


def with_faults(settings, faults: int = 2, clean: int = 58, **kinds) -> Documents:
    """A batch with so many observations of a status of none, and enough others that it may pass."""
    batch = Documents(settings, **kinds)
    batch.patient("ann")
    for number in range(faults):
        batch.observation(f"fault {number}", status="wrong")
    batch.clean(clean)
    return batch


def intake_count(settings, batch_id: str) -> int:
    with connect("loader", "hot", settings) as books:
        return books.execute(sql.SQL("select count(*) from {}").format(sql.Identifier("intake", batch_id))).fetchone()[
            0
        ]


def work_tables(settings) -> list:
    with connect("checker", "hot", settings) as books:
        return books.execute("select tablename from pg_tables where schemaname = 'checks'").fetchall()


def everything_kept(settings) -> str:
    """All that the gate leaves in the books, as text."""
    with connect("postgres", "hot", settings) as books:
        tables = [sql.Identifier(*name.split(".")) for name in BOOKS]
        return "\n".join(
            str(row)
            for table in tables
            for row in books.execute(sql.SQL("select t::text from {} t").format(table)).fetchall()
        )


def test_failing_rows_leave_for_quarantine_and_the_counts_add_up(stack):
    batch_id = with_faults(stack).load(refused=3)
    assert check_batch(batch_id, stack) == "passed"
    row = batch_row(stack, batch_id)
    assert (row["state"], row["received"], row["loaded"], row["quarantined"]) == ("checked", 64, 59, 5)
    assert intake_count(stack, batch_id) == 59
    assert list(refused_by(stack, batch_id).values()) == ["status_unknown"] * 2
    assert work_tables(stack) == []


def test_a_quarantined_row_says_where_it_is_and_what_to_do(stack):
    batch_id = with_faults(stack, faults=1).load()
    check_batch(batch_id, stack)
    with connect("checker", "hot", stack) as books:
        row = books.execute(
            """select q.object_sha256 = o.sha256, q.place, q.scope, q.resource_type, q.found, q.expected, q.action, q.stage,
                      o.loaded, o.quarantined
               from quality.quarantine q join lifecycle.batch_object o using (batch_id) where q.batch_id = %s""",
            [batch_id],
        ).fetchone()
    assert row[:4] == (True, "line 2", "record", "Observation")
    assert row[4] == "status is not one of the allowed values"
    assert row[5:8] == ("status from its value set", "have the source correct the record and send it again", "gate")
    assert row[8:] == (59, 1)


def test_a_row_that_fails_several_rules_is_one_row_that_names_them_all(stack):
    batch = with_faults(stack, faults=0)
    batch.observation("bad in two ways", status="wrong", effectiveDateTime="2031")
    batch_id = batch.load()
    check_batch(batch_id, stack)
    with connect("checker", "hot", stack) as books:
        rows = books.execute(
            "select reason_code, found from quality.quarantine where batch_id = %s", [batch_id]
        ).fetchall()
    assert rows == [("date_in_future", "the event lies after the night that received it (also: status_unknown)")]


def test_judging_again_answers_the_same_and_changes_nothing(stack):
    batch_id = with_faults(stack).load()
    first, before = check_batch(batch_id, stack), batch_row(stack, batch_id)
    assert check_batch(batch_id, stack) == first == "passed"
    assert batch_row(stack, batch_id) == before


@pytest.mark.parametrize("moment", ["_require_agreement", "_settle", "_close"])
def test_a_batch_killed_at_any_moment_ends_as_if_it_had_not_been(stack, monkeypatch, moment):
    batch_id = with_faults(stack).load()

    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(gate, moment, die)
        with pytest.raises(KeyboardInterrupt):
            check_batch(batch_id, stack)
    assert batch_row(stack, batch_id)["state"] == "loaded"
    assert intake_count(stack, batch_id) == 61
    assert check_batch(batch_id, stack) == "passed"
    row = batch_row(stack, batch_id)
    assert (row["loaded"], row["quarantined"], intake_count(stack, batch_id)) == (59, 2, 59)
    assert len(refused_by(stack, batch_id)) == 2


def test_tables_that_a_kill_left_behind_are_thrown_away(stack):
    batch_id = with_faults(stack).load()
    with connect("checker", "hot", stack, autocommit=True) as books:
        name = gate.check_table.table_of(gate.read_batch(books, batch_id))
        books.execute(sql.SQL("create table {} (leftover int)").format(sql.Identifier("checks", name)))
        books.execute(sql.SQL("create table {} (leftover int)").format(sql.Identifier("checks", f"{name}_0")))
    assert check_batch(batch_id, stack) == "passed"


def test_two_sessions_lay_a_batch_out_as_one_does(stack, monkeypatch):
    judged, besides, build = [], [], gate.check_table.build
    monkeypatch.setattr(
        gate.check_table, "build", lambda *said: besides.append(len(said) == len("bbpb") and said[3]) or build(*said)
    )
    for enough in (gate.ROWS_FOR_TWO, 1):
        monkeypatch.setattr(gate, "ROWS_FOR_TWO", enough)
        batch_id = with_faults(stack).load()
        assert check_batch(batch_id, stack) == "passed"
        judged.append((gate_results(stack, batch_id), len(refused_by(stack, batch_id))))
    assert judged[0] == judged[1] and judged[1][1] == 2
    assert not besides[0] and besides[1], "the second batch was laid out by two"
    assert not work_tables(stack)


def test_a_killed_attempt_s_second_session_is_waited_for(stack):
    batch_id = with_faults(stack).load()
    with ThreadPoolExecutor(1) as pool, connect("checker", "hot", stack, autocommit=True) as left:
        left.execute(gate._BESIDE, [batch_id])
        attempt = pool.submit(check_batch, batch_id, stack)
        waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        while not left.execute(waits).fetchone()[0] and not attempt.done():
            time.sleep(0.05)
        assert not attempt.done(), "it went on while the other session could still make tables"
        name = gate.check_table.table_of(gate.read_batch(left, batch_id))
        left.execute(sql.SQL("create table {} (leftover int)").format(sql.Identifier("checks", f"{name}_0")))
        left.close()
        assert attempt.result() == "passed"


@pytest.mark.parametrize(("faults", "outcome"), [(10, "passed"), (11, "held_back")])
def test_a_batch_below_its_threshold_stays_outside_as_a_whole(stack, faults, outcome):
    batch_id = with_faults(stack, faults=faults, clean=99 - faults).load()  # 100 rows, at least 0.90 must pass
    assert check_batch(batch_id, stack) == outcome
    assert batch_row(stack, batch_id)["state"] == ("checked" if outcome == "passed" else "held_back")
    assert intake_count(stack, batch_id) == (90 if outcome == "passed" else 100)


def test_a_held_back_batch_is_one_row_of_quarantine_that_stands_for_all(stack):
    batch_id = with_faults(stack, faults=50, clean=49).load(refused=2)
    assert check_batch(batch_id, stack) == "held_back"
    row = batch_row(stack, batch_id)
    assert (row["received"], row["loaded"], row["quarantined"]) == (102, 0, 102)
    assert row["held_reason"] == "50.00% of 100 rows of patient_data pass every critical rule, at least 90.00% must"
    with connect("checker", "hot", stack) as books:
        kept = books.execute(
            "select scope, records, reason_code, found from quality.quarantine where batch_id = %s", [batch_id]
        ).fetchall()
    assert kept == [("batch", 100, "below_threshold", f"{row['held_reason']} (most often: status_unknown 50)")]


def test_a_held_back_batch_that_is_opened_again_starts_from_landing(stack):
    batch_id = with_faults(stack, faults=50, clean=49).load()
    check_batch(batch_id, stack)
    opened = reopen_batch(batch_id, asked_by="steward", reason="threshold lowered after review", settings=stack)
    row = batch_row(stack, batch_id)
    assert (opened.batches, opened.records) == (1, 100)
    assert (row["state"], row["received"], row["loaded"], row["quarantined"]) == ("landed", 0, 0, 0)
    assert refused_by(stack, batch_id) == {}
    with pytest.raises(ReplayError, match="is landed; expected a batch that is held back"):
        reopen_batch(batch_id, asked_by="steward", reason="again", settings=stack)


def test_records_of_a_promoted_batch_are_asked_for_again_by_their_landing_object(stack):
    batch_id = with_faults(stack).load()
    source = batch_row(stack, batch_id)["source"]
    check_batch(batch_id, stack)
    ask = {"asked_by": "steward", "reason": "source corrected its codes", "settings": stack}
    with pytest.raises(ReplayError, match="no open quarantined record"):
        reopen_records(source, **ask)  # not promoted yet
    with connect("loader", "hot", stack) as books:
        books.execute("update lifecycle.batch set state = 'promoted' where batch_id = %s", [batch_id])
    opened = reopen_records(source, reason_code="status_unknown", **ask)
    assert (opened.objects, opened.records) == (1, 2)
    with connect("loader", "hot", stack) as books:
        waiting = books.execute(
            "select source, reason, batch_id from quality.replay_request where source = %s", [source]
        )
        assert waiting.fetchall() == [(source, "source corrected its codes", None)]


def test_an_intake_that_lost_rows_is_an_error_and_no_pass(stack):
    batch_id = with_faults(stack).load()
    with connect("loader", "hot", stack) as books:
        books.execute(sql.SQL("truncate {}").format(sql.Identifier("intake", batch_id)))
    with pytest.raises(IntakeLostError, match="holds 0 rows; expected the 61 rows that were loaded"):
        check_batch(batch_id, stack)
    assert batch_row(stack, batch_id)["state"] == "loaded"


def test_a_batch_that_was_not_loaded_cannot_be_judged(stack):
    batch_id = with_faults(stack).load()
    with connect("loader", "hot", stack) as books:
        books.execute("update lifecycle.batch set state = 'landed' where batch_id = %s", [batch_id])
    with pytest.raises(GateError, match="is landed; expected a batch that was loaded"):
        check_batch(batch_id, stack)
    with pytest.raises(GateError, match="no batch nobody__made"):
        check_batch("nobody__made", stack)


def test_two_counts_that_differ_are_an_error_and_nothing_is_let_in(stack, monkeypatch):
    batch_id = with_faults(stack).load()
    kind = expectations.KNOWN["expect_column_values_to_be_in_set"]
    blind = replace(kind, fails=lambda columns, arguments: sql.SQL("false"))
    monkeypatch.setitem(counting.KNOWN, kind.name, blind)
    with pytest.raises(
        GateDisagreementError, match=r"1 rule\(s\) of batch .* were counted differently, first observation"
    ):
        check_batch(batch_id, stack)
    assert batch_row(stack, batch_id)["state"] == "loaded"
    assert intake_count(stack, batch_id) == 61
    assert gate_results(stack, batch_id)["observation", "status_unknown"] == ("error", None, None, "CountsDisagree")


def test_a_key_that_was_not_fetched_is_an_error(stack, monkeypatch):
    batch_id = with_faults(stack).load()
    monkeypatch.setattr(counting, "keys_by_rule", lambda books, parts: {})
    with pytest.raises(GateDisagreementError, match="keys and failures differ"):
        check_batch(batch_id, stack)
    assert batch_row(stack, batch_id)["state"] == "loaded"


def test_a_rule_that_great_expectations_cannot_judge_is_an_error_by_its_class(stack, monkeypatch):
    batch_id = with_faults(stack).load()
    failing = {("observation", "status_unknown"): judge.Count(None, None, "InvalidTextRepresentation")}
    real = judge.count_failures
    monkeypatch.setattr(judge, "count_failures", lambda *given: real(*given) | failing)
    with pytest.raises(
        GateError, match=r"could not be judged, first observation.status_unknown \(InvalidTextRepresentation\)"
    ):
        check_batch(batch_id, stack)
    assert gate_results(stack, batch_id)["observation", "status_unknown"][0] == "error"
    assert gate_results(stack, batch_id)["observation", "status_missing"][0] == "passed"


def test_an_empty_batch_passes_without_great_expectations(stack):
    empty = Documents(stack).load()
    script = (
        "import os, sys; from include.settings import Settings; from include.quality.gate import check_batch\n"
        f"print(check_batch({empty!r}, Settings.from_environment(os.environ)), 'great_expectations' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        env={"PLUMBLINE_HOME": str(stack.home), "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert answer.stdout.split() == ["passed", "False"]


def test_deleted_resources_carry_nothing_and_pass(stack):
    batch = with_faults(stack, faults=0, clean=30)
    batch.add("Observation", "gone", {}, person="ann", is_deleted=True)
    batch_id = batch.load()
    assert check_batch(batch_id, stack) == "passed"
    assert refused_by(stack, batch_id) == {}


def test_a_person_of_an_earlier_delivery_is_known_with_the_day_of_birth(stack):
    batch = Documents(stack)
    person = token(batch.source, "Patient", "early bird")
    batch.patient("ann")
    late = batch.observation("after birth", person="early bird")
    early = batch.observation("before birth", person="early bird", effectiveDateTime="1969-01-01")
    batch.clean(30)
    with connect("plumbline_owner", "hot", stack) as books:
        books.execute("select raw.ensure_partitions('resource', 'patient_data', '2026-11-01')")
        books.execute(
            """insert into raw.resource (record_id, source, batch_id, batch_seq, data_class, resource_type, resource_id,
                   person_token, received_at, content_sha256, body)
               values (gen_random_uuid(), %s, 'b', 1, 'patient_data', 'Patient', 'x', %s, '2026-11-01', '\\x00', %s)""",
            [batch.source, person, '{"birthDate": "1970-01-01"}'],
        )
        books.execute(
            """insert into lifecycle.record (record_id, source, dataset, data_class, person_token, received_month, batch_seq)
               values (gen_random_uuid(), %s, 'Patient', 'patient_data', %s, '2026-11-01', 1)""",
            [batch.source, person],
        )
    batch_id = batch.load()
    check_batch(batch_id, stack)
    reasons = refused_by(stack, batch_id)
    assert late not in reasons
    assert reasons == {early: "date_before_birth"}


def test_records_of_a_patient_who_was_refused_are_not_called_dangling(stack):
    people = Documents(stack)
    people.patient("ann")
    people.patient("bob", gender="F")
    people.clean(30)
    facts = Documents(stack, source=people.source)
    facts.observation("of bob", person="bob")
    facts.clean(30)
    check_batch(people.load(1), stack)
    batch_id = facts.load(2)
    check_batch(batch_id, stack)
    assert refused_by(stack, batch_id) == {}


def test_scores_are_counted_and_say_how(stack):
    batch = with_faults(stack, faults=5, clean=94)
    batch_id = batch.load(refused=7)
    check_batch(batch_id, stack)
    with connect("checker", "hot", stack) as books:
        row = books.execute(
            "select completeness, accuracy, consistency, timeliness, validity, overall, level, formula from quality.score where source = %s",
            [batch.source],
        ).fetchone()
        tested, failed = books.execute(
            "select tested, failed from quality.dimension_count where batch_id = %s and dimension = 'validity'",
            [batch_id],
        ).fetchone()
    assert failed == 5 + 7
    assert row[0] == 1 and row[1] is None and row[3] is None
    assert float(row[4]) == pytest.approx(1 - 12 / tested)
    assert float(row[5]) == pytest.approx((0.25 * 1 + 0.20 * 1 + 0.20 * float(row[4])) / 0.65)
    assert row[6] == "excellent"
    assert "not assessed: accuracy, timeliness" in row[7]


def test_no_value_of_a_patient_leaves_the_gate(stack, caplog, capsys):
    batch = Documents(stack)
    batch.patient("ann", gender=PLANTED, birthDate=PLANTED)
    batch.patient("bob")
    spoilt = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": PLANTED}]}
    batch.add(
        "Condition", "c", {"code": spoilt, "subject": {"reference": PLANTED}, "onsetDateTime": PLANTED}, person="bob"
    )
    batch.observation(
        "o", person="bob", status=PLANTED, effectiveDateTime=PLANTED, valueQuantity={"value": PLANTED, "unit": PLANTED}
    )
    batch.clean(60, person="bob")
    batch_id = batch.load()
    with caplog.at_level(logging.DEBUG):
        assert check_batch(batch_id, stack) == "passed"
    assert len(refused_by(stack, batch_id)) == 3, "the planted rows were not judged at all"
    told = caplog.text + "".join(capsys.readouterr()) + everything_kept(stack)
    assert batch_id in told, "nothing was searched"
    assert PLANTED not in told and "Zebedee" not in told


def test_an_exception_that_quotes_a_value_is_told_by_its_class_only(stack, caplog, capsys):
    """A view that fails on its own row stands for any type error in the database: its text holds the value."""
    with connect("checker", "hot", stack, autocommit=True) as books:
        books.execute("drop view if exists checks.spoilt")
        books.execute(
            sql.SQL("create view checks.spoilt as select 'observation' as suite, n::numeric as value from (values ({})) v (n)")
            .format(sql.Literal(PLANTED))
        )  # fmt: skip
    suite = read_suites().for_resource_type("Observation")
    rule = Rule("observation", "r", ("value",), "expect_column_values_to_be_between", {"min_value": 0}, "critical",
                "validity", "w", "f", "e", "a")  # fmt: skip
    part = Part("observation", suite, (rule,), ())
    try:
        with caplog.at_level(logging.DEBUG):
            counts = judge.count_failures(sqlalchemy_url("checker", "hot", stack), "spoilt", [part])
    finally:
        with connect("checker", "hot", stack) as books:
            books.execute("drop view checks.spoilt")
    assert counts == {("observation", "r"): judge.Count(None, None, "InvalidTextRepresentation")}
    assert PLANTED not in caplog.text + "".join(capsys.readouterr()) + repr(counts)


def test_a_table_that_is_gone_is_an_error_of_every_rule(stack, caplog):
    suite = read_suites().for_resource_type("Observation")
    part = Part("observation", suite, suite.rules[:2], ())
    with caplog.at_level(logging.DEBUG):
        counts = judge.count_failures(sqlalchemy_url("checker", "hot", stack), "no_such_table", [part])
    assert len(counts) == 2
    assert all(count.tested is None and count.error_code for count in counts.values())
    assert stack.secret("pg_checker") not in caplog.text


def test_an_error_of_the_database_is_told_by_its_code_only(stack, monkeypatch, caplog):
    batch_id = with_faults(stack).load()

    def quote(books, *_):
        books.execute("select %s::int", [PLANTED])

    monkeypatch.setattr(gate, "list_known_persons", quote)
    with pytest.raises(GateError, match=r"failed with InvalidTextRepresentation \(22P02\)") as told:
        check_batch(batch_id, stack)
    assert PLANTED not in str(told.value)
    assert told.value.__cause__ is None and told.value.__suppress_context__
