"""Thresholds, weights and levels: read strictly, applied at their boundaries."""

from __future__ import annotations

from datetime import date

import pytest

from include.quality.decide import decide
from include.quality.errors import QualityPolicyError
from include.quality.policy import POLICY_FILE, load_quality_policy

NIGHT = date(2026, 11, 23)
EXCEPTION = """exceptions:
  - {source: north, data_class: patient_data, threshold: 0.5, owner: steward, reason: migration, expires: 2026-11-23}
"""


@pytest.fixture
def policy_with(tmp_path):
    """A function that reads the shipped policy with something replaced."""

    def read(old: str = "", new: str = ""):
        text = POLICY_FILE.read_text()
        if old not in text:
            pytest.fail(f"the policy has no {old!r} to replace")
        file = tmp_path / "quality.yml"
        file.write_text(text.replace(old, new) if old else text)
        load_quality_policy.cache_clear()
        return load_quality_policy(file)

    return read


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("volume:\n", "volumes:\n", "unknown word volumes"),
        ("accuracy: 0.20", "accuracy: 0.30", "weights do not sum to 1"),
        ("good: 0.85", "good: 0.99", "levels do not fall"),
        ("rows: 20", "rows: few", "judge_alone_from needs rows"),
        (
            "exceptions: []",
            "exceptions: [{source: north}]",
            "exception 1: needs exactly data_class, expires, owner, reason",
        ),
        ("exceptions: []", EXCEPTION.replace("0.5", "5"), "exception 1: threshold is a share from 0 to 1"),
        ("exceptions: []", EXCEPTION.replace("2026-11-23", "never"), "exception 1: expires is a day"),
    ],
)
def test_a_policy_that_is_only_partly_understood_is_refused(policy_with, old, new, said):
    with pytest.raises(QualityPolicyError, match=said):
        policy_with(old, new)


def test_an_exception_holds_on_its_last_day_and_no_longer(policy_with):
    policy = policy_with("exceptions: []", EXCEPTION)
    assert policy.threshold("north", "patient_data", NIGHT) == 0.5
    assert policy.threshold("north", "patient_data", date(2026, 11, 24)) == policy.class_thresholds["patient_data"]
    assert policy.threshold("south", "patient_data", NIGHT) == policy.class_thresholds["patient_data"]


def test_a_class_that_no_policy_names_is_not_guessed(policy_with):
    with pytest.raises(QualityPolicyError, match="no quality threshold for data class secrets"):
        policy_with().threshold("north", "secrets", NIGHT)


@pytest.mark.parametrize(
    ("overall", "level"),
    [(1, "excellent"), (0.95, "excellent"), (0.9499, "good"), (0.85, "good"), (0.8499, "acceptable"),
     (0.70, "acceptable"), (0.6999, "poor"), (0, "poor")],
)  # fmt: skip
def test_a_level_begins_at_its_number(policy_with, overall, level):
    assert policy_with().level(overall) == level


def judge(rows, failing, policy):
    return decide(rows, failing, policy, source="north", night=NIGHT)


@pytest.mark.parametrize(("failing", "outcome"), [(10, "passed"), (11, "held_back")])
def test_a_batch_passes_at_its_threshold(policy_with, failing, outcome):
    assert judge({"patient_data": 100}, {"patient_data": failing}, policy_with()).outcome == outcome


def test_an_empty_batch_passes(policy_with):
    verdict = judge({}, {}, policy_with())
    assert (verdict.outcome, verdict.share) == ("passed", 1.0)


def test_a_few_bad_notes_do_not_hold_back_many_good_results(policy_with):
    rows = {"patient_data": 10_000, "clinical_notes": 19}
    assert judge(rows, {"clinical_notes": 19}, policy_with()).outcome == "passed"


def test_small_classes_that_are_many_together_are_judged_by_the_strictest_of_them(policy_with):
    rows = {"patient_data": 10_000, "clinical_notes": 19, "lab_results": 19}
    verdict = judge(rows, {"lab_results": 2}, policy_with())
    assert (
        verdict.reason
        == "94.74% of 38 rows of clinical_notes and lab_results pass every critical rule, at least 95.00% must"
    )


def test_one_class_below_its_threshold_holds_the_whole_batch_back_and_says_which(policy_with):
    verdict = judge({"patient_data": 10_000, "clinical_notes": 20}, {"clinical_notes": 2}, policy_with())
    assert verdict.outcome == "held_back"
    assert verdict.reason == "90.00% of 20 rows of clinical_notes pass every critical rule, at least 95.00% must"
    assert verdict.share == pytest.approx(10_018 / 10_020)
