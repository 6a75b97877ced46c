"""Recall and precision of the text rules on others' notes, in two halves, and on the sample's planted ones. Prints them (-s)."""

from __future__ import annotations

import re
from datetime import date

import pytest

from include.privacy.text.deidentify import Finder
from include.privacy.text.known import know
from include.privacy.text.measure import measure
from include.privacy.text.replace import Replacer
from include.sample.block import draw_block
from include.sample.notes import note_text
from tests.gold_notes import clinical_notes, queries, sentences

TODAY = date(2026, 11, 25)
FINDER = Finder(TODAY)
NUMBERS_ASQ = (
    "MEDICAL_RECORD_NUMBER",
    "HEALTH_PLAN_BENEFICIARY_NUMBER",
    "PHONE_NUMBER",
    "SOCIAL_SECURITY_NUMBER",
    "EMAIL_ADDRESS",
)
NUMBERS = (
    "CREDIT_CARD",
    "IBAN_CODE",
    "US_SSN",
    "US_DRIVER_LICENSE",
    "PHONE_NUMBER",
    "EMAIL_ADDRESS",
    "IP_ADDRESS",
    "DOMAIN_NAME",
)
HALVES = pytest.mark.parametrize("half", [0, 1], ids=["tuned on", "held out"])


@HALVES
def test_identifiers_of_clinical_queries(real_inputs, half):
    found = measure(FINDER, queries(real_inputs)[half::2])
    print("\n" + found.table(f"clinical queries, half {half}"))
    assert found.recall("NAME") >= 0.99
    assert found.recall(*NUMBERS_ASQ) >= 0.99
    assert found.recall("DATE") >= 0.99
    assert found.recall("GEOGRAPHIC_LOCATION") >= 0.95
    assert found.precision >= 0.98


@HALVES
def test_identifiers_of_general_sentences(real_inputs, half):
    """Names of fifteen countries, written large and small, in sentences about anything."""
    found = measure(FINDER, sentences(real_inputs)[half::2])
    print("\n" + found.table(f"general sentences, half {half}"))
    assert found.recall("PERSON") >= 0.985
    assert found.recall(*NUMBERS) >= 0.99
    assert found.precision >= 0.95


@HALVES
def test_clinical_text_without_names_stays(real_inputs, half):
    texts = list(clinical_notes(real_inputs))[half::2]
    assert len(texts) > 500
    words = replaced = 0
    for text in texts:
        words += len(text.split())
        replaced += sum(len(text[span.start : span.end].split()) for span in FINDER.find(text))
    print(f"\nnotes without names, half {half}: {replaced / words:.4f} of {words:,} words replaced")
    assert replaced / words < 0.012


KEPT = (
    "Parkinson disease",
    "Graves ophthalmopathy",
    "Bell palsy",
    "brown bread",
    "Chest X-ray",
    "Hand strength",
    "Afebrile",
)


def test_nothing_planted_in_the_sample_s_notes_survives_what_the_record_knows():
    block = draw_block(11, 0, 400, date(2026, 11, 22))
    survivors, kept, notes = [], 0, 0
    for visit in range(len(block.visits)):
        who, text = block.identities[block.visits.person[visit]], note_text(block, visit)
        names = [f"{who.given} {who.middle} {who.family}", f"{who.contact_given} {who.family}"]
        known = know(names, [who.north_mrn, who.phone, who.email, who.ssn, who.contact_phone], [who.street])
        left = Replacer(TODAY).replace(text, FINDER.find(text, known))
        planted = [who.north_mrn, who.phone, who.email, who.ssn, who.contact_phone, who.street]
        survivors += [value for value in planted if value and value in left]
        survivors += [
            name
            for name in (who.given, who.family, who.contact_given)
            if re.search(rf"\b{re.escape(name)}\b(?! (?:disease|ophthalmopathy|palsy|strength))", left)
        ]
        kept += sum(term in left for term in KEPT if term in text)
        notes += sum(term in text for term in KEPT)
    assert notes > 1_000
    assert survivors == []
    assert kept / notes > 0.97  # the rest belongs to patients who are called so
