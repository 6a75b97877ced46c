"""Checks of codes: the flat rows are counted once per code, unit and sex, with the plausible ranges joined on the way; all
checks of all codes are then sums over that small table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import psycopg
from psycopg import sql

from include.quality.catalogue.check_types import Instance
from include.quality.catalogue.flat import Flat
from include.quality.catalogue.results import Result, error_of, result
from include.quality.catalogue.subjects import Tables
from include.quality.errors import SuiteError

CODES = sql.Identifier("pg_temp", "codes")


def count(books: psycopg.Connection, flat: Flat, instances: Sequence[Instance], tables: Tables) -> Iterator[Result]:
    """Results of every instance that concerns codes."""
    concept = flat.subject.concept
    if not instances:
        return
    if flat.rows == 0 or not concept or concept["code"] not in flat.brought:
        yield from (result(each, 0, 0, data_class=flat.data_class) for each in instances)
        return
    try:
        with books.transaction():
            _group(books, flat, tables)
    except psycopg.Error as problem:
        yield from (_error(each, problem, flat) for each in instances)
        return
    for name in dict.fromkeys(each.check.name for each in instances):
        of_kind = [each for each in instances if each.check.name == name]
        try:
            with books.transaction():
                found = _COUNTERS[name](books, flat, of_kind, tables)
            yield from (result(each, *found.get(each.name, (0, 0)), data_class=flat.data_class) for each in of_kind)
        except (psycopg.Error, SuiteError) as problem:
            yield from (_error(each, problem, flat) for each in of_kind)


def _error(instance: Instance, problem: Exception, flat: Flat) -> Result:
    return result(instance, None, None, error=error_of(problem), data_class=flat.data_class)


def _group(books: psycopg.Connection, flat: Flat, tables: Tables) -> None:
    """The session's ``codes``: one row per system, code, unit and sex with counts of rows, values and values out of range."""
    books.execute(sql.SQL("drop table if exists {}").format(CODES))
    concept, brought = flat.subject.concept, flat.brought
    code = sql.Identifier(concept["code"])
    system = sql.Identifier(concept["system"]) if concept.get("system") in brought else sql.SQL("null::text")
    if "value" not in concept or concept["value"] not in brought:
        books.execute(
            sql.SQL(
                """create temporary table codes as select {system} as system, {code} as code, null::text as unit, sex,
                       count(*) n, 0::bigint n_value, 0::bigint n_low, 0::bigint n_high from {table} group by 1, 2, 3, 4"""
            ).format(system=system, code=code, table=flat.table)
        )
        return
    value, unit = sql.Identifier(concept["value"]), sql.Identifier(concept["unit"])
    ranges = sql.SQL(", ").join(
        sql.SQL("({}, {}, {}::numeric, {}::numeric)").format(*map(sql.Literal, (r.code, r.unit, r.low, r.high)))
        for r in tables.references.ranges.values()
    )
    books.execute(
        sql.SQL(
            """create temporary table codes as
               select {system} as system, t.{code} as code, t.{unit} as unit, t.sex, count(*) n, count(t.{value}) n_value,
                      count(*) filter (where t.{value} < r.low) n_low, count(*) filter (where t.{value} > r.high) n_high
               from {table} t left join (values {ranges}) r (code, unit, low, high) on r.code = t.{code} and r.unit = t.{unit}
               group by 1, 2, 3, 4"""
        ).format(system=system, code=code, unit=unit, value=value, table=flat.table, ranges=ranges)
    )


Found = Mapping[str, tuple[int, int]]


def _sums(
    books: psycopg.Connection,
    instances: Sequence[Instance],
    words: Sequence[str],
    condition: str,
    tested: str,
    failed: str,
) -> Found:
    """Instance -> (tested, failed): sums over the codes that meet ``condition`` with the instance's own ``words``."""
    rows = sql.SQL(", ").join(
        sql.SQL("({})").format(
            sql.SQL(", ").join(map(sql.Literal, (each.name, *(_argument(each, word) for word in words))))
        )
        for each in instances
    )
    names = sql.SQL(", ").join(map(sql.Identifier, ("instance", *words)))
    found = books.execute(
        sql.SQL(
            "select i.instance, coalesce(sum({tested}), 0)::bigint, coalesce(sum({failed}), 0)::bigint from (values {rows}) i ({names}) join {codes} c on {condition} group by 1"
        ).format(
            tested=sql.SQL(tested),
            failed=sql.SQL(failed),
            rows=rows,
            names=names,
            codes=CODES,
            condition=sql.SQL(condition),
        )
    ).fetchall()
    return {name: (count_tested, count_failed) for name, count_tested, count_failed in found}


def _argument(instance: Instance, word: str) -> object:
    value = instance.arguments.get(word)
    return list(value) if isinstance(value, tuple) else value


def _below(books: psycopg.Connection, flat: Flat, instances: Sequence[Instance], tables: Tables) -> Found:
    return _sums(books, instances, ("code", "unit"), "c.code = i.code and c.unit = i.unit", "c.n_value", "c.n_low")


def _above(books: psycopg.Connection, flat: Flat, instances: Sequence[Instance], tables: Tables) -> Found:
    return _sums(books, instances, ("code", "unit"), "c.code = i.code and c.unit = i.unit", "c.n_value", "c.n_high")


def _units(books: psycopg.Connection, flat: Flat, instances: Sequence[Instance], tables: Tables) -> Found:
    wrong = "case when c.unit <> all(i.units::text[]) then c.n_value else 0 end"  # a missing unit is another check's business
    return _sums(books, instances, ("code", "units"), "c.code = i.code and c.unit is not null", "c.n_value", wrong)


def _sexes(books: psycopg.Connection, flat: Flat, instances: Sequence[Instance], tables: Tables) -> Found:
    by_prefix = "prefix" in instances[0].arguments
    # ICD-10-CM comes with and without its point.
    matches = "starts_with(replace(c.code, '.', ''), replace(i.prefix, '.', ''))" if by_prefix else "c.code = i.code"
    return _sums(
        books, instances, ("prefix" if by_prefix else "code", "sex", "system"),
        f"{matches} and (c.system = i.system or c.system is null) and c.sex in ('male', 'female')",
        "c.n", "case when c.sex <> i.sex then c.n else 0 end",
    )  # fmt: skip


def _valid(books: psycopg.Connection, flat: Flat, instances: Sequence[Instance], tables: Tables) -> Found:
    wrong = """case when c.code !~ i.form or (i."check" = 'loinc' and c.code ~ '^[0-9]' and not quality.is_loinc(c.code))
                    or (i."check" = 'sctid' and not quality.is_sctid(c.code)) then c.n else 0 end"""
    return _sums(
        books, instances, ("system", "form", "check"), "c.system = i.system and c.code is not null", "c.n", wrong
    )


def _distinct(books: psycopg.Connection, flat: Flat, instances: Sequence[Instance], tables: Tables) -> Found:
    standard = list(tables.standard[flat.subject.resource_type])
    tested, failed = books.execute(
        sql.SQL(
            """select count(*), count(*) filter (where system is null or system <> all(%s))
               from (select distinct system, code from {} where code is not null) d"""
        ).format(CODES),
        [standard],
    ).fetchone()
    return {each.name: (tested, failed) for each in instances}


def _in_terminology(books: psycopg.Connection, flat: Flat, instances: Sequence[Instance], tables: Tables) -> Found:
    """Rows whose ICD-10-CM code the classification has; only distinct codes are looked up."""
    lookup = next(system for system, said in tables.systems.items() if said.get("lookup") == "icd10cm")
    rows = books.execute(
        sql.SQL("select code, sum(n)::bigint from {} where system = %s and code is not null group by 1").format(CODES),
        [lookup],
    ).fetchall()
    if not rows:
        return {}
    has = _icd10cm()
    return {each.name: (sum(n for _, n in rows), sum(n for code, n in rows if not has(code))) for each in instances}


def _icd10cm() -> Callable[[str], bool]:
    """Whether a code is one of ICD-10-CM, with or without its point."""
    from include.quality.catalogue.classification_of_diseases import icd10cm_codes

    known = icd10cm_codes()
    return lambda code: code.replace(".", "") in known


_COUNTERS = {
    "plausibleValueLow": _below,
    "plausibleValueHigh": _above,
    "plausibleUnitConceptIds": _units,
    "plausibleGender": _sexes,
    "plausibleGenderUseDescendants": _sexes,
    "isStandardValidConcept": _valid,
    "sourceValueCompleteness": _distinct,
    "codeInTerminology": _in_terminology,
}
