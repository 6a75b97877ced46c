"""Cells to values: each declared type turns a cell's text into a text that Postgres reads as that type without error.

Times without an offset are the source's own: the offset of its time zone is written to them. An hour that happens twice
is taken as its first, an hour that a spring change skips is moved forward by the skipped hour.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from math import isinf
from zoneinfo import ZoneInfo

from include.sources.contracts import Column, Contract

ConvertCells = Callable[[Sequence[str | None]], list[str | None]]

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}").fullmatch
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,300}(?:\.[0-9]{0,300})?|\.[0-9]{1,300})(?:[eE][+-]?[0-9]{1,3})?").fullmatch
_MAY_BE_TOO_LARGE = re.compile(r"[eE]\+?[0-9]").search
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_PLAIN_SECONDS = 19  # '2026-01-31T23:59:59'


def make_converter(column: Column, contract: Contract, zone: ZoneInfo) -> tuple[ConvertCells, ConvertCells]:
    """Two functions from cells (None for null) to values: a fast one for what is written as usual, a thorough one.

    Both raise ValueError where a cell is not of the column's type; the thorough one takes one cell at a time and also
    what is written with blanks around it. Neither error tells the cell.
    """
    if column.type == "text":
        return _convert_texts, _convert_texts
    if column.type == "boolean":
        return _both(_Booleans(contract.booleans).convert)
    if column.type == "timestamp":
        return _both(_Timestamps(zone, column.format).convert)
    if column.type == "date":
        return _both(_Dates(column.format).convert)
    return _both(_convert_integers if column.type == "integer" else _convert_decimals)


def _both(convert: ConvertCells) -> tuple[ConvertCells, ConvertCells]:
    def convert_stripped(cells: Sequence[str | None]) -> list[str | None]:
        return convert([cell if cell is None else cell.strip() for cell in cells])

    return convert, convert_stripped


def _convert_texts(cells: Sequence[str | None]) -> list[str | None]:
    return list(cells)


def _convert_integers(cells: Sequence[str | None]) -> list[str | None]:
    if not all(map(_INTEGER, filter(_is_value, cells))):
        raise ValueError("not an integer")
    return list(cells)


def _convert_decimals(cells: Sequence[str | None]) -> list[str | None]:
    if not all(map(_DECIMAL, filter(_is_value, cells))):
        raise ValueError("not a decimal")
    if any(map(_MAY_BE_TOO_LARGE, filter(_is_value, cells))) and any(isinf(float(cell)) for cell in cells if cell):
        raise ValueError("a number that no double can hold")  # what is counted later could not take it
    return list(cells)


def _is_value(cell: str | None) -> bool:
    return cell is not None


class _Booleans:
    def __init__(self, words: dict[str, bool]) -> None:
        self.known: dict[str | None, str | None] = {None: None}
        self.words = {word: "true" if value else "false" for word, value in words.items()}

    def convert(self, cells: Sequence[str | None]) -> list[str | None]:
        for cell in set(cells) - self.known.keys():
            try:
                self.known[cell] = self.words[cell.lower()]
            except KeyError:
                raise ValueError("not a boolean") from None
        return list(map(self.known.__getitem__, cells))


class _Dates:
    def __init__(self, layout: str | None) -> None:
        self.layout = layout

    def convert(self, cells: Sequence[str | None]) -> list[str | None]:
        read = {cell: self._read(cell) for cell in set(cells)}
        return list(map(read.__getitem__, cells))

    def _read(self, cell: str | None) -> str | None:
        if cell is None:
            return None
        if self.layout:
            return datetime.strptime(cell, self.layout).date().isoformat()  # noqa: DTZ007 (a date has no zone)
        if not _DATE(cell):
            raise ValueError("not a date")
        date.fromisoformat(cell)
        return cell


class _Timestamps:
    def __init__(self, zone: ZoneInfo, layout: str | None) -> None:
        self.zone, self.layout = zone, layout
        self.offset_of_day: dict[date, str | None] = {}

    def convert(self, cells: Sequence[str | None]) -> list[str | None]:
        return [cell if cell is None else self._read(cell) for cell in cells]

    def _read(self, cell: str) -> str:
        moment = datetime.strptime(cell, self.layout) if self.layout else datetime.fromisoformat(cell)  # noqa: DTZ007
        if moment.tzinfo is not None:
            return _aware(moment)
        day = moment.date()
        try:
            offset = self.offset_of_day[day]
        except KeyError:
            offset = self.offset_of_day[day] = self._whole_day_offset(day)
        if offset is None:
            return _aware(moment.replace(tzinfo=self.zone))
        is_usual = len(cell) == _PLAIN_SECONDS and cell[4] == cell[7] == "-" and not self.layout
        return (cell if is_usual else moment.isoformat()) + offset

    def _whole_day_offset(self, day: date) -> str | None:
        """The zone's offset where one holds all day, written '-05:00'; None on days on which it changes."""
        if not 1 < day.year < 9999:
            return None
        begin = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        end = begin + timedelta(days=1)
        if begin.utcoffset() != end.utcoffset():
            return None
        return begin.isoformat()[_PLAIN_SECONDS:]


def _aware(moment: datetime) -> str:
    """ISO with an offset. Raises ValueError for moments that leave the calendar in UTC."""
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError:
        raise ValueError("not a moment of the calendar") from None
