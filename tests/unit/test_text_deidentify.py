"""Free text without identifiers: what goes, what stays, in tags, years and shifted dates."""

from __future__ import annotations

import random
from datetime import date

import pytest

from include.privacy.text import spans
from include.privacy.text.deidentify import Finder
from include.privacy.text.known import know
from include.privacy.text.policy import TextPolicy, TextPolicyError
from include.privacy.text.replace import Replacer, day_in, year_in
from include.privacy.text.spans import Span, join
from include.privacy.text.surrogates import make_inventor
from tests.unit.text_stress import KNOWN, STRESS

TODAY = date(2026, 11, 25)
FINDER = Finder(TODAY)


def rewrite(text: str, known: dict | None = None, replacer: Replacer | None = None) -> str:
    found = FINDER.find(text, know(**known) if known else None)
    return (replacer or Replacer(TODAY)).replace(text, found)


@pytest.mark.parametrize(("text", "gone", "kept"), STRESS, ids=[text[:40] for text, _, _ in STRESS])
def test_identifiers_in_unusual_forms_go_and_clinical_words_stay(text, gone, kept):
    left = rewrite(text)
    assert [part for part in gone if part in left] == [], left
    assert [part for part in kept if part not in left] == [], left


@pytest.mark.parametrize(("known", "text", "gone", "kept"), KNOWN, ids=[text[:40] for _, text, _, _ in KNOWN])
def test_what_the_record_knows_goes_in_its_variants(known, text, gone, kept):
    left = rewrite(text, known)
    assert [part for part in gone if part in left] == [], left
    assert [part for part in kept if part not in left] == [], left


def test_offsets_are_code_points_of_the_text_and_spans_do_not_overlap():
    text = "🩺 Dr. Ana Pérez saw Zoë Quinn on 3/4/2021 — MRN 7788991."
    found = FINDER.find(text)
    assert [text[span.start : span.end] for span in found] == ["Dr. Ana Pérez", "Zoë Quinn", "3/4/2021", "7788991"]
    assert [span.label for span in found] == [spans.NAME, spans.NAME, spans.DATE, spans.MRN]
    assert all(one.end <= other.start for one, other in zip(found, found[1:], strict=False))


def test_a_bracket_that_opened_before_the_number_stays():
    assert rewrite("Seen (MRN 00482913) today, call (617) 555-0192.") == "Seen (MRN [MRN]) today, call [PHONE]."


def test_of_overlapping_spans_nothing_is_given_back():
    joined = join([Span(0, 5, "NAME", 5), Span(3, 9, "LOCATION", 6), Span(9, 12, "LOCATION", 4), Span(20, 22, "ID")])
    assert joined == [Span(0, 12, "LOCATION", 6), Span(20, 22, "ID")]


def test_the_year_stays_unless_it_tells_an_age_over_89():
    assert rewrite("Seen on 3/4/2021.") == "Seen on [DATE 2021]."
    assert rewrite("DOB 3/4/1931") == "DOB [DATE]"
    assert rewrite("DOB 3/4/31", replacer=Replacer(TODAY)) == "DOB [DATE]"
    assert rewrite("surgery in 1998") == "surgery in 1998"


@pytest.mark.parametrize("text", ["Seen on 3/4/2021", "Seen 2021-03-04", "Seen on March 4th, 2021", "Seen 4 Mar 2021"])
def test_under_expert_determination_dates_move_by_the_persons_days(text):
    assert rewrite(text, replacer=Replacer(TODAY, days=-3)).endswith("2021-03-01")


def test_a_date_that_cannot_be_shifted_is_not_shown():
    assert rewrite("Seen in March 2021", replacer=Replacer(TODAY, days=9)) == "Seen in [DATE]"


@pytest.mark.parametrize(
    ("found", "year", "day"),
    [
        ("7/4/52", 1952, date(1952, 7, 4)),
        ("31.12.2019", 2019, date(2019, 12, 31)),
        ("Feb 14th '23", 2023, date(2023, 2, 14)),
        ("20190304", 2019, date(2019, 3, 4)),
        ("April", None, None),
        ("2/30/2020", 2020, None),
    ],
)
def test_years_and_days_are_read_from_written_dates(found, year, day):
    assert year_in(found, TODAY) == year
    assert day_in(found, TODAY) == day


def test_surrogates_are_the_same_within_a_person_and_others_across():
    first, second = make_inventor(b"k" * 32, "a"), make_inventor(b"k" * 32, "b")
    text = "Jane Roe met Jane Roe's son at jane@roe.net, SSN 123-45-6789"
    left = rewrite(text, replacer=Replacer(TODAY, invent=first))
    assert "Jane" not in left
    assert "Roe" not in left
    assert "000-" in left
    assert "@example.org" in left
    assert left.split()[:2] == left.replace("'s", "").split()[3:5]
    assert left != rewrite(text, replacer=Replacer(TODAY, invent=second))


def test_any_text_is_read_to_its_end():
    chance = random.Random(7)
    signs = "aZé0/.-:@#'’ \n\t(,)|漢🩺\u0301\x00"
    for _ in range(300):
        text = "".join(chance.choice(signs) for _ in range(chance.randrange(400)))
        assert all(0 <= span.start < span.end <= len(text) for span in FINDER.find(text))


@pytest.mark.parametrize(
    "piece",
    [
        "1",
        "1-",
        "a1",
        "A ",
        "Dr. ",
        "1/1/",
        "1.1.",
        "a@",
        "(1) ",
        "Apt 1, ",
        "www.a.",
        "name is ",
        "St. ",
        "12 Elm St, ",
    ],
)
def test_time_grows_with_length_alone(piece):
    """Counted in work, not in seconds: the same text ten times as long may find at most about ten times as many spans."""
    short, long = piece * 300, piece * 3000
    assert len(FINDER.find(long)) <= 12 * max(1, len(FINDER.find(short)))


def test_the_policy_refuses_words_it_does_not_know(tmp_path):
    assert TextPolicy.load().profile == "safe_harbor"
    wrong = tmp_path / "text_deidentification.yml"
    wrong.write_text(
        "owner: a\nreviewed: 2026-01-01\nreason: b\nprofile: none\nmost_days_shifted: 0\nreplacement: tags\nengines: [x]\nextra: 1\n"
    )
    with pytest.raises(TextPolicyError, match="4 mistakes") as refused:
        TextPolicy.load(wrong)
    assert all(word in str(refused.value) for word in ("extra", "profile", "most_days_shifted", "engine"))
