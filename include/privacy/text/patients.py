"""What the sealed records say of a patient, as ``Known``: names, numbers, contacts, addresses, relatives, providers, days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.privacy.identifiers import objects_of, texts_of
from include.privacy.leak_scan import Identifiers
from include.privacy.text.known import Known, know

_PEOPLE = (
    "author",
    "authenticator",
    "custodian",
    "generalPractitioner",
    "managingOrganization",
    "participant",
    "sourcePatientInfo",
    "subject",
)


@dataclass(slots=True)
class Told:
    """Identifiers of one person, collected from any number of records."""

    names: set[str] = field(default_factory=set)
    identifiers: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    dates: set[str] = field(default_factory=set)
    births: set[str] = field(default_factory=set)

    def known(self, *more_names: str) -> Known:
        """Ready to be looked up, with names that only one document tells."""
        return know([*self.names, *more_names], self.identifiers, self.addresses, self.dates)

    def may_be_over(self, age: int, year: int) -> bool:
        """True where a birth date that is told makes the person older than ``age`` in ``year``; so does one that cannot be read."""
        return any(not day[:4].isdigit() or int(day[:4]) < year - age for day in self.births)

    def add_patient(self, resource: Mapping[str, Any]) -> None:
        """The sealed part of a Patient or RelatedPerson: contacts and general practitioners too."""
        for person in (resource, *objects_of(resource, "contact")):
            self.names.update(_names(person.get("name")))
            self.identifiers.update(_values(person, "telecom"))
            places = person.get("address")
            for place in places if isinstance(places, list) else [places]:
                self.addresses.update(_places(place))
        self.identifiers.update(_values(resource, "identifier"))
        self.identifiers.update(texts_of(resource, "id"))
        self.names.update(displays(resource))

    def add_birth(self, day: str) -> None:
        """A birth date as written by a source."""
        self.births.add(day)
        self.dates.add(day)

    def add_identifiers(self, said: Identifiers) -> None:
        """A patient row of a table, as the contract's classes sort it."""
        self.names.update((*said.full_names, *said.single_names))
        self.identifiers.update((*said.numbers, *said.texts))
        self.addresses.update(text for text in said.texts if "@" not in text)


def displays(resource: Mapping[str, Any], within: str | None = None) -> Iterator[str]:
    """Names that references of a resource show: authors, practitioners, organisations; or those of an element of it."""
    for holder in [resource] if within is None else objects_of(resource, within):
        for name in _PEOPLE:
            for reference in objects_of(holder, name):
                yield from texts_of(reference, "display")


def _values(owner: Mapping[str, Any], name: str) -> Iterator[str]:
    return (text for item in objects_of(owner, name) for text in texts_of(item, "value"))


def _names(value: Any) -> Iterator[str]:
    for name in value if isinstance(value, list) else [value]:
        if isinstance(name, dict):
            yield " ".join([*texts_of(name, "given"), *texts_of(name, "family")])
            yield from texts_of(name, "text")


def _places(place: Any) -> Iterator[str]:
    if not isinstance(place, dict):
        return
    yield from texts_of(place, "line")
    yield from (
        place[part]
        for part in ("city", "district", "postalCode")
        if isinstance(place.get(part), str) and len(place[part]) > 3
    )
