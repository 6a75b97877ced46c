"""Checks that look at more than one row: tables that are missing, people without records, overlaps, duplicates, arithmetic
between values of one person. One statement each over the flat tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg
from psycopg import sql

from include.quality.catalogue.check_types import Instance
from include.quality.catalogue.flat import Flat
from include.quality.catalogue.results import Result, error_of, result

Count = tuple[int, int]
# LOINC codes whose arithmetic must agree: total = sum of parts, within `tolerance` of the total.
_SUMS = (
    # total cholesterol = LDL (calculated) + HDL + triglycerides / 5 (Friedewald 1972), while triglycerides are below 400 mg/dL
    ("2093-3", (("13457-7", 1.0), ("2085-9", 1.0), ("2571-8", 0.2)), 0.1),
)


def count(books: psycopg.Connection, flat: Flat, instances: Sequence[Instance]) -> Iterator[Result]:
    """Results of every instance that one statement of its own counts."""
    for instance in instances:
        try:
            with books.transaction():
                tested, failed = _COUNTERS[instance.check.name](books, flat, instance)
            yield result(instance, tested, failed, data_class=flat.data_class)
        except psycopg.Error as problem:
            yield result(instance, None, None, error=error_of(problem), data_class=flat.data_class)


def _has(flat: Flat, *columns: str) -> bool:
    return flat.rows > 0 and all(name in flat.brought or name not in flat.subject.columns for name in columns)


def _one(books: psycopg.Connection, statement: str, **names: sql.Composable) -> Count:
    return books.execute(sql.SQL(statement).format(**names)).fetchone()


def _table(books: psycopg.Connection, flat: Flat, instance: Instance) -> Count:
    return 1, int(flat.rows == 0)


def _persons(books: psycopg.Connection, flat: Flat, instance: Instance) -> Count:
    if flat.rows == 0:
        return 0, 0
    return _one(
        books,
        """select count(*), count(*) filter (where t.person_token is null) from pg_temp.people p
           left join (select distinct person_token from {table}) t using (person_token)""",
        table=flat.table,
    )


def _era(books: psycopg.Connection, flat: Flat, instance: Instance) -> Count:
    code, dates = instance.arguments["code"], [d for d in instance.arguments["dates"] if d in flat.brought]
    if not _has(flat, code) or not dates:
        return 0, 0
    return _one(
        books,
        """select count(*), count(*) filter (where not whole) from (
               select bool_or({code} is not null and coalesce({dates}) is not null) as whole from {table}
               where person_token is not null group by person_token) p""",
        table=flat.table, code=sql.Identifier(code), dates=sql.SQL(", ").join(map(sql.Identifier, dates)),
    )  # fmt: skip


def _overlap(books: psycopg.Connection, flat: Flat, instance: Instance) -> Count:
    starts, ends, by = instance.column, instance.arguments["other"], instance.arguments.get("by")
    if not _has(flat, starts, ends, *instance.where):
        return 0, 0
    conditions = [sql.SQL("true")]
    for column, allowed in instance.where.items():
        conditions.append(
            sql.SQL("{} in ({})").format(sql.Identifier(column), sql.SQL(", ").join(map(sql.Literal, allowed)))
        )
    group = sql.SQL("person_token, {}").format(sql.Identifier(by)) if by in flat.brought else sql.SQL("person_token")
    return _one(
        books,
        """select count(distinct person_token), count(distinct person_token) filter (where crosses) from (
               select person_token, {starts} < max({ends}) over (partition by {group} order by {starts}, {ends}, record_id
                                                                 rows between unbounded preceding and 1 preceding) as crosses
               from {table} where person_token is not null and {starts} is not null and {ends} is not null and {where}) p""",
        table=flat.table, starts=sql.Identifier(starts), ends=sql.Identifier(ends), group=group,
        where=sql.SQL(" and ").join(conditions),
    )  # fmt: skip


def _duplicates(books: psycopg.Connection, flat: Flat, instance: Instance) -> Count:
    same = [name for name in instance.arguments["same"] if name in flat.brought]
    if not _has(flat, *same) or not same:
        return 0, 0
    return _one(
        books,
        """select coalesce(sum(n), 0)::bigint, coalesce(sum(n - 1), 0)::bigint from (
               select count(*) n from {table} where person_token is not null group by person_token, {same}) g""",
        table=flat.table, same=sql.SQL(", ").join(map(sql.Identifier, same)),
    )  # fmt: skip


def _one_person(books: psycopg.Connection, flat: Flat, instance: Instance) -> Count:
    """People who share an identifier, or name, birth date, sex and ZIP together; traits such as a ZIP alone say nothing."""
    if not _has(flat, instance.column):
        return 0, 0
    return _one(
        books,
        """select count(distinct person_token), count(distinct person_token) filter (where shared) from (
               select t.person_token, min(t.person_token::text) over w <> max(t.person_token::text) over w as shared
               from {table} t cross join lateral unnest(t.{tokens}) m (token)
               where t.person_token is not null and (m.token like 'id:%' or m.token like 'demo:%')
               window w as (partition by m.token)) p""",
        table=flat.table, tokens=sql.Identifier(instance.column),
    )  # fmt: skip


def _measured(books: psycopg.Connection, flat: Flat) -> dict[str, sql.Composable] | None:
    concept = flat.subject.concept
    if not _has(flat, concept["code"], concept["value"], "happened_at"):
        return None
    return {"table": flat.table, **{word: sql.Identifier(concept[word]) for word in ("code", "value", "unit")}}


def _body_mass_index(books: psycopg.Connection, flat: Flat, instance: Instance) -> Count:
    """BMI = kg / m², from height and weight of the same person and day; 10% covers rounding and measuring twice."""
    names = _measured(books, flat)
    if names is None:
        return 0, 0
    return _one(
        books,
        """select count(*), count(*) filter (where abs(bmi - kg / (m * m)) > 0.1 * bmi) from (
               select max({value}) filter (where {code} = '39156-5') bmi,
                      avg({value}) filter (where {code} in ('29463-7', '3141-9') and {unit} = 'kg') kg,
                      avg(case {unit} when 'cm' then {value} / 100 when 'm' then {value} end) filter (where {code} in ('8302-2', '8306-3')) m
               from {table} where {code} in ('39156-5', '29463-7', '3141-9', '8302-2', '8306-3') and person_token is not null
               group by person_token, happened_at::date having count(*) filter (where {code} = '39156-5') = 1) d
           where bmi > 0 and kg > 0 and m > 0""",
        **names,
    )


def _sum(books: psycopg.Connection, flat: Flat, instance: Instance) -> Count:
    names = _measured(books, flat)
    if names is None:
        return 0, 0
    total_tested = total_failed = 0
    for total, parts, tolerance in _SUMS:
        expected = sql.SQL(" + ").join(
            sql.SQL("{w}::numeric * max({value}) filter (where {code} = {part})").format(
                w=sql.Literal(weight), part=sql.Literal(part), value=names["value"], code=names["code"]
            )
            for part, weight in parts
        )
        tested, failed = _one(
            books,
            """select count(*), count(*) filter (where abs(total - expected) > {tolerance}::numeric * total) from (
                   select max({value}) filter (where {code} = {total_code}) total, {expected} expected,
                          max({value}) filter (where {code} = '2571-8') triglycerides
                   from {table} where {code} in ({codes}) and {unit} = 'mg/dL' and person_token is not null
                   group by person_token, happened_at::date) d
               where total > 0 and expected is not null and triglycerides < 400""",
            **names, tolerance=sql.Literal(tolerance), total_code=sql.Literal(total), expected=expected,
            codes=sql.SQL(", ").join(sql.Literal(code) for code in (total, *(part for part, _ in parts))),
        )  # fmt: skip
        total_tested, total_failed = total_tested + tested, total_failed + failed
    return total_tested, total_failed


def _repeated(books: psycopg.Connection, flat: Flat, instance: Instance) -> Count:
    """Persons and codes with ten values or more; failed where they are all the same. Scores and heights may well be."""
    names = _measured(books, flat)
    if names is None:
        return 0, 0
    return _one(
        books,
        """select count(*), count(*) filter (where lowest = highest) from (
               select min({value}) lowest, max({value}) highest from {table}
               where {value} is not null and person_token is not null and {unit} is not null
                 and {code} not in ('8302-2', '8306-3', '3151-8', '72514-3', '2708-6', '59408-5')
               group by person_token, {code} having count(*) >= 10) p""",
        **names,
    )


def _contradicted(books: psycopg.Connection, flat: Flat, instance: Instance) -> Count:
    """Results by person, code, unit and moment; failed where they have several values. A day alone is no moment."""
    names = _measured(books, flat)
    if names is None:
        return 0, 0
    return _one(
        books,
        """select count(*), count(*) filter (where lowest < highest) from (
               select min({value}) lowest, max({value}) highest from {table}
               where {value} is not null and {code} is not null and person_token is not null
                 and happened_at <> date_trunc('day', happened_at)
               group by person_token, {code}, {unit}, happened_at) r""",
        **names,
    )


_COUNTERS = {
    "cdmTable": _table,
    "measurePersonCompleteness": _persons,
    "measureConditionEraCompleteness": _era,
    "measureObservationPeriodOverlap": _overlap,
    "duplicateRecord": _duplicates,
    "onePersonOneRecord": _one_person,
    "computedBodyMassIndex": _body_mass_index,
    "computedSum": _sum,
    "repeatedValue": _repeated,
    "contradictedValue": _contradicted,
}
