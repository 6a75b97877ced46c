"""What an OpenLineage event must have: the required members and types of RunEvent (spec 2-0-2) and of the facets used here."""

from __future__ import annotations

from typing import Any

import jsonschema

_URI = {"type": "string", "format": "uri", "pattern": "^[a-z][a-z0-9+.-]*:"}
_NAMED = {
    "type": "object",
    "required": ["namespace", "name"],
    "properties": {"namespace": {"type": "string"}, "name": {"type": "string"}},
}


def _facet(required: list[str] = (), **properties: Any) -> dict:
    return {
        "type": "object", "required": ["_producer", "_schemaURL", *required],
        "properties": {"_producer": _URI, "_schemaURL": _URI, **properties},
    }  # fmt: skip


def _facets(**known: dict) -> dict:
    return {"type": "object", "properties": known, "additionalProperties": _facet()}


_ASSERTION = {
    "type": "object", "required": ["assertion", "success"],
    "properties": {"assertion": {"type": "string"}, "success": {"type": "boolean"},
                   **dict.fromkeys(("column", "name", "severity", "expected", "actual"), {"type": "string"})},
}  # fmt: skip
_COLUMN_METRICS = {"type": "object", "properties": {"nullCount": {"type": "integer"}, "count": {"type": "number"}}}
_INPUT_FACETS = _facets(
    dataQualityAssertions=_facet(["assertions"], assertions={"type": "array", "items": _ASSERTION}),
    dataQualityMetrics=_facet(
        ["columnMetrics"],
        rowCount={"type": "integer"},
        columnMetrics={"type": "object", "additionalProperties": _COLUMN_METRICS},
    ),
)
_RUN_ID = {"type": "string", "format": "uuid", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_RUN = {"type": "object", "required": ["runId"], "properties": {"runId": _RUN_ID}}
_EVENT = {
    "type": "object",
    "required": ["eventTime", "producer", "schemaURL", "eventType", "run", "job"],
    "properties": {
        "eventTime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"},
        "producer": _URI,
        "schemaURL": _URI,
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "run": _RUN | {"properties": {"runId": _RUN_ID, "facets": _facets(
            parent=_facet(["run", "job"], run=_RUN, job=_NAMED),
            errorMessage=_facet(["message", "programmingLanguage"], message={"type": "string"}),
        )}},
        "job": _NAMED | {"properties": {**_NAMED["properties"], "facets": _facets()}},
        "inputs": {"type": "array", "items": _NAMED | {"properties": {
            **_NAMED["properties"], "facets": _facets(), "inputFacets": _INPUT_FACETS}}},
        "outputs": {"type": "array", "items": _NAMED | {"properties": {
            **_NAMED["properties"], "facets": _facets(),
            "outputFacets": _facets(outputStatistics=_facet(rowCount={"type": "integer"}))}}},
    },
}  # fmt: skip


def validate(event: dict) -> None:
    """Raise jsonschema.ValidationError where the event is none of the standard's."""
    jsonschema.Draft202012Validator(_EVENT).validate(event)
