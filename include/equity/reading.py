"""Anyone's table of groups as typed rows: the columns of WHO's HEAT, in the encodings that spreadsheets write."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from include.equity.groups import GroupsError

REQUIRED = ("indicator", "dimension", "subgroup", "estimate", "favourable_indicator", "ordered_dimension")
OPTIONAL = ("setting", "date", "se", "population", "subgroup_order", "reference_subgroup", "indicator_scale", "parent")
ALSO_CALLED = {"indicator_name": "indicator", "year": "date"}
KEYS = ("setting", "date", "indicator", "dimension")
FLAGS = {"0": False, "0.0": False, "false": False, "no": False, "1": True, "1.0": True, "true": True, "yes": True}
NOTHING = frozenset({"", "na", "n/a", "nan", "null", "none", ".", "-"})
DELIMITERS = ",;\t|"
MOST_COMPLAINTS = 20


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
    parent: str = ""


@dataclass(slots=True)
class _Complaints:
    found: list[str] = field(default_factory=list)

    def raise_any(self) -> None:
        if not self.found:
            return
        more = len(self.found) - MOST_COMPLAINTS
        raise TableError(
            found="; ".join(self.found[:MOST_COMPLAINTS]) + (f"; and {more} more of the kind" if more > 0 else ""),
            expected="numbers with a decimal point (nothing or NA where not known), 0 or 1 in flags, and one row a subgroup",
            action="correct these lines; nothing was written",
        )


def read_table(file: Path) -> list[Row]:
    """Every line of the file, typed and free of contradictions. Raises TableError naming all that is wrong."""
    return read_rows(csv.DictReader(io.StringIO(text := decode(file.read_bytes()), newline=""), delimiter=_mark(text)))


def decode(content: bytes) -> str:
    """The text of a CSV as spreadsheets write it: UTF-8 or UTF-16 with or without mark, else Windows-1252."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _mark(text: str) -> str:
    header = text.split("\n", 1)[0]
    return max(DELIMITERS, key=header.count)


def read_rows(reader: csv.DictReader) -> list[Row]:
    """Every line of the table, typed and free of contradictions. Raises TableError naming all that is wrong."""
    columns = _columns(reader.fieldnames or ())
    complaints = _Complaints()
    rows = [
        _read_row(line, dict(zip(columns, record.values(), strict=False)), complaints)
        for line, record in enumerate(reader, start=2)
        if any(isinstance(value, str) and value.strip() for value in record.values())
    ]
    if not rows:
        raise TableError(found="a table without rows", expected="one row a group", action="check the file")
    complaints.raise_any()
    for _, members in by_dimension(rows):
        complaints.found.extend(_contradictions(members))
    complaints.raise_any()
    return rows


def by_dimension(rows: Sequence[Row]) -> Iterator[tuple[tuple[str, ...], list[Row]]]:
    """Yield (setting, date, indicator, dimension) and its rows, in the order of the keys."""
    in_order = sorted(rows, key=lambda row: (row.keys, row.line))
    for keys, members in groupby(in_order, key=lambda row: row.keys):
        yield keys, list(members)


def _columns(names: Sequence[str]) -> list[str]:
    plain = [(name or "").strip().lower().replace(" ", "_") for name in names]
    columns = [ALSO_CALLED[name] if name in ALSO_CALLED and ALSO_CALLED[name] not in plain else name for name in plain]
    missing = [name for name in REQUIRED if name not in columns]
    doubled = sorted({name for name in columns if name in (*REQUIRED, *OPTIONAL) and columns.count(name) > 1})
    if missing or doubled:
        lacks = [f"without {', '.join(missing)}"] * bool(missing) + [f"with {', '.join(doubled)} twice"] * bool(doubled)
        raise TableError(
            found=f"a table {' and '.join(lacks)}",
            expected=f"the columns {', '.join(REQUIRED)}, and where known {', '.join(OPTIONAL)}, each once",
            action="add them; their meaning is that of WHO's HEAT Plus template",
        )
    return columns


def _read_row(line: int, record: Mapping[str, str | None], complaints: _Complaints) -> Row:
    def text(column: str) -> str:
        return " ".join((record.get(column) or "").split())

    def number(column: str, least: float = -math.inf, above: float = -math.inf) -> float:
        if text(column).lower() in NOTHING:
            return math.nan
        try:
            value = float(text(column))
        except ValueError:
            # 1,234 could be a thousand or a little more than one: that is not ours to guess.
            what = "a comma in the number" if _has_comma(text(column)) else "something else than a number"
            complaints.found.append(f"line {line} has {what} in {column}")
            return math.nan
        if not math.isfinite(value) or value < least or value <= above:
            limit = f"{least:g} or more" if least > -math.inf else f"above {above:g}"
            complaints.found.append(f"line {line} has a {column} that is not {limit}" if math.isfinite(value) else
                                    f"line {line} has an infinite {column}")  # fmt: skip
        return value

    def flag(column: str, when_empty: bool | None) -> bool:
        said = text(column).lower()
        value = when_empty if said in NOTHING else FLAGS.get(said)
        if value is None:
            complaints.found.append(f"line {line} has neither 0 nor 1 in {column}")
        return bool(value)

    for column in ("indicator", "dimension", "subgroup"):
        if not text(column):
            complaints.found.append(f"line {line} has no {column}")
    return Row(
        line=line,
        keys=tuple(text(key) for key in KEYS),
        subgroup=text("subgroup"),
        estimate=number("estimate"),
        se=number("se", least=0),
        population=number("population", least=0),
        order=number("subgroup_order"),
        is_reference=flag("reference_subgroup", False),
        is_favourable=flag("favourable_indicator", None),
        is_ordered=flag("ordered_dimension", None),
        scale=number("indicator_scale", above=0),
        parent=text("parent"),
    )


def _has_comma(text: str) -> bool:
    return "," in text and text.replace(",", "").replace(".", "").removeprefix("-").isdigit()


def _contradictions(rows: Sequence[Row]) -> Iterator[str]:
    where = f"lines {rows[0].line} to {rows[-1].line}" if len(rows) > 1 else f"line {rows[0].line}"
    for column in ("is_favourable", "is_ordered", "scale"):
        if len({str(getattr(row, column)) for row in rows}) > 1:
            yield f"{where} disagree on {_COLUMN_OF[column]}"
    names = [row.subgroup for row in rows]
    if len(set(names)) < len(names):
        yield f"{where} name a subgroup twice (tell rows of other sources apart by setting or date)"
    ranks = [row.order for row in rows]
    if rows[0].is_ordered and (any(map(math.isnan, ranks)) or len(set(ranks)) < len(ranks)):
        yield f"{where} are an ordered dimension with an empty or repeated subgroup_order"
    if sum(row.is_reference for row in rows) > 1:
        yield f"{where} mark several reference subgroups"


_COLUMN_OF = {"is_favourable": "favourable_indicator", "is_ordered": "ordered_dimension", "scale": "indicator_scale"}
