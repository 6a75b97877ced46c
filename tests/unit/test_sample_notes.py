"""Scoring of planted notes: what was replaced is found back from the text made of a note, whole or in part, or not at all."""

from __future__ import annotations

from datetime import date

import pytest

from include.privacy.text.deidentify import Finder
from include.privacy.text.known import know
from include.privacy.text.replace import Replacer
from include.privacy.text.spans import Span
from include.sample.block import draw_block
from include.sample.dictation import dictate
from include.sample.note_score import find_replaced, score_notes
from include.sample.tables import note_table

NOTE = "Ada Quibble, MRN 4711, came on 3/4/2026."


def test_what_was_replaced_is_found_back() -> None:
    made = "[NAME], MRN [MRN], came on [DATE 2026]."
    assert find_replaced(NOTE, made) == [Span(0, 11, "NAME"), Span(17, 21, "MRN"), Span(31, 39, "DATE")]
    assert find_replaced(NOTE, NOTE) == []
    assert find_replaced(NOTE, "[NAME], and something that was never said.") is None
    assert find_replaced("[a list] of Ada", "[a list] of [NAME]") == [Span(12, 15, "NAME")]


def test_an_identifier_that_stays_and_a_word_that_goes_both_count() -> None:
    planted = {"document": "d", "text": NOTE, "spans": [[0, 11, "patient name"], [17, 21, "record number"]]}
    score = score_notes([planted, planted | {"document": "lost"}], {"d": "[NAME], MRN 4711, [LOCATION] on 3/4/2026."})
    assert (score.notes, score.missing) == (1, 1)
    rows = {kind: (count, whole, recall) for kind, count, whole, recall, _ in score.rows()}
    assert rows == {"patient name": (1, 1, 1.0), "record number": (1, 0, 0.0)}
    assert score.measure.precision == pytest.approx(11 / 15)
    assert "record number" in note_table(score)


def test_identifiers_stand_where_the_key_says_and_are_written_in_many_ways() -> None:
    block = draw_block(11, 0, 400, date(2026, 11, 22))
    phones, classes = set(), set()
    for at in range(140):
        note, who = dictate(block, at, at), block.identities[at]
        for start, end, kind in note.spans:
            classes.add(kind)
            if kind == "telephone":
                assert "".join(filter(str.isdigit, who.phone)) in "".join(filter(str.isdigit, note.text[start:end]))
                phones.add("".join("9" if letter.isdigit() else letter for letter in note.text[start:end]))
    assert len(phones) >= 7 and len(classes) >= 9


def test_the_rules_find_what_is_dictated() -> None:
    block, finder, rows, made = draw_block(11, 0, 400, date(2026, 11, 22)), Finder(date(2026, 12, 31)), [], {}
    for at in range(300):
        note, who = dictate(block, at, at), block.identities[at]
        names = [f"{who.given} {who.middle} {who.family}", f"{who.contact_given} {who.family}"]
        numbers = [who.north_mrn, who.phone, who.email, who.ssn, who.contact_phone]
        known = know(names, numbers, [who.street], [str(block.people.birth[at])])
        rows.append({"document": str(at), "text": note.text, "spans": note.spans})
        made[str(at)] = Replacer(finder.today).replace(note.text, finder.find(note.text, known))
    score = score_notes(rows, made)
    assert score.missing == 0
    assert min(recall for _, _, _, recall, _ in score.rows()) >= 0.99, note_table(score)
    assert score.measure.precision >= 0.95
