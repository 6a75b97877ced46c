"""The words of a table contract, so that the contracts themselves read as tables do."""

from typing import Any

LONGEST_TEXT = 4_000


def column(kind: str, data_class: str, **more: Any) -> dict[str, Any]:
    """A column of a type and class; `more` are further words of the contract."""
    return {"type": kind, "class": data_class, **more}


def text(**more: Any) -> dict[str, Any]:
    """A clinical text, short enough that a slip is noticed."""
    return column("text", "clinical", max_length=LONGEST_TEXT, **more)


def source_id(of: str, **more: Any) -> dict[str, Any]:
    """An id of the source, of a resource type; a token in `raw`."""
    return column("text", "source_id", of=of, **more)


def sealed(**more: Any) -> dict[str, Any]:
    """A text that identifies somebody."""
    return column("text", "direct_identifier", **more)


def when(kind: str = "timestamp", **more: Any) -> dict[str, Any]:
    """A date or time of an event."""
    return column(kind, "quasi_identifier", **more)


def table(
    name: str,
    key: str,
    event_at: str | None,
    columns: dict,
    maps: list[dict],
    *,
    person: str = "patient_id",
    data_class: str = "patient_data",
) -> dict[str, Any]:
    """A table with its key, person, columns and maps."""
    declared: dict[str, Any] = {"files": f"{name}*.csv*", "data_class": data_class, "key": [key], "person": person}
    if event_at:
        declared["event_at"] = event_at
    return declared | {"columns": columns, "maps": maps}


def mapping(to: str, fields: dict[str, str], **more: Any) -> dict[str, Any]:
    """How rows become rows of `mapped.<to>`."""
    return {"to": to, "fields": fields, **more}


PATIENT, VISIT = source_id("Patient", required=True), source_id("Encounter")
