"""The dbt models that decide what readers may see of counts, run one after the other on tables of a test's own."""

from __future__ import annotations

import csv
from typing import Any

import psycopg

from tests.rendered_models import DBT, fetch, fill, fill_from, render_model

FOLDER = "intermediate/measures"
ALONE = ("containments", "population_counts", "released_populations", "hidden", "disclosure")
IN_PAIRS = ("pair_population_counts", "pair_limits", "pair_hidden", "pair_disclosure")
ROLES = {"measure_id": "text", "role": "text", "population": "text", "within": "text"}
RELEASED_RATE = {
    "edition": "integer", "measure_id": "text", "period_kind": "text", "period": "text", "dimension": "text", "subgroup": "text",
    "is_people_hidden": "boolean", "is_suppressed": "boolean", "kind": "text", "people": "bigint", "numerator": "bigint",
}  # fmt: skip


def declared_populations() -> list[tuple[str, str, str, str]]:
    """The rows of the seed measure_populations: measure, role, population, within."""
    with (DBT / "seeds" / "measure_populations.csv").open() as file:
        return [(row["measure_id"], row["role"], row["population"], row["within"]) for row in csv.DictReader(file)]


def fill_populations(hot: psycopg.Connection, rows: list[tuple[str, str, str, str]]) -> None:
    """Say which populations the measures count."""
    fill(hot, "measure_populations", ROLES, rows)


def decide(hot: psycopg.Connection, *, night: str = "2026-11-23", pairs: bool = False, **policies: Any) -> list[dict]:
    """What the models decide of each measure's groups (and, with ``pairs``, of two dimensions together)."""
    hot.execute("set enable_nestloop = off")  # as the models' own hooks do
    for name in ALONE + (IN_PAIRS if pairs else ()):
        fill_from(
            hot, f"int_measures__{name}", render_model(f"{FOLDER}/int_measures__{name}.sql", night=night, **policies)
        )
    tables = ("disclosure", "pair_disclosure") if pairs else ("disclosure",)
    return [row for name in tables for row in fetch(hot, f"select * from pg_temp.int_measures__{name}")]
