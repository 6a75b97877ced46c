"""The audit before publication, on real candidate tables and books."""

from datetime import date
from uuid import UUID

import pytest
from psycopg import sql

from include.identity.resolve import resolve_persons
from include.intake.promote import promote_batch
from include.nights import open_night
from include.privacy.leak_scan import Identifiers, collect_needles
from include.verdict import close_night
from include.warehouse.audit import AuditError, audit_candidate, check_build, reconcile_batches, scan_for_leaks
from include.warehouse.connect import connect
from tests.deliveries import Delivery, ndjson, patient

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


NUMBERS = collect_needles(
    [
        Identifiers(ANA, numbers=("999-17-5017", "0860975", "(508) 688-2758")),
        Identifiers(UUID(int=9), numbers=("314076",)),
    ]
)


def fill_numbers(settings, columns: dict[str, str], rows: list[tuple]) -> None:
    """A mart with a column of each type, in clinical.observations; rows begin with their person."""
    with connect("transformer", "hot", settings) as transformer:
        typed = [sql.SQL(", {} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns.items()]
        transformer.execute(
            sql.SQL("create table candidate_clinical.observations (person_key uuid{})").format(sql.SQL("").join(typed))
        )
        with transformer.cursor() as cursor:
            places = sql.SQL(", ").join(sql.Placeholder() * (1 + len(columns)))
            cursor.executemany(sql.SQL("insert into candidate_clinical.observations values ({})").format(places), rows)


# column -> its type and a number of Ana's in it
HIDDEN = {
    "whole": ("bigint", 999175017),
    "two_places": ("numeric(20, 2)", 5086882758),
    "with_country": ("double precision", 15086882758.0),
    "without_zero": ("integer", 860975),
    "negative": ("bigint", -860975),
    "list": ("bigint[]", [1, 999175017]),
    "document": ("jsonb", '{"a": [999175017]}'),
    "deeper": ("jsonb", '{"a": {"b": 5086882758}}'),
}


def test_a_person_s_number_in_a_column_of_numbers_is_a_leak(hot, fresh_hot):
    values = [value for _, value in HIDDEN.values()]
    fill_numbers(fresh_hot, {name: kind for name, (kind, _) in HIDDEN.items()}, [(ANA, *values)])
    found = {finding.subject: (finding.failures, finding.promise) for finding in scan_for_leaks(hot, NUMBERS)[1]}
    assert found == {f"clinical.observations.{name}": (1, "nothing leaks") for name in HIDDEN}


def test_a_number_counts_in_anybody_s_row_only_where_it_is_as_long_as_a_social_security_number(hot, fresh_hot):
    kinds = {"whole": "integer", "decimal": "numeric", "double": "double precision", "words": "text"}
    another = UUID(int=5)
    rows = [(ANA, *["314076"] * 4), (another, *["860975"] * 4), (ANA, *["150000"] * 4)]
    fill_numbers(fresh_hot, kinds, rows)
    assert scan_for_leaks(hot, NUMBERS) == (12, []), "codes and results that happen to be another's record number"
    with connect("transformer", "hot", fresh_hot) as transformer:
        transformer.execute("insert into candidate_clinical.observations values (%s, %s)", [another, 999175017])
    assert [finding.subject for finding in scan_for_leaks(hot, NUMBERS)[1]] == ["clinical.observations.whole"]


def test_numbers_that_are_no_whole_ones_are_read_without_harm(hot, fresh_hot):
    rows = [(ANA, "NaN"), (ANA, "Infinity"), (ANA, 860975.5), (ANA, None), (ANA, 1e300)]
    fill_numbers(fresh_hot, {"value": "double precision"}, rows)
    assert scan_for_leaks(hot, NUMBERS) == (0, [])


def test_a_count_in_a_table_about_nobody_is_a_leak_only_where_it_is_as_long_as_a_number_that_tells_somebody(
    hot, fresh_hot
):
    with connect("transformer", "hot", fresh_hot) as transformer:
        transformer.execute(
            "create table candidate_measures.results as select 860975 as people, 999175017 as numerator"
        )
    assert [finding.subject for finding in scan_for_leaks(hot, NUMBERS)[1]] == ["measures.results.numerator"]


def test_a_telephone_number_as_a_number_in_a_mart_keeps_the_night_from_being_published(fresh_hot, tmp_path):
    open_night(NIGHT, fresh_hot)
    north = Delivery.of(fresh_hot, tmp_path)
    north.put("Patient.ndjson", ndjson(patient(1, telecom=[{"system": "phone", "value": "(508) 688-2758"}])))
    for batch in north.load():
        promote_batch(north.pass_gate(batch), north.settings)
    resolve_persons(NIGHT, north.settings)
    fill_numbers(fresh_hot, {"value": "bigint"}, [(UUID(int=5), 5086882758)])
    with pytest.raises(AuditError, match=r"leak at clinical\.observations\.value: 1") as told:
        audit_candidate(NIGHT, north.settings)
    assert "688" not in str(told.value)
    assert close_night(NIGHT, north.settings) == "red"


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
