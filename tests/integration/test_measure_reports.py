"""What the measures tell outside: FHIR resources that hide what the policy hides, alarms, and scores that another program agrees with."""

from __future__ import annotations

import csv
import json
from collections import namedtuple
from datetime import date
from pathlib import Path

import pytest

from include.measures.fhir_reports import days_of, fhir_id, measure_resource, reports_of
from include.terminology.load import TerminologyError, load_terminology
from include.warehouse.connect import connect
from tests.fhir_r4 import complaints

Measure = namedtuple(
    "Measure", "measure_id title definition kind favourable_direction period_kind rate_per unit steward source"
)
Result = namedtuple(
    "Result", "measure_id period_kind period is_period_closed dimension subgroup people numerator rate status"
)
MEASURE = Measure(
    "cms130",
    "Colorectal cancer screening",
    "Of people …",
    "proportion",
    "higher",
    "calendar year",
    1,
    "share",
    "NCQA",
    "x",
)


def result(dimension: str, subgroup: str, people, numerator, rate, status="shown", closed=True) -> Result:
    return Result("cms130", "calendar year", "2025", closed, dimension, subgroup, people, numerator, rate, status)


def test_a_report_has_a_stratum_a_group_and_no_count_where_one_is_hidden() -> None:
    rows = [
        result("all", "All people", 100, 50, 0.5),
        result("sex", "female", 60, 35, 35 / 60),
        result("sex", "male", None, None, None, "suppressed"),
    ]
    (report,) = reports_of([MEASURE], rows, "https://measures.example.org", date(2026, 11, 23))
    assert report["measure"] == "https://measures.example.org/Measure/cms130"
    assert (report["status"], report["type"], report["period"]) == (
        "complete", "summary", {"start": "2025-01-01", "end": "2025-12-31"},
    )  # fmt: skip
    (group,) = report["group"]
    assert [each["count"] for each in group["population"]] == [100, 50]
    female, male = group["stratifier"][0]["stratum"]
    assert female["measureScore"] == {"value": 35 / 60}
    assert [each.get("count") for each in male["population"]] == [None, None]
    assert {each["_count"]["extension"][0]["valueCode"] for each in male["population"]} == {"masked"}
    assert "value" not in male["measureScore"]


def test_what_cannot_be_computed_is_an_error_and_what_still_runs_is_pending() -> None:
    lacking = reports_of([MEASURE], [result("all", "All people", None, None, None, "value set missing")], "urn:x", None)
    running = reports_of([MEASURE], [result("all", "All people", 100, 50, 0.5, closed=False)], "urn:x", None)
    assert [next(lacking)["status"], next(running)["status"]] == ["error", "pending"]


def test_a_measure_tells_its_strata_and_which_way_is_better() -> None:
    told = measure_resource(MEASURE, [result("all", "All people", 1, 1, 1), result("sex", "female", 1, 1, 1)])
    assert told["url"] == "urn:plumbline:Measure:cms130"
    assert [each["code"]["text"] for each in told["group"][0]["stratifier"]] == ["sex"]
    assert told["improvementNotation"]["coding"][0]["code"] == "increase"


def test_two_dimensions_together_are_components_and_everything_is_as_r4_asks() -> None:
    rows = [
        result("all", "All people", 100, 50, 0.5),
        result("sex", "female", 60, 35, 35 / 60),
        result("race_ethnicity*sex", "Asian, female", 30, 15, 0.5),
        result("race_ethnicity*sex", "Asian, male", None, None, None, "suppressed"),
    ]
    (report,) = reports_of([MEASURE], rows, "https://measures.example.org", date(2026, 11, 23))
    measure = measure_resource(MEASURE, rows)
    assert complaints(report) == [] and complaints(measure) == []
    assert complaints(measure_resource(MEASURE, rows[:1])) == [], "a measure without groups"
    both = next(each for each in report["group"][0]["stratifier"] if len(each["code"]) == 2)
    assert [part["value"]["text"] for part in both["stratum"][0]["component"]] == ["Asian", "female"]
    assert len(measure["group"][0]["stratifier"][0]["component"]) == 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda report: report.pop("measure"), "measure is missing"),
        (lambda report: report.update(status="done"), "status is not of"),
        (lambda report: report["group"][0].update(colour="red"), "no element colour"),
        (lambda report: report["group"][0]["population"][0].update(count="12"), "no integer"),
        (lambda report: report["group"][0]["stratifier"][0]["stratum"][0].pop("value"), "mrp-2"),
        (lambda report: report["improvementNotation"]["coding"][0].update(code="up"), "its system does not"),
        (lambda report: report["period"].update(end="2024-12-31"), "per-1"),
        (lambda report: report["group"][0].update(stratifier=[]), "or empty"),
    ],
)
def test_what_r4_does_not_allow_is_found(change, complaint: str) -> None:
    rows = [result("all", "All people", 100, 50, 0.5), result("sex", "female", 60, 35, 0.5)]
    (report,) = reports_of([MEASURE], rows, "urn:x", date(2026, 11, 23))
    change(report)
    assert complaint in "; ".join(complaints(report))


def test_the_strata_are_those_of_the_published_measures(project: Path, real_inputs: Path) -> None:
    """By the age of each case of the decks. Reports that put a patient into both strata of CMS130 contradict its own text."""
    strata = _rows(project / "dbt_project" / "seeds" / "measure_strata.csv")
    compared = 0
    for deck in ("CMS125", "CMS130"):
        own = [(int(row["from_age"]), int(row["to_age"])) for row in strata if row["measure_id"] == deck.lower()]
        assert len(own) == 2
        for case in sorted((real_inputs / "measures" / deck / "cases").iterdir()):
            age, told = _age_and_strata(case)
            if sum(told) == 1:
                compared += 1
                assert [low <= age <= high for low, high in own] == told, case.name
    assert compared > 30


def _age_and_strata(case: Path) -> tuple[int, list[bool]]:
    patient, report = (
        json.loads(next(case.glob(f"{kind}-*.json")).read_text()) for kind in ("Patient", "MeasureReport")
    )
    born, end = patient["birthDate"], report["period"]["end"][:10]
    told = [
        any(
            next(p["count"] for p in stratum["population"] if p["code"]["coding"][0]["code"] == "initial-population")
            for stratum in stratifier["stratum"]
            if stratum["value"]["text"] == "true"
        )
        for stratifier in report["group"][0].get("stratifier", [])
    ]
    return int(end[:4]) - int(born[:4]) - (born[5:] > end[5:]), told


@pytest.mark.parametrize(
    ("kind", "period", "days"),
    [
        ("calendar year", "2026", ("2026-01-01", "2026-12-31")),
        ("influenza season", "2025-26", ("2025-08-01", "2026-03-31")),
        ("calendar year", "2025-07-01 to 2026-06-30", ("2025-07-01", "2026-06-30")),
    ],
)
def test_a_period_s_name_says_its_days(kind: str, period: str, days: tuple[str, str]) -> None:
    assert tuple(day.isoformat() for day in days_of(kind, period)) == days


def test_ids_are_ids_of_fhir() -> None:
    assert fhir_id("hba1c_poor_control", "2025-07-01 to 2026-06-30") == "hba1c-poor-control-2025-07-01-to-2026-06-30"


def test_the_terminology_folder_is_read_once_and_again_when_it_changes(fresh_hot, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("PLUMBLINE_TERMINOLOGY", raising=False)
    assert load_terminology(fresh_hot) == 0
    monkeypatch.setenv("PLUMBLINE_TERMINOLOGY", str(tmp_path / "nowhere"))
    with pytest.raises(TerminologyError, match="not there"):
        load_terminology(fresh_hot)
    (tmp_path / "sets").mkdir()
    monkeypatch.setenv("PLUMBLINE_TERMINOLOGY", str(tmp_path / "sets"))
    (tmp_path / "sets" / "notes.json").write_text("{}")
    with pytest.raises(TerminologyError, match="holds no value set with codes"):
        load_terminology(fresh_hot)
    (tmp_path / "sets" / "codes.csv").write_text(
        "oid,system,code\n1.2.3,http://loinc.org,4548-4\n1.2.3,http://loinc.org,17856-6\n"
    )
    assert load_terminology(fresh_hot) == 2
    (tmp_path / "sets" / "more.csv").write_text("oid,system,code\n1.2.4,http://loinc.org,4548-4\n")
    assert load_terminology(fresh_hot) == 3
    with connect("transformer", "hot", fresh_hot) as hot:
        assert hot.execute("select count(distinct oid) from terminology.value_set_code").fetchone() == (2,)
    monkeypatch.delenv("PLUMBLINE_TERMINOLOGY")
    assert load_terminology(fresh_hot) == 0, "without a folder its codes are no longer this installation's"


def test_comorbidity_scores_are_those_of_another_program(project: Path) -> None:
    """Ours computed from the seeds as measures.risk does, pycomorb's with Quan's codes and the same weights."""
    import pandas as pd
    from pycomorb import comorbidity

    seeds = project / "dbt_project" / "seeds"
    codes, weights = _rows(seeds / "comorbidity_codes.csv"), _rows(seeds / "comorbidity_weights.csv")
    # Everybody has three codes, so that graver forms meet milder ones.
    prefixes = sorted({row["icd10_prefix"].replace(".", "") for row in codes})
    people = {
        at: {prefixes[at], prefixes[(at * 7 + 3) % len(prefixes)], prefixes[(at * 13 + 5) % len(prefixes)]}
        for at in range(len(prefixes))
    }
    table = pd.DataFrame([{"id": at, "code": code, "age": 40} for at, own in people.items() for code in sorted(own)])
    for name, options, column in (
        ("charlson", {"implementation": "quan", "weights": "charlson"}, "Charlson Age-Comorbidity Score"),
        ("elixhauser", {"implementation": "quan", "weights": "van_walraven"}, "Elixhauser Comorbidity Index"),
    ):
        theirs = comorbidity(name, table, age_col="age", **options)
        theirs = dict(zip(theirs["id"], theirs[column], strict=True))
        ours = {at: _score(own, name, codes, weights) for at, own in people.items()}
        assert len(ours) > 400
        assert {at: (score, theirs[at]) for at, score in ours.items() if score != theirs[at]} == {}


def _score(own: set[str], index: str, codes: list[dict], weights: list[dict]) -> int:
    found = {
        row["category"] for row in codes if row["comorbidity_index"] == index
        for code in own if code.startswith(row["icd10_prefix"].replace(".", ""))
    }  # fmt: skip
    return sum(
        int(row["weight"]) for row in weights
        if row["comorbidity_index"] == index and row["category"] in found and row["not_counted_beside"] not in found
    )  # fmt: skip


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))
