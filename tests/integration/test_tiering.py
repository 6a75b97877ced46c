"""Records move from Postgres to cold, the archive and their end, on the real databases and the real object store."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import replace
from datetime import date, timedelta

import psycopg
import pyarrow.parquet as pq
import pytest

from include.lifecycle import ledger, store
from include.lifecycle.approvals import ApprovalError, approve_destruction
from include.lifecycle.class_audit import ClassAuditError, audit_classes
from include.lifecycle.holds import HoldError, lift_hold, set_hold
from include.lifecycle.move import PlanError, apply_plan, apply_with
from include.lifecycle.plan import plan_moves, plan_night
from include.lifecycle.policy import PolicyError, load_retention
from include.lifecycle.reconcile import check_places, deep_check
from include.lifecycle.rehydrate import rehydrate, rehydrate_all
from include.lifecycle.retrieve import RetrieveError, find, retrieve, retrieve_with
from include.lifecycle.tier_out import Patience, tier_out
from include.lifecycle.units import read_state
from include.lifecycle.work import BusyError, open_work
from include.warehouse.connect import OWNER, connect
from tests.months import person, store_month, store_table_month

RECEIVED = date(2018, 1, 10)
LABS = load_retention().rule("lab_results")
LEAVES_HOT = LABS.leaves_hot_on(date(2018, 1, 1))
LEAVES_COLD = LABS.leaves_cold_on(date(2018, 1, 1))
TWO = {"requested_by": "A. Manager", "approved_by": "B. Officer"}
ASKED = {"purpose": "test", "actor": "tester"}


def run(night):
    """One night's tiering."""
    plan_night(night)
    return apply_plan(night)


def tiers(settings):
    with connect("lifecycle", settings=settings) as hot:
        return dict(hot.execute("select tier, count(*) from lifecycle.record group by 1").fetchall())


def lines(settings, night):
    with connect("lifecycle", settings=settings) as hot:
        return hot.execute(
            """select unit, action, stopped_by, outcome, outcome_note from lifecycle.plan_line
               where plan_id = (select max(plan_id) from lifecycle.plan where night = %s) order by line_no""",
            [night],
        ).fetchall()


def rows_of_raw(settings, table="resource"):
    with connect("lifecycle", settings=settings) as hot:
        query = f"select row_to_json(t)::text from raw.{table} t order by record_id"
        return [row[0] for row in hot.execute(query).fetchall()]


def approve_everything(settings, night):
    plan_night(night)
    waiting = [unit for unit, action, stopped, *_ in lines(settings, night) if stopped == "waits for approval"]
    assert waiting, "nothing waits for approval, so approving would prove nothing"
    return approve_destruction(night, object_keys=waiting, reason="retention is over", settings=settings, **TWO)


def test_a_month_moves_to_sealed_files_by_class_and_event_year_and_every_record_comes_back(fresh_hot):
    stored = store_month(fresh_hot, RECEIVED, records=30, event_years=(2015, 2017))
    assert run(LEAVES_HOT - timedelta(days=1))["done"] == 0
    assert tiers(fresh_hot) == {"hot": 30}
    assert run(LEAVES_HOT)["tier_out"] == 1
    assert tiers(fresh_hot) == {"cold": 30}
    assert rows_of_raw(fresh_hot) == []
    keys = sorted(store.list_keys(store.open_store(fresh_hot), fresh_hot.bucket_cold))
    assert [key.rpartition("/")[0] for key in keys] == [
        "data_class=lab_results/event_year=2015",
        "data_class=lab_results/event_year=2017",
    ]
    for record in stored[:3]:
        assert retrieve(record.record_id, settings=fresh_hot, **ASKED).content == record.content
    assert check_places(fresh_hot) == deep_check(fresh_hot) == []
    with connect("lifecycle", settings=fresh_hot) as hot:
        left = hot.execute(
            """select relname, relkind from pg_class where relkind in ('r', 'p')
               and (relname like 'resource\\_\\_lab%%' or relnamespace = 'detached'::regnamespace)"""
        )
        assert left.fetchall() == [("resource__lab_results", "p")], "the class's parent stays, no month"


def test_a_second_run_of_the_same_night_changes_nothing(fresh_hot):
    store_month(fresh_hot, RECEIVED)
    run(LEAVES_HOT)
    before = store.list_keys(store.open_store(fresh_hot), fresh_hot.bucket_cold)
    again = run(LEAVES_HOT)
    assert (again["done"], again["changed"], again["failed"]) == (0, 0, 0)
    assert store.list_keys(store.open_store(fresh_hot), fresh_hot.bucket_cold) == before


def test_rows_of_typed_tables_and_rows_without_a_person_come_back_too(fresh_hot):
    visits = store_table_month(fresh_hot, RECEIVED)
    places = store_month(fresh_hot, RECEIVED, records=5, people=0, dataset="Organization", data_class="patient_data")
    before = {
        record.record_id: retrieve(record.record_id, settings=fresh_hot, **ASKED) for record in (visits[3], places[0])
    }
    assert run(LEAVES_HOT)["tier_out"] == 2
    assert tiers(fresh_hot) == {"cold": 15}
    for record_id, was in before.items():
        now = retrieve(record_id, settings=fresh_hot, **ASKED)
        assert now.place.tier == "cold"
        assert (now.row, now.content) == (was.row, was.content)
    assert before[visits[3].record_id].content["last_name"] == "Example"
    assert str(before[visits[3].record_id].content["amount"]) == "3.1"


def test_no_word_of_a_record_stands_in_clear_in_its_file(fresh_hot):
    stored = store_month(fresh_hot, RECEIVED, records=5)
    run(LEAVES_HOT)
    s3 = store.open_store(fresh_hot)
    keys = store.list_keys(s3, fresh_hot.bucket_cold)
    assert keys
    for key in keys:
        blob = s3.get_object(Bucket=fresh_hot.bucket_cold, Key=key)["Body"].read()
        for word in (b"Dr Example", b"mg/dL", b"quoted", b"final", b"valueQuantity"):
            assert word not in blob
        assert str(stored[0].record_id).encode() in blob, "ids are in clear, so the search above does see text"
        assert s3.head_object(Bucket=fresh_hot.bucket_cold, Key=key)["StorageClass"] == "STANDARD_IA"


def test_a_file_is_listed_by_any_parquet_reader_sorted_and_with_its_columns(fresh_hot, tmp_path):
    stored = store_month(fresh_hot, RECEIVED, records=25)
    run(LEAVES_HOT)
    s3 = store.open_store(fresh_hot)
    (key,) = store.list_keys(s3, fresh_hot.bucket_cold)
    digest = store.get_file(s3, fresh_hot.bucket_cold, key, tmp_path / "file.parquet")
    assert digest[:32] in key
    table = pq.read_table(tmp_path / "file.parquet", partitioning=None)
    ids = table.column("record_id").to_pylist()
    assert ids == sorted(str(record.record_id) for record in stored)
    assert table.column("event_year").unique().to_pylist() == [2020]
    assert table.column("received_at")[0].as_py().date() == RECEIVED


def test_the_archive_holds_the_same_bytes_frozen_and_locked_and_cold_holds_none(fresh_hot):
    far = date(2031, 1, 10)
    stored = store_month(fresh_hot, far, event_years=(2031,))
    run(LABS.leaves_hot_on(far.replace(day=1)))
    s3 = store.open_store(fresh_hot)
    (key,) = store.list_keys(s3, fresh_hot.bucket_cold)
    before = s3.get_object(Bucket=fresh_hot.bucket_cold, Key=key)["Body"].read()
    assert run(LABS.leaves_cold_on(far.replace(day=1)))["archive"] == 1
    assert store.list_keys(s3, fresh_hot.bucket_cold) == set()
    assert s3.get_object(Bucket=fresh_hot.bucket_archive, Key=key)["Body"].read() == before
    stored_as = store.look(s3, fresh_hot.bucket_archive, key)
    assert (stored_as.storage_class, stored_as.locked_until) == ("GLACIER", LABS.ends_after(2031))
    assert stored_as.sha256 == hashlib.sha256(before).hexdigest()
    version = s3.head_object(Bucket=fresh_hot.bucket_archive, Key=key)["VersionId"]
    with pytest.raises(Exception, match="AccessDenied"):
        s3.delete_object(Bucket=fresh_hot.bucket_archive, Key=key, VersionId=version)
    assert tiers(fresh_hot) == {"archive": len(stored)}
    assert retrieve(stored[0].record_id, settings=fresh_hot, **ASKED).content == stored[0].content
    assert check_places(fresh_hot) == deep_check(fresh_hot) == []


def test_destruction_waits_for_two_people_then_shreds_the_key_removes_the_bytes_and_certifies(fresh_hot):
    stored = store_month(fresh_hot, RECEIVED, records=12, event_years=(2015,))
    run(LEAVES_HOT)
    over = LABS.ends_after(2015) + timedelta(days=1)
    assert run(over)["done"] == 0
    assert tiers(fresh_hot) == {"cold": 12}
    assert approve_everything(fresh_hot, over) == 1
    assert run(over)["destroy"] == 1
    assert tiers(fresh_hot) == {"destroyed": 12}
    assert store.list_keys(store.open_store(fresh_hot), fresh_hot.bucket_cold) == set()
    with pytest.raises(RetrieveError, match="a record was destroyed"):
        retrieve(stored[0].record_id, settings=fresh_hot, **ASKED)
    with connect("lifecycle", settings=fresh_hot) as hot:
        content, digest = hot.execute("select content, sha256 from lifecycle.certificate").fetchone()
    assert (content["records"], content["approved_by"], content["bytes_remain_until"]) == (12, "B. Officer", None)
    assert "NIST SP 800-88" in content["method"]
    assert len(digest) == 64
    with connect("sealer", "keys", settings=fresh_hot) as books:
        gone = books.execute(
            "select count(*) from keys.data_key where key_id like 'file:%%' and wrapped is null"
        ).fetchone()[0]
        kept = books.execute(
            "select count(*) from keys.data_key where key_id like 'person:%%' and wrapped is not null"
        ).fetchone()[0]
    assert (gone, kept) == (1, 4), "the file's key ends, the persons' keys stay: they may come back"
    assert check_places(fresh_hot) == []


def test_an_event_dated_to_a_year_that_cannot_be_true_counts_from_receipt_and_the_plan_says_so(fresh_hot):
    ahead = RECEIVED.year + 5
    stored = store_month(fresh_hot, RECEIVED, records=8, event_years=(219, ahead, ahead + 1, 2919))
    odd = "; events dated 0219-06-15 and 2919-06-15 count from receipt"
    plan_night(LEAVES_HOT)
    assert [why for _, why in rules(fresh_hot, LEAVES_HOT)] == [
        f"lab_results: hot_days {LABS.hot_days} passed, due {LEAVES_HOT}{odd}"
    ]
    apply_plan(LEAVES_HOT)
    with connect("lifecycle", settings=fresh_hot) as hot:
        files = hot.execute("select event_year, records, last_event from lifecycle.cold_file order by 1").fetchall()
    assert files == [(RECEIVED.year, 6, date(2919, 6, 15)), (ahead, 2, date(ahead, 6, 15))]
    over = LABS.ends_after(RECEIVED.year) + timedelta(days=1)
    run(LEAVES_COLD)
    plan_night(over)
    said = f"lab_results: retention_days {LABS.retention_days} after 2018 ended {LABS.ends_after(2018)}{odd}"
    assert rules(fresh_hot, over) == [("destroy", said)], "the other file is not due"
    with open_work(LEAVES_COLD, fresh_hot) as work:
        assert len(list(retrieve_with(work, [record.record_id for record in stored], **ASKED))) == 8


def rules(settings, night):
    with connect("lifecycle", settings=settings) as hot:
        return hot.execute(
            """select action, rule from lifecycle.plan_line
               where plan_id = (select max(plan_id) from lifecycle.plan where night = %s) and kind <> 'landing' order by line_no""",
            [night],
        ).fetchall()


def test_records_of_a_source_with_a_retention_of_its_own_lie_apart_and_end_on_their_own_day(fresh_hot):
    for source in ("clinic", "trial"):
        store_month(fresh_hot, RECEIVED, records=4, source=source, label=source, event_years=(2016, 2017))
    policy = load_retention()
    own = replace(LABS, sources={"trial": 9_125})
    policy = replace(policy, rules={**policy.rules, "lab_results": own})
    with open_work(LEAVES_HOT, fresh_hot, policy) as work:
        state = read_state(work.hot, policy, LEAVES_HOT)
        (move,) = (m for m in plan_moves(state.units, policy, (), today=LEAVES_HOT) if m.happens)
        assert tier_out(work, move) == 8
        kept = work.hot.execute("select sources, event_year, records from lifecycle.cold_file order by 1, 2").fetchall()
        assert kept == [([source], year, 2) for source in ("clinic", "trial") for year in (2016, 2017)]
        over = LABS.ends_after(2017) + timedelta(days=1)
        due = plan_moves(read_state(work.hot, policy, over).units, policy, (), today=over)
        assert sorted((m.unit.sources, m.unit.event_year, m.action) for m in due) == [
            (("clinic",), 2016, "destroy"), (("clinic",), 2017, "destroy"), (("trial",), 2016, "archive"), (("trial",), 2017, "archive"),
        ]  # fmt: skip
        assert f"kept to {own.of_sources(['trial']).ends_after(2017)}" in due[-1].rule + due[-2].rule


def test_a_month_that_postgres_has_no_estimate_of_is_counted(fresh_hot):
    store_month(fresh_hot, RECEIVED, records=7)
    with connect("lifecycle", settings=fresh_hot) as hot:
        assert (
            hot.execute(
                "select max(reltuples) from pg_class where oid in (select leaf_oid from lifecycle.hot_partition)"
            ).fetchone()[0]
            <= 0
        )
        (month,) = read_state(hot, load_retention(), RECEIVED).units
    assert (month.records, month.is_estimate) == (7, False)
    with connect(OWNER, settings=fresh_hot) as hot:
        hot.execute("analyze raw.resource")
    with connect("lifecycle", settings=fresh_hot) as hot:
        (month,) = read_state(hot, load_retention(), RECEIVED).units
    assert (month.records, month.is_estimate) == (7, True)


def test_bytes_that_a_lock_keeps_are_unreadable_noise_and_said_to_remain(fresh_hot, tmp_path):
    far = date(2031, 1, 10)
    store_month(fresh_hot, far, event_years=(2031,))
    run(LABS.leaves_hot_on(far.replace(day=1)))
    run(LABS.leaves_cold_on(far.replace(day=1)))
    over = LABS.ends_after(2031) + timedelta(days=1)  # by our days; the store's own clock is years behind
    approve_everything(fresh_hot, over)
    assert run(over)["destroy"] == 1
    s3 = store.open_store(fresh_hot)
    (key,) = store.list_keys(s3, fresh_hot.bucket_archive)
    with connect("lifecycle", settings=fresh_hot) as hot:
        remain, key_id = hot.execute("select bytes_remain_until, key_id from lifecycle.cold_file").fetchone()
    assert remain == LABS.ends_after(2031)
    with connect("sealer", "keys", settings=fresh_hot) as books:
        assert books.execute("select wrapped from keys.data_key where key_id = %s", [key_id]).fetchone()[0] is None
    assert check_places(fresh_hot) == []
    assert ("remove_bytes", "changed") in [(action, outcome) for _, action, _, outcome, _ in _after(fresh_hot, over)]


def _after(settings, over):
    run(over + timedelta(days=1))
    return lines(settings, over + timedelta(days=1))


def test_who_a_person_is_ends_only_with_the_persons_last_record(fresh_hot):
    store_month(fresh_hot, RECEIVED, records=4, dataset="Patient", data_class="patient_data", event_years=(2015,))
    store_month(fresh_hot, RECEIVED, records=4, dataset="Encounter", data_class="patient_data", event_years=(2017,))
    run(load_retention().rule("patient_data").leaves_hot_on(date(2018, 1, 1)))
    with connect("lifecycle", settings=fresh_hot) as hot:
        assert hot.execute(
            "select with_person, count(*) from lifecycle.cold_file group by 1 order by 1"
        ).fetchall() == [(False, 1), (True, 1)]
    rule = load_retention().rule("patient_data")
    over = rule.ends_after(2015) + timedelta(days=1)
    plan_night(over)
    assert [line[1] for line in lines(fresh_hot, over)] != ["destroy"]
    later = rule.ends_after(2017) + timedelta(days=1)
    approve_everything(fresh_hot, later)
    run(later)
    assert tiers(fresh_hot)["destroyed"] == 4
    approve_everything(fresh_hot, later)
    run(later)
    assert tiers(fresh_hot) == {"destroyed": 8}


def test_a_hold_stops_leaving_hot_archiving_and_destruction_until_two_people_lift_it(fresh_hot):
    store_month(fresh_hot, RECEIVED, records=8, event_years=(2015,))
    hold = set_hold(RECEIVED, reason="a dispute", person_token=person(2), settings=fresh_hot, **TWO)
    assert run(LEAVES_HOT)["done"] == 0
    assert [line[1:3] for line in lines(fresh_hot, LEAVES_HOT)] == [("tier_out", f"hold {hold}")]
    with pytest.raises(HoldError, match="without a second person"):
        lift_hold(
            hold, LEAVES_HOT, reason="settled", requested_by="A. Manager", approved_by="a. manager ", settings=fresh_hot
        )
    lift_hold(hold, LEAVES_HOT, reason="settled", settings=fresh_hot, **TWO)
    assert run(LEAVES_HOT)["tier_out"] == 1
    set_hold(LEAVES_HOT, reason="another", data_class="lab_results", settings=fresh_hot, **TWO)
    over = LABS.ends_after(2015) + timedelta(days=1)
    assert run(over)["done"] == 0
    assert tiers(fresh_hot) == {"cold": 8}
    with pytest.raises(HoldError, match="hold 1 is not in force"):
        lift_hold(hold, over, reason="again", settings=fresh_hot, **TWO)


def test_a_hold_on_a_person_covers_the_tokens_of_other_sources_resolved_to_them(fresh_hot):
    store_month(fresh_hot, RECEIVED, records=2, people=2, event_years=(2015,))
    with connect("transformer", settings=fresh_hot) as hot:
        hot.execute("insert into restricted.person_link values (%s, gen_random_uuid())", [person(0)])
        hot.execute(
            "insert into restricted.person_link select %s, person_key from restricted.person_link", [person(77)]
        )
    set_hold(RECEIVED, reason="a dispute", person_token=person(77), settings=fresh_hot, **TWO)
    assert run(LEAVES_HOT)["done"] == 0


def test_a_hold_set_after_the_plan_stops_the_move_and_the_plan_says_so(fresh_hot):
    store_month(fresh_hot, RECEIVED)
    plan_night(LEAVES_HOT)
    hold = set_hold(LEAVES_HOT, reason="just now", source="clinic", settings=fresh_hot, **TWO)
    counts = apply_plan(LEAVES_HOT)
    assert (counts["done"], counts["changed"]) == (0, 1)
    assert lines(fresh_hot, LEAVES_HOT)[0][3:] == ("changed", f"hold {hold}")
    assert tiers(fresh_hot) == {"hot": 20}


def test_a_hold_set_while_a_month_is_being_copied_stops_it_before_it_is_catalogued(fresh_hot, monkeypatch):
    store_month(fresh_hot, RECEIVED, people=3)
    plan_night(LEAVES_HOT)
    put = store.put_file

    def put_then_hold(*arguments, **named):
        put(*arguments, **named)
        set_hold(LEAVES_HOT, reason="in between", person_token=person(1), settings=fresh_hot, **TWO)

    monkeypatch.setattr(store, "put_file", put_then_hold)
    counts = apply_plan(LEAVES_HOT)
    assert (counts["done"], counts["changed"]) == (0, 1)
    assert "was set since the plan was made" in lines(fresh_hot, LEAVES_HOT)[0][4]
    assert store.list_keys(store.open_store(fresh_hot), fresh_hot.bucket_cold) == set()
    assert check_places(fresh_hot) == []


def test_objects_in_the_archive_carry_the_stores_own_legal_hold_while_held(fresh_hot):
    store_month(fresh_hot, RECEIVED, event_years=(2018,))
    run(LEAVES_HOT)
    run(LEAVES_COLD)
    s3 = store.open_store(fresh_hot)
    (key,) = store.list_keys(s3, fresh_hot.bucket_archive)
    hold = set_hold(LEAVES_COLD, reason="a dispute", event_from=date(2018, 6, 1), settings=fresh_hot, **TWO)
    assert run(LEAVES_COLD)["legal_holds_changed"] == 1
    assert store.look(s3, fresh_hot.bucket_archive, key).legal_hold
    lift_hold(hold, LEAVES_COLD, reason="settled", settings=fresh_hot, **TWO)
    run(LEAVES_COLD)
    assert not store.look(s3, fresh_hot.bucket_archive, key).legal_hold


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"reason": " "}, "a hold without reason"),
        ({"approved_by": "A. MANAGER"}, "a hold without a second person"),
        ({"source": None}, "names no person, class, source or period"),
    ],
)
def test_a_hold_needs_a_reason_two_names_and_something_to_hold(fresh_hot, wrong, says):
    asked = {"reason": "a dispute", "source": "clinic", **TWO, **wrong}
    with pytest.raises(HoldError, match=says):
        set_hold(RECEIVED, settings=fresh_hot, **asked)


def test_only_what_the_plan_shows_can_be_approved(fresh_hot):
    store_month(fresh_hot, RECEIVED, event_years=(2015,))
    run(LEAVES_HOT)
    plan_night(LEAVES_HOT)
    (key,) = store.list_keys(store.open_store(fresh_hot), fresh_hot.bucket_cold)
    with pytest.raises(ApprovalError, match="1 of 1 files are not due for destruction"):
        approve_destruction(LEAVES_HOT, object_keys=[key], reason="too early", settings=fresh_hot, **TWO)


def test_without_a_plan_nothing_is_applied(fresh_hot):
    store_month(fresh_hot, RECEIVED)
    with pytest.raises(PlanError, match=f"no plan for {LEAVES_HOT}"):
        apply_plan(LEAVES_HOT)
    assert tiers(fresh_hot) == {"hot": 20}


def test_a_record_received_later_goes_its_own_month(fresh_hot):
    store_month(fresh_hot, RECEIVED, records=5, event_years=(2015,))
    late = store_month(fresh_hot, date(2019, 7, 4), records=3, event_years=(2015,), label="late")
    run(LEAVES_HOT)
    assert tiers(fresh_hot) == {"cold": 5, "hot": 3}
    run(LABS.leaves_hot_on(date(2019, 7, 1)))
    assert tiers(fresh_hot) == {"cold": 8}
    assert retrieve(late[0].record_id, settings=fresh_hot, **ASKED).content == late[0].content


def test_rows_that_arrive_while_a_month_is_copied_are_never_left_behind(fresh_hot, monkeypatch):
    store_month(fresh_hot, RECEIVED, records=6)
    plan_night(LEAVES_HOT)
    put = store.put_file

    def put_then_load(*arguments, **named):
        put(*arguments, **named)
        monkeypatch.setattr(store, "put_file", put)
        store_month(fresh_hot, RECEIVED, records=2, label="meanwhile")

    monkeypatch.setattr(store, "put_file", put_then_load)
    assert apply_plan(LEAVES_HOT)["changed"] == 1
    assert tiers(fresh_hot) == {"hot": 8}
    assert check_places(fresh_hot) == []
    assert run(LEAVES_HOT)["tier_out"] == 1
    assert tiers(fresh_hot) == {"cold": 8}


def test_detaching_gives_way_to_a_reader_and_readers_behind_it_are_served(fresh_hot):
    store_month(fresh_hot, RECEIVED)
    store_month(fresh_hot, date(2026, 1, 5), label="recent")
    plan_night(LEAVES_HOT)
    with connect("transformer", settings=fresh_hot) as idle:
        idle.execute("select count(*) from raw.resource").fetchone()  # and stays in its transaction
        with open_work(LEAVES_HOT, fresh_hot) as work:
            move = _move_of(work, "resource__lab_results__201801")
            outcome = []
            mover = threading.Thread(target=lambda: outcome.append(_tried(work, move)))
            mover.start()
            waits = []
            while mover.is_alive():
                started = time.monotonic()
                with connect("checker", settings=fresh_hot) as reader:
                    reader.execute("select count(record_id) from raw.resource").fetchone()
                waits.append(time.monotonic() - started)
            mover.join()
    assert outcome == ["BusyError"]
    assert len(waits) > 2
    assert max(waits) < 2
    assert tiers(fresh_hot) == {"hot": 40}
    keys = store.list_keys(store.open_store(fresh_hot), fresh_hot.bucket_cold)
    assert run(LEAVES_HOT)["tier_out"] == 1
    assert store.list_keys(store.open_store(fresh_hot), fresh_hot.bucket_cold) == keys, (
        "the files proven before are used"
    )


def _move_of(work, name):
    state = read_state(work.hot, work.retention, work.night)
    return next(
        m for m in plan_moves(state.units, work.retention, state.holds, today=work.night) if m.unit.name == name
    )


def _tried(work, move):
    try:
        tier_out(work, move, Patience(lock_seconds=0.3, attempts=3, pause_seconds=0.2))
        return "moved"
    except BusyError as busy:
        return type(busy).__name__


def test_a_bucket_in_a_region_that_the_policy_does_not_allow_gets_nothing(fresh_hot, monkeypatch):
    store_month(fresh_hot, RECEIVED, data_class="clinical_notes", dataset="DocumentReference")
    monkeypatch.setattr(store, "region_of", lambda s3, bucket: "eu-west-1")
    notes = load_retention().rule("clinical_notes").leaves_hot_on(date(2018, 1, 1))
    plan_night(notes)
    with pytest.raises(Exception, match="1 move\\(s\\) of the night failed"):
        apply_plan(notes)
    assert "is in region eu-west-1" in lines(fresh_hot, notes)[0][4]
    assert store.list_keys(store.open_store(fresh_hot), fresh_hot.bucket_cold) == set()


def test_a_store_that_fails_keeps_everything_in_hot_and_the_next_run_finishes(fresh_hot, monkeypatch):
    from botocore.exceptions import ClientError, ConnectTimeoutError

    store_month(fresh_hot, RECEIVED)
    plan_night(LEAVES_HOT)
    troubles = [
        ("put_file", ClientError({"Error": {"Code": "503"}}, "PutObject")),
        ("get_file", ConnectTimeoutError(endpoint_url="x")),
        ("put_file", OSError(28, "No space left on device")),
    ]
    for name, trouble in troubles:
        with monkeypatch.context() as patched:
            patched.setattr(store, name, _raiser(trouble))
            assert apply_plan(LEAVES_HOT)["waiting"] == 1
        assert tiers(fresh_hot) == {"hot": 20}
        assert check_places(fresh_hot) == []
    assert apply_plan(LEAVES_HOT)["tier_out"] == 1
    assert check_places(fresh_hot) == []


def _raiser(trouble):
    def raises(*_, **__):
        raise trouble

    return raises


def test_a_file_that_comes_back_altered_is_never_catalogued(fresh_hot, monkeypatch):
    store_month(fresh_hot, RECEIVED)
    plan_night(LEAVES_HOT)
    get = store.get_file

    def bent(s3, bucket, key, path):
        get(s3, bucket, key, path)
        blob = bytearray(path.read_bytes())
        blob[len(blob) // 2] ^= 1
        path.write_bytes(blob)
        return hashlib.sha256(blob).hexdigest()

    with monkeypatch.context() as patched:
        patched.setattr(store, "get_file", bent)
        with pytest.raises(Exception, match="1 move\\(s\\) of the night failed"):
            apply_plan(LEAVES_HOT)
    assert "another checksum" in lines(fresh_hot, LEAVES_HOT)[0][4]
    assert tiers(fresh_hot) == {"hot": 20}
    assert apply_plan(LEAVES_HOT)["tier_out"] == 1


def test_the_lifecycle_role_cannot_take_a_month_out_of_raw_without_a_proven_move(fresh_hot):
    store_month(fresh_hot, RECEIVED)
    with connect("lifecycle", settings=fresh_hot, autocommit=True) as hot:
        for statement in (
            "select raw.detach_partition('resource__lab_results__201801')",
            "select raw.drop_detached('x')",
            "delete from raw.resource",
            "drop table raw.resource__lab_results__201801",
            "alter table raw.resource__lab_results detach partition raw.resource__lab_results__201801",
            "select raw.lend_rows('resource', 1, '{}')",
        ):
            with pytest.raises(psycopg.Error):
                hot.execute(statement)
        hot.execute(
            """insert into lifecycle.move (night, action, subject, data_class, from_tier, to_tier, rule, state)
               values ('2020-01-01', 'tier_out', 'resource__lab_results__201801', 'lab_results', 'hot', 'cold', 'forged', 'verified')"""
        )
        with pytest.raises(psycopg.Error, match="20 row\\(s\\) are catalogued nowhere else"):
            hot.execute("select raw.detach_partition('resource__lab_results__201801')")


def test_a_month_borrowed_back_equals_the_month_that_left_and_returns_without_a_trace(fresh_hot):
    stored = store_month(fresh_hot, RECEIVED, records=30, event_years=(2015, 2017))
    before = rows_of_raw(fresh_hot)
    run(LEAVES_HOT)
    until = LEAVES_HOT + timedelta(days=3)
    with open_work(LEAVES_HOT, fresh_hot) as work:
        asked = {"raw_table": "resource", "received_month": date(2018, 1, 1), "until": until}
        assert rehydrate(work, **asked, **ASKED) == {"files": 2, "records": 30, "unreadable": 0}
        assert rehydrate(work, **asked, **ASKED) == {"files": 0, "records": 0, "unreadable": 0}
    assert rows_of_raw(fresh_hot) == before
    assert check_places(fresh_hot) == []
    assert run(until)["done"] == 0
    assert run(until + timedelta(days=1))["return_loan"] == 1
    assert rows_of_raw(fresh_hot) == []
    assert check_places(fresh_hot) == []
    assert tiers(fresh_hot) == {"cold": 30}
    assert retrieve(stored[0].record_id, settings=fresh_hot, **ASKED).content == stored[0].content


def test_rows_of_typed_tables_borrowed_back_are_equal_too(fresh_hot):
    store_table_month(fresh_hot, RECEIVED)
    before = rows_of_raw(fresh_hot, "clinic__visits")
    run(LEAVES_HOT)
    with open_work(LEAVES_HOT, fresh_hot) as work:
        rehydrate(work, raw_table="clinic__visits", received_month=date(2018, 1, 1), until=LEAVES_HOT, **ASKED)
    assert rows_of_raw(fresh_hot, "clinic__visits") == before


def test_the_rows_of_a_person_whose_key_is_gone_stay_unreadable_and_are_counted(fresh_hot):
    stored = store_month(fresh_hot, RECEIVED, records=8, people=4)
    run(LEAVES_HOT)
    with connect("sealer", "keys", settings=fresh_hot) as books:
        books.execute(
            "update keys.data_key set wrapped = null, destroyed_at = now() where key_id = %s", [f"person:{person(1)}"]
        )
    with pytest.raises(RetrieveError, match="the key of the record's person was destroyed"):
        retrieve(stored[1].record_id, settings=fresh_hot, **ASKED)
    assert retrieve(stored[2].record_id, settings=fresh_hot, **ASKED).content == stored[2].content
    with open_work(LEAVES_HOT, fresh_hot) as work:
        counts = rehydrate(work, raw_table="resource", received_month=date(2018, 1, 1), until=LEAVES_HOT, **ASKED)
    assert counts == {"files": 1, "records": 6, "unreadable": 2}


def test_records_of_a_person_are_found_and_brought_back_from_every_tier_at_once(fresh_hot):
    old = store_month(fresh_hot, RECEIVED, records=4, event_years=(2018,))
    middle = store_month(fresh_hot, date(2020, 2, 1), records=4, label="middle")
    new = store_month(fresh_hot, date(2022, 6, 1), records=4, label="new")
    run(date(2023, 3, 1))
    run(date(2023, 3, 1))
    assert tiers(fresh_hot) == {"archive": 4, "cold": 4, "hot": 4}
    with open_work(date(2023, 3, 1), fresh_hot) as work:
        places = find(work.hot, person_token=person(2))
        found = {r.place.record_id: r for r in retrieve_with(work, [place.record_id for place in places], **ASKED)}
    assert {place.tier for place in places} == {"archive", "cold", "hot"}
    assert {record.record_id: record.content for record in (old[2], middle[2], new[2])} == {
        key: r.content for key, r in found.items()
    }


def test_every_read_is_in_the_trail_before_it_happens_and_a_refused_one_too(fresh_hot):
    stored = store_month(fresh_hot, RECEIVED, records=2)
    retrieve(stored[0].record_id, settings=fresh_hot, purpose="care", actor="dr. who")
    with pytest.raises(RetrieveError, match="1 record id\\(s\\) were never received here"):
        retrieve("00000000-0000-4000-8000-000000000000", settings=fresh_hot, purpose="care", actor="dr. who")
    with pytest.raises(RetrieveError, match="without a purpose or a name"):
        retrieve(stored[0].record_id, settings=fresh_hot, purpose=" ", actor="dr. who")
    with connect("privacy_officer", settings=fresh_hot) as hot:
        trail = hot.execute(
            "select outcome, purpose, detail ->> 'actor' from audit.entry where action = 'record.read' order by entry_no"
        )
        assert trail.fetchall() == [
            *((outcome, "care", "dr. who") for outcome in ("attempt", "success", "attempt", "failure")),
            ("failure", " ", "dr. who"),
        ]


def test_a_policy_that_keeps_longer_extends_locks_and_one_that_keeps_shorter_is_refused(fresh_hot):
    far = date(2031, 1, 10)
    store_month(fresh_hot, far, event_years=(2031,))
    run(LABS.leaves_hot_on(far.replace(day=1)))
    night = LABS.leaves_cold_on(far.replace(day=1))
    run(night)
    longer, shorter = _with_retention(LABS.retention_days + 365), _with_retention(LABS.retention_days - 1)
    with open_work(night, fresh_hot, longer) as work:
        state = read_state(work.hot, longer, night)
        ledger.save_plan(work.hot, night, longer.sha256, plan_moves(state.units, longer, state.holds, today=night))
        assert apply_with(work)["locks_extended"] == 1
        assert apply_with(work)["locks_extended"] == 0
    s3 = store.open_store(fresh_hot)
    (key,) = store.list_keys(s3, fresh_hot.bucket_archive)
    assert store.look(s3, fresh_hot.bucket_archive, key).locked_until == longer.rule("lab_results").ends_after(2031)
    with connect("lifecycle", settings=fresh_hot) as hot:
        units = read_state(hot, shorter, night).units
    with pytest.raises(PolicyError, match="lab_results: 1 file\\(s\\) are locked for longer"):
        plan_moves(units, shorter, (), today=night)
    with pytest.raises(PlanError, match="made under another policy"), open_work(night, fresh_hot) as work:
        apply_with(work)


def _with_retention(days):
    policy = load_retention()
    rule = replace(policy.rule("lab_results"), retention_days=days)
    return replace(policy, rules={**policy.rules, "lab_results": rule}, sha256=f"{days:064d}")


def test_every_tiered_month_is_borrowed_at_once_for_a_full_refresh(fresh_hot):
    store_month(fresh_hot, RECEIVED, records=5)
    store_table_month(fresh_hot, RECEIVED)
    before = rows_of_raw(fresh_hot) + rows_of_raw(fresh_hot, "clinic__visits")
    run(LEAVES_HOT)
    with open_work(LEAVES_HOT, fresh_hot) as work:
        assert rehydrate_all(work, until=LEAVES_HOT, **ASKED) == {"files": 2, "records": 15, "unreadable": 0}
    assert rows_of_raw(fresh_hot) + rows_of_raw(fresh_hot, "clinic__visits") == before


def test_the_check_of_places_names_what_is_lost_doubled_altered_or_left_over(fresh_hot):
    stored = store_month(fresh_hot, RECEIVED, records=4)
    store_month(fresh_hot, date(2019, 1, 1), records=4, label="b", event_years=(2019,))
    run(LEAVES_HOT)
    assert check_places(fresh_hot) == []
    s3 = store.open_store(fresh_hot)
    (key,) = store.list_keys(s3, fresh_hot.bucket_cold)
    with connect(OWNER, settings=fresh_hot) as hot:
        hot.execute("delete from raw.resource where record_id = (select min(record_id::text)::uuid from raw.resource)")
        hot.execute(
            "update lifecycle.record set tier = 'hot', file_id = null where record_id = %s", [stored[0].record_id]
        )
        hot.execute("create table detached.forgotten (x int)")
    s3.put_object(Bucket=fresh_hot.bucket_cold, Key="unknown", Body=b"?")
    s3.put_object(Bucket=fresh_hot.bucket_cold, Key=key, Body=b"bent")
    found = {(finding.kind, finding.count) for finding in check_places(fresh_hot)}
    assert found == {
        ("record_nowhere", 2),
        ("file_count", 1),
        ("file_altered", 1),
        ("stray_object", 1),
        ("table_left", 1),
    }
    assert [finding.kind for finding in deep_check(fresh_hot)] == ["file_altered"]


def test_each_class_is_audited_at_its_frequency_and_stays_due_until_it_passes(fresh_hot):
    store_month(fresh_hot, RECEIVED, records=4)
    store_month(fresh_hot, RECEIVED, records=4, label="n", dataset="DocumentReference", data_class="clinical_notes")
    run(LEAVES_HOT)
    rules, day = load_retention().rules, LEAVES_HOT
    assert audit_classes(day, fresh_hot) == {"classes": len(rules), "losses": 0, "left_over": 0}
    assert audit_classes(day, fresh_hot)["classes"] == 0, "each once"
    assert audit_classes(day + timedelta(days=1), fresh_hot)["classes"] == sum(
        r.audit == "daily" for r in rules.values()
    )
    s3, later = store.open_store(fresh_hot), day + timedelta(days=28)
    (key,) = (key for key in store.list_keys(s3, fresh_hot.bucket_cold) if "lab_results" in key)
    s3.put_object(Bucket=fresh_hot.bucket_cold, Key=key, Body=b"bent")
    for night in (later, later + timedelta(days=1)):
        with pytest.raises(ClassAuditError, match="file altered: 2.*restore what is lost"):
            audit_classes(night, fresh_hot)
    with connect("lifecycle", settings=fresh_hot) as hot:
        query = "select outcome, count(*) from audit.entry where (action, subject) = ('class.audited', 'lab_results') group by 1"
        assert dict(hot.execute(query).fetchall()) == {"success": 1, "failure": 2}


def test_every_move_is_in_the_ledger_and_the_trail(fresh_hot):
    store_month(fresh_hot, RECEIVED, event_years=(2018,))
    run(LEAVES_HOT)
    run(LEAVES_COLD)
    with connect("privacy_officer", settings=fresh_hot) as hot:
        ledger = hot.execute(
            "select action, from_tier, to_tier, records, state from lifecycle.move order by move_id"
        ).fetchall()
        trail = [row[0] for row in hot.execute("select action from audit.entry order by entry_no").fetchall()]
    assert ledger == [("tier_out", "hot", "cold", 20, "done"), ("archive", "cold", "archive", 20, "done")]
    assert trail == ["plan.made", "partition.moved", "plan.made", "file.archived"]


def test_two_runs_at_once_take_turns(fresh_hot):
    store_month(fresh_hot, RECEIVED)
    plan_night(LEAVES_HOT)
    with open_work(LEAVES_HOT, fresh_hot) as first, open_work(LEAVES_HOT, fresh_hot) as second:
        apply_with(first)  # has the turn while its session lives
        with pytest.raises(Exception, match="another run is moving data"):
            apply_with(second, turn_seconds=0.5)
