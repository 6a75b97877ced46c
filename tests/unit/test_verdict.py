"""The rule that turns a night's facts into green, amber or red."""

from dataclasses import replace

import pytest

from include.verdict import NEEDED_STEPS, Facts, SourceState, decide_verdict

A_GOOD_NIGHT = Facts(
    sources=(SourceState("north", True, False, False, 0, 2, 0),),
    held_back=(),
    failed_steps=(),
    done_steps=frozenset((*NEEDED_STEPS, "land", "load")),
    findings=(),
)


def source(**changes):
    return replace(A_GOOD_NIGHT, sources=(replace(A_GOOD_NIGHT.sources[0], **changes),))


def test_a_whole_night_is_green_and_gives_no_reason():
    assert decide_verdict(A_GOOD_NIGHT) == ("green", ())


@pytest.mark.parametrize(("required", "level"), [(True, "red"), (False, "amber")])
@pytest.mark.parametrize("what", ["missing", "stale"])
def test_a_missing_or_stale_source_is_red_where_required_and_amber_where_optional(required, level, what):
    verdict, reasons = decide_verdict(source(required=required, age_days=9, **{what: True}))
    assert verdict == level
    assert "north" in reasons[0].text
    assert what in reasons[0].text


def test_an_amber_reason_names_the_age_of_stale_data():
    _, reasons = decide_verdict(source(required=False, stale=True, age_days=9))
    assert "9 days old, at most 2" in reasons[0].text


def test_drifted_columns_and_held_back_batches_are_amber():
    night = replace(
        source(drifted_columns=1, drift_text="labs.extra"), held_back=(("south", "encounters", "under its threshold"),)
    )
    verdict, reasons = decide_verdict(night)
    assert verdict == "amber"
    assert {reason.text.split(":")[0] for reason in reasons} == {
        "south",
        "north changed its shape in 1 column(s)",
    }


@pytest.mark.parametrize("step", NEEDED_STEPS)
def test_a_needed_step_that_never_finished_is_red(step):
    verdict, reasons = decide_verdict(replace(A_GOOD_NIGHT, done_steps=A_GOOD_NIGHT.done_steps - {step}))
    assert verdict == "red"
    assert step in reasons[0].text


def test_a_broken_promise_is_red_and_named_before_amber_reasons():
    night = replace(
        source(required=False, stale=True, age_days=9),
        findings=(("leak", "clinical.conditions.display", 3, "nothing leaks"),),
    )
    verdict, reasons = decide_verdict(night)
    assert verdict == "red"
    assert [reason.level for reason in reasons] == ["red", "amber"]
    assert reasons[0].promise == "nothing leaks"


def test_a_step_of_one_source_that_failed_is_red_because_its_records_are_not_accounted_for():
    verdict, reasons = decide_verdict(replace(A_GOOD_NIGHT, failed_steps=(("load", "south", "OSError"),)))
    assert verdict == "red"
    assert reasons[0].promise == "nothing lost"
