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
        (
            HEADER.replace(",", ";"),
            [GOOD[0].replace(",", ";").replace(";40;", ";40,5;")],
            "line 2 has a comma in the number in estimate",
        ),
        (HEADER, [GOOD[0], GOOD[0]], "name a subgroup twice"),
        (HEADER, [GOOD[0], GOOD[1].replace(",2,100", ",1,100")], "empty or repeated subgroup_order"),
        (HEADER, [GOOD[0], GOOD[1].replace(",1,1,2,", ",0,1,2,")], "disagree on favourable_indicator"),
        (HEADER, [GOOD[0], GOOD[1].removesuffix("100") + "1000"], "disagree on indicator_scale"),
        (HEADER, [GOOD[0].replace(",2,100,", ",-2,100,")], "line 2 has a se that is not 0 or more"),
        (HEADER, [GOOD[0].replace(",2,100,", ",2,-5,")], "line 2 has a population that is not 0 or more"),
        (HEADER, [GOOD[0].replace(",40,", ",1e999,")], "line 2 has an infinite estimate"),
        (HEADER, [GOOD[0].replace(",1,1,1,", ",,1,1,")], "neither 0 nor 1 in favourable_indicator"),
        (HEADER, [GOOD[0].replace("low", " ")], "line 2 has no subgroup"),
        (HEADER + ",estimate", [line + ",4" for line in GOOD], "a table with estimate twice"),
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


def test_everything_wrong_is_said_at_once_and_nothing_is_written(tmp_path: Path, capsys) -> None:
    code, rows = _run(tmp_path, GOOD[0].replace("40", "x"), GOOD[1].replace(",2,100,", ",2,y,"), GOOD[2])
    said = capsys.readouterr().err
    assert (code, rows) == (2, [])
    assert (
        "line 2 has something else than a number in estimate; line 3 has something else than a number in population"
        in said
    )


def test_an_ordered_dimension_with_a_missing_group_compares_its_ends_only(tmp_path: Path) -> None:
    _, rows = _run(tmp_path, GOOD[0], GOOD[1].replace("50", ""), GOOD[2])
    found = {row["measure"]: row for row in rows}
    assert float(found["d"]["estimate"]) == 30
    for measure in ("aci", "rci", "sii", "rii", "par", "paf"):
        assert found[measure]["estimate"] == ""
        assert "1 of 3 ordered groups have no estimate" in found[measure]["note"]


def test_an_ordered_dimension_without_an_end_is_not_compared(tmp_path: Path) -> None:
    _, rows = _run(tmp_path, GOOD[0].replace("40", "NA"), *GOOD[1:])
    assert all(row["estimate"] == "" and "have no estimate" in row["note"] for row in rows)


def test_one_group_alone_gets_every_measure_with_the_reason(tmp_path: Path) -> None:
    code, rows = _run(tmp_path, GOOD[0])
    assert code == 0
    assert {"d", "r", "aci", "sii", "paf"} <= {row["measure"] for row in rows}
    assert all(row["estimate"] == "" and "one group only" in row["note"] for row in rows)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_spreadsheets_encodings_and_marks_are_read(tmp_path: Path, encoding: str, delimiter: str) -> None:
    table, out = tmp_path / "groups.csv", tmp_path / "out.csv"
    lines = [HEADER.upper() + ",Source", *(line.replace("low", "Médio") + ",DHS" for line in GOOD)]
    table.write_bytes("\r\n".join([*lines, "", ""]).replace(",", delimiter).encode(encoding))
    assert main(["table", str(table), str(out)]) == 0
    assert "Médio" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize("per", [1, 1000, 100_000])
def test_a_scale_of_any_size_gives_the_same_inequality(tmp_path: Path, per: int) -> None:
    def at(scale: int) -> list[str]:
        return [f"Screened,Income,{name},{share * scale},{0.02 * scale},100,1,1,{place},{scale}"
                for place, (name, share) in enumerate([("low", 0.04), ("middle", 0.05), ("high", 0.07)], start=1)]  # fmt: skip

    def found(rows: list[dict[str, str]]) -> dict[str, float]:
        return {row["measure"]: float(row["estimate"]) for row in rows if row["estimate"]}

    percent, other = found(_run(tmp_path, *at(100))[1]), found(_run(tmp_path, *at(per))[1])
    assert percent.keys() == other.keys()
    for measure, value in percent.items():
        in_units = measure.startswith(("d", "aci", "sii", "par", "max_rate_difference", "summary_rate_difference"))
        assert other[measure] == pytest.approx(value * per / 100 if in_units else value, rel=1e-9), measure


def test_estimates_of_zero_leave_relative_measures_undefined_and_say_so(tmp_path: Path) -> None:
    _, rows = _run(tmp_path, *(f"Deaths,Region,r{place},0,0,100,0,0,,1000" for place in range(3)))
    found = {row["measure"]: row for row in rows}
    assert float(found["d"]["estimate"]) == 0
    for measure in ("cov", "idisu", "ti", "mld", "gini", "paf"):
        assert (found[measure]["estimate"], "the mean is zero" in found[measure]["note"]) == ("", True)


def test_estimates_below_zero_are_compared_but_not_divided(tmp_path: Path) -> None:
    _, rows = _run(tmp_path, *(f"Height for age,Region,r{place},{place - 2},0.1,100,1,0,," for place in range(4)))
    found = {row["measure"]: row for row in rows}
    assert float(found["d"]["estimate"]) == 3
    assert found["bgv"]["lower"]
    assert not found["ti"]["estimate"]
    assert "below zero" in found["ti"]["note"]


def test_without_a_scale_nothing_is_guessed(tmp_path: Path) -> None:
    header = HEADER.removesuffix(",indicator_scale")
    _, rows = _run(tmp_path, *(line.removesuffix(",100") for line in GOOD), header=header)
    found = {row["measure"]: row for row in rows}
    assert found["sii"]["lower"]
    assert found["par"]["lower"]
    assert "indicator_scale is not known" in found["sii_logit"]["note"]
    assert "par_walter" not in found


def test_parents_split_the_theil_index(tmp_path: Path) -> None:
    lines = [f"Screened,County,c{place},{20 + 10 * place},1,100,1,0,,100,s{place // 2}" for place in range(4)]
    _, rows = _run(tmp_path, *lines, header=HEADER + ",parent")
    found = {row["measure"]: float(row["estimate"]) for row in rows if row["estimate"]}
    assert found["ti_between"] + found["ti_within"] == pytest.approx(found["ti"])


def test_few_errors_from_none_are_warned_of_with_measured_coverage(tmp_path: Path) -> None:
    near = [f"Screened,Region,r{place},{40 + place},2,100,1,0,,100" for place in range(4)]
    far = [f"Screened,Region,r{place},{20 + 20 * place},0.5,100,1,0,,100" for place in range(4)]
    for lines, is_warned in ((near, True), (far, False)):
        found = {row["measure"]: row for row in _run(tmp_path, *lines)[1]}
        for measure in ("bgv", "bgsd", "cov", "mdmu", "idisw", "ti", "mld", "gini", "d"):
            assert ("equal groups" in found[measure]["note"]) is is_warned, measure
        assert (float(found["bgv_corrected"]["estimate"]) < 0.8 * float(found["bgv"]["estimate"])) is is_warned


def test_up_to_fifteen_percent_of_unordered_groups_may_be_missing(tmp_path: Path) -> None:
    lines = [f"Screened,Region,r{place},{40 + place},2,100,1,0,,100" for place in range(20)]
    lacking_three = [
        line.replace(f",{40 + place},", ",,", 1) if place < 3 else line for place, line in enumerate(lines)
    ]
    lacking_four = [line.replace(f",{40 + place},", ",,", 1) if place < 4 else line for place, line in enumerate(lines)]
    _, rows = _run(tmp_path, *lacking_three)
    assert "left out for want of estimate: 3 of 20 groups" in rows[0]["note"]
    assert rows[0]["estimate"]
    _, rows = _run(tmp_path, *lacking_four)
    assert "more than 15%" in rows[0]["note"]
    assert not rows[0]["estimate"]


def test_without_populations_weighted_measures_are_left_out(tmp_path: Path) -> None:
    lines = [f"Screened,Region,r{place},{40 + place},2,,1,0,,100" for place in range(4)]
    _, rows = _run(tmp_path, *lines)
    found = {row["measure"]: row for row in rows}
    assert all(found[measure]["lower"] for measure in ("d", "r", "mdbu"))
    for measure in ("ti", "bgv", "paf"):
        assert (found[measure]["estimate"], "have no population" in found[measure]["note"]) == ("", True)


def test_without_errors_there_are_numbers_but_no_intervals(tmp_path: Path) -> None:
    lines = [f"Screened,Region,r{place},{40 + 9 * place},,100,1,0,,100" for place in range(4)]
    _, rows = _run(tmp_path, *lines)
    found = {row["measure"]: row for row in rows}
    assert found["ti"]["estimate"]
    assert not found["ti"]["lower"]
    assert "groups without a standard error: 4 of 4" in found["ti"]["note"]
