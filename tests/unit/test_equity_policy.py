"""The policies on comparing groups and hiding counts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from include.equity.policy import POLICY_FILE as EQUITY_FILE
from include.equity.policy import EquityPolicy, EquityPolicyError, dbt_variables
from include.privacy.anonymity_policy import AnonymityPolicyError
from include.privacy.disclosure import POLICY_FILE as DISCLOSURE_FILE
from include.privacy.disclosure import DisclosurePolicy, DisclosurePolicyError


def test_dbt_alone_uses_the_numbers_of_the_policies(project: Path) -> None:
    macro = (project / "dbt_project" / "macros" / "policy.sql").read_text()
    given = dict(re.findall(r"^\s+'(\w+)': (.+),$", macro, flags=re.MULTILINE))
    assert given
    assert {name: str(value) for name, value in dbt_variables().items()} == {
        name: text.strip("'") for name, text in given.items()
    }


@pytest.mark.parametrize(("file", "kind", "error"), [
    (EQUITY_FILE, EquityPolicy, EquityPolicyError), (DISCLOSURE_FILE, DisclosurePolicy, DisclosurePolicyError),
])  # fmt: skip
def test_an_unknown_word_is_refused(file: Path, kind, error, tmp_path: Path) -> None:
    changed = tmp_path / file.name
    changed.write_text(file.read_text() + "\nminimum_sell: 11\n")
    with pytest.raises(error, match="minimum_sell"):
        kind.load(changed)


@pytest.mark.parametrize(("file", "kind", "error", "old", "new", "message"), [
    (EQUITY_FILE, EquityPolicy, EquityPolicyError, "reference_rule: largest", "reference_rule: nicest", "unknown reference_rule"),
    (EQUITY_FILE, EquityPolicy, EquityPolicyError, "minimum_people: 30", "minimum_people: 0", "whole number from 1"),
    (EQUITY_FILE, EquityPolicy, EquityPolicyError, "[race_ethnicity, payer]", "[race_ethnicity, zip3]", "zip3"),
    (EQUITY_FILE, EquityPolicy, EquityPolicyError, "[sex, disability]", "[sex, payer]", "make a circle"),
    (DISCLOSURE_FILE, DisclosurePolicy, DisclosurePolicyError, "edition: 2", "edition: next", "edition"),
    (DISCLOSURE_FILE, DisclosurePolicy, DisclosurePolicyError, "minimum_cell: 11", "minimum_cell: 0", "whole number from 1"),
    (DISCLOSURE_FILE, DisclosurePolicy, DisclosurePolicyError, "suppression: true", "suppression: false",
     "worked out by subtraction"),
])  # fmt: skip
def test_an_impossible_number_is_refused(file, kind, error, old, new, message, tmp_path: Path) -> None:
    text = file.read_text()
    assert old in text
    changed = tmp_path / file.name
    changed.write_text(text.replace(old, new))
    with pytest.raises(error, match=message):
        kind.load(changed)


def test_everything_wrong_with_the_policy_on_anonymity_is_said_at_once(tmp_path: Path) -> None:
    text = DISCLOSURE_FILE.read_text()
    for old, new in [("ethnicity, zip3, language]", "ethnicity, zip3, zip3]"), ("table: measures.risk,", "table: raw.risk,"),
                     ("smallest_class: null", "smallest_class: 1"), ("share_allowed: 0", "share_allowed: 11")]:  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    changed = tmp_path / "disclosure.yml"
    changed.write_text(text)
    with pytest.raises(AnonymityPolicyError) as refused:
        DisclosurePolicy.load(changed)
    for word in (
        "names a column twice",
        "'comorbidities' is of no table",
        "smallest_class is neither",
        "share_allowed is not",
    ):
        assert word in refused.value.found


def test_the_policy_on_anonymity_sets_no_threshold_by_itself() -> None:
    anonymity = DisclosurePolicy.load().anonymity
    assert not anonymity.thresholds.are_set
    assert {"sex", "zip3", "language"} <= set(anonymity.quasi_identifiers)
