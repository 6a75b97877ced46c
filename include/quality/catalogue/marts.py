"""The catalogue on the marts: the candidate tables after the build and before publication, in one scan a table for all
checks of single rows. dbt tests judge our transformations; this tells whether the history they give makes sense."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from include.quality.catalogue import concepts, field_scan, relations
from include.quality.catalogue.check_types import FOLDER, Instance, read_check_types, refuse
from include.quality.catalogue.flat import Delivery, Flat
from include.quality.catalogue.results import MART, Result, error_of, result
from include.quality.catalogue.subjects import Subject, instances_of, read_tables
from include.quality.suites import Column, read_yaml

MARTS = FOLDER / "marts"
SOURCE = "marts"  # in the place of a source's name in results and thresholds
PERSONS, ENCOUNTERS = "clinical.persons", "clinical.encounters"
_NEEDED = {"owner", "mart", "resource_type", "data_class", "key", "checks"}
_WORDS = _NEEDED | {"person", "visit", "core", "concept", "take", "derive"}
# A timeline has no date of its own; any moment does, so long as a visit's is counted from the same one.
_DAYS_FROM = "timestamptz '2000-01-01 00:00Z' + interval '1 day' * {column}"
_FIRST = "make_timestamptz({column}::int, 1, 1, 12, 0, 0, 'UTC')"
_LAST = "make_timestamptz({column}::int, 12, 31, 0, 0, 0, 'UTC')"
_MADE = {
    "first_moment": _FIRST,
    "last_moment": _LAST,
    "moment": _DAYS_FROM,
    "known": "case when {column} not in ('unknown', 'declined') then {column} end",
}
_NOBODY = sql.SQL("null::timestamptz as born, null::timestamptz as died, null::text as sex")


@dataclass(frozen=True, slots=True)
class Mart:
    """A candidate table as checks see it. ``derived``: column -> (the table's column, how it is made)."""

    relation: str
    subject: Subject
    data_class: str
    key: str
    person: str | None
    visit: str | None
    taken: tuple[str, ...]
    derived: Mapping[str, tuple[str, str]]

    @property
    def needed(self) -> frozenset[str]:
        """Columns that the table must have."""
        own = {self.key, self.person, self.visit, *self.taken, *(column for column, _ in self.derived.values())}
        return frozenset(own - {None})


@lru_cache(maxsize=2)
def read_marts(folder: Path = MARTS) -> tuple[Mart, ...]:
    """Every mart with its checks. Raises SuiteError with all that is wrong."""
    problems: list[str] = []
    read = [_mart(file.stem, read_yaml(file, problems), problems) for file in sorted(folder.glob("*.yml"))]
    refuse(problems, "the catalogue's marts")
    return tuple(read)


def mart_of_subject() -> dict[str, str]:
    """Subject of checks -> the mart it is, schema.table."""
    return {mart.subject.name: mart.relation for mart in read_marts()}


def _mart(name: str, said: Mapping[str, Any], problems: list[str]) -> Mart:
    problems += [f"{name}: unknown word {word}" for word in sorted(set(said) - _WORDS)]
    problems += [f"{name} does not say {word}" for word in sorted(word for word in _NEEDED if not said.get(word))]
    derived = {column: (str(how.get("from")), str(how.get("as"))) for column, how in (said.get("derive") or {}).items()}
    problems += [
        f"{name}.{column}: {how} is no way to derive" for column, (_, how) in derived.items() if how not in _MADE
    ]
    taken = tuple(said.get("take") or ())
    columns = {column: Column(column, "text", row=column) for column in (*taken, *derived)}
    kind = said.get("resource_type", "")
    subject = Subject(f"mart_{name}", kind, None, columns, said.get("concept") or {}, {}, (), said.get("core", False))
    types = read_check_types()
    listed = [*([_there(subject)] if subject.is_core else []),
              *instances_of(subject, said.get("checks") or {}, types, read_tables(), problems)]  # fmt: skip
    prefix = f"mart.{name}."
    instances = tuple(replace(each, name=prefix + each.name.removeprefix(f"{kind}.")) for each in listed)
    return Mart(
        said.get("mart", ""), replace(subject, instances=instances), said.get("data_class", ""), said.get("key", ""),
        said.get("person"), said.get("visit"), taken, derived,
    )  # fmt: skip


def _there(subject: Subject) -> Instance:
    kind = read_check_types()["cdmTable"]
    return Instance(f"{subject.resource_type}.cdmTable", kind, subject.name, None, kind.threshold)


def count(books: psycopg.Connection, night: Delivery, own: tuple[Instance, ...] = ()) -> Iterator[Result]:
    """Results of every check of every mart. A mart that is not there, or has not its columns, is an error of each of its checks.

    Runs in the caller's transaction, which is best thrown away: views end with it. ``own``: checks of one's own.
    """
    try:
        with books.transaction():
            books.execute(_people())
    except psycopg.Error as problem:
        yield from (_error(each, mart, problem) for mart in read_marts() for each in _instances(mart, own))
        return
    for mart in read_marts():
        instances = _instances(mart, own)
        try:
            with books.transaction():
                flat = look_at(books, mart)
        except psycopg.Error as problem:
            yield from (_error(each, mart, problem) for each in instances)
            continue
        found = [
            *field_scan.count(books, flat, [each for each in instances if not each.check.counted], night.latest),
            *concepts.count(books, flat, [each for each in instances if each.check.counted == "concepts"], read_tables()),
            *relations.count(books, flat, [each for each in instances if each.check.counted == "relations"]),
        ]  # fmt: skip
        yield from (replace(each, stage=MART) for each in found)


def _instances(mart: Mart, own: tuple[Instance, ...]) -> list[Instance]:
    return [*mart.subject.instances, *(each for each in own if each.subject == mart.subject.name)]


def _error(instance: Instance, mart: Mart, problem: psycopg.Error) -> Result:
    return replace(result(instance, None, None, error=error_of(problem), data_class=mart.data_class), stage=MART)


def look_at(books: psycopg.Connection, mart: Mart) -> Flat:
    """Make the session's view of a mart, with the person's and the visit's columns beside its own."""
    books.execute(
        sql.SQL("create or replace temporary view {} as {}").format(sql.Identifier(mart.subject.name), _select(mart))
    )
    (rows,) = books.execute(sql.SQL("select count(*) from {}").format(_place(mart.relation))).fetchone()
    return Flat(mart.subject, rows, frozenset(mart.subject.columns), mart.data_class, books)


def _select(mart: Mart) -> sql.Composable:
    """The mart's rows as flat rows: what a check of a delivery reads, a check of a mart reads under the same names."""
    person = _column("t", mart.person) if mart.person else sql.SQL("null::uuid")
    own = [sql.SQL("{} as {}").format(_column("t", name), sql.Identifier(name)) for name in mart.taken]
    own += [
        sql.SQL("{} as {}").format(sql.SQL(_MADE[how]).format(column=_column("t", column)), sql.Identifier(name))
        for name, (column, how) in mart.derived.items()
    ]
    joins, beside = sql.SQL(""), _NOBODY
    if mart.person:
        joins += sql.SQL(" left join pg_temp.people p on p.person_token = {}").format(person)
        beside = sql.SQL("p.born, p.died, p.sex")
    start, end = sql.SQL("null::timestamptz"), sql.SQL("null::timestamptz")
    if mart.visit:
        joins += sql.SQL(" left join {} v on v.encounter_key = {}").format(_place(ENCOUNTERS), _column("t", mart.visit))
        start = sql.SQL(_DAYS_FROM).format(column=_column("v", "days_from_first_event"))
        end = sql.SQL("{} + interval '1 day' * coalesce(v.length_of_stay_days, 0)").format(start)
    key = _column("t", mart.key)
    return sql.SQL(
        """select {key}::text as record_id, {key}::text as resource_id, {person} as person_token, {own}, {beside},
                  {start} as visit_start, {end} as visit_end from {table} t{joins}"""
    ).format(
        key=key, person=person, own=sql.SQL(", ").join(own), beside=beside, start=start, end=end, table=_place(mart.relation),
        joins=joins,
    )  # fmt: skip


def _people() -> sql.Composable:
    return sql.SQL(
        """create or replace temporary view people as
           select person_key as person_token, {born} as born, {died} as died, sex from {persons}"""
    ).format(
        born=sql.SQL(_FIRST).format(column=sql.Identifier("birth_year")),
        died=sql.SQL(_LAST).format(column=sql.Identifier("death_year")),
        persons=_place(PERSONS),
    )


def _place(relation: str) -> sql.Identifier:
    schema, table = relation.split(".")
    return sql.Identifier(f"candidate_{schema}", table)


def _column(alias: str, name: str) -> sql.Identifier:
    return sql.Identifier(alias, name)
