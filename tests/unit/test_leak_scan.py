"""What the leak scan takes for an identifier, and what it leaves alone."""

from uuid import UUID

import pytest

from include.privacy.leak_scan import Identifiers, bearers_of, collect_needles, holds_identifier, owners_of

ANA = UUID(int=1)
RAY = UUID(int=2)
NEEDLES = collect_needles(
    [
        Identifiers(
            ANA,
            full_names=("Ana María O'Neill", "Ana O'Neill"),
            single_names=("Ana", "María", "O'Neill"),
            numbers=("999-17-5017", "(508) 688-2758", "MRN00712", "12345"),
            texts=("ana.oneill@example.org", "83 Church St"),
        ),
        Identifiers(RAY, full_names=("Ray White",), single_names=("Ray", "White")),
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        "seen by ANA MARIA O'NEILL today",
        "ana o neill",
        "ssn 999175017",
        "999 17 5017",
        "call 508.688.2758 now",
        "+1 (508) 688-2758",
        "mrn00712",
        "write to ana.oneill@example.org",
        "lives at 83 church st",
        "RAY WHITE",
    ],
)
def test_numbers_contacts_addresses_and_full_names_are_found_in_any_spelling(text):
    assert holds_identifier(text, NEEDLES)


@pytest.mark.parametrize(
    "text",
    [
        "X-ray of the chest",
        "White",
        "Ana",
        "12345",  # too short to tell from a count
        "99917501",
        "29991750171",
        "a9991750173f",  # inside a hash
        "00000000-0000-0000-0000-999175017000",
        "",
    ],
)
def test_ordinary_text_is_left_alone(text):
    assert not holds_identifier(text, NEEDLES)


def test_a_single_name_points_to_everyone_who_bears_it_and_to_nobody_else():
    assert bearers_of("Ray seen for X-ray", NEEDLES) == {RAY}
    assert bearers_of("o'neill, maria", NEEDLES) == {ANA}
    assert bearers_of("hypertension", NEEDLES) == set()


def test_a_number_has_all_its_owners_whatever_zeros_it_lost():
    people = [Identifiers(UUID(int=number), numbers=("0049-9999", "0049-9999")) for number in range(1, 4)]
    needles = collect_needles([*people, Identifiers(UUID(int=9), numbers=("1 (508) 688-2758", "508-688-2758"))])
    assert owners_of("499999", needles) == {UUID(int=1), UUID(int=2), UUID(int=3)}
    assert owners_of("15086882758", needles) == owners_of("5086882758", needles) == {UUID(int=9)}
    assert owners_of("5086882759", needles) == set()
