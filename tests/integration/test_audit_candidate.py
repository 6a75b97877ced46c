"""The audit before publication, on real candidate tables and books."""

from datetime import date
from uuid import UUID

import pytest

from include.nights import open_night
from include.privacy.leak_scan import Identifiers, collect_needles
from include.warehouse.audit import check_build, reconcile_batches, scan_for_leaks
from include.warehouse.connect import connect

NIGHT = date(2026, 11, 22)
ANA = UUID(int=1)
NEEDLES = collect_needles(
    [Identifiers(ANA, full_names=("Ana White",), single_names=("Ana", "White"), numbers=("999-17-5017",))]
)


@pytest.fixture
def hot(fresh_hot):
    open_night(NIGHT, fresh_hot)
    with connect("leak_scanner", "hot", fresh_hot) as connection:
        yield connection


def fill(settings, rows: list[tuple[UUID, str]]) -> None:
    with connect("transformer", "hot", settings) as transformer:
        transformer.execute("create table candidate_clinical.conditions (person_key uuid, display text)")
        with transformer.cursor() as cursor:
            cursor.executemany("insert into candidate_clinical.conditions values (%s, %s)", rows)


def test_an_identifier_in_a_public_table_is_found_and_only_counted(hot, fresh_hot):
    fill(fresh_hot, [(ANA, "Fracture"), (ANA, "see 999175017"), (UUID(int=2), "told by ana white")])
    scanned, findings = scan_for_leaks(hot, NEEDLES)
    assert scanned == 3
    assert [(f.finding, f.subject, f.failures) for f in findings] == [("leak", "clinical.conditions.display", 2)]


def test_a_single_name_counts_in_its_bearers_own_rows_and_not_in_others(hot, fresh_hot):
    fill(fresh_hot, [(UUID(int=2), "Ana"), (UUID(int=3), "White")])
    assert scan_for_leaks(hot, NEEDLES)[1] == []


def test_a_single_name_in_its_bearers_own_row_is_a_leak(hot, fresh_hot):
    fill(fresh_hot, [(ANA, "fell on White")])
    assert len(scan_for_leaks(hot, NEEDLES)[1]) == 1


def test_a_value_that_many_people_share_is_vocabulary_even_for_who_bears_it_as_a_name(hot, fresh_hot):
    fill(fresh_hot, [(ANA, "White"), *((UUID(int=10 + n), "White") for n in range(10))])
    assert scan_for_leaks(hot, NEEDLES)[1] == []


def test_an_object_that_no_batch_took_in_breaks_the_promise_that_nothing_is_lost(hot, fresh_hot):
    with connect("loader", "hot", fresh_hot) as loader:
        loader.execute(
            """insert into lifecycle.landing_object (source, sha256, object_key, file_type, name_sealed, bytes_received,
               bytes_stored, first_night, hint) values
               ('north', repeat('a', 64), 'k', '.ndjson', '', 1, 1, %s, '{"dataset": "resource"}')""",
            [NIGHT],
        )
    (finding,) = reconcile_batches(hot, NIGHT)
    assert (finding.subject, finding.failures, finding.promise) == (
        "landing objects that no batch took in", 1, "nothing lost",
    )  # fmt: skip


def test_a_promoted_batch_whose_rows_are_not_on_the_books_breaks_the_same_promise(hot, fresh_hot):
    with connect("loader", "hot", fresh_hot) as loader:
        loader.execute(
            """insert into lifecycle.batch (batch_id, batch_seq, source, dataset, shape, night, state, received, loaded)
               values ('b', 1, 'north', 'resource', 'documents', %s, 'promoted', 5, 5)""",
            [NIGHT],
        )
    (finding,) = reconcile_batches(hot, NIGHT)
    assert finding.failures == 5
    assert "batch b" in finding.subject


def test_marts_that_were_never_built_or_miss_the_newest_batch_are_a_false_green(hot, fresh_hot):
    assert [f.finding for f in check_build(hot, NIGHT)] == ["stale_table"]
    with connect("transformer", "hot", fresh_hot) as transformer:
        transformer.execute("insert into quality.build_state values (true, 'f', %s, 1, 0)", [NIGHT])
        transformer.execute(
            """insert into quality.build_result (night, attempt, node, kind, layer, status, rows) values
               (%(n)s, 1, 'persons', 'model', 'candidate_clinical', 'success', null),
               (%(n)s, 1, 'encounters', 'model', 'candidate_clinical', 'success', null),
               (%(n)s, 1, 'clinical.persons', 'table', null, 'present', 7)""",
            {"n": NIGHT},
        )
    assert [(f.finding, f.subject) for f in check_build(hot, NIGHT)] == [("missing_table", "clinical.encounters")]
