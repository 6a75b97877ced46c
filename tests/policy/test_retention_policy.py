"""What the shipped retention policy promises."""

from __future__ import annotations

import re

import pytest

from include.lifecycle.policy import POLICY_FILE, load_retention

POLICY = load_retention()


def test_the_classes_that_governance_fixed_have_the_days_it_fixed():
    fixed = {
        "patient_data": (2_555, "phi"),
        "clinical_notes": (3_650, "sensitive_phi"),
        "population_metrics": (1_825, "confidential"),
    }
    assert {name: (POLICY.rule(name).retention_days, POLICY.rule(name).classification) for name in fixed} == fixed
    assert len(POLICY.rule("clinical_notes").regions) == 1
    assert {*fixed, "lab_results", "imaging", "audit", "quarantine"} == set(POLICY.rules)
    assert POLICY.landing_days == 90


def test_every_class_has_an_owner_and_a_reason_a_person_can_read():
    assert POLICY.rules
    for rule in POLICY.rules.values():
        assert rule.owner
        assert len(rule.reason.split()) >= 10, rule.data_class


def test_records_about_persons_are_sealed_under_the_persons_key_read_on_record_and_never_end_unseen():
    about_persons = [rule for rule in POLICY.rules.values() if rule.classification in ("phi", "sensitive_phi")]
    assert about_persons
    for rule in about_persons:
        assert (rule.encryption, rule.access_logging, rule.destruction) == ("person_key", "every_read", "approval"), (
            rule.data_class
        )


def test_what_tells_who_a_person_is_outlives_single_events():
    assert {"Patient", "Person", "RelatedPerson"} <= set(POLICY.rule("patient_data").kept_with_person)


def test_every_resource_type_of_the_real_inputs_has_a_class(real_inputs):
    import gzip

    seen = set()
    for path in sorted(real_inputs.glob("hospital_*/fhir_bulk/*.ndjson*")):
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as file:
            found = re.search(r'"resourceType"\s*:\s*"(\w+)"', file.readline())
        seen |= {found[1]} if found else set()
    assert len(seen) > 10
    assert {kind for kind in seen if POLICY.class_of(kind) is None} == set()


@pytest.mark.parametrize(
    "kind", ["Patient", "Observation", "DocumentReference", "ImagingStudy", "MeasureReport", "AuditEvent"]
)
def test_common_types_are_where_people_look_for_them(kind):
    where = {
        "Patient": "patient_data", "Observation": "lab_results", "DocumentReference": "clinical_notes", "ImagingStudy": "imaging",
        "MeasureReport": "population_metrics", "AuditEvent": "audit",
    }  # fmt: skip
    assert POLICY.class_of(kind) == where[kind]


def test_the_file_says_in_words_who_owns_it_and_when_it_was_reviewed():
    head = POLICY_FILE.read_text().splitlines()[0]
    assert head.startswith("# Owner: ")
    assert "Reviewed" in head
