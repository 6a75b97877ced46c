"""What the leak scan takes out of a patient's sealed part."""

from uuid import UUID

import pytest

from include.privacy.identifiers import from_patient, from_row
from include.privacy.leak_scan import collect_needles
from include.privacy.text.patients import Told, displays
from include.sources.contracts import Column, Table

WHO = UUID(int=7)


def test_a_patients_names_contacts_numbers_and_street_are_all_taken():
    found = from_patient(
        WHO,
        {
            "id": "pt-77",
            "name": [None, {"family": "O'Neill", "given": ["Ana", "María"]}],
            "telecom": [{"value": "(508) 688-2758"}, {"value": "ana@example.org"}],
            "identifier": [{"value": "999-17-5017"}],
            "address": [{"line": ["83 Church St"]}],
            "contact": [{"name": {"text": "Matthew O'Neill"}, "telecom": [{"value": "5086882759"}]}],
        },
    )
    assert {"Ana María O'Neill", "Ana O'Neill", "Matthew O'Neill"} <= set(found.full_names)
    assert {"Ana", "María", "O'Neill", "Matthew"} == set(found.single_names)
    assert set(found.numbers) == {"pt-77", "(508) 688-2758", "999-17-5017", "5086882759"}
    assert set(found.texts) == {"ana@example.org", "83 Church St"}


def test_a_row_is_read_as_its_contract_classes_it():
    columns = (
        Column("patient_id", "text", "source_id", "patient_id", of="Patient"),
        Column("last", "text", "direct_identifier", "last", match="family"),
        Column("first", "text", "direct_identifier", "first", match="given"),
        Column("ssn", "text", "direct_identifier", "ssn"),
        Column("complaint", "text", "free_text", "complaint"),
    )
    table = Table("patients", ("p.csv",), "patient_data", columns)
    found = from_row(
        WHO,
        {"patient_id": "MRN001", "last": "White", "first": "Ray", "ssn": "999175017", "complaint": "chest pain"},
        table,
    )
    assert "Ray White" in found.full_names
    assert set(found.single_names) == {"Ray", "White"}
    assert set(found.numbers) == {"MRN001", "999175017"}
    assert found.texts == ()


def test_numbers_and_names_are_taken_in_the_shapes_that_sources_send():
    found = from_patient(
        WHO,
        {
            "name": {"family": ["O'Neill"], "given": "Ana"},
            "telecom": {"value": 5086882758},
            "identifier": [{"value": 999175017}],
            "address": {"line": "83 Church St"},
        },
    )
    assert "Ana O'Neill" in found.full_names
    assert set(found.numbers) == {"5086882758", "999175017"}
    assert found.texts == ("83 Church St",)


ODD = [5, 1.5, True, None, "x", "", [5], [None], ["x", ["y"]], {"a": 1}, [{"a": {}}]]
PERSON = ("id", "name", "telecom", "identifier", "address", "contact", "generalPractitioner", "managingOrganization")
INNER = (
    "family",
    "given",
    "text",
    "value",
    "line",
    "city",
    "district",
    "postalCode",
    "name",
    "telecom",
    "address",
    "display",
)


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_no_shape_of_a_patient_stops_the_leak_scan_or_the_notes(odd):
    inner = [dict.fromkeys(INNER, odd)]
    for sealed in (dict.fromkeys(PERSON, odd), dict.fromkeys(PERSON, inner), dict.fromkeys(PERSON, inner[0])):
        collect_needles([from_patient(WHO, sealed)])
        told = Told()
        told.add_patient(sealed)
        told.known(*displays({"context": sealed}, "context"))
