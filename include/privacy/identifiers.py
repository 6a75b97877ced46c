"""The direct identifiers of everyone known, opened for the leak scan: in memory only, never written anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg import sql

from include.privacy import keys
from include.privacy.keyring import load_keyring
from include.privacy.leak_scan import Identifiers
from include.privacy.sealing import open_sealed
from include.settings import Settings
from include.sources.contracts import Table
from include.sources.registry import load_sources
from include.warehouse.connect import connect

PEOPLE_AT_ONCE = 20_000


def read_identifiers(hot: psycopg.Connection, settings: Settings) -> Iterator[Identifiers]:
    """Open every patient record in hot. ``hot`` is a connection of the role leak_scanner, outside a transaction.

    What is opened is on the trail before anything is, whatever becomes of the scan.
    """
    with hot.transaction():
        hot.execute("select audit.append('identifiers.opened', null, '{}', 'leak scan')")
    with connect("sealer", "keys", settings, autocommit=True) as books:
        opener = _Opener(books, settings)
        yield from _documents(hot, opener)
        for source, table in _patient_tables(settings):
            yield from _table_rows(hot, opener, source, table)


class _Opener:
    """Opens sealed values in bulk; what an erased person's key sealed stays closed and is skipped."""

    def __init__(self, books: psycopg.Connection, settings: Settings) -> None:
        self._books, self._keyring = books, load_keyring(settings.keyring_dir)

    def open(self, rows: Sequence[tuple[UUID, UUID, bytes, UUID]]) -> Iterator[tuple[UUID, dict[str, Any]]]:
        known = keys.fetch_many(self._books, self._keyring, {keys.person_key_id(str(token)) for _, token, _, _ in rows})
        for record_id, token, sealed, person_key in rows:
            key = known.keys.get(keys.person_key_id(str(token)))
            if key is not None:
                yield person_key, orjson.loads(open_sealed(key, record_id, sealed))


def _documents(hot: psycopg.Connection, opener: _Opener) -> Iterator[Identifiers]:
    query = sql.SQL(
        """select record_id, person_token, sealed, person_key from raw.resource join restricted.person_link using (person_token)
           where resource_type = 'Patient' and sealed is not null"""
    )
    for person_key, sealed in _opened(hot, opener, query):
        yield from_patient(person_key, sealed)


def _table_rows(hot: psycopg.Connection, opener: _Opener, source: str, table: Table) -> Iterator[Identifiers]:
    name = f"{source}__{table.name}"
    if hot.execute("select to_regclass(format('raw.%%I', %s::text))", [name]).fetchone()[0] is None:
        return
    query = sql.SQL(
        """select record_id, person_token, sealed, person_key from {} join restricted.person_link using (person_token)
           where sealed is not null"""
    ).format(sql.Identifier("raw", name))
    for person_key, sealed in _opened(hot, opener, query):
        yield from_row(person_key, sealed, table)


def _opened(hot: psycopg.Connection, opener: _Opener, query: sql.Composable) -> Iterator[tuple[UUID, dict[str, Any]]]:
    with hot.cursor(name="patients", binary=True) as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(PEOPLE_AT_ONCE):
            yield from opener.open(rows)


def _patient_tables(settings: Settings) -> Iterator[tuple[str, Table]]:
    if settings.sources_file is None:
        return
    for source in load_sources(settings.sources_file):
        for table in source.contract.tables if source.contract else ():
            if any(mapped.to == "patient" for mapped in table.maps):
                yield source.name, table


def from_patient(person_key: UUID, sealed: Mapping[str, Any]) -> Identifiers:
    """The direct identifiers in the sealed part of a FHIR Patient, its contact persons' included."""
    people = [sealed, *objects_of(sealed, "contact")]
    names = [name for person in people for name in _names(person.get("name"))]
    telecoms = [
        text for person in people for contact in objects_of(person, "telecom") for text in texts_of(contact, "value")
    ]
    identifiers = [text for entry in objects_of(sealed, "identifier") for text in texts_of(entry, "value")]
    places = [place for person in people for place in objects_of(person, "address")]
    return _sorted_out(
        person_key,
        names=names,
        others=[*telecoms, *identifiers, *(line for place in places for line in texts_of(place, "line"))],
        numbers=texts_of(sealed, "id"),
    )


def from_row(person_key: UUID, sealed: Mapping[str, Any], table: Table) -> Identifiers:
    """The direct identifiers in the sealed columns of a patient row, as the contract classes them."""
    family, given, others, numbers = [], [], [], []
    for column in table.columns:
        text = sealed.get(column.name)
        if not isinstance(text, str):
            continue
        if column.match in ("family", "given"):
            (family if column.match == "family" else given).append(text)
        elif column.data_class == "source_id":
            numbers.append(text)
        elif column.data_class == "direct_identifier":
            others.append(text)
    return _sorted_out(person_key, names=[(given, last) for last in family], others=others, numbers=numbers)


def objects_of(owner: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of an element as it was sent: one or a list of them."""
    value = owner.get(name)
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]


def texts_of(owner: Mapping[str, Any], name: str) -> list[str]:
    """The texts of an element as it was sent: one or a list of them. A number is its digits; anything else is no text.

    What is sealed was never checked, and a source may send a telephone number as a number or one name where FHIR has a list.
    """
    value = owner.get(name)
    items = value if isinstance(value, list) else [value]
    told = (str(item) for item in items if isinstance(item, (str, int, float)) and not isinstance(item, bool))
    return [text for text in told if text.strip()]


def _names(value: Any) -> Iterator[tuple[list[str], str]]:
    for name in value if isinstance(value, list) else [value]:
        if isinstance(name, dict):
            families = texts_of(name, "family")
            for family in families:
                yield texts_of(name, "given"), family
            for text in texts_of(name, "text") if not families else ():
                *first, last = text.split()
                if first:
                    yield first, last


def _sorted_out(
    person_key: UUID, *, names: Iterable[tuple[list[str], str]], others: Iterable[str], numbers: Iterable[str]
) -> Identifiers:
    full, single = set(), set()
    for given, family in names:
        full.update({f"{' '.join(given)} {family}", f"{family} {' '.join(given)}"} if given else ())
        full.update(f"{first} {family}" for first in given)
        single.update((*given, family))
    texts = {text for text in others if "@" in text or _mostly_letters(text)}
    return Identifiers(
        person_key=person_key,
        full_names=tuple(full),
        single_names=tuple(single),
        numbers=(*numbers, *(text for text in others if text not in texts)),
        texts=tuple(texts),
    )


def _mostly_letters(text: str) -> bool:
    return sum(map(str.isalpha, text)) > sum(map(str.isdigit, text))
