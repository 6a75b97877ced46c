"""Scoring against the answer key: each way of falling short is told apart."""

from datetime import date, timedelta

import orjson
import pytest

from include.sample.__main__ import _key_of
from include.sample.answer_key import AnswerKey
from include.sample.contradictions import note_person, note_values
from include.sample.counted import recall_and_precision, score_counted, still_planted
from include.sample.coverage import measure_coverage
from include.sample.exposure import IdentifierIndex, search_texts
from include.sample.planted_identifiers import groups_of
from include.sample.score import (
    Estimate,
    Refusal,
    precision_of,
    recall_of,
    score_counts,
    score_defects,
    score_gaps,
    score_groups,
    score_pairs,
    score_sources,
)
from include.sample.tables import defect_table, gap_table, group_table


def planted(kind: str, place: int, *, handling: str = "quarantined") -> dict:
    return {
        "kind": kind,
        "family": "structural",
        "file_sha256": "aa",
        "place": place,
        "handling": handling,
        "reason_codes": [kind],
    }


def refusal(place: int, reason: str, **more) -> Refusal:
    return Refusal("north", "resource", "aa", place, reason, **more)


def test_a_defect_counts_as_found_where_it_stands_and_as_right_for_its_reason() -> None:
    key = [
        planted("nul", 3),
        planted("nul", 4),
        planted("missing_id", 5),
        planted("duplicate", 6, handling="duplicate"),
    ]
    scores, unplanted = score_defects(key, [refusal(3, "nul"), refusal(5, "malformed_json"), refusal(9, "nul")])
    by_kind = {score.kind: score for score in scores}
    assert set(by_kind) == {"nul", "missing_id"}
    assert (by_kind["nul"].planted, by_kind["nul"].found, by_kind["nul"].right_reason, by_kind["nul"].false_alarms) == (
        2,
        1,
        1,
        1,
    )
    assert (by_kind["missing_id"].found, by_kind["missing_id"].right_reason) == (1, 0)
    assert [each.place for each in unplanted] == [9]
    assert by_kind["nul"].recall == 0.5 and by_kind["nul"].precision == 0.5
    assert recall_of(scores, "structural") == pytest.approx(2 / 3) and precision_of(scores, unplanted) == pytest.approx(
        2 / 3
    )
    assert recall_of(scores, "plausibility") is None
    assert "refused without a plant: nul 1" in defect_table(scores, unplanted)


def test_a_further_rule_that_a_record_failed_counts_as_a_right_reason() -> None:
    scores, _ = score_defects([planted("nul", 3)], [refusal(3, "other", also=("nul",))])
    assert scores[0].right_reason == 1


def test_a_defect_in_what_a_pull_made_is_found_by_the_file_s_name() -> None:
    row = planted("duplicate_key", 2) | {"file_sha256": "", "source": "pharmacy", "file": "fills.doubles.ndjson"}
    seen = Refusal("pharmacy", "fills", "bb", 2, "duplicate_key", file="fills.doubles.ndjson")
    scores, unplanted = score_defects(
        [row], [seen, seen.__class__("pharmacy", "fills", "cc", 2, "nul", file="fills.rows.ndjson")]
    )
    assert scores[0].right_reason == 1 and [each.reason_code for each in unplanted] == ["nul"]


def test_sources_are_scored_apart() -> None:
    key = [planted("nul", place) | {"source": source} for place, source in ((3, "north"), (4, "ward"))]
    found = [refusal(3, "nul"), Refusal("ward", "resource", "aa", 9, "nul")]
    scores = {each.source: (each.planted, each.right_reason, each.false_alarms) for each in score_sources(key, found)}
    assert scores == {"north": (1, 1, 0), "ward": (1, 0, 1)}


def test_records_that_meet_through_others_are_one_group() -> None:
    pairs = [("north", "ward"), ("ward", "ward_merged"), ("south", "registry"), ("pharmacy", "north")]
    assert groups_of(pairs) == [["north", "pharmacy", "ward", "ward_merged"], ["registry", "south"]]
    assert groups_of([*pairs, ("south", "north")]) == [
        ["north", "pharmacy", "registry", "south", "ward", "ward_merged"]
    ]


def counted(kind: str, source: str, check: str) -> dict:
    return {"kind": kind, "family": "counted", "handling": "loaded", "source": source, "reason_codes": [check]}


def test_defects_that_are_let_in_are_scored_by_what_their_check_counts() -> None:
    key = [counted("unit", "north", "u"), counted("unit", "north", "u"), counted("unit", "south", "u"), counted("visit", "north", "v"),
           planted("nul", 3)]  # fmt: skip
    failed = {("north", "u"): 5, ("south", "u"): 0, ("north", "v"): 1, ("south", "v"): 9}
    unit, visit = score_counted(key, failed)
    assert (unit.planted, unit.found, unit.false_alarms) == (3, 2, 3)
    assert (visit.planted, visit.found, visit.false_alarms) == (1, 1, 0)
    assert recall_and_precision([unit, visit]) == (3 / 4, 3 / 6)
    assert recall_and_precision([visit]) == (1.0, 1.0)
    assert score_counted(key, {}) == [] and recall_and_precision([]) is None


def test_a_trait_that_sources_tell_otherwise_is_found_and_one_that_nobody_planted_is_a_false_alarm() -> None:
    key = [
        counted("sex_told_otherwise", source, "Patient.agreesWithOtherSources.sex") for source in ("north", "radiology")
    ]
    failed = {("north", "Patient.agreesWithOtherSources.sex"): 1, ("radiology", "Patient.agreesWithOtherSources.sex"): 1,
              ("north", "Patient.agreesWithOtherSources.race"): 2, ("south", "Patient.agreesWithOtherSources.state"): 0}  # fmt: skip
    race, sex = score_counted(key, failed)
    assert (sex.kind, sex.planted, sex.found, sex.false_alarms) == ("sex_told_otherwise", 2, 2, 0)
    assert (race.kind, race.planted, race.found, race.false_alarms) == ("race_told_otherwise", 0, 0, 2)


def test_a_slip_is_charged_to_everyone_whose_record_can_be_told_to_be_the_same_person_s(tmp_path) -> None:
    key = AnswerKey(tmp_path / "key")
    key.told_otherwise[7] = {("radiology", "sex"), ("pharmacy", "state")}
    row = {
        "person": 7,
        "groups": [["north", "radiology", "transcription", "ward", "ward_merged"], ["pharmacy", "south"]],
    }
    note_person(key, row)
    note_person(key, {"person": 8, "groups": [["north", "south"]]})
    note_values(key, ("ward", "north"))
    assert [(each.kind, each.source) for each in key.defects] == [
        ("sex_told_otherwise", "north"), ("state_told_otherwise", "pharmacy"), ("sex_told_otherwise", "radiology"),
        ("state_told_otherwise", "south"), ("sex_told_otherwise", "ward"),
        ("value_told_otherwise", "ward"), ("value_told_otherwise", "north"),
    ]  # fmt: skip
    assert not any(counts.as_dict()["quarantined"] for counts in key.counts.values()), "they are let in"


def test_what_earlier_deliveries_tell_otherwise_is_planted_still(tmp_path) -> None:
    rows = [counted("sex_told_otherwise", "north", "Patient.agreesWithOtherSources.sex"), counted("unit", "north", "u")]
    (tmp_path / "defects.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    assert [row["kind"] for row in still_planted([tmp_path])] == ["sex_told_otherwise"]


def test_counts_that_differ_are_named() -> None:
    expected = [
        {
            "source": "north",
            "dataset": "resource",
            "received": 10,
            "loaded": 7,
            "duplicate": 1,
            "quarantined": {"nul": 2},
        }
    ]
    seen = {("north", "resource"): {"received": 10, "loaded": 8, "duplicate": 1, "quarantined": 1}}
    assert [(each.count, each.expected, each.observed) for each in score_counts(expected, seen)] == [
        ("loaded", 7, 8),
        ("quarantined", 2, 1),
    ]
    assert {each.observed for each in score_counts(expected, {})} == {0}


def gap(truth: float, *, is_planted: bool = True) -> dict:
    return {
        "measure": "m",
        "dimension": "d",
        "group": "a",
        "reference": "b",
        "planted": is_planted,
        "true_difference": truth,
    }


def test_a_difference_must_have_the_sign_and_hold_the_size() -> None:
    (good,) = score_gaps([gap(0.2)], [Estimate("m", "d", "a", "b", 0.25, 0.15, 0.35)])
    assert good.has_right_sign and good.is_covered
    (wrong,) = score_gaps([gap(0.2)], [Estimate("m", "d", "a", "b", -0.01, -0.1, 0.1)])
    assert not wrong.has_right_sign and not wrong.is_covered
    (hidden,) = score_gaps([gap(0.2)], [Estimate("m", "d", "a", "b", None, None, None)])
    assert not hidden.is_told and not hidden.is_covered
    assert "hidden" in gap_table([hidden])


def test_a_difference_told_the_other_way_round_is_turned() -> None:
    (turned,) = score_gaps([gap(0.2)], [Estimate("m", "d", "b", "a", -0.25, -0.35, -0.15)])
    assert turned.is_covered and (turned.estimate.lower, turned.estimate.upper) == (0.15, 0.35)


def test_a_confident_difference_where_none_was_planted_is_a_false_finding() -> None:
    (found,) = score_gaps([gap(0.001, is_planted=False)], [Estimate("m", "d", "a", "b", 0.2, 0.1, 0.3)])
    assert found.is_false_finding


IDENTIFIERS = [
    {"kind": "full_name", "value": "May Young", "is_word": False},
    {"kind": "given_name", "value": "May", "is_word": True},
    {"kind": "family_name", "value": "Nakamura", "is_word": False},
    {"kind": "ssn", "value": "912-34-5678", "is_word": False},
    {"kind": "phone", "value": "(617) 555-1234", "is_word": False},
    {"kind": "email", "value": "may.young1@example.com", "is_word": False},
    {"kind": "north_mrn", "value": "N12345678", "is_word": False},
    {"kind": "street", "value": "12 Elm St Apt 4", "is_word": False},
]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Called May Young.", "full_name"),
        ("YOUNG, MAY", "full_name"),
        ("interface/May_Young.hl7", "full_name"),
        ("ssn 912-34-5678", "ssn"),
        ("tel 617-555-1234", "phone"),
        ("(617) 555-1234", "phone"),
        ('{"x":"n12345678"}', "north_mrn"),
        ("may.young1@example.com", "email"),
        ("lives at 12 Elm St Apt 4, alone", "street"),
        ("NAKAMURA", "family_name"),
    ],
)
def test_an_identifier_is_found_however_it_is_written(text: str, kind: str) -> None:
    assert search_texts([("warm.t.c", text)], IdentifierIndex.of(IDENTIFIERS)) == {("warm.t.c", kind): 1}


@pytest.mark.parametrize(
    "text", ["symptoms may recur in a young man", "May", "Nakamura procedure", "617-555-9999", "12 Elm"]
)
def test_words_that_are_also_names_are_no_hits(text: str) -> None:
    assert not search_texts([("warm.t.c", text)], IdentifierIndex.of(IDENTIFIERS))


def test_pairs_made_and_missed_are_counted() -> None:
    persons = [
        {"north": "p1", "south": "S1", "registry": "R1", "groups": [["north", "south"]]},
        {"north": "p2", "south": "S2", "registry": None, "groups": [["north", "south"]]},
        {"north": "p3", "south": None, "registry": None, "groups": []},
    ]
    scored = score_pairs(persons, [frozenset({"p1", "S1", "R1"}), frozenset({"p3", "S2"})])
    assert (scored["tellable"], scored["made"], scored["right"]) == (2, 4, 3)
    assert (scored["recall"], scored["precision"]) == (0.5, 0.75)


def test_a_group_counted_otherwise_is_named() -> None:
    truths = [
        {"measure": "m", "dimension": "sex", "group": "female", "exposure": 100.0, "drawn": 20},
        {"measure": "m", "dimension": "sex", "group": "male", "exposure": 90.04, "drawn": 10},
    ]
    compared, differing = score_groups(truths, {("m", "sex", "female"): (100, 21), ("m", "sex", "male"): (90.0, 10)})
    assert compared == 2 and [(each.group, each.expected, each.observed) for each in differing] == [
        ("female", (100.0, 20), (100, 21))
    ]
    assert score_groups(truths, {})[1][1].observed is None
    assert "1 of 2 groups differ" in group_table(compared, differing)


def test_intervals_around_simulated_cohorts_hold_the_planted_sizes() -> None:
    covered = measure_coverage(range(12), 1_500, date(2026, 11, 22))
    rates = [each for each in covered if each.what == "rate"]
    assert len(rates) == 6
    intervals = sum(each.intervals for each in rates)
    assert 0.925 < sum(each.covered for each in rates) / intervals < 0.985
    gaps = [each for each in covered if each.what == "planted difference"]
    assert sum(each.covered for each in gaps) / sum(each.intervals for each in gaps) > 0.9


def test_a_night_is_scored_by_the_key_of_the_delivery_it_took_in(tmp_path) -> None:
    (tmp_path / "answer_key.json").write_text('{"night": "2026-11-25"}')
    (tmp_path / "day_2").mkdir()
    night = date(2026, 11, 25)
    assert _key_of(tmp_path, night, None) == tmp_path
    assert _key_of(tmp_path, night + timedelta(days=2), None) == tmp_path / "day_2"
    assert _key_of(tmp_path, night + timedelta(days=2), 0) == tmp_path, "as somebody says"
    assert _key_of(tmp_path, night + timedelta(days=3), None) == tmp_path
