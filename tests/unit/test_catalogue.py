"""The catalogue: every kind of the field's checks, instances from reviewed tables, and verdicts that never pass an error."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest
import yaml

from include.quality.catalogue import custom, thresholds
from include.quality.catalogue.check_types import check_type, read_check_types
from include.quality.catalogue.field_scan import bundles
from include.quality.catalogue.gate_rules import check_of
from include.quality.catalogue.listing import every_instance
from include.quality.catalogue.marts import read_marts
from include.quality.catalogue.results import judge
from include.quality.catalogue.subjects import read_subjects
from include.quality.errors import QualityPolicyError, SuiteError
from include.quality.suites import read_suites

NIGHT = date(2026, 11, 24)
_KAHN = {"context": "kahnContext", "category": "kahnCategory"}


def test_every_check_type_of_ohdsi_is_there_once_with_its_place_in_kahn_s_framework(real_inputs: Path):
    types = read_check_types()
    with (real_inputs / "dq_reference" / "OMOP_CDMv5.4_Check_Descriptions.csv").open() as file:
        theirs = list(csv.DictReader(file))
    assert len(theirs) == 27
    for row in theirs:
        ours = types[row["checkName"]]
        assert (ours.context, ours.category) == (row["kahnContext"].lower(), row["kahnCategory"].lower()), row[
            "checkName"
        ]


# What is asked of a delivery's records and not of the marts' rows: dbt's contracts and tests judge how marts are made (keys, references,
# types, what is required), and source values, eras and overlapping periods are things that a mart no longer has.
_NOT_OF_MARTS = {
    "measureConditionEraCompleteness", "measureObservationPeriodOverlap", "isRequired", "cdmDatatype", "isPrimaryKey", "isForeignKey",
    "sourceConceptRecordCompleteness", "sourceValueCompleteness", "plausibleTemporalAfter",
}  # fmt: skip


def test_every_check_type_of_ohdsi_is_applied_to_documents_and_tables_and_to_marts_where_it_fits(real_inputs: Path):
    with (real_inputs / "dq_reference" / "OMOP_CDMv5.4_Check_Descriptions.csv").open() as file:
        theirs = {row["checkName"] for row in csv.DictReader(file)}
    subjects, marts = read_subjects(), read_marts()
    on_documents = {each.check.name for subject in subjects for each in subject.instances}
    on_tables = {each.check.name for subject in subjects if subject.entity for each in subject.instances}
    on_marts = {each.check.name for mart in marts for each in mart.subject.instances}
    assert theirs <= on_documents and theirs <= on_tables
    assert theirs - on_marts == _NOT_OF_MARTS


def test_every_kind_is_used_or_told_by_who_reads():
    used = {each.check.name for each in every_instance()}
    assert set(read_check_types()) - used == {
        "customCheck",
        "readableRecord",
        "declaredShape",
    }


def test_there_are_several_hundred_checks_and_no_two_have_one_name():
    names = [each.name for subject in read_subjects() for each in subject.instances]
    assert len(names) > 800
    assert len(set(names)) == len(names)


def test_no_check_of_the_catalogue_repeats_a_rule_of_the_gate():
    suites = read_suites()
    for subject in read_subjects():
        suite = suites.for_resource_type(subject.resource_type)
        judged = {
            (check_of(rule), suite.columns[rule.columns[0]].paths) for rule in suite.rules if len(rule.columns) == 1
        }
        ours = {(each.check.name, subject.columns[each.column].paths) for each in subject.instances
                if each.column in subject.columns and subject.columns[each.column].paths and not each.where}  # fmt: skip
        assert not judged & ours, subject.name


@pytest.mark.parametrize(
    ("tested", "failed", "threshold", "error", "status"),
    [
        (100, 0, 0.0, None, "passed"),
        (100, 1, 0.0, None, "failed"),
        (100, 5, 0.05, None, "passed"),
        (100, 6, 0.05, None, "failed"),
        (0, 0, 0.0, None, "not_applicable"),
        (None, None, 1.0, "22012", "error"),
        (100, 0, 1.0, "22012", "error"),
        (5, 6, 1.0, None, "error"),
        (100, 100, 1.0, None, "passed"),
    ],
)
def test_a_verdict_follows_from_counts_and_an_error_is_never_a_pass(tested, failed, threshold, error, status):
    assert judge(tested, failed, threshold, error) == status


def test_no_statement_holds_more_regular_expressions_than_postgres_keeps():
    kind = read_check_types()["formatMatch"]
    subject = read_subjects()[0]
    from include.quality.catalogue.check_types import Instance

    many = [Instance(str(n), kind, subject.name, "postal_code", 0, {"regex": f"^{n}$"}) for n in range(100)]
    sizes = [len(bundle) for bundle in bundles(many)]
    assert sum(sizes) == 100
    assert max(sizes) <= 30


def test_a_threshold_fits_by_pattern_source_and_day(tmp_path: Path):
    file = tmp_path / "thresholds.yml"
    one = {"check": "cdm*", "source": "north", "threshold": 1, "owner": "o", "reason": "r", "expires": NIGHT}
    every = {
        "check": "*",
        "instance": "Immunization.*",
        "source": "every",
        "threshold": 0.5,
        "owner": "o",
        "reason": "r",
        "expires": NIGHT,
    }
    file.write_text(yaml.safe_dump({"owner": "o", "thresholds": [one, every]}))
    policy = thresholds.load_thresholds(file)
    assert policy.of("north", "cdmField", "Patient.cdmField.x", NIGHT, default=0) == 1
    assert policy.of("south", "cdmField", "Patient.cdmField.x", NIGHT, default=0) == 0
    assert policy.of("south", "isRequired", "Immunization.isRequired.x", NIGHT, default=0) == 0.5
    after = date(2026, 11, 25)
    assert policy.of("north", "cdmField", "Patient.cdmField.x", after, default=0) == 0
    assert len(policy.expired(after)) == 2


def test_a_threshold_names_a_check_as_results_name_it(tmp_path: Path):
    file = tmp_path / "check_thresholds.yml"
    words = {"source": "every", "threshold": 0.5, "owner": "o", "reason": "r", "expires": NIGHT}
    names = ("Observation.plausibleValueHigh.4548-4[%]", "Encounter.*[status=finished]", "mart.observations.*")
    file.write_text(
        yaml.safe_dump({"owner": "o", "thresholds": [{"check": "*", "instance": name, **words} for name in names]})
    )
    policy = thresholds.load_thresholds(file)
    for name, expected in (
        ("Observation.plausibleValueHigh.4548-4[%]", 0.5),
        ("Observation.plausibleValueHigh.4548-4[mmol/mol]", 0),
        ("Encounter.measureValueCompleteness.ended_at[status=finished]", 0.5),
        ("mart.observations.plausibleValueHigh.4548-4[%]", 0.5),
    ):
        assert policy.of("north", "any", name, NIGHT, default=0) == expected, name


def test_mistakes_in_files_are_told_by_file_line_and_word(tmp_path: Path):
    file = tmp_path / "check_thresholds.yml"
    for text, told in (
        ("owner: x\nthresholds: [", "not YAML (line 2"),
        ("- a list", "is not a mapping"),
        ("{owner: x, thresholds: {check: a}}", "thresholds is a list"),
        ("{owner: x, thresholds: [{check: a, treshold: 0.1}]}", "threshold 1: unknown word treshold"),
        ("{owner: x, thresholds: [{check: a}]}", "threshold 1: does not say expires"),
    ):
        file.write_text(text)
        thresholds.load_thresholds.cache_clear()
        with pytest.raises(QualityPolicyError) as refused:
            thresholds.load_thresholds(file)
        assert told in refused.value.found, text


OWN = {
    "check": "own", "subject": "observation", "owner": "x", "asks": "x", "kahn": ["validation", "plausibility", None],
    "dimension": "validity", "threshold": 0, "action": "x", "applies": "true", "fails": "value > 1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"column": "valeu"}, "valeu is no column of observation; it has any_value, category"),
        ({"fails": "{column} > 1"}, "fails has {column}, which the file does not say"),
        ({"fails": "status ~ 'a{2}'"}, "fails has {2}: braces stand for"),
        ({"fails": True}, "fails is not a text"),
        ({"subject": "observations"}, "subject observations is none of patient, encounter"),
        ({"check": None}, "does not say check"),
        ({"check": "isPrimaryKey.resource_id"}, "Observation.isPrimaryKey.resource_id is there twice"),
        ({"threshold": 5}, "threshold is a share from 0 to 1"),
        ({"owner": ""}, "does not say its owner"),
    ],
)
def test_a_mistake_in_a_check_of_one_s_own_is_told_in_words(tmp_path: Path, words: dict, told: str):
    (tmp_path / "own.yml").write_text(yaml.safe_dump(OWN | words))
    with pytest.raises(SuiteError) as refused:
        custom.read_custom(tmp_path)
    assert told in refused.value.found


def test_a_sound_check_of_one_s_own_is_read_and_sql_says_its_words_in_comments(tmp_path: Path):
    (tmp_path / "own.yml").write_text(
        yaml.safe_dump(OWN | {"column": "value", "fails": "{column} > {high} or unit ~ 'm{{2}}'", "high": 9})
    )
    head = "".join(f"-- {word}: {value}\n" for word, value in (OWN | {"check": "counted", "kahn": "[validation, plausibility, null]"}).items()
                   if word not in ("applies", "fails"))  # fmt: skip
    (tmp_path / "counted.sql").write_text(
        head.replace("-- asks: x", "-- asks: How many: is that right?") + "select 1, 0"
    )
    (instance,), (statement,) = custom.read_custom(tmp_path)
    assert instance.name == "Observation.own"
    assert statement.instance.check.asks == "How many: is that right?"
    assert statement.instance.check.subcategory is None


def test_broken_yaml_and_a_folder_that_is_not_there_are_told(tmp_path: Path):
    (tmp_path / "own.yml").write_text("check: own\n  subject: [")
    with pytest.raises(SuiteError, match=r"own.yml is not YAML \(line 2: "):
        custom.read_custom(tmp_path)
    with pytest.raises(SuiteError, match="there is no folder"):
        custom.read_custom(tmp_path / "nowhere")


def test_a_threshold_without_an_end_or_beyond_one_is_refused_with_all_that_is_wrong(tmp_path: Path):
    file = tmp_path / "thresholds.yml"
    file.write_text(
        "owner: o\nthresholds:\n"
        "- {check: x, source: s, threshold: 2, owner: o, reason: r, expires: 2026-12-31}\n"
        "- {check: x, source: s, threshold: 0.5, owner: o, reason: r}\n"
        "- {check: x, source: s, threshold: 0.5, owner: '', reason: r, expires: soon}\n"
    )
    with pytest.raises(QualityPolicyError) as refused:
        thresholds.load_thresholds(file)
    assert all(f"threshold {number}" in refused.value.found for number in (1, 2, 3))


def test_the_shipped_policy_is_right():
    thresholds.load_thresholds()
    assert custom.read_custom(custom.SHIPPED)


def test_a_check_of_one_s_own_that_says_something_wrong_is_refused_with_everything(tmp_path: Path):
    (tmp_path / "a.yml").write_text("{check: a, subject: nothing}")
    (tmp_path / "b.yml").write_text("{check: b, subject: patient, kahn: [x, y, z], colour: red}")
    with pytest.raises(SuiteError) as refused:
        custom.read_custom(tmp_path)
    assert "a.yml: subject" in refused.value.found
    assert "unknown word colour" in refused.value.found
    assert "b does not say dimension" in refused.value.found or "b: does not say dimension" in refused.value.found


def test_a_kind_says_how_it_is_counted_exactly_once():
    problems: list[str] = []
    words = {
        "asks": "?",
        "kahn": ["verification", "conformance", "value"],
        "dimension": "validity",
        "threshold": 0,
        "action": "!",
    }
    assert check_type("x", words | {"applies": "true", "fails": "false", "counted": "concepts"}, problems) is None
    assert check_type("x", words, problems) is None
    assert check_type("x", words | {"applies": "true", "fails": "false"}, problems) is not None
    assert len(problems) == 2
