"""Summary measures against values computed elsewhere from the published formulas."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from include.equity.table import summarise_table

# Which of our measures each expected row is, by its name and the start of its method.
OURS = {
    ("aci", ""): "aci",
    ("rci", "ACI/mu"): "rci",
    ("rci", "wagstaff"): "rci_wagstaff",
    ("rci", "erreygers"): "rci_erreygers",
    ("sii", "linear WLS weights p; SE"): "sii",
    ("sii", "linear WLS weights p; HC1"): "sii_linear_hc1",
    ("sii", "logit, effective weight pop,"): "sii_logit_hc1",
    ("rii", "linear"): "rii_linear_hc1",
    ("rii", "logit, effective weight pop,"): "rii_logit_hc1",
    ("kmi", ""): "rii",
    ("rii_pamuk", ""): "rii_pamuk",
    ("hp_MRD", ""): "max_rate_difference",
    ("hp_MRR", ""): "max_rate_ratio",
    ("hp_SRD", "{side}"): "summary_rate_difference",
    ("hp_SRR", "{side}"): "summary_rate_ratio",
    ("idisp_pearcy_keppel", ""): "idis_best",
    ("paf", ""): "paf_walter",
    ("par", ""): "par_walter",
} | {(name, ""): name for name in ("bgv", "bgsd", "cov", "mdmu", "mdmw", "idisu", "idisw", "mdbu", "mdbw", "mld", "ti")}
# The expected error of these is that of the logarithm; ours is on the ratio's own scale.
LOGARITHMIC = ("rii",)
DATASETS = ("OrderedSampleMultipleind", "NonorderedSampleMultipleind")


@pytest.fixture(scope="module")
def folder(real_inputs: Path) -> Path:
    return real_inputs / "equity"


def _summaries(folder: Path, dataset: str, out: Path) -> dict[tuple[str, str], dict[str, float]]:
    summarise_table(folder / f"input_{dataset}.csv", out)
    with out.open(newline="") as file:
        return {
            (row["indicator"], row["measure"]): {
                name: float(row[name] or "nan") for name in ("estimate", "se", "lower", "upper")
            }
            for row in csv.DictReader(file)
        }


def _our_name(row: dict[str, str]) -> str | None:
    # "favourable" and "adverse" in an expected row say which of its two sides applies to which kind of indicator.
    side = "max reference" if "skilled" in row["strata"] else "min reference"
    for (measure, method), ours in OURS.items():
        if row["measure"] == measure and row["method"].startswith(method.replace("{side}", side)):
            return ours
    return None


@pytest.mark.parametrize("dataset", DATASETS)
def test_point_values_and_errors_equal_the_expected_ones(folder: Path, dataset: str, tmp_path: Path) -> None:
    ours = _summaries(folder, dataset, tmp_path / "out.csv")
    with (folder / "expected_closed_form.csv").open(newline="") as file:
        expected = [row for row in csv.DictReader(file) if row["dataset"] == dataset]
    assert expected
    compared = 0
    for row in expected:
        name = _our_name(row)
        if name is None:
            continue
        found = ours[row["strata"], name]
        assert found["estimate"] == pytest.approx(float(row["estimate"]), rel=1e-9), (row["strata"], name)
        compared += 1
        if row["se"] not in ("", "NaN", "nan"):
            # The logistic fits' expected errors were made by numeric differentiation, to about 1e-7.
            near = 1e-6 if "logit" in name else 1e-9
            se = found["se"] / found["estimate"] if row["measure"] in LOGARITHMIC else found["se"]
            assert se == pytest.approx(float(row["se"]), rel=near), (row["strata"], name)
            assert found["lower"] == pytest.approx(float(row["lower"]), rel=near)
            assert found["upper"] == pytest.approx(float(row["upper"]), rel=near)
    assert compared >= 2 * 13, "nearly every expected row has a measure of ours"
    for (indicator, name), found in ours.items():
        if name in ("par_walter", "paf_walter"):
            assert ours[indicator, name.removesuffix("_walter")]["estimate"] == pytest.approx(
                found["estimate"], rel=1e-12
            )


def test_every_stratum_of_the_large_table_is_summarised_or_says_why_not(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    summarise_table(folder / "input_HEAT_sample_strata.csv", out)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / "input_HEAT_sample_strata.csv").open(newline="", encoding="utf-8-sig") as file:
        strata = {(r["setting"], r["year"], r["indicator_name"], r["dimension"]) for r in csv.DictReader(file)}
    assert {(r["setting"], r["date"], r["indicator"], r["dimension"]) for r in rows} == strata
    assert all(row["estimate"] or row["note"] for row in rows), "a number or the reason why there is none"
    assert all(row["lower"] or row["note"] for row in rows if row["se"])
    limits = [row for row in rows if row["lower"] and row["estimate"]]
    assert limits
    assert all(float(r["lower"]) <= float(r["estimate"]) <= float(r["upper"]) for r in limits)
    assert not any(math.isinf(float(row["estimate"] or 0)) for row in rows)
