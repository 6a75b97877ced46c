"""The command that summarises anyone's table, and what it says when the table is not right."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from include.equity.__main__ import main

HEADER = "indicator,dimension,subgroup,estimate,se,population,favourable_indicator,ordered_dimension,subgroup_order,indicator_scale"
GOOD = [
    "Screened,Income,low,40,2,100,1,1,1,100",
    "Screened,Income,middle,50,2,100,1,1,2,100",
    "Screened,Income,high,70,2,100,1,1,3,100",
]


def _run(tmp_path: Path, *lines: str, header: str = HEADER) -> tuple[int, list[dict[str, str]]]:
    table, out = tmp_path / "groups.csv", tmp_path / "out.csv"
    table.write_text("\n".join([header, *lines]) + "\n")
    code = main(["table", str(table), str(out)])
    return code, list(csv.DictReader(out.open(newline=""))) if out.exists() else []


def test_one_row_a_measure_comes_out(tmp_path: Path) -> None:
    code, rows = _run(tmp_path, *GOOD)
    assert code == 0
    measures = [row["measure"] for row in rows]
    assert len(measures) == len(set(measures))
    assert float(next(row for row in rows if row["measure"] == "d")["estimate"]) == 30


@pytest.mark.parametrize(
    ("header", "lines", "message"),
    [
        (HEADER.replace("estimate", "value"), GOOD, "a table without estimate"),
        (HEADER, [], "a table without rows"),
        (HEADER, ["Screened,Income,low,forty,2,100,1,1,1,100"], "line 2 has something else than a number in estimate"),
        (HEADER, [GOOD[0], GOOD[0]], "name a subgroup twice"),
        (HEADER, [GOOD[0], GOOD[1].replace(",2,100", ",1,100")], "empty or repeated subgroup_order"),
        (HEADER, [GOOD[0], GOOD[1].replace(",1,1,2,", ",0,1,2,")], "disagree on favourable_indicator"),
        (HEADER, [GOOD[0].replace(",1,1,1,", ",3,1,1,")], "neither 0 nor 1 in favourable_indicator"),
    ],
)
def test_a_wrong_table_is_told_what_is_wrong(tmp_path, capsys, header, lines, message) -> None:
    code, _ = _run(tmp_path, *lines, header=header)
    assert code == 2
    assert message in capsys.readouterr().err


def test_an_absent_file_is_named(tmp_path: Path, capsys) -> None:
    assert main(["table", str(tmp_path / "none.csv"), str(tmp_path / "out.csv")]) == 2
    assert "there is no file" in capsys.readouterr().err


def test_an_ordered_dimension_with_a_missing_group_is_not_summarised(tmp_path: Path) -> None:
    _, rows = _run(tmp_path, GOOD[0], GOOD[1].replace("50", ""), GOOD[2])
    assert [(row["measure"], row["estimate"]) for row in rows] == [("d", "")]
    assert "1 of 3 ordered groups have no estimate" in rows[0]["note"]


def test_up_to_fifteen_percent_of_unordered_groups_may_be_missing(tmp_path: Path) -> None:
    lines = [f"Screened,Region,r{place},{40 + place},2,100,1,0,,100" for place in range(20)]
    lacking_three = [
        line.replace(f",{40 + place},", ",,", 1) if place < 3 else line for place, line in enumerate(lines)
    ]
    lacking_four = [line.replace(f",{40 + place},", ",,", 1) if place < 4 else line for place, line in enumerate(lines)]
    _, rows = _run(tmp_path, *lacking_three)
    assert "3 of 20 groups have no estimate and are left out" in rows[0]["note"]
    assert rows[0]["estimate"]
    _, rows = _run(tmp_path, *lacking_four)
    assert "more than 15%" in rows[0]["note"]
    assert not rows[0]["estimate"]


def test_without_populations_weighted_measures_are_left_out(tmp_path: Path) -> None:
    lines = [f"Screened,Region,r{place},{40 + place},2,,1,0,,100" for place in range(4)]
    _, rows = _run(tmp_path, *lines)
    assert {"d", "r", "mdbu"} <= {row["measure"] for row in rows}
    assert not {"ti", "bgv", "paf"} & {row["measure"] for row in rows}
    assert all("population is not known" in row["note"] for row in rows)


def test_without_errors_there_are_numbers_but_no_intervals(tmp_path: Path) -> None:
    lines = [f"Screened,Region,r{place},{40 + 9 * place},,100,1,0,,100" for place in range(4)]
    _, rows = _run(tmp_path, *lines)
    found = {row["measure"]: row for row in rows}
    assert found["ti"]["estimate"]
    assert not found["ti"]["lower"]
