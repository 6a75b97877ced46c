"""What is told of gaps, in sentences and in the terminal, and the policy behind it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from include.equity.findings_policy import POLICY_FILE, FindingsPolicy
from include.equity.policy import EquityPolicyError
from include.equity.shown import has_run, view_measure
from include.reports.equity_text import interval_bar, lines_of, trail
from include.reports.findings import find_gaps, kept_at_rate, not_known
from include.reports.measure_blocks import measure_block
from tests.published_rows import NIGHT, closing_gap, published

FAIR = {"private": (400, 800), "medicaid": (200, 400), "self pay": (50, 100)}


def test_no_gap_is_told_where_there_is_none() -> None:
    assert find_gaps(published({"2025": FAIR})) == []


def test_a_wide_gap_is_told_with_both_rates_and_how_sure() -> None:
    (found,) = find_gaps(published({"2025": {**FAIR, "medicaid": (120, 400)}}))
    assert found.is_worse
    assert (
        "medicaid 30.0% (400 people) against private 50.0% (800 people, the largest group): 20.0 points lower (95% interval 14.2 to 25.5)"
        in found.sentence
    )
    assert found.trend == "too few periods"
    assert found.course == "No earlier period to compare with"
    assert found.next_step == FindingsPolicy.load().advice(
        ratio=1.67, trend="too few periods", is_worse=True, unknown_share=0
    )


def test_a_group_that_is_too_small_wins_nothing() -> None:
    rows = published({"2025": {**FAIR, "self pay": (19, 20)}})
    for gap in rows.disparities:
        gap.note = "fewer than 30 people" if gap.comparison_group == "self pay" else None
    assert find_gaps(rows) == []
    view = view_measure(rows.measures[0], rows.results, rows.disparities)
    assert "self pay" not in (view.dimensions[0].best, view.dimensions[0].worst)


def test_many_unknown_are_asked_for_first() -> None:
    (found,) = find_gaps(published({"2025": {**FAIR, "medicaid": (120, 400), "unknown": (300, 600)}}))[:1]
    assert "ask more people for their group" in found.next_step


def test_a_group_that_is_older_by_its_own_rules_is_compared_within_age_bands_first() -> None:
    (found,) = find_gaps(published({"2025": {"private": (400, 800), "medicare": (120, 400)}}))
    assert found.next_step.startswith("compare within age bands")


def test_two_dimensions_together_are_told_and_drawn_where_they_are_shown() -> None:
    rows = published(
        {
            "2025": {
                "White, private": (400, 800),
                "Black or African American, medicaid": (120, 400),
                "Asian, medicaid": None,
            }
        },
        dimension="race_ethnicity*payer",
        reference="White, private",
    )
    (found,) = find_gaps(rows)
    assert "by race and ethnicity and payer: Black or African American, medicaid 30.0%" in found.sentence
    block = measure_block(view_measure(rows.measures[0], rows.results, rows.disparities))
    (drawn,) = block.dimensions
    assert [mark.label for mark in drawn.plot.marks] == ["Black or African Ameri…, medicaid", "White, private"]
    assert drawn.not_drawn == 1 and len(drawn.rows) == 3


def test_a_dimension_of_which_nothing_is_known_says_how_it_would_be() -> None:
    rows = published({"2025": FAIR})
    assert not_known(rows.results) == []
    unknown = published({"2025": {"unknown": (40, 90)}}, dimension="rurality", reference="unknown")
    assert "PLUMBLINE_GEOGRAPHY" in not_known([*rows.results, *unknown.results])[0]


def test_a_running_period_is_told_once_enough_of_it_has_passed() -> None:
    rows = published({"2025": FAIR, "2026": {**FAIR, "medicaid": (120, 400)}})
    (found,) = find_gaps(rows)
    assert found.is_running
    assert "2026 so far" in found.sentence
    early = rows.__class__(NIGHT.replace(month=3), rows.measures, rows.results, rows.disparities)
    assert find_gaps(early) == []


def test_a_season_runs_from_august_to_march() -> None:
    assert has_run("influenza season", "2026-27", NIGHT) == pytest.approx(117 / 243)
    assert has_run("calendar year", "2025", NIGHT) == 1


def test_chance_alone_is_told_in_few_nights() -> None:
    rng = np.random.default_rng(6)
    told = 0
    for _ in range(200):
        gaps = rng.normal(size=40)
        rows = [
            SimpleNamespace(estimate=g, standard_error=1.0, lower_limit=g - 1.96, upper_limit=g + 1.96) for g in gaps
        ]
        told += bool(kept_at_rate(rows, 0.05))
    assert told / 200 <= 0.09, "with nothing to find, a night tells something with the policy's probability"


def test_the_terminal_shows_rates_gaps_summaries_and_trends() -> None:
    rows = closing_gap()
    view = view_measure(rows.measures[0], rows.results, rows.disparities)
    text = "\n".join(lines_of(view, find_gaps(rows), rows.night))
    assert "gaps are to private (largest group)" in text
    assert "Theil index" in text
    assert "the gap is closing (Mann–Kendall p = 0.000" in text
    assert "self pay" in text
    assert max(len(line) for line in text.splitlines()) <= 150


def test_a_bar_spans_its_interval_with_the_dot_at_the_rate() -> None:
    assert interval_bar(0.5, 0.25, 0.75, 1.0, 9) == "  ──●──  "
    assert trail([SimpleNamespace(estimate=e) for e in (0.1, -0.2, 0.0)]) == "▅█▁"


@pytest.mark.parametrize(("old", "new", "message"), [
    ("false_discovery_rate: 0.05", "false_discovery_rate: 5", "false_discovery_rate is not a number between 0 and 1"),
    ("trend_fewest_periods: 5", "trend_fewest_periods: 2", "trend_fewest_periods is not a whole number of 5 or more"),
    ("trend: improving", "trend: nicer", "trend is 'nicer'"),
    ("when: {}", "when: {is_worse: false}", "some findings would get no advice"),
    ("is_worse: true, ratio_at_least", "is_worst: true, ratio_at_least", "'is_worst' is not known"),
])  # fmt: skip
def test_a_policy_that_makes_no_sense_is_refused(tmp_path, old: str, new: str, message: str) -> None:
    text = POLICY_FILE.read_text()
    assert old in text
    (tmp_path / "findings.yml").write_text(text.replace(old, new))
    with pytest.raises(EquityPolicyError, match=message):
        FindingsPolicy.load(tmp_path / "findings.yml")
