"""What dbt's manifest promises of every public model: contract, grain, descriptions, and nothing that names a person."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from include.warehouse.dbt_variables import dbt_variables

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
PUBLIC = {"candidate_clinical", "candidate_measures", "candidate_equity"}
CLINICAL = {
    "persons", "encounters", "conditions", "observations", "medications", "procedures", "immunizations", "allergies", "reports",
    "documents", "imaging_studies",
}  # fmt: skip
# The identifiers of 45 CFR 164.514(b)(2)(i), as columns tend to be called; and what is finer than Safe Harbor allows.
DIRECT_IDENTIFIER = re.compile(
    r"(^|_)(name|names|family|given|first_name|last_name|maiden|address|street|city|county|telecom|phone|fax|email|url|ip|ssn|mrn|"
    r"identifier|licen[cs]e|passport|account|beneficiary|device|serial|udi|photo|postal_code|zip|zip5|latitude|longitude|token|"
    r"birth_date|birthdate|death_date|sealed|resource_id|record_id|batch_id|batch_seq|source_id)($|_)"
)
NOT_A_PERSONS_NAME = {"measure_name", "group_name", "dimension_name"}
FINER_THAN_A_YEAR = re.compile(r"\b(date|time|timestamp|timestamptz|interval)\b", re.IGNORECASE)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> dict:
    """dbt's own view of the project; parsing needs no database."""
    target = tmp_path_factory.mktemp("dbt")
    nothing = {
        "PLUMBLINE_PG_HOST": "nowhere",
        "PLUMBLINE_PG_PORT": "1",
        "DBT_ENV_SECRET_TRANSFORMER_PASSWORD": "unused",
    }
    told = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target", "nightly"]
    parsed = subprocess.run(
        [str(Path(sys.executable).with_name("dbt")), "--quiet", "--warn-error", "parse", *told,
         "--vars", json.dumps(dbt_variables(date(2026, 11, 23)))],
        env={**os.environ, **nothing, "DBT_TARGET_PATH": str(target), "DBT_LOG_PATH": str(target)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert parsed.returncode == 0, parsed.stdout[-2000:]
    return json.loads((target / "manifest.json").read_text())


@pytest.fixture(scope="module")
def models(manifest) -> dict[str, dict]:
    found = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    assert len(found) > 50, "no models were found, so every other check here would pass for nothing"
    return found


@pytest.fixture(scope="module")
def public(models) -> dict[str, dict]:
    found = {name: node for name, node in models.items() if node["schema"] in PUBLIC}
    assert set(found) >= CLINICAL, "the clinical marts are not where they should be"
    return found


def test_every_public_model_is_under_an_enforced_contract_and_open_to_others(public):
    assert [name for name, node in public.items() if not node["config"]["contract"]["enforced"]] == []
    assert [name for name, node in public.items() if node["config"]["access"] != "public"] == []


def test_every_public_model_says_first_what_one_row_is(public):
    assert [name for name, node in public.items() if not node["description"].startswith("One row per ")] == []


def test_every_public_column_is_described_and_typed_and_a_sql_client_shows_it(public):
    bare = [
        f"{name}.{column}"
        for name, node in public.items()
        for column, said in node["columns"].items()
        if len(said["description"].split()) < 3 or not said["data_type"]
    ]
    assert bare == []
    assert [
        name for name, node in public.items() if node["config"]["persist_docs"] != {"relation": True, "columns": True}
    ] == []


def test_no_public_column_bears_a_direct_identifier_or_a_time_finer_than_a_year(public):
    named = [
        f"{name}.{column}"
        for name, node in public.items()
        for column in node["columns"]
        if DIRECT_IDENTIFIER.search(column) and column not in NOT_A_PERSONS_NAME
    ]
    assert named == []
    fine = [
        f"{name}.{column}"
        for name, node in public.items()
        for column, said in node["columns"].items()
        if FINER_THAN_A_YEAR.search(said["data_type"])
    ]
    assert fine == []


def test_every_clinical_mart_has_a_key_that_the_database_holds_to(public):
    keyless = [
        name for name in sorted(CLINICAL) if "primary_key" not in {rule["type"] for rule in public[name]["constraints"]}
    ]
    assert keyless == []


def test_what_is_not_public_is_private(models, public):
    assert [name for name, node in models.items() if name not in public and node["config"]["access"] != "private"] == []


def test_public_models_read_raw_only_through_the_restricted_layers(manifest, public):
    assert [
        name
        for name, node in public.items()
        for parent in node["depends_on"]["nodes"]
        if parent.startswith("source.") or ".stg_" in parent
    ] == []


def test_nothing_of_the_environment_but_the_night_reaches_compiled_sql():
    files = [file for folder in ("models", "macros", "tests") for file in (PROJECT / folder).rglob("*.sql")]
    assert files
    read = [found for file in files for found in re.findall(r"env_var\([^)]*\)?", file.read_text())]
    # The night is nobody's secret, and all that comes from there.
    assert read == ["env_var('PLUMBLINE_NIGHT', '1900-01-01')"]


def test_both_shapes_of_staging_have_the_same_columns_in_the_same_order():
    """Intermediate models put them together by position; this is what allows it."""
    last_select = re.compile(r"typed as \(\s*select\s(.*?)\n\s*from ", re.DOTALL)
    tables = sorted((PROJECT / "models" / "staging" / "tables").glob("stg_tables__*.sql"))
    assert tables
    for file in tables:
        twin = PROJECT / "models" / "staging" / "fhir" / file.name.replace("stg_tables__", "stg_fhir__")
        listed = [_column_names(last_select.search(each.read_text())[1]) for each in (file, twin)]
        assert listed[0] == listed[1], file.name


def _column_names(select: str) -> list[str]:
    """Names of a select list's columns: split at the commas outside brackets, take what follows ``as`` or the column itself."""
    names, depth, start = [], 0, 0
    bare = re.sub(r"--[^\n]*", "", select)
    # These macros write four columns (macros/event_bounds.sql).
    bare = re.sub(r"\{\{ (?:told_)?bounds\(.*?\) \}\}", "begins_from, begins_to, ends_from, ends_to", bare)
    for place, letter in enumerate([*bare, ","]):
        depth += (letter in "({[") - (letter in ")}]")
        if letter == "," and depth == 0:
            part = bare[start:place].strip()
            names.append(re.split(r"\s+as\s+", part)[-1].split("::")[0].split(".")[-1].strip())
            start = place + 1
    return names
