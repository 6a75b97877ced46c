"""Diagnoses in words: the term, and what the words around it say."""

from __future__ import annotations

import json
import random

import pytest
import simple_icd_10_cm
import yaml

from include.coding.text_diagnoses import CONTEXTS, TERMS_FILE, diagnoses_in
from include.privacy.classification import load_classification
from include.privacy.documents import DocumentSplitter
from include.privacy.sealing import FOUND_IN_WORDS, rebuild
from include.privacy.tokens import Tokeniser

DIABETES, PRESSURE, PNEUMONIA, ASTHMA = "E11.9", "I10", "J18.9", "J45.909"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Type 2 diabetes mellitus", {DIABETES: "affirmed"}),
        ("HTN, DM2", {PRESSURE: "affirmed", DIABETES: "affirmed"}),
        ("Hypertension, not well controlled", {PRESSURE: "affirmed"}),
        ("no evidence of pneumonia", {PNEUMONIA: "negated"}),
        ("Denies asthma, diabetes or hypertension", {ASTHMA: "negated", DIABETES: "negated", PRESSURE: "negated"}),
        ("No pneumonia but asthma", {PNEUMONIA: "negated", ASTHMA: "affirmed"}),
        ("no fever. Pneumonia", {PNEUMONIA: "affirmed"}),
        ("pneumonia was ruled out", {PNEUMONIA: "negated"}),
        ("pneumonia cannot be ruled out", {PNEUMONIA: "uncertain"}),
        ("r/o pneumonia", {PNEUMONIA: "uncertain"}),
        ("possible asthma", {ASTHMA: "uncertain"}),
        ("pneumonia?", {PNEUMONIA: "uncertain"}),
        ("history of pneumonia", {PNEUMONIA: "history"}),
        ("h/o asthma as a child", {ASTHMA: "history"}),
        ("Family history of diabetes", {DIABETES: "family"}),
        ("Mother with hypertension; patient has asthma", {PRESSURE: "family", ASTHMA: "affirmed"}),
        ("no family history of diabetes", {DIABETES: "negated"}),
        ("no history of asthma", {ASTHMA: "negated"}),
        ("no change in hypertension", {PRESSURE: "affirmed"}),
        ("Alzheimer’s disease", {"G30.9": "affirmed"}),
        ("Crohn's disease", {"K50.90": "affirmed"}),
        ("gestational diabetes", {"O24.419": "affirmed"}),
        ("Prediabetes", {"R73.03": "affirmed"}),
        ("migraines", {"G43.909": "affirmed"}),
        ("asthma. No asthma today", {ASTHMA: "affirmed"}),
        ("patient seen for follow-up", {}),
        ("", {}),
    ],
)
def test_a_diagnosis_is_found_with_its_context(text: str, expected: dict[str, str]) -> None:
    assert dict(diagnoses_in(text)) == expected


def test_every_code_of_the_dictionary_is_valid_and_billable() -> None:
    terms = yaml.safe_load(TERMS_FILE.read_text())["terms"]
    assert len(terms) > 80
    wrong = [code for code in terms if not simple_icd_10_cm.is_valid_item(code) or not simple_icd_10_cm.is_leaf(code)]
    assert wrong == []


def test_any_text_is_read_without_an_error() -> None:
    rng = random.Random(2)
    words = [
        "no",
        "diabetes",
        "?",
        "\n",
        "history of",
        "mother",
        "ü",
        "\0",
        "ruled out",
        "but",
        ",",
        "(",
        "type 2",
        "asthma",
    ]
    for _ in range(2_000):
        for code, context in diagnoses_in(" ".join(rng.choices(words, k=rng.randint(0, 30)))):
            assert context in CONTEXTS and code


def test_words_are_sealed_what_they_name_is_noted_and_the_record_comes_back_as_received() -> None:
    splitter = DocumentSplitter(load_classification(), Tokeniser(b"k" * 32), "north")
    told = {"resourceType": "Condition", "id": "c1", "code": {"text": "Asthma of Zebedee Quackenbush"}}
    coded = {
        "resourceType": "Condition",
        "id": "c2",
        "code": {"text": "asthma", "coding": [{"code": "a word of ours"}]},
    }
    plain = {
        "resourceType": "Condition",
        "id": "c3",
        "code": {"text": "asthma"},
        FOUND_IN_WORDS: {"code": "said by the source"},
    }
    for resource, expected in ((told, ASTHMA), (coded, None), (plain, ASTHMA)):
        groups, _ = splitter.split([json.dumps(resource).encode()])
        body = json.loads(groups[0].bodies[0])
        assert body.get(FOUND_IN_WORDS, {}).get("code") == expected
        assert b"Quackenbush" not in groups[0].bodies[0]
        assert rebuild(body, groups[0].sealed[0]) == resource
