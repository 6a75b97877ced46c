"""The shipped suites, as a reviewer would read them."""

from __future__ import annotations

import re

import pytest

from include.quality.policy import load_quality_policy
from include.quality.suites import SUITES, read_suites
from include.sources.entities import ENTITIES

NEEDED_TYPES = (
    "Patient", "Encounter", "Condition", "Observation", "MedicationRequest", "Procedure", "Immunization",
    "AllergyIntolerance", "DiagnosticReport", "Coverage", "DocumentReference",
)  # fmt: skip


@pytest.fixture(scope="module")
def suites():
    found = read_suites()
    assert found.all, "no suites were found, so every other check here would pass for nothing"
    return found


@pytest.fixture(scope="module")
def rules(suites):
    return [rule for suite in suites.all for rule in suite.rules]


@pytest.mark.parametrize("resource_type", NEEDED_TYPES)
def test_every_type_the_marts_read_has_a_suite_with_critical_rules(suites, resource_type):
    suite = suites.for_resource_type(resource_type)
    assert suite.resource_type == resource_type
    assert any(rule.severity == "critical" for rule in suite.rules)


def test_every_entity_of_people_has_a_suite(suites):
    assert {entity for entity in ENTITIES if suites.for_entity(entity) is None} == {"zip3_population"}


def test_every_field_a_suite_reads_is_one_that_tables_are_mapped_to(suites):
    unknown = [
        f"{suite.name}.{column.name}"
        for suite in suites.all
        if suite.entity
        for column in suite.columns.values()
        if column.field and column.field not in ENTITIES[suite.entity]
    ]
    assert unknown == []


def test_every_rule_says_why_in_a_sentence(rules):
    assert [f"{rule.suite}.{rule.name}" for rule in rules if len(rule.why.split()) < 5] == []


def test_the_same_reason_means_the_same_everywhere(rules):
    meanings = {}
    for rule in rules:
        meanings.setdefault(rule.name, set()).add((rule.severity, rule.dimension))
    differing = {name for name, found in meanings.items() if len(found) > 1}
    # A vaccine without a date is refused, since it counts for no season; an observation is kept.
    assert differing == {"date_missing"}


def test_texts_for_people_hold_no_placeholders(rules):
    texts = [text for rule in rules for text in (rule.found, rule.expected, rule.action)]
    assert texts and not [text for text in texts if re.search(r"[{}%]", text)]


def test_every_file_names_its_owner():
    unowned = [file.name for file in SUITES.glob("*.yml") if not re.search(r"(?m)^owner: \S", file.read_text())]
    assert unowned == []


def test_every_person_rule_can_find_a_stranger(suites):
    lacking = [
        suite.name
        for suite in suites.all
        if suite.resource_type not in ("Patient", None)
        and not any(rule.name == "subject_unknown" for rule in suite.rules)
    ]
    assert lacking == []


def test_the_common_measurements_have_a_plausible_range(suites):
    codes = {code for code, _ in suites.references.ranges}
    needed = {
        "HbA1c": "4548-4", "glucose": "2345-7", "systolic": "8480-6", "diastolic": "8462-4", "BMI": "39156-5",
        "height": "8302-2", "weight": "29463-7", "temperature": "8310-5", "heart rate": "8867-4", "SpO2": "59408-5",
        "creatinine": "2160-0", "cholesterol": "2093-3", "hemoglobin": "718-7",
    }  # fmt: skip
    assert {name for name, code in needed.items() if code not in codes} == set()


def test_every_class_of_data_has_a_threshold_and_the_weights_sum_to_one():
    policy = load_quality_policy()
    assert {"patient_data", "clinical_notes", "population_metrics"} <= set(policy.class_thresholds)
    assert sum(policy.weights.values()) == pytest.approx(1)
