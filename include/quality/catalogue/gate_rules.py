"""The gate's rules in the words of the catalogue, so that their results stand beside those of all other checks."""

from __future__ import annotations

from include.quality.rules import Rule

_BY_NAME = {
    "subject_unknown": "isForeignKey",
    "date_unreadable": "cdmDatatype",
    "birth_date_unreadable": "cdmDatatype",
    "death_unreadable": "cdmDatatype",
    "end_unreadable": "cdmDatatype",
    "date_in_future": "plausibleDateRange",
    "birth_in_future": "plausibleDateRange",
    "death_in_future": "plausibleDateRange",
    "issued_in_future": "plausibleDateRange",
    "recorded_in_future": "plausibleDateRange",
    "birth_before_1890": "plausibleDateRange",
    "date_before_birth": "plausibleAfterBirth",
    "death_before_birth": "plausibleStartBeforeEnd",
    "end_before_start": "plausibleStartBeforeEnd",
    "value_impossible": "plausibleAmount",
    "systolic_impossible": "plausibleAmount",
    "diastolic_impossible": "plausibleAmount",
    "diastolic_above_systolic": "orderOfValues",
    "unit_unexpected": "plausibleUnitConceptIds",
    "code_not_coded": "sourceConceptRecordCompleteness",
    "code_system_unknown": "fkDomain",
    "icd10_malformed": "formatMatch",
}
_BY_EXPECTATION = {
    "expect_column_values_to_not_be_null": "isRequired",
    "expect_column_values_to_be_in_set": "valueSetMember",
    "expect_column_values_to_not_be_in_set": "valueSetMember",
    "expect_column_values_to_be_between": "plausibleAmount",
    "expect_column_values_to_match_regex": "formatMatch",
    "expect_column_pair_values_a_to_be_greater_than_b": "orderOfValues",
}


def check_of(rule: Rule) -> str:
    """The check type that a gate's rule is an instance of."""
    return check_named(rule.name, rule.expectation)


def check_named(rule: str, expectation: str) -> str:
    """The check type of a rule by its name, else by what it expects."""
    if rule in _BY_NAME:
        return _BY_NAME[rule]
    if rule.endswith("_missing"):
        return "isRequired"
    return _BY_EXPECTATION[expectation]
