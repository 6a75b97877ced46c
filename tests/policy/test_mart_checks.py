"""Checks of the marts ask of columns that the marts have, and ask nothing that dbt's contracts and tests already do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from include.quality.catalogue.agreement import read_traits
from include.quality.catalogue.listing import every_instance
from include.quality.catalogue.marts import read_marts

MODELS = Path(__file__).resolve().parents[2] / "dbt_project" / "models"
_LISTED = re.compile(r"(\w+) in \(")
_BOUNDED = re.compile(r"(\w+) between")


@pytest.fixture(scope="module")
def contracts() -> dict[str, dict]:
    """Public models by relation, as dbt's own files declare them."""
    found = {}
    for schema in ("clinical", "measures"):
        for file in (MODELS / schema).glob("*.yml"):
            for model in yaml.safe_load(file.read_text()).get("models") or []:
                found[f"{schema}.{model['name']}"] = model
    assert len(found) > 10
    return found


def columns(model: dict) -> set[str]:
    return {column["name"] for column in model["columns"]}


def test_every_mart_has_checks_of_columns_that_its_contract_has(contracts):
    marts = read_marts()
    assert {mart.relation for mart in marts} >= set(contracts) - {"measures.catalogue"}
    for mart in marts:
        assert mart.needed <= columns(contracts[mart.relation]), mart.relation
        assert mart.subject.instances, mart.relation


def test_no_check_of_a_mart_repeats_what_dbt_says(contracts):
    for mart in read_marts():
        model = contracts[mart.relation]
        never_null = {
            column["name"] for column in model["columns"] if {"type": "not_null"} in column.get("constraints", [])
        }
        said = [each["expression"] for each in model.get("constraints", []) if each["type"] == "check"]
        listed = {word for expression in said for word in _LISTED.findall(expression)}
        bounded = {word for expression in said for word in _BOUNDED.findall(expression)}
        for each in mart.subject.instances:
            kind = each.check.name
            assert kind not in ("isPrimaryKey", "isRequired", "isForeignKey"), each.name
            if kind in ("measureValueCompleteness", "cdmField"):
                assert each.column not in never_null, each.name
            if kind == "valueSetMember":
                assert each.column not in listed, each.name
            if kind == "plausibleAmount":
                assert each.column not in bounded, each.name


def test_several_hundred_checks_look_at_marts_and_no_name_is_given_twice():
    names = [each.name for each in every_instance()]
    assert len(set(names)) == len(names)
    assert sum(name.startswith("mart.") for name in names) > 500


def test_every_trait_that_is_compared_is_one_that_dbt_compares():
    model = (MODELS / "intermediate" / "int_sources__agreement.sql").read_text()
    compared = set(re.findall(r"\('(\w+)'\)[,\n]", model.split("traits as")[1]))
    assert set(read_traits()) == compared
