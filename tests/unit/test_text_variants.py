"""Recall and precision on notes of this project's own, and the command that prints them for anybody's."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date

import pytest

from include.privacy.text.annotated import Annotated, DeckError, read_deck
from include.privacy.text.deidentify import Finder
from include.privacy.text.score import Score, characters_in_clear, group_of, main, score_deck
from tests.unit.text_variants import KEPT, VARIANTS, unmark

FINDER = Finder(date(2026, 11, 25))


@pytest.fixture(scope="module")
def score() -> Score:
    found = Score()
    for number, marked in enumerate(VARIANTS):
        text, gold = unmark(marked)
        found.add(Annotated(str(number), text, gold), FINDER.find(text))
    return found


@pytest.mark.parametrize(
    ("group", "least"),
    [("names", 0.99), ("numbers", 0.99), ("contacts", 0.99), ("dates and ages", 0.98), ("places", 0.97)],
)
def test_identifiers_in_many_habits_of_writing_are_found(score, group, least):
    labels = defaultdict(list)
    for label in score.marks:
        labels[group_of(label)].append(label)
    missed = [miss for miss in score.misses if group_of(miss["class"]) == group]
    assert score.measure.recall(*labels[group]) >= least, missed


def test_what_is_found_is_marked(score):
    assert score.measure.precision >= 0.97


@pytest.mark.parametrize("text", KEPT, ids=[text[:30] for text in KEPT])
def test_clinical_words_are_no_names(text):
    assert [text[span.start : span.end] for span in FINDER.find(text)] == []


FORMATS = {
    "lines.jsonl": json.dumps(
        {"id": 7, "text": "Seen by Ann Roe", "spans": [{"start": 8, "end": 15, "class": "NAME"}]}
    ),
    "presidio.json": json.dumps(
        [
            {
                "full_text": "Seen by Ann Roe",
                "spans": [{"entity_type": "PERSON", "start_position": 8, "end_position": 15}],
            }
        ]
    ),
    "i2b2.xml": "<deIdi2b2><TEXT><![CDATA[Seen by Ann Roe]]></TEXT><TAGS><NAME id='P0' start='8' end='15' text='Ann Roe' TYPE='DOCTOR'/>"
    "</TAGS></deIdi2b2>",
    "brat.txt": "Seen by Ann Roe",
    "brat.ann": "T1\tDOCTOR 8 15\tAnn Roe\n",
    "asq.txt": '===QUERY===\nSeen by Ann Roe\n===PHI_TAGS===\n{"identifier_type": "NAME", "value": "Ann Roe"}\n',
}


def test_every_format_of_annotated_notes_is_read(tmp_path):
    for name, content in FORMATS.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "plain.txt").write_text("No acute distress.")
    notes = list(read_deck(tmp_path))
    assert [gold[:2] for note in notes for gold in note.gold or ()] == [(8, 15)] * 5
    assert [note.text for note in notes if note.gold is None] == ["No acute distress."]
    score = score_deck(tmp_path, FINDER)
    assert score.measure.recall() == score.measure.precision == 1.0
    assert (score.unmarked, score.replaced_words) == (1, 0)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", "{broken", "a.jsonl: something else"),
        ("a.jsonl", '{"text": "short", "spans": [{"start": 2, "end": 99, "class": "NAME"}]}', "outside its text"),
        ("a.xml", "<!DOCTYPE x [<!ENTITY y 'Ann Roe'>]><d><TEXT>&y;</TEXT></d>", "a.xml: something else"),
        ("a.bin", "Ann Roe", "no file of a known format"),
    ],
)
def test_a_deck_that_cannot_be_read_says_which_file_and_quotes_nothing(tmp_path, capsys, name, content, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(DeckError, match=said):
        list(read_deck(tmp_path))
    assert main([str(tmp_path)]) == 2
    assert content not in capsys.readouterr().err


def test_the_command_prints_figures_and_writes_misses_without_text(tmp_path, capsys):
    (tmp_path / "lines.jsonl").write_text(
        json.dumps({"id": "n1", "text": "ok zq", "spans": [{"start": 3, "end": 5, "class": "PATIENT"}]})
    )
    assert main([str(tmp_path), "--misses", str(tmp_path / "misses.jsonl")]) == 0
    told = capsys.readouterr().out
    assert "NAMES" in told and "target 0.99, missed" in told and "zq" not in told
    (miss,) = map(json.loads, (tmp_path / "misses.jsonl").read_text().splitlines())
    assert miss == {"id": "lines.jsonl:n1", "start": 3, "end": 5, "class": "PATIENT"}
    assert (tmp_path / "misses.jsonl").stat().st_mode & 0o77 == 0


def test_the_last_word_of_a_note_says_nothing_of_its_second():
    text = "Comfort, Joy to Desmond"
    assert {text[span.start : span.end] for span in FINDER.find(text)} == {"Desmond"}
    text = "They saw Desmond, Grace and left."
    assert {text[span.start : span.end] for span in FINDER.find(text)} == {"Desmond", "Grace"}


@pytest.mark.parametrize(
    ("text", "found", "left"),
    [
        ("Patient ID: AB-1234", "AB-1234", 0),
        ("Mrs. Hauta DDS", "Hauta", 0),
        ("Patient ID: AB-1234", "AB", 4),
        ("Patient Hauta", "Patient", 5),
        ("Site Quelbrin 12", "12", 8),
    ],
)
def test_what_is_left_in_clear_counts_all_but_words_that_say_of_what_kind_it_is(text, found, left):
    start = text.index(found)
    assert characters_in_clear(text, 0, len(text), set(range(start, start + len(found)))) == left
