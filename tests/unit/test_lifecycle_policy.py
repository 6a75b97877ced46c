"""The retention policy's reader: allow-list, order of days, and every fault named at once."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import date

import pytest
import yaml

from include.lifecycle.policy import POLICY_FILE, Believable, PolicyError, load_retention, read_retention

GOOD = yaml.safe_load(POLICY_FILE.read_text())


def changed(**words):
    policy = copy.deepcopy(GOOD)
    policy["classes"]["imaging"].update(words)
    return policy


def test_every_fault_of_a_policy_is_named_at_once():
    policy = changed(owner=" ", hot_days=9_000, colour="red", destruction="maybe")
    del policy["classes"]["imaging"]["regions"]
    with pytest.raises(PolicyError) as refused:
        read_retention(policy)
    for fault in (
        "imaging: unknown word 'colour'",
        "imaging: regions is missing",
        "imaging: owner is empty",
        "imaging: destruction is 'maybe', expected one of approval, automatic",
        "imaging: hot_days (9000) is more than warm_days (730)",
    ):
        assert fault in str(refused.value)
    assert "5 fault(s)" in str(refused.value)


@pytest.mark.parametrize("days", [0, -1, 1.5, "90", True, None])
def test_days_that_are_not_whole_and_positive_are_refused(days):
    with pytest.raises(PolicyError, match="imaging: cold_days is not a whole number of days, at least 1"):
        read_retention(changed(cold_days=days))


@pytest.mark.parametrize(
    "words", [("hot_days", "warm_days"), ("warm_days", "cold_days"), ("cold_days", "retention_days")]
)
def test_days_may_be_equal_and_not_one_more(words):
    shorter, longer = words
    days = GOOD["classes"]["imaging"]
    read_retention(changed(**{shorter: days[longer]}))
    with pytest.raises(PolicyError, match=rf"{shorter} \({days[longer] + 1}\) is more than {longer}"):
        read_retention(changed(**{shorter: days[longer] + 1}))


def test_a_resource_type_in_two_classes_is_refused():
    with pytest.raises(PolicyError, match="resource type Observation is also in lab_results"):
        read_retention(changed(resource_types=["ImagingStudy", "Observation"]))


def test_kept_with_person_must_be_of_the_class():
    with pytest.raises(PolicyError, match="kept_with_person names Patient, which is not among its resource_types"):
        read_retention(changed(kept_with_person=["Patient"]))


@pytest.mark.parametrize("share", [-0.01, 1.01, "0.9", True])
def test_a_threshold_that_is_no_share_is_refused(share):
    with pytest.raises(PolicyError, match="imaging: quality_threshold is not a share between 0 and 1"):
        read_retention(changed(quality_threshold=share))


def test_a_class_without_a_region_is_refused():
    with pytest.raises(PolicyError, match="imaging: regions is empty"):
        read_retention(changed(regions=[]))


@pytest.mark.parametrize("text", [None, [], {"classes": {}}, {"classes": {"a": 3}}])
def test_what_is_no_policy_at_all_is_refused_with_words(text):
    with pytest.raises(PolicyError, match="fault"):
        read_retention(text)


def test_a_word_said_twice_is_refused(tmp_path):
    path = tmp_path / "retention.yml"
    path.write_text("owner: a\nowner: b\n")
    with pytest.raises(PolicyError, match="'owner' is said twice"):
        load_retention(path)


def test_a_source_may_have_a_retention_of_its_own_and_a_mixed_file_keeps_the_longest():
    own = {
        "trial": {"retention_days": 9_125, "reason": "ICH E6"},
        "kiosk": {"retention_days": 2_000, "reason": "agreed"},
    }
    rule = read_retention(changed(sources=own)).rule("imaging")
    assert rule.sources == {"trial": 9_125, "kiosk": 2_000}
    for sources, days in ((["trial"], 9_125), (["kiosk"], 2_000), (["north"], rule.retention_days),
                          (["kiosk", "north"], rule.retention_days), (["north", "trial"], 9_125), ([], rule.retention_days)):  # fmt: skip
        assert rule.of_sources(sources).retention_days == days, sources
    with pytest.raises(PolicyError) as refused:
        read_retention(
            changed(
                sources={"a": 5, "b": {"retention_days": 10, "reason": " "}, "c": {"retention_days": 0.5, "colour": 1}}
            )
        )
    for fault in (
        "imaging: sources: a: is not a mapping",
        "imaging: sources: b: reason is empty",
        "imaging: sources: b: retention_days (10) is less than cold_days",
        "imaging: sources: c: unknown word 'colour'",
        "imaging: sources: c: reason is missing",
        "imaging: sources: c: retention_days is not a whole number of days, at least 1",
    ):
        assert fault in str(refused.value)


def test_years_that_events_may_have_are_read_and_every_fault_in_them_named():
    assert read_retention({**GOOD, "events": {}}).events == load_retention().events == Believable(1900, 5)
    own = {"since_year": 1950, "years_ahead": 2, "reason": "as the clinic began"}
    assert read_retention({**GOOD, "events": own}).events == Believable(1950, 2)
    with pytest.raises(PolicyError) as refused:
        read_retention({**GOOD, "events": {"since_year": 19, "years_ahead": 2.5, "colour": "red"}})
    for fault in (
        "events: unknown word 'colour'",
        "events: reason is missing",
        "events: since_year is not a whole number from 1800 to 2000",
        "events: years_ahead is not a whole number from 1 to 100",
    ):
        assert fault in str(refused.value)
    with pytest.raises(PolicyError, match="events: is not a mapping"):
        read_retention({**GOOD, "events": 5})


def test_a_month_leaves_hot_when_its_last_day_is_older_than_hot_days():
    rule = load_retention().rule("clinical_notes")
    assert rule.hot_days == 365
    assert rule.leaves_hot_on(date(2023, 2, 1)) == date(
        2024, 2, 29
    )  # 28 February 2023 is 366 days back: older than 365


def test_retention_counts_from_the_end_of_the_event_year():
    assert load_retention().rule("patient_data").ends_after(2020) == date(2027, 12, 30)


@pytest.mark.parametrize("year", [9999, 9995])
def test_an_event_at_the_end_of_time_is_kept_to_the_end_of_time(year):
    assert load_retention().rule("patient_data").ends_after(year) == date.max


@pytest.mark.parametrize(
    ("born", "age", "until"),
    [
        ((2004, 2, 29), 18, date(2022, 3, 1)),
        ((2004, 2, 29), 20, date(2024, 2, 29)),
        ((2004, 2, 28), 18, date(2022, 2, 28)),
    ],
)
def test_who_was_born_on_a_leap_day_is_a_minor_to_the_day_after_the_28th(born, age, until):
    rule = replace(load_retention().rule("lab_results"), minors_until_age=age)
    assert rule.keeps_minor_until(date(*born)) == until


def test_a_class_without_a_rule_is_an_error_and_not_a_guess():
    with pytest.raises(PolicyError, match="data class 'patients' has no rule; expected one of audit, clinical_notes"):
        load_retention().rule("patients")


def test_a_type_that_no_class_lists_has_no_class():
    assert load_retention().class_of("Observation") == "lab_results"
    assert load_retention().class_of("Observations") is None
