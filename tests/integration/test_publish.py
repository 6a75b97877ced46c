"""Publication on real Postgres: whole nights or nothing, for every kind of reader, killed or not."""

import signal
import subprocess
import sys
import threading
import time
from datetime import date

import psycopg
import pytest

from include.nights import OlderNightError
from include.warehouse.connect import connect
from include.warehouse.publish import PublishError, publish

FIRST, SECOND, THIRD = date(2026, 11, 20), date(2026, 11, 21), date(2026, 12, 1)


def make_candidates(settings, marker: int, *, rows: int = 50, extra: str = "") -> None:
    """Two candidate tables that agree on a marker: a reader who sees two markers saw half a night."""
    with connect("transformer", "hot", settings) as hot:
        for schema, table, key in (
            ("candidate_clinical", "persons", "gen_random_uuid() as person_key,"),
            ("candidate_equity", "disparities", ""),
        ):
            hot.execute(f"drop table if exists {schema}.{table}")
            hot.execute(
                f"create table {schema}.{table} as select {key} {marker} as marker, n {extra} from generate_series(1, {rows}) n"
            )
            hot.execute(f"comment on table {schema}.{table} is 'One row per number.'")
            hot.execute(f"comment on column {schema}.{table}.n is 'A number.'")


def markers(connection) -> set[tuple[int, int]]:
    rows = connection.execute(
        """select marker, count(*) from clinical.persons group by 1
           union all select marker, count(*) from equity.disparities group by 1"""
    ).fetchall()
    return set(rows)


def test_a_table_that_did_not_change_keeps_its_version(fresh_hot):
    make_candidates(fresh_hot, 1)
    assert publish(FIRST, fresh_hot)["tables_changed"] == 2
    again = publish(SECOND, fresh_hot)
    assert (again["tables_changed"], again["tables_unchanged"], again["rows"]) == (0, 2, 0)


def test_a_night_older_than_the_one_that_analysts_see_is_published_only_where_somebody_said_so(fresh_hot):
    with connect("loader", settings=fresh_hot) as hot:
        hot.execute("insert into lifecycle.night (night, verdict, published) values (%s, 'green', true)", [SECOND])
    make_candidates(fresh_hot, 1)
    publish(SECOND, fresh_hot, over_newer=False)
    make_candidates(fresh_hot, 2)
    with pytest.raises(OlderNightError, match=f"the night of {SECOND} is published.*the run's parameter 'older'"):
        publish(FIRST, fresh_hot, over_newer=False)
    with connect("analyst", "warm", fresh_hot) as analyst:
        assert markers(analyst) == {(1, 50)}
    publish(FIRST, fresh_hot)
    with connect("analyst", "warm", fresh_hot) as analyst:
        assert markers(analyst) == {(2, 50)}


def test_readers_only_ever_see_a_whole_night_while_nights_are_published(fresh_hot):
    make_candidates(fresh_hot, 1)
    publish(FIRST, fresh_hot)
    with connect("analyst", "warm", fresh_hot) as analyst:
        analyst.execute("create view workspace.mine as select marker, n from clinical.persons")
    seen, stop = [], threading.Event()
    readers = [
        threading.Thread(target=_poll, args=(fresh_hot, level, seen, stop))
        for level in (psycopg.IsolationLevel.READ_COMMITTED, psycopg.IsolationLevel.REPEATABLE_READ)
    ]
    for reader in readers:
        reader.start()
    for marker in range(2, 7):
        make_candidates(fresh_hot, marker, rows=50 + marker)
        publish(SECOND, fresh_hot)
    stop.set()
    for reader in readers:
        reader.join()
    assert len(seen) > 20, "the readers hardly looked"
    assert not [halves for halves in seen if len(halves) != 1], "a reader saw two nights, or none"
    assert {marker for halves in seen for marker, _ in halves} > {1}


def _poll(settings, level, seen, stop):
    with connect("analyst", "warm", settings) as analyst:
        analyst.isolation_level = level
        while not stop.is_set():
            whole = markers(analyst)
            own = set(analyst.execute("select marker, count(*) from workspace.mine group by 1").fetchall())
            # Under READ COMMITTED each statement is whole; under REPEATABLE READ the transaction is.
            seen.extend([whole | own] if level == psycopg.IsolationLevel.REPEATABLE_READ else [whole, own])
            analyst.commit()


def test_a_transaction_that_began_before_publication_still_reads_the_old_night_days_later(fresh_hot):
    make_candidates(fresh_hot, 1)
    publish(FIRST, fresh_hot)
    with connect("analyst", "warm", fresh_hot) as old:
        old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        old.execute("select 1")
        for marker in (2, 3):
            make_candidates(fresh_hot, marker)
            publish(SECOND, fresh_hot)
        assert markers(old) == {(1, 50)}
    make_candidates(fresh_hot, 4)
    dropped = publish(SECOND, fresh_hot)["versions_dropped"]
    assert dropped >= 4, "versions that nobody can see any more stay on the disk"


def test_a_new_column_appears_and_a_changed_type_is_refused_with_advice(fresh_hot):
    make_candidates(fresh_hot, 1)
    publish(FIRST, fresh_hot)
    make_candidates(fresh_hot, 2, extra=", 'late'::text as season")
    publish(SECOND, fresh_hot)
    with connect("analyst", "warm", fresh_hot) as analyst:
        assert analyst.execute("select count(season) from clinical.persons").fetchone() == (50,)
        assert analyst.execute("select obj_description('clinical.persons'::regclass)").fetchone() == (
            "One row per number.",
        )
    make_candidates(fresh_hot, 3, extra=", 7 as season")
    with pytest.raises(PublishError, match="clinical.persons changed the type of season; .*new name"):
        publish(SECOND, fresh_hot)
    with connect("analyst", "warm", fresh_hot) as analyst:
        assert markers(analyst) == {(2, 50)}


def test_a_reader_has_results_but_no_row_level_table(fresh_hot):
    make_candidates(fresh_hot, 1)
    publish(FIRST, fresh_hot)
    with connect("reader", "warm", fresh_hot, autocommit=True) as reader:
        assert reader.execute("select count(*) from equity.disparities").fetchone() == (50,)
        for table in ("clinical.persons", "versions.clinical__persons", "versions.equity__disparities"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"select * from {table}")


def test_row_level_tables_wait_for_the_month_to_close_under_monthly_release(fresh_hot, monkeypatch):
    monkeypatch.setattr("include.warehouse.row_release.read_choice", lambda: "monthly")
    make_candidates(fresh_hot, 1)
    publish(FIRST, fresh_hot)
    make_candidates(fresh_hot, 2)
    publish(SECOND, fresh_hot)
    with connect("analyst", "warm", fresh_hot) as analyst:
        assert analyst.execute("select distinct marker from clinical.persons").fetchall() == [(1,)]
        assert analyst.execute("select distinct marker from equity.disparities").fetchall() == [(2,)]
    publish(THIRD, fresh_hot)
    with connect("analyst", "warm", fresh_hot) as analyst:
        assert analyst.execute("select distinct marker from clinical.persons").fetchall() == [(2,)]


def test_a_publication_killed_anywhere_is_finished_by_the_next_one(fresh_hot):
    make_candidates(fresh_hot, 1, rows=200_000)
    publish(FIRST, fresh_hot)
    make_candidates(fresh_hot, 2, rows=200_000)
    script = "from datetime import date; from include.warehouse.publish import publish; print(1, flush=True); publish(date(2026, 11, 21))"
    for pause in (0.05, 0.3, 0.6):
        killed = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        killed.stdout.read(1)
        time.sleep(pause)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        with connect("analyst", "warm", fresh_hot) as analyst:
            assert markers(analyst) in ({(1, 200_000)}, {(2, 200_000)})
    publish(SECOND, fresh_hot)
    with connect("analyst", "warm", fresh_hot) as analyst:
        assert markers(analyst) == {(2, 200_000)}
