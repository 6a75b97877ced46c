"""Scores: null where nothing was assessed, weights scaled to the rest, the formula beside the number."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pytest

from include.quality.policy import load_quality_policy
from include.quality.scores import score, timeliness
from include.reports.quality_lines import quality_lines


def test_a_dimension_is_the_share_of_tests_that_did_not_fail():
    found = score("patient_data", {"validity": (200, 50)}, None, load_quality_policy())
    assert found.dimensions["validity"] == 0.75
    assert found.overall == 0.75
    assert found.level == "acceptable"


def test_a_dimension_with_nothing_assessed_is_null_and_leaves_the_weights_to_the_others():
    found = score("patient_data", {"completeness": (100, 0), "validity": (100, 100)}, None, load_quality_policy())
    assert found.dimensions == {
        "completeness": 1,
        "accuracy": None,
        "consistency": None,
        "timeliness": None,
        "validity": 0,
    }
    assert found.overall == pytest.approx(0.25 / 0.45)


def test_the_formula_holds_the_weights_that_were_used():
    found = score("patient_data", {"completeness": (100, 0), "validity": (100, 100)}, None, load_quality_policy())
    assert found.formula == (
        "overall = 0.556 completeness + 0.444 validity; each = 1 - failed / tested, of a check that allows a share "
        "to fail what is beyond it; not assessed: accuracy, consistency, timeliness"
    )


def test_the_formula_says_what_accuracy_was_measured_against():
    found = score(
        "patient_data",
        {"accuracy": (1100, 11)},
        None,
        load_quality_policy(),
        {"terminology": 100, "other sources": 1000},
    )
    assert found.dimensions["accuracy"] == pytest.approx(0.99)
    assert "; accuracy against other sources (1,000 tested), terminology (100 tested); not assessed: " in found.formula
    assert "accuracy against" not in score("patient_data", {"validity": (10, 0)}, None, load_quality_policy()).formula


def test_nothing_assessed_is_no_score_and_no_level():
    found = score("patient_data", {}, None, load_quality_policy())
    assert (found.overall, found.level, found.formula) == (None, None, "nothing was assessed")


def test_all_five_dimensions_use_the_weights_as_they_stand():
    counts = dict.fromkeys(("completeness", "accuracy", "consistency", "validity"), (10, 0))
    found = score("patient_data", counts, 0.0, load_quality_policy())
    assert found.overall == pytest.approx(0.85)


@pytest.mark.parametrize(
    ("age", "promised", "expected"),
    [(0, 2, 1.0), (2, 2, 1.0), (3, 2, 2 / 3), (8, 2, 0.25), (None, 2, None), (3, None, None)],
)
def test_timeliness_is_whole_up_to_the_promised_age(age, promised, expected):
    assert timeliness(age, promised) == expected


def test_scores_are_drawn_over_time_from_the_second_night_on():
    def row(source: str, day: int, overall: float | None) -> SimpleNamespace:
        return SimpleNamespace(
            source=source, data_class="lab_results", night=date(2026, 11, day), overall=overall, overall_low=None,
            overall_high=None, change=None,
        )  # fmt: skip

    rows = [row("new", 3, 0.9), row("north", 1, 0.95), row("north", 2, None), row("north", 3, 1.0)]
    (line,) = quality_lines(rows)
    assert (line["source"], [point["x"] for point in line["points"]], line["latest"]) == ("north", [0.0, 300.0], 1.0)
