"""References inside a bundle, made to point at Type/id wherever the resource they mean has that id.

A bundle's entries point at each other by fullUrl ('urn:uuid:…', or a server's URL), or by a condition
('Practitioner?identifier= system|value'). A condition is resolved to the entry of the bundle that carries the
identifier. One that no entry meets becomes 'Type/' plus conditional_id(): a resource that another bundle creates under
the same condition (ifNoneExist, or PUT to the condition) has just that id, so the two meet without an index over the
delivery.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import parse_qsl

import orjson

from include.sources.deletions import is_deletion, read_target
from include.sources.resource_types import RESOURCE_TYPES

_URN = "urn:uuid:"
_REFERENCE = b'"reference":"'
_LINK = re.compile(rb'("(?:url|uri|valueUrl|valueUri|valueUuid|valueCanonical)":")(urn:uuid:[^"\\]+)"')
_CONDITION = re.compile(rb'"reference"\s*:\s*"(?:[^"\\?]*/)?([A-Z][A-Za-z]{1,63})\?')


def conditional_id(resource_type: str, query: str) -> str:
    """The id of whatever resource of the type meets the condition: 'cond-' and 40 hex digits.

    Order and percent-encoding of the query do not matter.
    """
    parts = sorted(parse_qsl(query, keep_blank_values=True))
    text = "\n".join([resource_type, *(f"{name}={value}" for name, value in parts)])
    return f"cond-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def split_condition(reference: str) -> tuple[str, str] | None:
    """'Type?query' or '…/Type?query' as (type, query); None for any other reference."""
    path, found, query = reference.partition("?")
    resource_type = path.rsplit("/", 1)[-1]
    return (resource_type, query) if found and query and resource_type in RESOURCE_TYPES else None


def identify(entry: dict, resource: dict) -> str | None:
    """The id under which an entry's resource is known: by its condition, its request's URL, its own id, or its fullUrl."""
    resource_type = resource.get("resourceType")
    request = entry.get("request") if isinstance(entry.get("request"), dict) else {}
    method, url = str(request.get("method")).upper(), request.get("url")
    if method == "POST" and isinstance(request.get("ifNoneExist"), str) and request["ifNoneExist"]:
        return conditional_id(str(resource_type), request["ifNoneExist"].rpartition("?")[2])
    if method == "PUT" and isinstance(url, str):
        condition = split_condition(url)
        if condition:
            return conditional_id(*condition)
        target = read_target(url)
        if target and target[0] == resource_type:
            return target[1]
    if resource.get("id"):
        return resource["id"]
    return _id_of_url(entry.get("fullUrl"))


def _id_of_url(url: object) -> str | None:
    if not isinstance(url, str) or not url:
        return None
    if url.startswith("urn:"):
        return url.rpartition(":")[2] or None
    target = read_target(url)
    return target[1] if target else None


class References:
    """Where the references of one bundle point."""

    def __init__(self) -> None:
        # fullUrl without 'urn:uuid:' -> type where the id is that uuid, else 'Type/id'. A large bundle has millions.
        self._targets: dict[str, str] = {}
        self._identifiers: dict[tuple[str, str], str] = {}
        self._bases: set[str] = set()

    def __len__(self) -> int:
        return len(self._targets)

    def learn(self, entry: dict) -> None:
        """Remember under which URL and identifiers an entry's resource can be meant."""
        resource = entry.get("resource")
        if not isinstance(resource, dict) or is_deletion(entry):
            return
        resource_type, resource_id = resource.get("resourceType"), identify(entry, resource)
        full_url = entry.get("fullUrl")
        if not isinstance(resource_type, str) or not isinstance(resource_id, str):
            return
        if isinstance(full_url, str) and full_url:
            url = full_url.removeprefix(_URN)
            self._targets.setdefault(url, resource_type if url == resource_id else f"{resource_type}/{resource_id}")
            self._learn_base(full_url, resource_type)

    def _learn_base(self, full_url: str, resource_type: str) -> None:
        base, found, _ = full_url.rpartition(f"/{resource_type}/")
        if found and base.lower().startswith(("http://", "https://")) and len(self._bases) < 100:
            self._bases.add(f"{base}/")

    def learn_identifiers(self, entry: dict, wanted_types: set[str]) -> None:
        """Remember an entry's identifiers, where its type is one that conditions name."""
        resource = entry.get("resource")
        if not isinstance(resource, dict) or resource.get("resourceType") not in wanted_types:
            return
        resource_id = identify(entry, resource)
        identifiers = resource.get("identifier")
        for identifier in identifiers if isinstance(identifiers, list) else [identifiers]:
            if isinstance(identifier, dict) and isinstance(resource_id, str):
                text = f"{identifier.get('system') or ''}|{identifier.get('value')}"
                self._identifiers.setdefault((resource["resourceType"], text), resource_id)

    def resolve(self, reference: str) -> str:
        """Where a reference points: 'Type/id' where this is known, else the reference as it is."""
        if reference.startswith("#"):
            return reference
        target = self._targets.get(reference.removeprefix(_URN))
        if target is not None:
            return target if "/" in target else f"{target}/{reference.removeprefix(_URN)}"
        condition = split_condition(reference)
        if condition:
            return f"{condition[0]}/{self._meet(*condition)}"
        for base in self._bases:
            if reference.startswith(base):
                return reference.removeprefix(base)
        return reference

    def _meet(self, resource_type: str, query: str) -> str:
        parts = parse_qsl(query, keep_blank_values=True)
        if len(parts) == 1 and parts[0][0] == "identifier":
            found = self._identifiers.get((resource_type, parts[0][1]))
            if found:
                return found
        return conditional_id(resource_type, query)

    def rewrite(self, content: bytes) -> bytes:
        """Resolve every reference of a resource, and its links to entries by their urn.

        ``content`` is JSON as orjson writes it: without blanks, so that a name, its colon and its text stand together.
        """
        first, *rest = content.split(_REFERENCE)
        parts = [first]
        for part in rest:
            reference, quote, tail = part.partition(b'"')
            # A reference with an escape in it is none that a bundle's URLs could have.
            parts.append((reference if b"\\" in reference else self._rewrite_text(reference)) + quote + tail)
        content = _REFERENCE.join(parts)
        return _LINK.sub(self._relink, content) if b':"urn:uuid:' in content else content

    def _relink(self, found: re.Match) -> bytes:
        return found[1] + self._rewrite_text(found[2]) + b'"'

    def _rewrite_text(self, written: bytes) -> bytes:
        """The inside of a JSON text that says where the reference in ``written`` points."""
        reference = written.decode()
        target = self.resolve(reference)
        return written if target == reference else orjson.dumps(target)[1:-1]


def types_in_conditions(text: bytes) -> set[str]:
    """The types that conditional references in a JSON text name."""
    return {found.decode() for found in _CONDITION.findall(text)}
