"""Parting groups that contradict themselves: the surest joins hold, in whatever order they are looked at."""

from __future__ import annotations

import random

from include.identity.clusters import Join, part
from include.privacy.tokens import Tokeniser
from include.privacy.trait_tokens import Traits, formal_name, sounds_like, trait_tokens

TOKENISER = Tokeniser(b"k" * 32)


def test_the_surest_join_holds_and_the_contradicting_one_is_told() -> None:
    joins = [Join(4, 20.0, 1, 2), Join(2, 0.0, 2, 3)]
    numbers = {1: frozenset({("ssn", "a")}), 3: frozenset({("ssn", "b")})}
    labels, refused = part(joins, numbers, [])
    assert labels == {1: 1, 2: 2, 3: 2} and refused == [Join(4, 20.0, 1, 2)]


def test_what_was_rejected_stays_apart_also_through_others() -> None:
    labels, refused = part([Join(2, 0, 1, 2), Join(2, 0, 2, 3)], {}, [(1, 3)])
    assert labels[1] != labels[3] and len(refused) == 1


def test_a_record_with_several_numbers_of_a_system_contradicts_only_where_none_agrees() -> None:
    numbers = {1: frozenset({("ssn", "a"), ("ssn", "b")}), 2: frozenset({("ssn", "b")}), 3: frozenset({("ssn", "c")})}
    labels, _ = part([Join(2, 0, 1, 2), Join(2, 0, 2, 3)], numbers, [])
    assert labels[1] == labels[2] != labels[3]


def test_the_order_of_joins_does_not_matter() -> None:
    rng = random.Random(1)
    joins = [Join(rng.randint(0, 4), rng.random(), *sorted(rng.sample(range(12), 2))) for _ in range(40)]
    numbers = {n: frozenset({("ssn", rng.choice("abc"))}) for n in range(0, 12, 3)}
    first = part(joins, numbers, [(1, 2), (4, 7)])
    for _ in range(20):
        rng.shuffle(joins)
        assert part(joins, numbers, [(2, 1), (7, 4)]) == first


def tokens(**said) -> set[str]:
    return set(trait_tokens(TOKENISER, Traits(**said)))


def kinds(shared: set[str]) -> set[str]:
    return {each[:2] for each in shared}


def test_names_one_typing_error_apart_meet_and_others_do_not() -> None:
    whole = tokens(families=("Quackenbush",))
    for typed in ("Quackenbusch", "Quackenbsh", "Quakcenbush", "Quackanbush"):
        assert "fd" in kinds(whole & tokens(families=(typed,))), typed
    assert not whole & tokens(families=("Abernathy",))
    assert kinds(whole & tokens(families=("QUACKENBUSH",))) == {"fn", "fd", "fs"}


def test_swapped_names_share_one_space_of_hashes() -> None:
    family, given = tokens(families=("Ann",)), tokens(givens=("Ann",))
    assert {each[3:] for each in family if each.startswith("fn")} == {
        each[3:] for each in given if each.startswith("gn")
    }


def test_short_forms_meet_their_name_and_parts_of_a_double_name_the_whole() -> None:
    assert formal_name("bill") == "william"
    assert "gd" in kinds(tokens(givens=("Bill",)) & tokens(givens=("William",)))
    assert "fn" in kinds(tokens(families=("García-López",)) & tokens(families=("Lopez",)))


def test_soundex_is_the_national_archives_one() -> None:
    # examples of the U.S. National Archives' page on the Soundex indexing system
    for name, code in {
        "Washington": "w252",
        "Lee": "l000",
        "Gutierrez": "g362",
        "Pfister": "p236",
        "Jackson": "j250",
        "Tymczak": "t522",
        "Ashcraft": "a261",
    }.items():
        assert sounds_like(name) == code
    assert sounds_like("Люкceмбypг"[:3]) == ""


def test_placeholders_leave_no_telephone_and_no_token_quotes_what_it_stands_for() -> None:
    assert tokens(phones=("000-000-0000", "12")) == set()
    made = tokens(
        families=("Quackenbush",), givens=("Zeb",), phones=("603-555-0142",), emails=("z@example.org",), postal_codes=("03755",),
        streets=(("12 Elm Street", "03755"),), numbers=(("http://hl7.org/fhir/sid/us-ssn", "900-01-0001"),),
    )  # fmt: skip
    assert kinds(made) == {"fn", "fd", "fs", "gn", "gd", "gs", "gi", "ph", "em", "zp", "ad", "on"}
    assert not any(word in token.casefold() for token in made for word in ("quack", "zeb", "elm", "0142", "example"))
    assert made == tokens(
        families=("quackenbush",), givens=("ZEB",), phones=("(603) 555 0142",), emails=("Z@EXAMPLE.ORG",), postal_codes=("03755-1234",),
        streets=(("12  ELM STREET", "03755"),), numbers=(("http://hl7.org/fhir/sid/us-ssn", "900010001"),),
    )  # fmt: skip
