"""The contract of the pharmacy's database."""

from typing import Any

from include.sample import codes
from include.sample.contract_words import PATIENT, column, mapping, sealed, source_id, table, text, when


def pharmacy_contract() -> dict[str, Any]:
    """Return what is read of the pharmacy's two tables, ready to be written as YAML."""
    return {
        "owner": "pharmacy chain, data desk",
        "identifier_system": "http://pharmacy.example.org/customer",
        "tables": {"customers": _of_database(_customers()), "fills": _of_database(_fills())},
    }


def _of_database(declared: dict[str, Any]) -> dict[str, Any]:
    """The table with where the database holds it in place of its files."""
    name = declared.pop("files").partition("*")[0]
    return {"from": {"table": name}} | declared


def _customers() -> dict[str, Any]:
    columns = {
        "customer_id": PATIENT,
        "ssn": sealed(match="identifier", system=codes.SSN),
        "last_name": sealed(match="family"),
        "first_name": sealed(match="given"),
        "birth_date": when("date", match="birth_date"),
        "sex": text(match="sex"),
        "street": sealed(match="street"),
        "city": column("text", "direct_identifier"),
        "state": when("text"),
        "zip": when("text", match="postal_code"),
        "phone": sealed(match="phone"),
        "loyalty_card": sealed(),
    }
    fields = {
        "patient_id": "customer_id",
        "birth_date": "birth_date",
        "sex": "sex",
        "postal_code": "zip",
        "state": "state",
    }
    values = {"sex": {"F": "female", "M": "male"}}
    return table(
        "customers", "customer_id", None, columns, [mapping("patient", fields, values=values)], person="customer_id"
    )


def _fills() -> dict[str, Any]:
    columns = {
        "fill_id": source_id("MedicationRequest"),
        "customer_id": PATIENT,
        "rxnorm": text(),
        "drug": text(),
        "filled_at": when(),
        "fill_status": text(),
        "refills": column("integer", "clinical"),
        "quantity": column("decimal", "clinical"),
        "pharmacist": sealed(),
        "comment": column("text", "free_text"),
    }
    fields = {
        "medication_id": "fill_id",
        "patient_id": "customer_id",
        "code": "rxnorm",
        "display": "drug",
        "started_at": "filled_at",
        "status": "fill_status",
    }
    return table(
        "fills",
        "fill_id",
        "filled_at",
        columns,
        [mapping("medication", fields, constants={"system": codes.RXNORM})],
        person="customer_id",
    )
