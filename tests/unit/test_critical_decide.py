"""Which results are critical, at every boundary of the decision. Values come from policies written here, so that a review changes no test."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from include.critical.decide import Age, judge, rank_of
from include.critical.policy import load_critical_policy
from include.critical.policy_reading import read_policy

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
FLAGS = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def policy(**tests):
    said = {
        "owner": "a laboratory director",
        "version": __import__("datetime").date(2026, 11, 25),
        "sources": {"here": "a list"},
        "flags": {"codes": ["HH", "LL", "AA"], "words": ["critical"]},
        "telling": {
            "steps": [{"channel": "webhook", "acknowledge_within_minutes": 15}],
            "rounds": 1,
            "retry": {"first_seconds": 1, "most_seconds": 2, "tries_before_next_step": 2},
            "name_the_test": False,
            "default_route": "unrouted",
        },
        "tests": tests,
    }
    return read_policy(said, Path("policy.yml"))


POLICY = policy(
    potassium={
        "title": "potassium",
        "codes": ["2823-3"],
        "units": {"mmol/L": {"also": ["meq/L"], "limits": [{"below": 2.8, "above": 6.2, "source": "here"}]}},
    },
    haemoglobin={
        "title": "haemoglobin",
        "codes": ["718-7"],
        "units": {
            "g/dL": {
                "times": {"g/L": 10},
                "limits": [
                    {"under_days": 50, "at_most": 6.0, "at_least": 24.0, "source": "here"},
                    {"from_days": 50, "at_most": 6.0, "at_least": 20.0, "source": "here"},
                ],
            }
        },
    },
    inr={
        "title": "INR",
        "codes": ["6301-6"],
        "units": {"{INR}": {"is_without_unit": True, "limits": [{"at_least": 5.0, "source": "here"}]}},
    },
    bilirubin={
        "title": "bilirubin",
        "codes": ["1975-2"],
        "units": {"mg/dL": {"limits": [{"under_days": 31, "at_least": 15, "source": "here"}]}},
    },
    troponin={"title": "troponin", "codes": ["10839-9"], "flag_only": True},
    culture={
        "title": "blood culture",
        "codes": ["600-7"],
        "flag_codes": ["POS"],
        "answers": {
            "any_other_code": "critical",
            "critical": {"codes": {"http://snomed.info/sct": ["10828004"]}, "words": ["positive"]},
            "not_critical": {"codes": {"http://snomed.info/sct": ["260385009"]}, "words": ["no growth"]},
            "source": "here",
        },
    },
)
ADULT = Age(20_000, 20_000)


def quantity(value, unit="mmol/L", comparator=None, system=UCUM):
    told = {"value": value, "unit": unit, "system": system, "code": unit, "comparator": comparator}
    return {"valueQuantity": {name: each for name, each in told.items() if each is not None}}


def observation(code="2823-3", status="final", flag=None, system=LOINC, **value):
    flags = {"interpretation": [{"coding": [{"system": FLAGS, "code": flag}]}]} if flag else {}
    return {"status": status, "code": {"coding": [{"system": system, "code": code}]}, **flags, **value}


def verdict(age=ADULT, **said):
    found = judge(observation(**said), age, POLICY)
    return f"{found.kind} {found.side}".strip()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2.79", "critical low"), ("2.8", "not_critical"), ("6.2", "not_critical"), ("6.20000000000000000001", "critical high"),
        ("7", "critical high"), ("4.5", "not_critical"), ("-1", "critical low"),
    ],
)  # fmt: skip
def test_a_bound_of_below_and_above_is_itself_not_critical(value, expected):
    assert verdict(**quantity(Decimal(value))) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("6.0", "critical low"), ("6.01", "not_critical"), ("20", "critical high"), ("19.99", "not_critical")],
)
def test_a_bound_of_at_most_and_at_least_is_itself_critical(value, expected):
    assert verdict(code="718-7", **quantity(Decimal(value), "g/dL")) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("60", "critical low"), ("60.1", "not_critical"), ("200", "critical high"), ("199.9", "not_critical")],
)
def test_an_exact_multiple_of_a_unit_meets_the_same_limits(value, expected):
    assert verdict(code="718-7", **quantity(Decimal(value), "g/L")) == expected


@pytest.mark.parametrize(
    ("comparator", "value", "expected"),
    [
        ("<", 2.8, "critical low"), ("<", 2.9, "unjudged"), ("<=", 2.8, "unjudged"), ("<=", 2.7, "critical low"),
        (">", 6.2, "critical high"), (">=", 6.2, "unjudged"), (">=", 6.3, "critical high"), (">", 6.1, "unjudged"),
        ("ad", 7.0, "unjudged"),
    ],
)  # fmt: skip
def test_a_comparator_is_critical_where_all_that_it_allows_is_and_unjudged_where_some_is(comparator, value, expected):
    assert verdict(**quantity(value, comparator=comparator)) == expected


@pytest.mark.parametrize(
    ("comparator", "expected"),
    [("<", "not_critical"), ("<=", "unjudged"), (">=", "critical high"), (">", "critical high")],
)
def test_a_comparator_at_a_bound_that_is_itself_critical(comparator, expected):
    assert verdict(code="6301-6", **quantity(5, "{INR}", comparator)) == expected


def test_a_newborn_s_limit_holds_where_no_age_is_known():
    assert verdict(age=None, code="1975-2", **quantity(15, "mg/dL")) == "critical high"
    assert verdict(age=None, code="718-7", **quantity(24, "g/dL")) == "critical high"


def test_a_comparator_on_the_side_without_a_limit_is_judged():
    assert verdict(code="6301-6", **quantity(0.9, "{INR}", "<")) == "not_critical"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (6.3, 7, "critical high"),
        (6.0, 7, "unjudged"),
        (3, 6.2, "not_critical"),
        (1, 2.7, "critical low"),
        (2, None, "unjudged"),
    ],
)
def test_a_range_is_judged_by_both_its_ends(low, high, expected):
    ends = {"low": quantity(low)["valueQuantity"], "high": quantity(high)["valueQuantity"] if high else None}
    assert verdict(valueRange={name: end for name, end in ends.items() if end}) == expected


@pytest.mark.parametrize("unit", ["mg/dL", "mmol", "MMol/L", ""])
def test_a_unit_that_the_policy_does_not_list_is_never_taken_for_normal(unit):
    assert verdict(**quantity(4.5, unit or None)) == "unjudged"


def test_a_ratio_needs_no_unit_and_another_test_does():
    assert verdict(code="6301-6", valueQuantity={"value": 5}) == "critical high"
    assert judge(observation(valueQuantity={"value": 5}), ADULT, POLICY).reason == "it has no unit"


def test_the_unit_s_word_counts_where_its_code_is_not_ucum_s():
    assert (
        verdict(valueQuantity={"value": 7, "unit": "meq/L", "system": "http://lab.example", "code": "17"})
        == "critical high"
    )


@pytest.mark.parametrize(
    ("age", "value", "expected"),
    [
        (Age(49, 49), 20, "not_critical"), (Age(50, 50), 20, "critical high"), (Age(49, 49), 24, "critical high"),
        (None, 20, "critical high"), (None, 19, "not_critical"), (Age(40, 60), 20, "critical high"), (Age(40, 49), 20, "not_critical"),
    ],
)  # fmt: skip
def test_an_age_picks_its_line_and_one_not_known_is_judged_by_every_line(age, value, expected):
    assert verdict(age=age, code="718-7", **quantity(value, "g/dL")) == expected


def test_a_limit_of_newborns_says_nothing_of_others_whatever_the_unit():
    assert verdict(age=Age(31, 31), code="1975-2", **quantity(300, "umol/L")) == "not_critical"
    assert verdict(age=Age(30, 30), code="1975-2", **quantity(300, "umol/L")) == "unjudged"
    assert verdict(age=Age(30, 30), code="1975-2", **quantity(15, "mg/dL")) == "critical high"


@pytest.mark.parametrize("flag", ["HH", "LL", "AA", "hh"])
def test_the_sender_s_flag_makes_any_result_critical(flag):
    assert verdict(flag=flag, **quantity(4.5)) == "critical flag"
    assert verdict(code="99999-9", flag=flag, **quantity(4.5, "furlong")) == "critical flag"
    assert verdict(code="10839-9", flag=flag, **quantity(4.5, "ng/L")) == "critical flag"
    assert verdict(flag=flag, **quantity(4.5, "furlong")) == "critical flag"


@pytest.mark.parametrize("flag", ["H", "L", "A", "N", "HU", ""])
def test_other_flags_make_none(flag):
    assert verdict(flag=flag, **quantity(4.5)) == "not_critical"
    assert verdict(code="99999-9", flag=flag, **quantity(4.5)) == "unwatched"


def test_a_flag_in_words_counts():
    told = observation(**quantity(4.5)) | {"interpretation": [{"text": "Critical"}]}
    assert judge(told, ADULT, POLICY).side == "flag"


def test_a_limit_is_named_before_the_flag():
    assert verdict(flag="HH", **quantity(7.0)) == "critical high"


@pytest.mark.parametrize("status", ["final", "preliminary", "corrected", "amended", "unknown"])
def test_what_may_still_change_is_judged_like_what_is_final(status):
    assert verdict(status=status, **quantity(7.0)) == "critical high"


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error"])
def test_what_was_taken_back_is_void_whatever_it_says(status):
    assert verdict(status=status, flag="HH", **quantity(7.0)) == "void"


def test_a_registered_result_without_a_value_is_none_yet_and_a_final_one_cannot_be_judged():
    assert verdict(status="registered") == "not_critical"
    assert verdict(status="final") == "unjudged"


def test_a_word_where_a_number_is_expected_cannot_be_judged():
    assert verdict(valueString="7.0") == "unjudged"
    assert verdict(valueCodeableConcept={"text": "hemolyzed"}) == "unjudged"
    assert verdict(valueBoolean=True) == "unjudged"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"valueString": "  POSITIVE. "}, "critical answer"), ({"valueString": "No  growth"}, "not_critical"),
        ({"valueString": "Gram positive cocci"}, "unjudged"),
        ({"valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "10828004"}]}}, "critical answer"),
        ({"valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "260385009"}]}}, "not_critical"),
        ({"valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "3092008"}]}}, "critical answer"),
        ({"valueQuantity": {"value": 1, "unit": "1"}}, "unjudged"),
    ],
)  # fmt: skip
def test_answers_are_critical_or_not_as_the_policy_lists_them(value, expected):
    assert verdict(code="600-7", **value) == expected


def test_a_flag_of_one_test_is_none_of_another():
    assert verdict(code="600-7", flag="POS", valueString="seen") == "critical flag"
    assert verdict(flag="POS", **quantity(4.5)) == "not_critical"


def test_components_are_judged_by_their_own_code_and_the_worst_counts():
    part = {"code": {"coding": [{"system": LOINC, "code": "2823-3"}]}, **quantity(7.0)}
    panel = {"status": "final", "code": {"coding": [{"system": LOINC, "code": "24323-8"}]}, "component": [part]}
    assert judge(panel, ADULT, POLICY).side == "high"
    repeated = observation() | {"component": [part | quantity(4.5), part | quantity(5)]}
    assert judge(repeated, ADULT, POLICY).kind == "not_critical"


def test_a_code_of_another_system_is_watched_where_reviewers_mapped_it():
    told = observation(code="K", system="urn:lab", **quantity(7.0))
    assert judge(told, ADULT, POLICY).kind == "unwatched"
    assert judge(told, ADULT, POLICY, {("urn:lab", "K"): "2823-3"}).kind == "critical"
    assert judge(told, ADULT, POLICY, {("*", "K"): "2823-3"}).kind == "critical"
    assert judge(observation(code="2823-3", system="urn:lab", **quantity(7.0)), ADULT, POLICY).kind == "unwatched"


def test_a_later_version_outranks_an_earlier_one():
    assert [rank_of(each) for each in ("registered", "preliminary", "final", "corrected")] == [0, 1, 2, 3]
    assert rank_of("unknown") == rank_of(None) == rank_of("final")
    assert rank_of("cancelled") == rank_of("entered-in-error") == rank_of("amended") == 3


def test_judging_changes_nothing():
    told = observation(**quantity(7.0))
    before = repr(told)
    assert judge(told, None, POLICY) == judge(told, None, POLICY)
    assert repr(told) == before


def test_the_policy_that_is_shipped_judges_what_it_was_asked_for():
    shipped = load_critical_policy()
    for code, value, unit, side in (
        ("2823-3", 7.0, "mmol/L", "high"), ("2823-3", 2.7, "meq/L", "low"), ("2951-2", 119, "mmol/L", "low"),
        ("2345-7", 50, "mg/dL", "low"), ("718-7", 60, "g/L", "low"), ("777-3", 40, "10*3/uL", "low"),
        ("777-3", 40_000, "/uL", "low"), ("6301-6", 5, "{INR}", "high"), ("17861-6", 13, "mg/dL", "high"),
        ("2524-7", 3.5, "mmol/L", "high"), ("2744-1", 7.2, "[pH]", "low"),
    ):  # fmt: skip
        assert judge(observation(code=code, **quantity(value, unit)), ADULT, shipped).side == side, code
    newborn = judge(observation(code="1975-2", **quantity(15, "mg/dL")), Age(3, 3), shipped)
    assert (newborn.kind, newborn.side) == ("critical", "high")
