"""What the server can do, as FHIR asks every server to say: its CapabilityStatement."""

from __future__ import annotations

from typing import Any

from include.api import documents, fhir

VERSION = "4.0.1"
_TYPES = {
    "_id": "token", "url": "uri", "title": "string", "status": "token", "measure": "reference", "period": "date",
    "stratifier": "token", "_content": "string", "type": "token", "patient": "reference", "date": "date",
}  # fmt: skip
_ABOUT = {
    "stratifier": "Own: names of dimensions; reports come with these strata only (sex, payer, race_ethnicity*sex, ...).",
    "_content": 'Words as a web search reads them: "chest pain" -smoker. Full-text search over the de-identified text.',
    "date": "The year only: documents carry no finer date (45 CFR 164.514(b)(2)).",
    "measure": "Canonical address or id of the measure.",
    "title": "Begins with; title:contains for anywhere within.",
}
_DEFINITION = "http://hl7.org/fhir/OperationDefinition/Measure-evaluate-measure"


def statement(base: str, published: str) -> dict[str, Any]:
    """The CapabilityStatement; ``published`` is the day of the newest change."""
    resources = [
        _resource("Measure", [name for name in fhir.MEASURE_SEARCH if ":" not in name], "What is measured."),
        _resource("MeasureReport", fhir.REPORT_SEARCH, "Results by group, under the disclosure policy."),
        _resource("DocumentReference", documents.SEARCH, "De-identified documents; for clients of audience analyst."),
    ]
    resources[0]["operation"] = [{"name": "evaluate-measure", "definition": _DEFINITION}]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": published,
        "kind": "instance",
        "software": {"name": "Plumbline"},
        "implementation": {
            "description": "Plumbline: population health and equity, as last published",
            "url": f"{base}/fhir",
        },
        "fhirVersion": VERSION,
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Read-only. Parameters that are not listed are refused, not passed over.",
                "security": {
                    "cors": False,
                    "description": "Bearer keys of registered clients (Authorization: Bearer <key>).",
                },
                "resource": resources,
            }
        ],
    }


def _resource(kind: str, names: Any, documentation: str) -> dict[str, Any]:
    return {
        "type": kind,
        "documentation": documentation,
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "no-version",
        "searchParam": [
            {"name": name, "type": _TYPES[name], **({"documentation": _ABOUT[name]} if name in _ABOUT else {})}
            for name in names
        ],
    }
