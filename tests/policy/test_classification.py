"""The classification is an allow-list a person can review: owned, closed, and without direct identifiers."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from include.lifecycle.policy import load_retention
from include.privacy.classification import CODES_FILE, POLICY_FILE, ClassificationError, load_classification
from include.sources.resource_types import RESOURCE_TYPES

POLICY = load_classification()
# 45 CFR 164.514(b)(2), as FHIR spells them; matched against the last word of every element that stays.
DIRECT = {
    "name", "family", "given", "text", "telecom", "line", "city", "district", "photo", "contact", "identifier", "value[x]string",
    "valueString", "serialNumber", "lotNumber", "udiCarrier", "url", "data", "title", "subscriberId", "dependent", "note", "comment",
    "description", "conclusion", "div", "instantiatesUri", "address.text", "accession", "uid", "author.display", "display",
}  # fmt: skip
# Names that are kept because only words of a reviewed vocabulary pass, a coded description, and tokens of UIDs.
# Of text, the words of a result that is not a number and nothing else.
QUALITATIVE_RESULTS = "Observation.valueString: "
REVIEWED = {
    "Organization.name: payer_name", "Coverage.class.name: payer_name", "Goal.description: CodeableConcept",
    "ImagingStudy.identifier: uid_identifier", "ImagingStudy.series.uid: uid", "ImagingStudy.series.instance.uid: uid",
}  # fmt: skip


def altered(tmp_path: Path, change) -> tuple[Path, Path]:
    said = yaml.safe_load(POLICY_FILE.read_text())
    words = yaml.safe_load(CODES_FILE.read_text())
    change(said, words)
    (tmp_path / "policy.yml").write_text(yaml.safe_dump(said))
    (tmp_path / "codes.yml").write_text(yaml.safe_dump(words))
    return tmp_path / "policy.yml", tmp_path / "codes.yml"


def test_it_names_every_r4_type_and_no_other() -> None:
    assert set(POLICY.resources) == RESOURCE_TYPES


def test_every_type_it_lets_in_has_a_class_of_retention() -> None:
    retention = load_retention()
    assert [name for name in POLICY.resources if retention.class_of(name) is None] == []


def test_it_has_an_owner_and_a_reason() -> None:
    said = yaml.safe_load(POLICY_FILE.read_text())
    assert said["owner"] == "privacy officer" and "Allow-list" in said["reason"]


def test_no_element_that_stays_is_a_direct_identifier() -> None:
    kept = [f"{name}.{path}" for name in POLICY.resources for path in POLICY.kept_elements(name)]
    assert len(kept) > 1_000
    named = [path for path in kept if path.split(": ")[0].split(".")[-1] in DIRECT]
    told = {path for path in named if not path.startswith(QUALITATIVE_RESULTS)}
    assert told == REVIEWED
    assert {word.casefold() for path in set(named) - told for word in path.split(": ")[1].split(" | ")} == {
        "positive", "negative", "detected", "not detected", "normal", "abnormal", "indeterminate", "equivocal", "reactive",
        "nonreactive", "non-reactive",
    }  # fmt: skip


@pytest.mark.parametrize(
    "datatype", ["HumanName", "ContactPoint", "Identifier", "Annotation", "Narrative", "Signature"]
)
def test_no_datatype_of_names_contacts_and_free_text_is_known(datatype: str) -> None:
    assert datatype not in POLICY.datatypes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda said, words: said["resources"]["Patient"]["keep"].update(name="HumanName"),
            r"Patient.name: 'HumanName' is no type",
        ),
        (lambda said, words: said["resources"].update(Klingon={"keep": {}}), "'Klingon' is not an R4 resource type"),
        (
            lambda said, words: said["resources"]["Patient"].update(kept={}),
            "Patient: 'kept' is not a word of a resource",
        ),
        (lambda said, words: said.pop("owner"), "'owner' is missing"),
        (lambda said, words: said.update(owners="x"), "'owners' is not a word of the classification"),
        (lambda said, words: words["units"].append(True), "'units' has words that are not text"),
        (
            lambda said, words: words["public_systems"].update({"http://x": "("}),
            "the pattern of http://x is not a regular expression",
        ),
        (lambda said, words: words.pop("payer_words"), "'payer_words' is missing from the codes"),
        (
            lambda said, words: said["resources"]["Patient"]["keep"].update(gender=[True]),
            r"Patient.gender: a code that is not text",
        ),
    ],
)
def test_a_word_it_does_not_know_fails_on_start(tmp_path: Path, change, message: str) -> None:
    with pytest.raises(ClassificationError, match=message):
        load_classification(*altered(tmp_path, change))


def test_everything_wrong_is_named_at_once(tmp_path: Path) -> None:
    def change(said, words):
        said["datatypes"]["Period"]["start"] = "datum"
        said["every_resource"]["implicitRules"] = "link"

    with pytest.raises(
        ClassificationError, match=r"Period.start: 'datum' is no type; every_resource.implicitRules: 'link' is no type"
    ):
        load_classification(*altered(tmp_path, change))
