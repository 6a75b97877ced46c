"""The CMS measures on the official test decks and at their own boundaries: every case, in one run of the night's models."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from include.errors import PlumblineError
from include.measures import evaluate as evaluation
from include.measures.deck import Case, Deck, find_decks, read_case
from include.measures.deck_run import run_decks, shown, write_csv
from include.terminology.value_sets import ValueSet, read_terminology
from tests.measure_cases import boundary_cases, own_value_sets

# The deck of CMS165 comes with an empty list of value sets. The project's own codes stand in for its nine; the code of this
# case's pregnancy (an extension of SNOMED CT's) is not one of them.
ONLY_WITH_VALUE_SETS = {("CMS165", "398e8703-6704-4c75-9887-41117761d2c7", "denominator-exclusion")}


@dataclass
class Evaluated:
    case: Case
    actual: dict[str, int]


@pytest.fixture(scope="module")
def evaluated(stack) -> dict[str, list[Evaluated]]:
    """Official cases (where they are) and our own, evaluated together."""
    from tests.conftest import REAL_INPUTS

    official: list[Case] = []
    sets: dict[str, ValueSet] = {each.oid: each for each in own_value_sets()}
    if (REAL_INPUTS / "measures").is_dir():
        decks = find_decks(REAL_INPUTS / "measures")
        official = [read_case(deck, path) for deck in decks for path in deck.case_paths]
        told = read_terminology([file for deck in decks for file in deck.terminology_files]).value_sets
        for oid, found in told.items():
            if oid in sets:
                sets[oid] = ValueSet(oid, found.title, found.version, found.codes | sets[oid].codes)
    cases = [*official, *boundary_cases()]
    outcome, strangers = _evaluated_and_strangers(cases, sets.values(), stack)
    assert strangers == 0, "somebody assessed is no adult seen in the period, against what measure_populations declares"
    done = [Evaluated(case, outcome.counts.get(index, {})) for index, case in enumerate(cases)]
    return {"official": done[: len(official)], "boundaries": done[len(official) :]}


def _evaluated_and_strangers(cases: list[Case], value_sets, settings) -> tuple[evaluation.Outcome, int]:
    """What the models say, and how many they assess who are not adults seen in the period."""
    counted: list[int] = []
    read = evaluation._read

    def also_count(scratch, cases: list[Case]) -> evaluation.Outcome:
        counted.append(scratch.execute(_STRANGERS).fetchone()[0])
        return read(scratch, cases)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(evaluation, "_read", also_count)
        return evaluation.evaluate(cases, value_sets, settings), sum(counted)


_STRANGERS = """
    select count(*) from intermediate.int_ecqm__membership assessed
    left join intermediate.int_measures__people people using (period_kind, period, person_key)
    where assessed.is_denominator and not coalesce(people.has_encounter and people.age_at_end >= 18, false)
"""


def test_every_case_at_a_boundary_is_as_the_measure_s_text_says(evaluated) -> None:
    assert len(evaluated["boundaries"]) > 90
    assert [
        (each.case.measure, each.case.name, each.case.problem) for each in evaluated["boundaries"] if each.case.problem
    ] == []
    differing = {
        f"{each.case.measure}: {each.case.name}": (each.case.expected, each.actual)
        for each in evaluated["boundaries"]
        if each.actual != each.case.expected
    }
    assert differing == {}


def test_every_official_case_of_measures_whose_value_sets_are_there_agrees(evaluated, real_inputs: Path) -> None:
    official = [each for each in evaluated["official"] if each.case.measure != "cms165"]
    assert len(official) == 89
    assert [each.case.name for each in official if not _agrees(each)] == []


def _agrees(each: Evaluated) -> bool:
    return each.case.problem is None and all(each.actual[name] == count for name, count in each.case.expected.items())


def test_the_command_evaluates_a_folder_of_decks_says_what_is_missing_and_goes_on_past_malformed_cases(
    settings, real_inputs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "decks" / "CMS165"
    (folder / "cases").mkdir(parents=True)
    for name in (
        "CMS165/valuesets.json.gz",
        *(f"CMS165/cases/{each.name}" for each in _some(real_inputs / "measures/CMS165/cases")),
    ):
        (folder.parent / name).symlink_to(real_inputs / "measures" / name)
    (folder.parent / "CMS130").symlink_to(real_inputs / "measures" / "CMS130")
    broken = folder / "cases" / "broken"
    broken.mkdir()
    (broken / "Patient-1.json").write_text('{"resourceType": "Patient", "id": ')
    empty = folder / "cases" / "empty"
    empty.mkdir()
    results = run_decks(folder, settings)
    problems = {each.case: each.note for each in results if not each.population}
    assert problems == {
        "broken": "malformed case: 1 of its files cannot be read as JSON",
        "empty": "malformed case: it has no MeasureReport, so nothing is expected of it",
    }
    whole = {(each.measure, each.case, each.population) for each in results if each.agree == "no"}
    assert whole == ONLY_WITH_VALUE_SETS
    assert {each.agree for each in results if each.population} == {"yes", "no"}
    out = tmp_path / "results.csv"
    write_csv(results, out)
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len({(each.measure, each.case) for each in results}), "one row a case"
    assert {row["agree"] for row in rows} == {"yes", "no", "not evaluated"}
    assert all(row["expected_denominator"] == row["actual_denominator"] for row in rows if row["agree"] == "yes")
    lines = list(shown(results))
    assert any("value sets missing: ESRD Monthly Outpatient Services" in line for line in lines)
    assert any("PLUMBLINE_TERMINOLOGY" in line for line in lines), "what to do about it"
    assert lines[-1].endswith("cases agree in every population")


def _some(cases: Path) -> list[Path]:
    names = {name for _, name, _ in ONLY_WITH_VALUE_SETS}
    return [each for place, each in enumerate(sorted(cases.iterdir())) if place % 6 == 0 or each.name in names]


def test_a_measure_without_its_value_sets_says_so_instead_of_zero(settings, tmp_path: Path) -> None:
    case = tmp_path / "CMS122" / "cases" / "one"
    case.mkdir(parents=True)
    (case / "Patient-1.json").write_text('{"resourceType": "Patient", "id": "1", "birthDate": "1970-01-01"}')
    report = {
        "resourceType": "MeasureReport", "id": "r", "measure": "https://example.org/Measure/CMS122",
        "period": {"start": "2026-01-01", "end": "2026-12-31"},
        "group": [{"population": [{"code": {"coding": [{"code": "initial-population"}]}, "count": 0}]}],
    }  # fmt: skip
    (case / "MeasureReport-r.json").write_text(json.dumps(report))
    (result,) = run_decks(tmp_path / "CMS122", settings)
    assert (result.expected, result.actual, result.agree) == ("0", "", "not evaluated")
    assert "value sets missing" in result.note and "Office Visit" in result.note


def test_there_is_no_deck_where_there_are_no_cases(tmp_path: Path) -> None:
    with pytest.raises(PlumblineError, match="holds no case"):
        find_decks(tmp_path)
    with pytest.raises(PlumblineError, match="there is nothing at"):
        find_decks(tmp_path / "nowhere")


def test_cases_are_found_without_a_folder_of_that_name_and_as_bundles(tmp_path: Path) -> None:
    report = {"resourceType": "MeasureReport", "id": "r", "measure": "CMS0130", "period": {"start": "2025-07-01", "end": "2026-06-30"},
              "group": [{"population": [{"code": {"coding": [{"code": "initial-population"}]}, "count": 1}]}]}  # fmt: skip
    by_type = tmp_path / "deck" / "one"
    (by_type / "MeasureReport").mkdir(parents=True)
    (by_type / "Patient").mkdir()
    (by_type / "MeasureReport" / "MeasureReport-r.json").write_text(json.dumps(report))
    (by_type / "Patient" / "p.json").write_text('{"resourceType": "Patient", "id": "p"}')
    (deck,) = find_decks(tmp_path)
    case = read_case(deck, deck.case_paths[0])
    assert (case.name, case.measure, case.period, case.problem) == ("one", "cms130", "2025-07-01 to 2026-06-30", None)

    bundle = {
        "resourceType": "Bundle",
        "id": "b",
        "entry": [{"resource": report}, {"resource": {"resourceType": "Patient", "id": "p"}}],
    }
    (tmp_path / "other" / "cases").mkdir(parents=True)
    file = tmp_path / "other" / "cases" / "two.json.gz"
    file.write_bytes(gzip.compress(json.dumps(bundle).encode()))
    assert read_case(Deck(file.parents[1], (file,)), file).expected == {"initial-population": 1}
