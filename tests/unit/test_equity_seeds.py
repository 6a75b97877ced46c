"""The measures' seeds: every code has a licence, every measure its steps and its value sets."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def value_sets(project: Path) -> list[dict[str, str]]:
    return _rows(project / "dbt_project" / "seeds" / "value_sets.csv")


@pytest.fixture(scope="module")
def measures(project: Path) -> list[dict[str, str]]:
    return _rows(project / "dbt_project" / "seeds" / "measure_catalogue.csv")


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert rows, f"{file.name} is empty"
    return rows


def test_every_code_says_where_it_comes_from_and_under_which_terms(value_sets) -> None:
    assert [row["code"] for row in value_sets if not (row["source"] and row["licence"] and row["display"])] == []
    assert {row["match"] for row in value_sets} == {"exact", "descendants"}


def test_no_code_stands_twice_in_a_set(value_sets) -> None:
    keys = [(row["value_set"], row["system"], row["code"]) for row in value_sets]
    assert len(keys) == len(set(keys))


def test_no_code_under_terms_that_forbid_sharing_is_bundled(value_sets) -> None:
    assert {row["system"] for row in value_sets if "ama-assn.org" in row["system"]} == set()
    assert {row["licence"] for row in value_sets if "snomed" in row["system"]} == {"CC BY 4.0, SNOMED International"}


def test_descendants_are_only_asked_for_where_a_code_begins_its_descendants(value_sets) -> None:
    assert {row["system"] for row in value_sets if row["match"] == "descendants"} == {
        "http://hl7.org/fhir/sid/icd-10-cm"
    }


def test_every_measure_has_its_steps_and_its_value_sets(project: Path, value_sets, measures) -> None:
    steps = project / "dbt_project" / "models" / "intermediate" / "measures"
    held = {row["value_set"] for row in value_sets}
    for measure in measures:
        for step in ("initial_population", "numerator"):
            assert (steps / measure["measure_id"] / f"int_{measure['measure_id']}__{step}.sql").is_file()
        assert set(filter(None, measure["value_sets"].split(";"))) <= held


def test_every_measure_says_which_way_is_better_and_in_what_unit(measures) -> None:
    for measure in measures:
        assert measure["favourable_direction"] in ("higher", "lower")
        assert (measure["kind"], measure["rate_per"]) in (("proportion", "1"), ("event rate", "1000"))
        assert measure["period_kind"] in ("calendar year", "influenza season")
        assert measure["definition"]
        assert measure["source"]


@pytest.fixture(scope="module")
def populations(project: Path) -> list[dict[str, str]]:
    return _rows(project / "dbt_project" / "seeds" / "measure_populations.csv")


def test_every_measure_declares_both_its_populations_and_what_they_lie_within(populations, measures) -> None:
    declared = sorted((row["measure_id"], row["role"]) for row in populations)
    assert declared == sorted((row["measure_id"], role) for row in measures for role in ("denominator", "numerator"))
    known = {row["population"] for row in populations}
    assert {name for row in populations for name in filter(None, row["within"].split(";"))} <= known


def test_one_population_is_declared_the_same_wherever_it_is_counted(populations) -> None:
    within = {}
    for row in populations:
        assert within.setdefault(row["population"], row["within"]) == row["within"], row


def test_populations_make_no_circle_and_no_more_levels_than_the_models_decide(project: Path, populations) -> None:
    denominators = {row["measure_id"]: row["population"] for row in populations if row["role"] == "denominator"}
    around = {row["population"]: set(filter(None, row["within"].split(";"))) for row in populations}
    for row in populations:
        if row["role"] == "numerator":
            around[row["population"]].add(denominators[row["measure_id"]])

    def level(population: str, path: tuple[str, ...] = ()) -> int:
        assert population not in path, f"a circle: {path}"
        return max((level(each, (*path, population)) + 1 for each in around[population]), default=0)

    deepest = max(map(level, around))
    for model in ("int_measures__hidden", "int_measures__pair_hidden"):
        text = (project / "dbt_project" / "models" / "intermediate" / "measures" / f"{model}.sql").read_text()
        assert f"set levels = {deepest + 1} " in text


def test_a_value_set_named_within_another_holds_no_other_code(value_sets) -> None:
    """What measure_populations declares of diagnoses and screenings rests on this."""
    codes = {}
    for row in value_sets:
        codes.setdefault(row["value_set"], set()).add((row["system"], row["code"]))
    for smaller, larger in [("essential_hypertension", "hypertension"), *(
        (f"{need}_screening", "sdoh_screening") for need in ("housing", "food", "transport", "utility", "safety")
    )]:  # fmt: skip
        assert codes[smaller] <= codes[larger], smaller
