"""Values that database drivers give, as the cells of a file; and watermarks, as what JSON can keep of them.

A value has one text, whatever the session's settings: moments with a zone are told in UTC, numbers without grouping.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from include.sources.contracts import Column

_WHOLE = ("integer", "decimal")


def text_of(value: object, column: Column) -> str:
    """A value as its column's cell; empty for null. What does not fit the type is refused by whoever reads the cell."""
    kind = value.__class__
    if kind is str:
        return value
    if value is None:
        return ""
    if kind is bool:
        return str(int(value)) if column.type in _WHOLE else ("true" if value else "false")
    if kind is int:
        return str(value)
    if kind is float or kind is Decimal:
        return _number(value, column)
    if isinstance(value, date):
        return _moment(value, column)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    return str(value)


def _number(value: float | Decimal, column: Column) -> str:
    if column.type == "integer" and value == value and abs(value) < 1e18 and value == int(value):
        return str(int(value))
    return repr(value) if value.__class__ is float else str(value)


def _moment(value: date, column: Column) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)
    if column.format:
        return value.strftime(column.format)
    if column.type == "date" and isinstance(value, datetime):
        return value.date().isoformat()
    return value.isoformat()


def later(mark: Any, values: Iterable[object], zone: ZoneInfo) -> Any:
    """The greatest of a kept watermark and new values, but no moment after now: a row dated ahead must not hide the next ones.

    Kept watermarks are [kind, text]. Values of another kind than the mark's replace it.
    """
    known = [value for value in values if value is not None]
    if not known:
        return mark
    try:
        greatest = max(known)
    except TypeError:
        return None
    found = mark_of(_not_after_now(greatest, zone))
    if found is None or mark is None or found[0] != mark[0]:
        return found
    return max(found, mark, key=value_of)


def mark_of(value: object) -> list[str] | None:
    """A watermark as JSON keeps it; None for what has no order to rely on."""
    if isinstance(value, bool):
        return None
    for kind, name in (
        (datetime, "moment"),
        (date, "date"),
        (int, "integer"),
        (Decimal, "decimal"),
        (float, "float"),
        (str, "text"),
    ):
        if isinstance(value, kind):
            return [name, value.isoformat() if name in ("moment", "date") else str(value)]
    return None


def value_of(mark: list[str]) -> Any:
    """The value that was kept."""
    read = {
        "moment": datetime.fromisoformat,
        "date": date.fromisoformat,
        "integer": int,
        "decimal": Decimal,
        "float": float,
    }
    return read.get(mark[0], str)(mark[1])


def begin_after(mark: list[str], overlap_minutes: float) -> Any:
    """The value from which the next pull reads: before the mark by the overlap, where it is a moment, also one kept as text."""
    value, overlap = value_of(mark), timedelta(minutes=overlap_minutes)
    try:
        if isinstance(value, str):
            return _as_written(datetime.fromisoformat(value) - overlap, value)
        return value - overlap if isinstance(value, date) else value
    except (ValueError, OverflowError):
        return value


def _not_after_now(value: Any, zone: ZoneInfo) -> Any:
    if isinstance(value, datetime):
        now = datetime.now(UTC)
        return min(value, now.astimezone(value.tzinfo) if value.tzinfo else now.astimezone(zone).replace(tzinfo=None))
    if isinstance(value, date):
        return min(value, datetime.now(zone).date())
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return value
        capped = _not_after_now(moment, zone)
        return value if capped == moment else _as_written(capped, value)
    return value


def _as_written(moment: datetime, like: str) -> str:
    """A moment in the form of another one's text, so that texts compare as moments do."""
    if len(like) == 10:
        return moment.date().isoformat()
    text = moment.isoformat(sep=like[10], timespec="microseconds" if "." in like else "seconds")
    return text.removesuffix("+00:00") + "Z" if like.endswith("Z") else text
