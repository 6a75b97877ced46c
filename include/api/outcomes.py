"""Refusals as FHIR tells them: an OperationOutcome with what was found, what was expected and what to do."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi.responses import Response

FHIR_JSON = "application/fhir+json"


class Refusal(Exception):
    """A request that is not answered. ``code`` is of FHIR's issue types (http://hl7.org/fhir/R4/valueset-issue-type.html)."""

    def __init__(self, status: int, code: str, *, found: str, expected: str, action: str) -> None:
        self.status, self.code = status, code
        self.found, self.expected, self.action = found, expected, action
        super().__init__(found)

    @property
    def text(self) -> str:
        """What a person reads."""
        return f"{self.found}; expected {self.expected}; {self.action}"


def outcome(code: str, text: str, severity: str = "error") -> dict[str, Any]:
    """An OperationOutcome of one issue."""
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code, "diagnostics": text}]}


def answer_of(refusal: Refusal) -> Response:
    """The refusal as an HTTP answer."""
    headers = {"WWW-Authenticate": 'Bearer realm="plumbline"'} if refusal.status == 401 else {}
    body = orjson.dumps(outcome(refusal.code, refusal.text))
    return Response(body, refusal.status, {**headers, "Cache-Control": "no-store"}, FHIR_JSON)
