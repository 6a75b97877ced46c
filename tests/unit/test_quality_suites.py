"""Suites are read whole or not at all: a word the gate does not know is refused, and everything wrong is said at once."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.quality.errors import SuiteError
from include.quality.rules import at_night
from include.quality.suites import SUITES, read_suites

GOOD = """
owner: somebody
resource_type: Basic
columns:
  status: {type: text, path: $.status}
rules:
  - name: status_missing
    column: status
    expectation: expect_column_values_to_not_be_null
    severity: critical
    dimension: completeness
    why: because
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped suites with one more, to be spoilt."""
    copy = tmp_path / "suites"
    shutil.copytree(SUITES, copy)
    (copy / "basic.yml").write_text(GOOD)
    return copy


def refusal(folder: Path) -> str:
    read_suites.cache_clear()
    with pytest.raises(SuiteError, match="correct the YAML") as refused:
        read_suites(folder)
    return str(refused.value)


def test_a_good_suite_is_read(folder):
    suite = read_suites(folder).for_resource_type("Basic")
    assert [(rule.name, rule.severity) for rule in suite.rules] == [("status_missing", "critical")]


@pytest.mark.parametrize(
    ("good", "spoilt", "said"),
    [
        ("owner: somebody", "ovner: somebody", "basic: unknown word ovner"),
        ("owner: somebody", "", "basic does not say its owner"),
        ("resource_type: Basic", "", "basic says neither resource_type nor entity"),
        ("resource_type: Basic", "resource_type: Patient", "two suites for resource_type Patient"),
        ("resource_type: Basic", "resource_type: Basic\nuses: [nothing]", "basic: uses nothing, which is no block of shared.yml"),
        ("type: text", "type: string", "basic.status: type is one of text, number"),
        ("path: $.status", "paht: $.status", "basic.status: unknown word paht"),
        ("type: text, path: $.status", "type: text", "basic.status: says none of path, field, row, derive"),
        ("type: text, path: $.status", "derive: magic", "basic.status: derive is one of person_known"),
        ("type: text, path: $.status", "type: number, path: $.status", "basic.status is of another type in another suite|status is of another type"),
        ("name: status_missing", "name: Status!", "its name is lower case letters"),
        ("column: status", "column: state", "basic.status_missing: state is no column here"),
        ("column: status", "columns: [status, status]", "basic.status_missing: needs 1 column(s), names 2"),
        ("_to_not_be_null", "_to_be_nice", "basic.status_missing: expectation is one of expect_column_values_to_not_be_null"),
        ("_to_not_be_null", "_to_be_in_set", "basic.status_missing: does not say value_set"),
        ("_to_not_be_null", "_to_be_in_set\n    value_set: $nowhere", "$nowhere is no value set of value_sets.yml"),
        ("_to_not_be_null", "_to_be_between\n    max_value: soon", "a bound is a number, a day or $latest"),
        ("_to_not_be_null", "_to_be_between\n    plausible: {code: x, unit: y}", "plausible names no code and unit"),
        ("_to_not_be_null", "_to_match_regex\n    regex: '('", "regex is not a regular expression"),
        ("severity: critical", "severity: fatal", "severity is one of critical, warning"),
        ("dimension: completeness", "dimension: beauty", "dimension is one of completeness"),
        ("why: because", "", "basic.status_missing: does not say why"),
        ("why: because", "why: because\n    only: mondays", "only is one of documents, table"),
        ("why: because", "why: because\n    mostly: 0.9", "basic.status_missing: unknown word mostly"),
    ],
)  # fmt: skip
def test_what_the_gate_does_not_know_is_refused(folder, good, spoilt, said):
    (folder / "basic.yml").write_text(GOOD.replace(good, spoilt))
    told = refusal(folder)
    assert any(one in told for one in said.split("|")), told


def test_everything_wrong_is_said_at_once(folder):
    (folder / "basic.yml").write_text(GOOD.replace("critical", "fatal").replace("why: because", "because: why"))
    (folder / "plausible_ranges.yml").write_text(
        "owner: x\nranges:\n  - {code: a, name: b, units: {c: [2, 1]}, why: d}\n"
    )
    told = refusal(folder)
    for problem in ("severity is one of", "does not say why", "unknown word because", "a in c is not [low, high]"):
        assert problem in told


def test_a_folder_without_a_suite_for_any_other_type_is_refused(folder):
    (folder / "any_other.yml").unlink()
    assert "no suite for resource_type 'any other'" in refusal(folder)


def test_yaml_that_is_none_is_told_by_file_and_line(folder):
    (folder / "basic.yml").write_text("owner: [\n")
    assert "basic.yml is not YAML (line 2: " in refusal(folder)


def test_a_type_without_a_suite_is_judged_by_the_one_for_any_other():
    assert read_suites().for_resource_type("CarePlan").name == "any_other"


def test_latest_becomes_the_moment_of_the_night():
    suite = read_suites().for_resource_type("Patient")
    rule = next(rule for rule in suite.rules if rule.name == "birth_in_future")
    latest = datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert at_night(rule, latest).arguments["max_value"] == latest
    assert rule.arguments["max_value"] == "$latest"
