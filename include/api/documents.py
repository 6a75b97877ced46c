"""De-identified documents as DocumentReference, found by their text: for clients of the audience ``analyst``."""

from __future__ import annotations

import base64
from typing import Any

import psycopg
from psycopg import sql

from include.api.outcomes import Refusal
from include.api.questions import Asked, bad, words

SEARCH = ("_id", "_content", "type", "patient", "status", "date")
_STATUS = ("current", "superseded", "entered-in-error")
Json = dict[str, Any]


def find_documents(warm: psycopg.Connection, said: Asked, offset: int, size: int) -> tuple[list[Json], int]:
    """A page of the documents that the question names, without their text, and how many there are."""
    condition, values = _condition(said)
    total = (
        warm.execute(sql.SQL("select count(*) as n from clinical.documents where {}").format(condition), values)
        .fetchone()
        .n
    )
    rows = warm.execute(
        sql.SQL(
            "select * from clinical.documents where {} order by document_key offset %(_offset)s limit %(_size)s"
        ).format(condition),
        {**values, "_offset": offset, "_size": size},
    ).fetchall()
    return [document_resource(row, with_text=False) for row in rows], total


def read_document(warm: psycopg.Connection, resource_id: str) -> Json:
    """One document with its text. Raises Refusal with 404."""
    row = warm.execute("select * from clinical.documents where document_key::text = %s", [resource_id]).fetchone()
    if row is None:
        raise Refusal(
            404, "not-found", found="no DocumentReference of that id", expected="an id that a search gives",
            action="search: GET /fhir/DocumentReference?_content=words",
        )  # fmt: skip
    return document_resource(row, with_text=True)


def _condition(said: Asked) -> tuple[sql.Composable, dict[str, Any]]:
    """The search as SQL: words as a web search reads them ("chest pain" -smoker); codes as system|code or code."""
    parts, values = [sql.SQL("true")], {}
    for number, text in enumerate(said.get("_content", [])):
        values[f"text{number}"] = text
        parts.append(
            sql.SQL("text_search @@ websearch_to_tsquery('english', {})").format(sql.Placeholder(f"text{number}"))
        )
    for name, column in (("_id", "document_key::text"), ("status", "status")):
        for number, wanted in enumerate(words(said, name)):
            values[f"{name}{number}"] = sorted(wanted)
            parts.append(sql.SQL("{} = any({})").format(sql.SQL(column), sql.Placeholder(f"{name}{number}")))
    for number, wanted in enumerate(words(said, "patient")):
        values[f"patient{number}"] = sorted(each.removeprefix("Patient/") for each in wanted)
        parts.append(sql.SQL("person_key::text = any({})").format(sql.Placeholder(f"patient{number}")))
    for number, wanted in enumerate(words(said, "type")):
        values[f"type{number}"] = sorted(each if "|" in each else f"|{each}" for each in wanted)
        parts.append(
            sql.SQL("(type_system || '|' || type_code = any({of}) or '|' || type_code = any({of}))").format(
                of=sql.Placeholder(f"type{number}")
            )
        )
    for number, year in enumerate(said.get("date", [])):
        if not (len(year) == 4 and year.isdecimal()):
            raise bad("a date finer than a year", "date=YYYY: documents carry the year only (45 CFR 164.514(b)(2))")
        values[f"year{number}"] = int(year)
        parts.append(sql.SQL("event_year = {}").format(sql.Placeholder(f"year{number}")))
    return sql.SQL(" and ").join(parts), values


def document_resource(row: Any, *, with_text: bool) -> Json:
    """A row of clinical.documents as DocumentReference; its year is the context's period, for R4's date is an instant."""
    coding = {"system": row.type_system, "code": row.type_code, "display": row.type_display}
    coding = {name: value for name, value in coding.items() if value} if row.type_code else {}
    attachment: Json = {"contentType": "text/plain; charset=utf-8"}
    if row.deidentified_text is not None:
        text = row.deidentified_text.encode()
        attachment["size"] = len(text)
        if with_text:
            attachment["data"] = base64.b64encode(text).decode()
    context: Json = {}
    if row.event_year is not None:
        context["period"] = {"start": str(row.event_year), "end": str(row.event_year)}
    if row.encounter_key is not None:
        context["encounter"] = [{"reference": f"Encounter/{row.encounter_key}"}]
    return {
        "resourceType": "DocumentReference",
        "id": str(row.document_key),
        "status": row.status if row.status in _STATUS else "current",
        **({"docStatus": row.document_status} if row.document_status else {}),
        **({"type": {"coding": [coding]}} if coding else {}),
        **({"category": [{"text": row.category}]} if row.category else {}),
        "subject": {"reference": f"Patient/{row.person_key}"},
        "content": [{"attachment": attachment}],
        **({"context": context} if context else {}),
    }
