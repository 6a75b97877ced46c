"""Who is who across sources, on the real database: keys that stay, merges, splits, and tokens too common to join."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest

from include.identity.policy import IdentityPolicy, load_policy
from include.identity.resolve import resolve_persons
from include.settings import Settings
from include.warehouse.connect import connect
from include.warehouse.tables import ensure_views
from tests.dbt.small_hospital import NIGHT, map_rows, patient, promote, token

POLICY = load_policy()


@pytest.fixture
def hot(fresh_hot: Settings) -> Settings:
    ensure_views(fresh_hot)
    return fresh_hot


def key_of(settings: Settings, source: str, name: str) -> UUID:
    with connect("transformer", "hot", settings) as hot:
        return hot.execute(
            "select person_key from restricted.person_link where person_token = %s", [token(source, "Patient", name)]
        ).fetchone()[0]


def resolve(settings: Settings, night: date = NIGHT, policy: IdentityPolicy = POLICY) -> dict[str, int]:
    return resolve_persons(night, settings, policy)


def test_records_that_share_a_token_are_one_person_also_through_a_third(hot):
    promote(hot, "a", [patient("1", match=["id:x"]), patient("2", match=["id:y"]), patient("3", match=["id:z"])])
    promote(hot, "b", [patient("1", match=["id:x", "demo:q"])])
    promote(hot, "c", [patient("1", match=["demo:q", "id:y"])])
    counts = resolve(hot)
    assert key_of(hot, "a", "1") == key_of(hot, "b", "1") == key_of(hot, "c", "1") == key_of(hot, "a", "2")
    assert key_of(hot, "a", "3") != key_of(hot, "a", "1")
    assert (counts["persons"], counts["tokens"], counts["new_persons"]) == (2, 5, 2)


def test_a_table_s_patients_meet_those_of_documents(hot):
    promote(hot, "a", [patient("1", match=["id:x"])])
    map_rows(hot, "b", {"patient": [{"patient_id": str(token("b", "Patient", "9")), "match_tokens": ["id:x"]}]})
    resolve(hot)
    assert key_of(hot, "a", "1") == key_of(hot, "b", "9")


def test_keys_stay_and_the_oldest_wins_when_two_persons_turn_out_to_be_one(hot):
    promote(hot, "a", [patient("1", match=["id:x"])])
    resolve(hot)
    oldest = key_of(hot, "a", "1")
    promote(hot, "b", [patient("1", match=["id:y"])])
    assert resolve(hot, NIGHT + timedelta(days=1))["new_persons"] == 1
    assert key_of(hot, "a", "1") == oldest
    promote(hot, "c", [patient("1", match=["id:x", "id:y"])])
    counts = resolve(hot, NIGHT + timedelta(days=2))
    assert key_of(hot, "a", "1") == key_of(hot, "b", "1") == key_of(hot, "c", "1") == oldest
    assert (counts["persons"], counts["merged_persons"], counts["new_persons"]) == (1, 1, 0)
    with connect("transformer", "hot", hot) as database:
        assert database.execute("select person_key, source_count from restricted.person").fetchall() == [(oldest, 3)]


def test_persons_part_again_when_what_joined_them_is_corrected(hot):
    promote(hot, "a", [patient("1", match=["id:x"], meta={"lastUpdated": "2026-01-01T00:00:00Z"})])
    resolve(hot)
    first = key_of(hot, "a", "1")
    promote(hot, "b", [patient("1", match=["id:x"], meta={"lastUpdated": "2026-01-01T00:00:00Z"})])
    resolve(hot)
    assert key_of(hot, "b", "1") == first
    promote(hot, "b", [patient("1", match=["id:other"], meta={"lastUpdated": "2026-01-02T00:00:00Z"})])
    counts = resolve(hot)
    assert key_of(hot, "a", "1") == first
    assert key_of(hot, "b", "1") != first
    assert counts["split_tokens"] == 1


def test_an_older_version_that_comes_late_changes_nothing(hot):
    promote(hot, "a", [patient("1", match=["id:x"])])
    promote(hot, "b", [patient("1", match=["id:x"], meta={"lastUpdated": "2026-02-01T00:00:00Z"})])
    resolve(hot)
    promote(hot, "b", [patient("1", match=["id:other"], meta={"lastUpdated": "2026-01-01T00:00:00Z"})])
    resolve(hot)
    assert key_of(hot, "b", "1") == key_of(hot, "a", "1")


def test_a_deleted_patient_record_is_no_evidence_any_more(hot):
    promote(hot, "a", [patient("1", match=["id:x"])])
    promote(hot, "b", [patient("1", match=["id:x"], meta={"lastUpdated": "2026-11-23T09:00:00Z"})])
    resolve(hot)
    joined = key_of(hot, "a", "1")
    assert key_of(hot, "b", "1") == joined
    promote(hot, "b", [{"resourceType": "Patient", "id": "1", "person": "1", "deleted": True}])
    resolve(hot)
    assert {key_of(hot, "a", "1"), key_of(hot, "b", "1")} > {joined}


def test_whoever_a_record_names_has_a_key_without_a_patient_record(hot):
    promote(hot, "a", [{"resourceType": "Observation", "id": "1", "person": "nobody sent"}])
    counts = resolve(hot)
    without = key_of(hot, "a", "nobody sent")
    assert (counts["tokens"], counts["tokens_without_patient"]) == (1, 1)
    promote(hot, "a", [patient("nobody sent", match=["id:x"])])
    counts = resolve(hot)
    assert key_of(hot, "a", "nobody sent") == without
    assert counts["tokens_without_patient"] == 0


def test_a_token_that_too_many_share_joins_nobody_and_is_counted(hot):
    most = POLICY.largest_group
    promote(
        hot,
        "a",
        [patient(str(n), match=["id:placeholder", "id:shared" if n < most else "id:own"]) for n in range(most + 1)],
    )
    counts = resolve(hot)
    assert (counts["oversized_groups"], counts["persons"]) == (1, 2)


def test_a_token_whose_owners_differ_in_birth_and_sex_joins_nobody(hot):
    born, other = {"birthDate": "1950-01-01", "gender": "female"}, {"birthDate": "1980-05-05", "gender": "male"}
    typing_error = {"birthDate": "1950-01-10", "gender": "female"}
    promote(hot, "a", [patient("1", match=["id:x"], **born), patient("2", match=["id:y"], **born)])
    promote(hot, "b", [patient("1", match=["id:x"], **other), patient("2", match=["id:y"], **typing_error)])
    counts = resolve(hot)
    assert key_of(hot, "a", "1") != key_of(hot, "b", "1")
    assert key_of(hot, "a", "2") == key_of(hot, "b", "2")
    assert counts["contradictory_groups"] == 1


def test_doing_it_twice_changes_nothing_and_a_changed_policy_does_it_again(hot):
    promote(hot, "a", [patient("1", match=["demo:x"])])
    promote(hot, "b", [patient("1", match=["demo:x"])])
    first = resolve(hot)
    again = resolve(hot)
    assert (first["unchanged"], again["unchanged"], again["persons"]) == (0, 1, 1)
    stricter = IdentityPolicy(("id",), POLICY.largest_group, POLICY.contradiction, "another digest")
    assert resolve(hot, policy=stricter)["persons"] == 2
