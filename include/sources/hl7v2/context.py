"""What the mapping of one message knows while it walks its segments: whom it is about, what is open, what was made."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any

from include.sources.hl7v2 import datatypes
from include.sources.hl7v2.message import Message, field_of
from include.sources.hl7v2.people import Authorities

# Messages that tell of a person or visit as they now are. All others (results, orders, notes) only mention them.
_SNAPSHOTS = frozenset({"ADT", "VXU", "BAR"})
# They change or tie records and tell nothing new of the people: merges, and links made (A24) and undone (A37).
_MERGES = frozenset(
    {"A18", "A24", "A30", "A34", "A35", "A36", "A37", "A39", "A40", "A41", "A42", "A43", "A44", "A45", "A46", "A47"}
)
_EARLIER = 400  # years after which the calendar repeats day by day
_RESULTS = frozenset({"ORU", "OUL", "OPU", "ORF"})

Resource = dict[str, Any]


class Context:
    """The state of one message's mapping. ``finish`` gives its resources."""

    def __init__(self, message: Message, source: str, own_zone: tzinfo, authorities: Authorities) -> None:
        header = message.header
        self.source, self.authorities = source, authorities
        self.kind, self.event = message.kind, message.event
        self.zone = datatypes.zone_of(field_of(header, 7), own_zone)
        self.control_id = field_of(header, 10).strip()
        self.facility = datatypes.first(field_of(header, 4))
        self.told_at = datatypes.instant(field_of(header, 7), self.zone)
        self.meta = self._meta(self.told_at, datatypes.first(field_of(header, 11)))
        is_snapshot = self.kind in _SNAPSHOTS and self.event not in _MERGES
        self.mention = self.meta if is_snapshot else {**self.meta, "lastUpdated": mentioned_at(self.told_at)}
        self.is_result = self.kind in _RESULTS
        self._out: list[Resource] = []
        self._deleted: set[int] = set()
        self._texts: dict[tuple[int, str], tuple[Resource, str, list[str]]] = {}
        self.at_end: list[Callable[[], None]] = []
        self.appointment: Resource | None = None
        self.unmapped: Counter[str] = Counter()
        self.taken: frozenset[int] = frozenset()  # fields of the segment at hand that its reader takes in
        self.people: list[Resource] = []
        self._seen: Counter[tuple] = Counter()
        self.waiting: list[tuple[list[str], frozenset[int]]] = []  # PRT after ORC, until what is ordered comes
        self.referred: list[tuple[list[str], frozenset[int]]] = []  # RF1, PRD and CTD, until the patient comes
        self.begin_person()

    def begin_person(self) -> None:
        """Forget the person before: a message may hold several."""
        self.patient: Resource | None = None
        self.patient_id = ""
        self.subject: dict[str, str] | None = None
        self.account = ""
        self.account_told: Resource | None = None
        self.referral: Resource | None = None
        self.coverage: Resource | None = None
        self.insured: Resource | None = None  # who holds that coverage, where it is not the patient
        self.begin_visit()

    def begin_visit(self) -> None:
        """Forget the visit before."""
        self.encounter: Resource | None = None
        self.visit: dict[str, str] | None = None
        self.end_group()

    def end_group(self) -> None:
        """Forget the order group before; what it made stays made. Roles that waited for what it orders are left."""
        for segment, taken in self.waiting:
            self.leave(segment, taken)
        self.waiting.clear()
        self.order: list[str] = []
        self.timing: list[str] = []
        self.group: Resource | None = None
        self.group_key: tuple[str, ...] = ()
        self.mixture: Resource | None = None  # the Medication of the open order
        self.group_time: str | None = None
        self.section = ""  # OBR-24, the service that reports
        self.noted: Resource | None = None

    def make(self, resource_type: str, key: tuple[str, ...], **elements: Any) -> Resource:
        """A new resource with an id made from ``key``; elements that say nothing are left out."""
        resource = {"resourceType": resource_type, "id": make_id(resource_type, key), "meta": self.meta}
        for name, value in elements.items():
            if value is not None and value != "" and value != [] and value != {}:
                resource[name] = value
        self._out.append(resource)
        self.noted = resource
        return resource

    def delete(self, resource: Resource) -> None:
        """Make a resource the news of its deletion."""
        self._deleted.add(id(resource))

    def finish(self) -> list[tuple[Resource, bool]]:
        """Every resource, whole, and whether it is a deletion."""
        self.end_group()
        for complete in self.at_end:
            complete()
        for resource, name, lines in self._texts.values():
            resource[name] = "\n".join(lines)
        return [(resource, id(resource) in self._deleted) for resource in self._out]

    def add_line(self, resource: Resource, name: str, text: str) -> None:
        """Add a line to a text element; they are put together once, however many there are."""
        if (id(resource), name) not in self._texts:
            self._texts[id(resource), name] = (resource, name, [resource[name]] if name in resource else [])
        self._texts[id(resource), name][2].append(text)

    def nth(self, *key: str) -> str:
        """'' for the first use of a key in this message, then '2', '3', …"""
        self._seen[key] += 1
        return str(self._seen[key]) if self._seen[key] > 1 else ""

    def moment(self, value: str, place: str) -> str | None:
        """A dateTime; one that cannot be read is counted."""
        return self._read(datatypes.moment, value, place)

    def instant(self, value: str, place: str) -> str | None:
        """An instant; one that cannot be read is counted."""
        return self._read(datatypes.instant, value, place)

    def day(self, value: str, place: str) -> str | None:
        """A date; one that cannot be read is counted."""
        return self._read(datatypes.day, value, place)

    def concept(self, value: str, table: str = "") -> dict[str, Any] | None:
        """The first repetition of a coded field."""
        return datatypes.concept(value.partition("~")[0], self.source, table) if value else None

    def leave(self, segment: list[str], taken: frozenset[int] | None = None) -> None:
        """Count the fields that a segment's reader would have taken as not mapped; the others are counted already.

        ``taken`` are those fields where the segment is not the one at hand.
        """
        for number in self.taken if taken is None else taken:
            if number < len(segment) and segment[number]:
                self.unmapped[f"{segment[0]}.{number}"] += 1

    def _read(self, read: Callable[[str, tzinfo], str | None], value: str, place: str) -> str | None:
        if not value:
            return None
        found = read(value, self.zone)
        if found is None:
            self.unmapped[f"{place} unreadable"] += 1
        return found

    def _meta(self, told_at: str | None, processing: str) -> dict[str, Any]:
        tag = [{"system": "http://terminology.hl7.org/CodeSystem/v2-0103", "code": processing}]
        return datatypes.compact(
            versionId=_version(self.control_id), lastUpdated=told_at, tag=tag if processing in ("T", "D") else None
        )


def mentioned_at(told_at: str | None) -> str:
    """The time of a version that only mentions: the message's, 400 years earlier, so that any snapshot is newer than any
    mention and mentions keep their order. See decisions/0600."""
    if told_at is None or not told_at > "0401":
        return "1600-01-01T00:00:00Z"
    return f"{int(told_at[:4]) - _EARLIER:04d}{told_at[4:]}"


def _version(control_id: str) -> str:
    """A number of at most nine digits that orders messages of the same second: their counter, then a hash that tells apart
    what different counters number alike."""
    if not control_id:
        return ""
    counter = "".join(character for character in control_id if character in "0123456789")[-5:]
    told_apart = int(hashlib.sha256(control_id.encode("utf-8", "surrogatepass")).hexdigest()[:8], 16) % 10_000
    return str(int(counter or 0) * 10_000 + told_apart)


def make_id(resource_type: str, key: tuple[str, ...]) -> str:
    """The id of a resource: the same key gives the same id in every message."""
    return hashlib.sha256("\x1f".join((resource_type, *key)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def reference(resource: Mapping[str, Any]) -> dict[str, str]:
    """A Reference to a resource."""
    return {"reference": f"{resource['resourceType']}/{resource['id']}"}
