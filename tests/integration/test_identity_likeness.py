"""Matching by likeness on the real database: who is joined, who waits for review, and how decisions and unlinking flow."""

from __future__ import annotations

import random
from datetime import timedelta
from uuid import UUID

import pytest

from include.identity.__main__ import main
from include.identity.decisions import IdentityDecisionError, decide, list_reviews
from include.identity.resolve import resolve_persons
from include.privacy.tokens import Tokeniser
from include.privacy.trait_tokens import Traits, trait_tokens
from include.settings import Settings
from include.warehouse.connect import connect
from include.warehouse.tables import ensure_views
from tests.dbt.small_hospital import NIGHT, patient, promote, token

TOKENISER = Tokeniser(b"m" * 32)
SSN = "http://hl7.org/fhir/sid/us-ssn"
FAMILIES = [
    "Quackenbush",
    "Abernathy",
    "Castellanos",
    "Dombrowski",
    "Eberhardt",
    "Fitzgerald",
    "Gutierrez",
    "Hathaway",
    "Ivanov",
    "Jankowski",
    "Kowalczyk",
    "Lindqvist",
]
GIVENS = [
    "Zebedee",
    "Araminta",
    "Bartholomew",
    "Cordelia",
    "Dashiell",
    "Evangeline",
    "Ferdinand",
    "Georgiana",
    "Hieronymus",
    "Isadora",
    "Jedediah",
    "Katarina",
]


@pytest.fixture
def hot(fresh_hot: Settings) -> Settings:
    ensure_views(fresh_hot)
    return fresh_hot


def person(name: str, **said) -> dict:
    """A patient record with the tokens that the loader would make of what it says."""
    said = {
        "family": "Quackenbush", "given": "Zebedee", "birth": "1961-07-13", "sex": "male", "zip": "03755", "phone": "603-555-0142",
        "ssn": None, "street": None, "meta": None, "link": None, **said,
    }  # fmt: skip
    traits = Traits(
        families=(said["family"],), givens=(said["given"],), postal_codes=(said["zip"],) if said["zip"] else (),
        phones=(said["phone"],) if said["phone"] else (), numbers=((SSN, said["ssn"]),) if said["ssn"] else (),
        streets=((said["street"], said["zip"]),) if said["street"] else (),
    )  # fmt: skip
    tokens = [TOKENISER.identifier_token(SSN, said["ssn"])] if said["ssn"] else []
    demo = TOKENISER.demographic_token(
        family=said["family"], given=said["given"], birth_date=said["birth"], sex=said["sex"], postal_code=said["zip"]
    )
    more = {word: said[word] for word in ("meta", "link") if said[word]}
    found = [*tokens, *([demo] if demo else []), *trait_tokens(TOKENISER, traits)]
    return patient(name, match=found, birthDate=said["birth"], gender=said["sex"], **more)


def crowd(number: int = 300) -> list[dict]:
    """People of another source, so that frequencies mean something; nobody of them is anybody else."""
    rng = random.Random(5)
    return [
        person(
            f"crowd{n}", family=rng.choice(FAMILIES) + "aeiou"[n % 5], given=rng.choice(GIVENS), sex=rng.choice(["male", "female"]),
            birth=f"{rng.randint(1930, 2015)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}", zip=f"{10000 + n % 97}", phone=f"212-55{n:05}",
        )
        for n in range(number)
    ]  # fmt: skip


def key_of(settings: Settings, source: str, name: str) -> UUID:
    with connect("transformer", "hot", settings) as hot:
        return hot.execute(
            "select person_key from restricted.person_link where person_token = %s", [token(source, "Patient", name)]
        ).fetchone()[0]


def are_one(settings: Settings, *records: tuple[str, str]) -> bool:
    return len({key_of(settings, *record) for record in records}) == 1


def resolve(settings: Settings, day: int = 0) -> dict[str, int]:
    return resolve_persons(NIGHT + timedelta(days=day), settings)


CHANGES = {
    "typing error in the family name": {"family": "Quackenbusch"},
    "typing error in the given name": {"given": "Zebdee"},
    "swapped names": {"family": "Zebedee", "given": "Quackenbush"},
    "marriage": {"family": "Hathaway"},
    "move, telephone kept": {"zip": "97201"},
    "telephone changed": {"phone": "971-555-0188"},
    "day and month of birth swapped": {"birth": "1961-07-31"},
    "typing error in the year of birth": {"birth": "1967-07-13"},
    "another sex by mistake": {"sex": "female"},
}
TWO_PEOPLE = {
    "twin at the same address": {"given": "Hieronymus"},
    "son of the same name": {"birth": "1990-02-02"},
    "namesake born the same day who lives elsewhere": {"zip": "59001", "phone": "406-555-0199"},
}


def test_changes_within_a_life_are_joined_and_lookalikes_wait_for_review(hot: Settings) -> None:
    promote(hot, "crowd", crowd())
    promote(hot, "a", [person("1")])
    for at, change in enumerate((*CHANGES.values(), *TWO_PEOPLE.values())):
        promote(hot, f"b{at}", [person("1", **change)])
    counts = resolve(hot)
    joined = {name: are_one(hot, ("a", "1"), (f"b{at}", "1")) for at, name in enumerate((*CHANGES, *TWO_PEOPLE))}
    assert joined == dict.fromkeys(CHANGES, True) | dict.fromkeys(TWO_PEOPLE, False)
    assert counts["persons"] == 300 + 1 + len(TWO_PEOPLE), "nobody of the crowd was joined to anybody"
    reviews, waiting = list_reviews(hot, limit=200)
    assert waiting == counts["reviews"] == len(reviews) > 0
    assert {review.why for review in reviews} >= {
        "given names differ",
        "birth dates differ",
        "nothing besides name and birth date agrees",
    }


def test_a_night_without_news_changes_nothing_and_rows_repeat(hot: Settings) -> None:
    promote(hot, "crowd", crowd(60))
    promote(hot, "a", [person("1")])
    promote(hot, "b", [person("1", family="Quackenbusch"), person("2", given="Hieronymus")])
    first = resolve(hot)
    assert first["joined_by_likeness"] == 1
    before = [(review.one, review.other, review.chance) for review in list_reviews(hot)[0]]
    again = resolve(hot, 1)
    assert again["unchanged"] == 1 and {**again, "unchanged": 0, "new_persons": 0} == {
        **first,
        "unchanged": 0,
        "new_persons": 0,
    }
    assert [(review.one, review.other, review.chance) for review in list_reviews(hot)[0]] == before


def test_decisions_are_followed_until_they_are_withdrawn(hot: Settings, capsys, monkeypatch) -> None:
    promote(hot, "crowd", crowd(60))
    promote(hot, "a", [person("1")])
    promote(hot, "b", [person("1", zip="97201", phone="971-555-0188")])
    resolve(hot)
    assert not are_one(hot, ("a", "1"), ("b", "1"))
    review = next(each for each in list_reviews(hot)[0] if each.sources in {("a", "b"), ("b", "a")})
    assert main(["review"]) == 0
    shown = capsys.readouterr().out
    assert (
        str(review.one) in shown
        and "nothing besides name and birth date agrees" in shown
        and "Quackenbush" not in shown
    )
    assert main(["decide", str(review.review_no), "accept", "--by", "R. Viewer", "--reason", "same signature"]) == 0
    resolve(hot, 1)
    assert are_one(hot, ("a", "1"), ("b", "1"))
    decide((review.other, review.one), "reject", by="R. Viewer", reason="cousins", settings=hot)
    assert resolve(hot, 2)["split_tokens"] == 1
    assert not are_one(hot, ("a", "1"), ("b", "1"))
    assert review.one not in {each.one for each in list_reviews(hot)[0]}, "what was decided waits no more"
    decide((review.one, review.other), "withdraw", by="R. Viewer", reason="unsure", settings=hot)
    resolve(hot, 3)
    assert (review.one, review.other) in {(each.one, each.other) for each in list_reviews(hot)[0]}
    with connect("postgres", "hot", hot) as books:
        trail = books.execute("select count(*) from audit.entry where action = 'persons.decided'").fetchone()[0]
    assert trail == 3
    with pytest.raises(IdentityDecisionError):
        decide(999_999, "accept", by="x", reason="y", settings=hot)
    with pytest.raises(IdentityDecisionError):
        decide((review.one, review.other), "accept", by=" ", reason="y", settings=hot)


def test_a_rejected_pair_parts_though_it_shares_an_identifier_also_through_others(hot: Settings) -> None:
    promote(
        hot, "a", [person("1", ssn="900-01-0001"), person("2", ssn="900-01-0001", family="Hathaway", given="Isadora")]
    )
    promote(hot, "b", [person("1", ssn="900-01-0001")])
    resolve(hot)
    assert are_one(hot, ("a", "1"), ("a", "2"), ("b", "1"))
    decide(
        (token("a", "Patient", "1"), token("a", "Patient", "2")),
        "reject",
        by="R. Viewer",
        reason="number was reused",
        settings=hot,
    )
    resolve(hot, 1)
    assert not are_one(hot, ("a", "1"), ("a", "2"))
    assert are_one(hot, ("a", "1"), ("b", "1")) != are_one(hot, ("a", "2"), ("b", "1")), (
        "the third stays with one of them"
    )


def test_clusters_with_different_numbers_for_life_are_not_joined_but_reviewed(hot: Settings) -> None:
    promote(hot, "crowd", crowd(60))
    promote(hot, "a", [person("1", ssn="900-01-0001")])
    promote(hot, "b", [person("1", ssn="900-09-7777")])
    # a third without a number is like both: it may join one, and must not pull both together
    promote(hot, "c", [person("1", family="Quackenbusch")])
    counts = resolve(hot)
    assert not are_one(hot, ("a", "1"), ("b", "1"))
    assert counts["contradicting_clusters"] == 1
    assert are_one(hot, ("c", "1"), ("a", "1")) != are_one(hot, ("c", "1"), ("b", "1"))
    assert any(review.why == "joining them would contradict what else is known" for review in list_reviews(hot)[0])


def test_what_a_source_links_is_one_person_until_it_says_so_no_more(hot: Settings) -> None:
    """ADT A40 and FHIR's Patient.link: merged, and unmerged by a later version."""
    other = {"family": "Hathaway", "given": "Isadora", "birth": "1950-01-01", "phone": "212-555-7777", "zip": "10001"}
    promote(hot, "a", [person("1"), person("2", **other)])
    resolve(hot)
    keys = {key_of(hot, "a", "1"), key_of(hot, "a", "2")}
    assert len(keys) == 2
    link = [{"other": {"reference": "Patient/1"}, "type": "replaced-by"}]
    promote(hot, "a", [person("2", **other, link=link, meta={"lastUpdated": "2026-11-24T00:00:00Z"})])
    resolve(hot, 1)
    assert are_one(hot, ("a", "1"), ("a", "2")) and key_of(hot, "a", "1") in keys
    promote(hot, "a", [person("2", **other, meta={"lastUpdated": "2026-11-25T00:00:00Z"})])
    assert resolve(hot, 2)["split_tokens"] == 1
    assert not are_one(hot, ("a", "1"), ("a", "2"))


def test_later_evidence_parts_what_was_only_alike(hot: Settings) -> None:
    promote(hot, "crowd", crowd(60))
    promote(hot, "a", [person("1")])
    promote(hot, "b", [person("1", family="Quackenbusch", meta={"lastUpdated": "2026-11-20T00:00:00Z"})])
    resolve(hot)
    assert are_one(hot, ("a", "1"), ("b", "1"))
    promote(
        hot, "b", [person("1", family="Quackenbusch", birth="1988-03-04", meta={"lastUpdated": "2026-11-24T00:00:00Z"})]
    )
    resolve(hot, 1)
    assert not are_one(hot, ("a", "1"), ("b", "1"))
