"""Tokens are keyed, stable, and told apart by what they stand for."""

from __future__ import annotations

import hmac

import pytest

from include.privacy.tokens import Tokeniser, as_uuid, plain_name

KEY = bytes(range(32))
ANN = {
    "family": "O'Néil-Smith",
    "given": "Ann Marie",
    "birth_date": "1980-02-29",
    "sex": "female",
    "postal_code": "02139-4307",
}


@pytest.fixture
def tokeniser() -> Tokeniser:
    return Tokeniser(KEY)


def test_a_digest_is_hmac_sha256(tokeniser: Tokeniser) -> None:
    for message in (b"", b"x", b"y" * 1000):
        assert tokeniser.digest(message) == hmac.digest(KEY, message, "sha256")
        assert tokeniser.digester(b"before ")(message) == hmac.digest(KEY, b"before " + message, "sha256")


def test_an_id_has_one_token_a_source_and_type(tokeniser: Tokeniser) -> None:
    same = tokeniser.id_token("north", "Patient", "17")
    others = {
        tokeniser.id_token("south", "Patient", "17"),
        tokeniser.id_token("north", "Encounter", "17"),
        tokeniser.id_token("north", "Patient", "18"),
        Tokeniser(bytes(32)).id_token("north", "Patient", "17"),
    }
    assert same == tokeniser.id_token("north", "Patient", "17")
    assert len(others) == 4 and same not in others


def test_a_token_is_the_text_of_a_uuid() -> None:
    assert as_uuid(bytes(range(32))) == "00010203-0405-0607-0809-0a0b0c0d0e0f"


@pytest.mark.parametrize(("one", "other"), [("123-45-6789", "123 45 6789"), ("ab-1", "AB1")])
def test_an_identifier_is_the_same_however_it_is_written_and_whichever_source_says_it(
    tokeniser: Tokeniser, one: str, other: str
) -> None:
    assert tokeniser.identifier_token("http://ssn", one) == tokeniser.identifier_token("http://ssn", other)
    assert tokeniser.identifier_token("http://ssn", one) != tokeniser.identifier_token("http://mrn", one)


def test_an_empty_identifier_matches_nobody(tokeniser: Tokeniser) -> None:
    assert tokeniser.identifier_token("http://mrn", " - ") is None


def test_demographics_meet_over_case_accents_punctuation_and_zip_plus_four(tokeniser: Tokeniser) -> None:
    other = {"family": "ONEIL SMITH", "given": "ann", "birth_date": "1980-02-29", "sex": "F", "postal_code": "02139"}
    assert tokeniser.demographic_token(**ANN) == tokeniser.demographic_token(**other)


@pytest.mark.parametrize("part", ANN)
def test_demographics_that_lack_a_part_match_nobody(tokeniser: Tokeniser, part: str) -> None:
    assert tokeniser.demographic_token(**{**ANN, part: None}) is None


@pytest.mark.parametrize(
    ("part", "value"), [("birth_date", "1980-02-28"), ("sex", "male"), ("postal_code", "02138"), ("family", "Smith")]
)
def test_demographics_that_differ_in_a_part_do_not_meet(tokeniser: Tokeniser, part: str, value: str) -> None:
    assert tokeniser.demographic_token(**{**ANN, part: value}) != tokeniser.demographic_token(**ANN)


def test_names_keep_their_digits(tokeniser: Tokeniser) -> None:
    assert plain_name("José_Luis 790") == "joseluis790"
