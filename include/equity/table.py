"""Anyone's table of groups in, summary measures out: the columns of WHO's HEAT, as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from include.equity.groups import Groups, GroupsError, Summary
from include.equity.summaries import summarise

REQUIRED = ("indicator", "dimension", "subgroup", "estimate", "favourable_indicator", "ordered_dimension")
OPTIONAL = ("setting", "date", "se", "population", "subgroup_order", "reference_subgroup", "indicator_scale")
ALSO_CALLED = {"indicator_name": "indicator", "year": "date"}
KEYS = ("setting", "date", "indicator", "dimension")
OUTPUT = (*KEYS, "measure", "estimate", "se", "lower", "upper", "note")
# WHO (HEAT technical notes): groups without an order may lack up to 15% of their number, ordered ones none.
MOST_MISSING = 0.15


class TableError(GroupsError):
    """The table cannot be read as groups."""


@dataclass(frozen=True, slots=True)
class Row:
    """One group of one dimension, as the table has it. nan stands for an empty cell."""

    line: int
    keys: tuple[str, ...]
    subgroup: str
    estimate: float
    se: float
    population: float
    order: float
    is_reference: bool
    is_favourable: bool
    is_ordered: bool
    scale: float


def summarise_table(table: Path, out: Path, confidence: float = 0.95) -> int:
    """Read ``table``, write one row an indicator, dimension and measure to ``out``. Returns how many.

    Raises TableError saying which column or line is wrong and what to do.
    """
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = read_rows(csv.DictReader(file))
    written = 0
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(OUTPUT)
        for keys, summary in summarise_rows(rows, confidence):
            writer.writerow([*keys, summary.measure, *map(_cell, _numbers(summary)), summary.note])
            written += 1
    return written


def _numbers(summary: Summary) -> tuple[float, float, float, float]:
    return summary.estimate, summary.se, summary.lower, summary.upper


def _cell(number: float) -> str:
    return "" if math.isnan(number) else repr(float(number))


def read_rows(reader: csv.DictReader) -> list[Row]:
    """Every line of the table, typed. Raises TableError."""
    columns = [ALSO_CALLED.get(name, name) for name in reader.fieldnames or ()]
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise TableError(
            found=f"a table without {', '.join(missing)}",
            expected=f"the columns {', '.join(REQUIRED)}, and where known {', '.join(OPTIONAL)}",
            action="add them; their meaning is that of WHO's HEAT Plus template",
        )
    rows = [
        _read_row(line, dict(zip(columns, record.values(), strict=False)))
        for line, record in enumerate(reader, start=2)
    ]
    if not rows:
        raise TableError(found="a table without rows", expected="one row a group", action="check the file")
    return rows


def _read_row(line: int, record: Mapping[str, str | None]) -> Row:
    def number(column: str, default: float = math.nan) -> float:
        text = (record.get(column) or "").strip()
        if text.upper() in ("", "NA", "NAN"):
            return default
        try:
            return float(text)
        except ValueError as error:
            raise TableError(
                found=f"line {line} has something else than a number in {column}",
                expected="a number, or nothing where it is not known",
                action=f"correct line {line}",
            ) from error

    def flag(column: str) -> bool:
        value = number(column, 0.0)
        if value not in (0.0, 1.0):
            raise TableError(
                found=f"line {line} has neither 0 nor 1 in {column}", expected="0 or 1", action=f"correct line {line}"
            )
        return value == 1.0

    return Row(
        line=line,
        keys=tuple((record.get(key) or "").strip() for key in KEYS),
        subgroup=(record.get("subgroup") or "").strip(),
        estimate=number("estimate"),
        se=number("se"),
        population=number("population"),
        order=number("subgroup_order"),
        is_reference=flag("reference_subgroup"),
        is_favourable=flag("favourable_indicator"),
        is_ordered=flag("ordered_dimension"),
        scale=number("indicator_scale", 1.0),
    )


def summarise_rows(rows: Iterable[Row], confidence: float = 0.95) -> Iterator[tuple[tuple[str, ...], Summary]]:
    """Yield (setting, date, indicator, dimension) and each summary of it, in the order of the keys."""
    in_order = sorted(rows, key=lambda row: (row.keys, row.line))
    for keys, members in groupby(in_order, key=lambda row: row.keys):
        for summary in _summarise_dimension(list(members), confidence):
            yield keys, summary


def _summarise_dimension(rows: Sequence[Row], confidence: float) -> Iterator[Summary]:
    _refuse_contradictions(rows)
    usable, notes = _usable(rows)
    if len(usable) < 2 or notes.refusal:
        yield Summary("d", math.nan, note=notes.refusal or "not computed: fewer than two groups have an estimate")
        return
    has_population = not any(math.isnan(row.population) for row in usable)
    groups = _as_groups(usable, has_population)
    for summary in summarise(groups, confidence):
        if has_population or summary.measure in UNWEIGHTED:
            yield replace(summary, note="; ".join(note for note in (summary.note, *notes.texts) if note))


# What can be said without knowing how many people are in each group.
UNWEIGHTED = frozenset({
    "d", "r", "mdbu", "mdru", "idis_best", "max_rate_difference", "max_rate_ratio", "summary_rate_difference",
    "summary_rate_ratio",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Notes:
    texts: tuple[str, ...] = ()
    refusal: str = ""


def _usable(rows: Sequence[Row]) -> tuple[list[Row], _Notes]:
    with_estimate = [row for row in rows if not math.isnan(row.estimate)]
    missing = len(rows) - len(with_estimate)
    if not missing:
        populated = [row for row in with_estimate if math.isnan(row.population) or row.population > 0]
        return populated, _no_population(populated)
    if rows[0].is_ordered:
        return [], _Notes(refusal=f"not computed: {missing} of {len(rows)} ordered groups have no estimate")
    if missing / len(rows) > MOST_MISSING:
        return [], _Notes(refusal=f"not computed: {missing} of {len(rows)} groups have no estimate, more than 15%")
    notes = _no_population(with_estimate)
    return with_estimate, _Notes((f"{missing} of {len(rows)} groups have no estimate and are left out", *notes.texts))


def _no_population(rows: Sequence[Row]) -> _Notes:
    if any(math.isnan(row.population) for row in rows):
        return _Notes(("measures weighted by population are left out: a group's population is not known",))
    return _Notes()


def _as_groups(rows: Sequence[Row], has_population: bool) -> Groups:
    references = [place for place, row in enumerate(rows) if row.is_reference]
    return Groups(
        names=tuple(row.subgroup for row in rows),
        estimate=np.array([row.estimate for row in rows]),
        se=np.array([row.se for row in rows]),
        population=np.array([row.population if has_population else 1.0 for row in rows]),
        is_favourable=rows[0].is_favourable,
        order=np.array([row.order for row in rows]) if rows[0].is_ordered else None,
        reference=references[0] if references and not rows[0].is_ordered else None,
        scale=rows[0].scale,
    )


def _refuse_contradictions(rows: Sequence[Row]) -> None:
    where = f"lines {rows[0].line} to {rows[-1].line}"
    if len({(row.is_favourable, row.is_ordered, row.scale) for row in rows}) > 1:
        raise TableError(
            found=f"{where} disagree on favourable_indicator, ordered_dimension or indicator_scale",
            expected="one value of each for all groups of an indicator and dimension",
            action="correct these lines",
        )
    if len({row.subgroup for row in rows}) < len(rows):
        raise TableError(
            found=f"{where} name a subgroup twice",
            expected="one row a subgroup of each setting, date, indicator and dimension",
            action="remove the repeated row, or tell the rows apart by setting or date",
        )
    ranks = [row.order for row in rows]
    if rows[0].is_ordered and (any(math.isnan(rank) for rank in ranks) or len(set(ranks)) < len(ranks)):
        raise TableError(
            found=f"{where} are an ordered dimension with an empty or repeated subgroup_order",
            expected="a rank of its own for every group, 1 for the most disadvantaged",
            action="fill subgroup_order, or set ordered_dimension to 0",
        )
    if sum(row.is_reference for row in rows) > 1:
        raise TableError(found=f"{where} mark several reference subgroups", expected="one at most", action="keep one")
