"""Deletions as FHIR tells them: bundle entries whose request is DELETE, turned into tombstones."""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from include.sources.items import Document, Reject, refuse

_TARGET = re.compile(r"(?:^|/)([A-Z][A-Za-z]{1,63})/([^/?#\s]{1,255})(?:/_history/[^/?#\s]+)?$")


def is_deletion(entry: dict) -> bool:
    """True for a bundle entry that deletes."""
    request = entry.get("request")
    return isinstance(request, dict) and str(request.get("method")).upper() == "DELETE"


def read_target(url: object) -> tuple[str, str] | None:
    """Type and id that a URL ends in, relative or absolute, versioned or not; None where it names no resource."""
    found = _TARGET.search(url) if isinstance(url, str) else None
    return (found.group(1), found.group(2)) if found else None


def bury(place: int, resource_type: str, resource_id: str, deleted_at: object) -> Document:
    """The tombstone of a resource. ``deleted_at`` is when, as the source says it, or None."""
    resource: dict = {"resourceType": resource_type, "id": resource_id}
    if isinstance(deleted_at, str) and deleted_at:
        resource["meta"] = {"lastUpdated": deleted_at}
    content = b"deleted " + orjson.dumps(resource)
    return Document(place, content, resource, True)


def read_deletions(bundle: dict, first_place: int) -> Iterator[Document | Reject]:
    """One tombstone (or reason) for every entry of a Bundle of deletions, placed from ``first_place`` on."""
    meta = bundle.get("meta")
    made_at = bundle.get("timestamp") or (meta.get("lastUpdated") if isinstance(meta, dict) else None)
    entries = bundle.get("entry")
    for place, entry in enumerate(entries if isinstance(entries, list) else [], first_place):
        if not isinstance(entry, dict):
            yield refuse(place, "bad_entry", orjson.dumps(entry))
            continue
        target = read_target(entry["request"].get("url")) if is_deletion(entry) else None
        if target is None:
            yield refuse(place, "bad_delete", orjson.dumps(entry))
        else:
            yield bury(place, *target, deletion_time(entry) or made_at)


def deletion_time(entry: dict) -> str | None:
    """When the source deleted it, where the entry tells."""
    response = entry.get("response")
    return response.get("lastModified") if isinstance(response, dict) else None
