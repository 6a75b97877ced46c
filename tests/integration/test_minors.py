"""Whose records are a minor's, whichever source told of the birth and however exactly."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from include.identity.resolve import resolve_persons
from include.lifecycle.policy import load_retention
from include.lifecycle.units import read_state
from include.settings import Settings
from include.warehouse.connect import OWNER, connect
from include.warehouse.tables import ensure_views
from tests.dbt.small_hospital import NIGHT, patient, promote, token

YEAR = 2017
LABS = load_retention().rule("lab_results")


def youngest_born(settings: Settings) -> date | None:
    with connect("lifecycle", settings=settings) as hot:
        units = read_state(hot, load_retention(), LABS.ends_after(YEAR) + timedelta(days=1)).units
    (found,) = [unit.youngest_born for unit in units if unit.kind == "file"]
    return found


def put_into_a_file(settings: Settings, person_token) -> None:
    with connect(OWNER, settings=settings) as hot:
        (file_id,) = hot.execute(
            """insert into lifecycle.cold_file (object_key, raw_table, data_class, event_year, received_month, sources, first_event,
                   last_event, records, bytes, sha256, rows_sha256, tier, tiered_night, key_id)
               values ('f', 'resource', 'lab_results', %(year)s, '2017-01-01', '{b}', '2017-02-01', '2017-02-01', 1, 1, repeat('a', 64),
                   'a', 'cold', '2018-01-01', 'file:' || gen_random_uuid()) returning file_id""",
            {"year": YEAR},
        ).fetchone()
        moved = hot.execute(
            """update lifecycle.record set tier = 'cold', file_id = %s, event_year = %s
               where person_token = %s and dataset = 'Observation'""",
            [file_id, YEAR, person_token],
        ).rowcount
        assert moved == 1


@pytest.mark.parametrize(
    ("written", "born_by"),
    [("2016-05-03", date(2016, 5, 3)), ("2016-02", date(2016, 2, 29)), ("2016", date(2016, 12, 31)), (None, None)],
)
def test_another_source_s_word_on_a_birth_counts_and_to_its_last_day_also_once_deleted(fresh_hot, written, born_by):
    ensure_views(fresh_hot)
    promote(fresh_hot, "a", [patient("1", match=["id:x"], **({"birthDate": written} if written else {}))])
    promote(fresh_hot, "b", [patient("9", match=["id:x"]), {"resourceType": "Observation", "id": "o", "person": "9"}])
    resolve_persons(NIGHT, fresh_hot)
    put_into_a_file(fresh_hot, token("b", "Patient", "9"))
    assert youngest_born(fresh_hot) == born_by
    promote(fresh_hot, "a", [{"resourceType": "Patient", "id": "1", "person": "1", "deleted": True}])
    resolve_persons(NIGHT, fresh_hot)
    with connect("transformer", "hot", fresh_hot) as hot:
        told = hot.execute(
            "select born_by from restricted.person_evidence where person_token = %s", [token("a", "Patient", "1")]
        ).fetchone()
    assert told == (born_by,)
