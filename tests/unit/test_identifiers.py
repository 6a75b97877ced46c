"""What the leak scan takes out of a patient's sealed part."""

from uuid import UUID

from include.privacy.identifiers import from_patient, from_row
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
