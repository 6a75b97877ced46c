"""What makes a FHIR resource loadable, whatever file it came in; everything else gets its reason."""

from __future__ import annotations

import re

import orjson

from include.sources.byte_stream import LongLine
from include.sources.items import Document, Reject, refuse
from include.sources.resource_types import as_type

MAX_ID_CHARACTERS = 255
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}")


def judge_line(place: int, line: bytes | LongLine, expected_type: str | None) -> Document | Reject:
    """A Document where ``line`` is one loadable resource, of ``expected_type`` where that is given, else the reason."""
    if isinstance(line, LongLine):
        return refuse_long(place, line)
    try:
        resource = orjson.loads(line)
    except orjson.JSONDecodeError as problem:
        return refuse(place, json_reason(line, problem.msg), line)
    return judge_resource(place, line, resource, expected_type)


def judge_resource(place: int, content: bytes, resource: object, expected_type: str | None) -> Document | Reject:
    """The same for what is parsed already."""
    if not isinstance(resource, dict):
        return refuse(place, "not_an_object", content)
    found_type = resource.get("resourceType")
    if not isinstance(found_type, str) or not found_type:
        return refuse(place, "missing_resource_type", content)
    if not _TYPE.fullmatch(found_type):
        return refuse(place, "bad_resource_type", content)
    # What is told of a refusal is read by many; a word that FHIR does not have may be anybody's name.
    told = as_type(found_type)
    if expected_type and found_type != expected_type:
        return refuse(place, "wrong_resource_type", content, resource_type=told)
    found_id = resource.get("id")
    if found_id is None or found_id == "":
        return refuse(place, "missing_id", content, resource_type=told)
    if not isinstance(found_id, str) or len(found_id) > MAX_ID_CHARACTERS or not found_id.isprintable():
        return refuse(place, "bad_id", content, resource_type=told)
    if b"\\u0000" in content and holds_nul(resource):
        return refuse(place, "nul", content, resource_type=told)
    return Document(place, content, resource)


def refuse_long(place: int, line: LongLine) -> Reject:
    """The reject of a record over the source's limit. Its size is not told: reports count refusals by their words."""
    return refuse(place, "over_long")._replace(content_sha256=line.sha256)


def json_reason(text: bytes, parser_says: str) -> str:
    """Why orjson refused ``text``. The parser's message chooses among reasons and is never passed on."""
    if b"\0" in text:
        return "nul"
    try:
        text.decode()
    except UnicodeDecodeError as problem:
        return "lone_surrogate" if _is_encoded_surrogate(text, problem.start) else "invalid_utf8"
    if "surrogate" in parser_says:
        return "lone_surrogate"
    if "infinity" in parser_says:
        return "number_out_of_range"
    if "depth" in parser_says or "recursion" in parser_says.lower():
        return "nested_too_deep"
    return "malformed_json"


def _is_encoded_surrogate(text: bytes, start: int) -> bool:
    return text[start] == 0xED and text[start + 1 : start + 2] >= b"\xa0"


def holds_nul(value: object) -> bool:
    """True where a text or a name anywhere in the parsed JSON holds U+0000, which jsonb refuses."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if "\0" in value:
                return True
        elif isinstance(value, dict):
            waiting.extend(value.keys())
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return False


def levels(value: object) -> int:
    """How deep parsed JSON is nested: 0 for a text or number, 1 for an object of those. Needs no recursion."""
    deepest, waiting = 0, [(value, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, (dict, list)):
            deepest = max(deepest, depth + 1)
            waiting.extend((part, depth + 1) for part in (value.values() if isinstance(value, dict) else value))
    return deepest
