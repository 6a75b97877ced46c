"""How well people are hidden in the row-level marts: k-anonymity, l-diversity and t-closeness of tonight's candidates.

People who share every quasi-identifier are a class. ``k`` is the size of the smallest class (Sweeney 2002, "k-anonymity: a
model for protecting privacy"). ``l`` is how many values a sensitive attribute has in a class, counted (distinct l-diversity)
and as exp of its entropy (entropy l-diversity; Machanavajjhala et al. 2007). ``t`` is how far an attribute's distribution in a
class lies from everybody's, as earth mover's distance: half the sum of absolute differences where no value is nearer to
another, the mean absolute difference of cumulative shares where they are ordered (Li et al. 2007, sections 4.1 and 4.2).

All counts come from one pass over the people with grouping sets; what is kept of them are counts of people and classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import psycopg
from psycopg import sql

from include.privacy.anonymity_policy import AnonymityPolicy, AnonymityPolicyError, Attribute
from include.privacy.disclosure import DisclosurePolicy

PEOPLE = "clinical.persons"
# Alone; too few to be safe anywhere; below the smallest published cell; and above it.
CLASS_SIZES = ((1, 1), (2, 4), (5, 10), (11, 19), (20, 49), (50, None))


def measure_anonymity(hot: psycopg.Connection, night: date, policy: AnonymityPolicy | None = None) -> dict[str, int]:
    """Measure the candidates and write it into the night's books, in the caller's transaction. Returns people and classes.

    Raises AnonymityPolicyError where the policy names a table or column that the marts do not have.
    """
    policy = policy or DisclosurePolicy.load().anonymity
    for table in ("anonymity", "anonymity_class", "anonymity_attribute"):
        hot.execute(sql.SQL("delete from quality.{} where night = %s").format(sql.Identifier(table)), [night])
    if not hot.execute("select to_regclass(%s)", [f"candidate_{PEOPLE}"]).fetchone()[0]:
        return {"people": 0, "classes": 0}
    _refuse_what_is_not_there(hot, policy)
    hot.execute("drop table if exists pg_temp.anonymity_count")
    hot.execute("set local work_mem = '128MB'")
    hot.execute(_count_query(policy))
    hot.execute("analyze pg_temp.anonymity_count")
    _record_classes(hot, night, policy)
    _record_attributes(hot, night, policy)
    hot.execute("drop table pg_temp.anonymity_count")
    people, classes = hot.execute(
        "select coalesce(max(people), 0), coalesce(max(classes), 0) from quality.anonymity where night = %s and without = ''",
        [night],
    ).fetchone()
    return {"people": people, "classes": classes}


def _refuse_what_is_not_there(hot: psycopg.Connection, policy: AnonymityPolicy) -> None:
    wanted = {(PEOPLE, column) for column in policy.quasi_identifiers}
    for each in policy.sensitive_attributes:
        wanted |= {(each.table, column) for column in (each.column, each.newest_by, "person_key") if column}
    have = set(
        hot.execute(
            """select substr(table_schema, length('candidate_') + 1) || '.' || table_name, column_name
               from information_schema.columns where table_schema in ('candidate_clinical', 'candidate_measures')"""
        ).fetchall()
    )
    absent = [f"{table}.{column}" for table, column in sorted(wanted - have)]
    if absent:
        raise AnonymityPolicyError(
            found=f"disclosure.yml, anonymity, names {', '.join(absent)}, which the marts do not have",
            expected="columns of clinical.persons, and of marts with person_key",
            action="correct the names in disclosure.yml",
        )


def _count_query(policy: AnonymityPolicy) -> sql.Composed:
    """One row a class, a class and value, a value among all, and a class with one quasi-identifier left out."""
    traits, attributes = policy.quasi_identifiers, policy.sensitive_attributes
    without = [sql.Identifier(f"without_{place}") for place in range(len(traits))]
    values = [sql.Identifier(f"value_{place}") for place in range(len(attributes))]
    sets = [
        sql.SQL("(class)"),
        *(sql.SQL("({})").format(each) for each in without),
        *(sql.SQL("(class, {0}), ({0})").format(each) for each in values),
    ]
    return sql.SQL("""
        create temporary table anonymity_count as
        with people as (select {columns} from {persons} as person {joins})
        select case when grouping(class) = 0 then 'class' {left_out} else 'everybody' end as kind,
               coalesce(class, {without}) as class,
               case {places} end as attribute,
               coalesce({values}) as value,
               count(*) as people
        from people group by grouping sets ({sets})
    """).format(
        columns=_comma(_columns(traits, attributes)),
        persons=_candidate(PEOPLE),
        joins=sql.SQL(" ").join(_joins(attributes)),
        left_out=sql.SQL(" ").join(
            sql.SQL("when grouping({}) = 0 then {}").format(each, sql.Literal(name))
            for each, name in zip(without, traits, strict=True)
        ),
        without=_comma(without),
        places=sql.SQL(" ").join(
            sql.SQL("when grouping({}) = 0 then {}").format(each, sql.Literal(place))
            for place, each in enumerate(values)
        ),
        values=_comma([*values, sql.SQL("null")]),
        sets=_comma(sets),
    )  # fmt: skip


def _columns(traits: Sequence[str], attributes: Sequence[Attribute]) -> Iterator[sql.Composed]:
    yield sql.SQL("{} as class").format(_together(traits))
    for place, trait in enumerate(traits):
        others = [each for each in traits if each != trait]
        yield sql.SQL("{} as {}").format(_together(others), sql.Identifier(f"without_{place}"))
    for place in range(len(attributes)):
        yield sql.SQL("coalesce({}.value, 'not known') as {}").format(
            sql.Identifier(f"of_{place}"), sql.Identifier(f"value_{place}")
        )


def _together(traits: Sequence[str]) -> sql.Composed:
    # A value that is not known is a value like any other: who looks for somebody sees that it is missing. Sixteen bytes sort and
    # hash many times faster than texts under a collation.
    return sql.SQL("md5(array[{}]::text)::uuid").format(
        _comma(sql.SQL("person.{}::text").format(sql.Identifier(t)) for t in traits)
    )


def _joins(attributes: Sequence[Attribute]) -> Iterator[sql.Composed]:
    for place, each in enumerate(attributes):
        if each.newest_by:
            inner = sql.SQL(
                "select person_key, (array_agg({0}::text order by {1} desc nulls last, {0}::text))[1] as value from {2} group by 1"
            ).format(sql.Identifier(each.column), sql.Identifier(each.newest_by), _candidate(each.table))
        else:
            inner = sql.SQL("select person_key, {}::text as value from {}").format(
                sql.Identifier(each.column), _candidate(each.table)
            )
        yield sql.SQL("left join ({}) as {} using (person_key)").format(inner, sql.Identifier(f"of_{place}"))


def _candidate(table: str) -> sql.Identifier:
    schema, _, name = table.partition(".")
    return sql.Identifier(f"candidate_{schema}", name)


def _comma(parts) -> sql.Composed:
    return sql.SQL(", ").join(parts)


def _record_classes(hot: psycopg.Connection, night: date, policy: AnonymityPolicy) -> None:
    """``without = ''`` is the row of all quasi-identifiers together."""
    hot.execute(
        """insert into quality.anonymity
           select %(night)s, case kind when 'class' then '' else kind end,
                  array_to_string(array_remove(%(traits)s::text[], kind), ', '), sum(people), count(*), min(people),
                  coalesce(sum(people) filter (where people = 1), 0),
                  case when %(k)s::int is not null then coalesce(sum(people) filter (where people < %(k)s), 0) end, %(k)s
           from pg_temp.anonymity_count where attribute is null and kind <> 'everybody' group by kind""",
        {"night": night, "traits": list(policy.quasi_identifiers), "k": policy.thresholds.smallest_class},
    )
    hot.execute(
        """insert into quality.anonymity_class
           select %s, size_from, size_to, count(people), coalesce(sum(people), 0)
           from unnest(%s::int[], %s::int[]) as band (size_from, size_to)
           left join pg_temp.anonymity_count on attribute is null and kind = 'class'
               and people >= size_from and (size_to is null or people <= size_to)
           group by size_from, size_to""",
        [night, [low for low, _ in CLASS_SIZES], [high for _, high in CLASS_SIZES]],
    )


def _record_attributes(hot: psycopg.Connection, night: date, policy: AnonymityPolicy) -> None:
    thresholds = policy.thresholds
    for place, each in enumerate(policy.sensitive_attributes):
        hot.execute(
            _DIVERSITY,
            {"night": night, "place": place, "name": each.name, "order": list(each.order), "l": thresholds.fewest_values,
             "t": thresholds.greatest_distance, "kind": "ordered" if each.order else "equal"},
        )  # fmt: skip


# Shares are compared with a value's share among everybody. An ordered distance goes over the ranks: where a class has nobody
# up to a rank its cumulative share is 0. Values that the order does not name stand together behind its end.
_DIVERSITY = """
    insert into quality.anonymity_attribute
    with everybody as (
        select value, people::float8 / sum(people::float8) over () as share,
               coalesce(array_position(%(order)s::text[], value), cardinality(%(order)s::text[]) + 1) as rank
        from pg_temp.anonymity_count where kind = 'everybody' and attribute = %(place)s
    ), cells as (
        select class, everybody.rank, people::float8 as people, share, sum(people::float8) over (partition by class) as class_people
        from pg_temp.anonymity_count join everybody using (value) where kind = 'class' and attribute = %(place)s
    ), diverse as (
        select class, class_people, count(*) as distinct_values, exp(-sum(people / class_people * ln(people / class_people))) as entropy,
               (sum(abs(people / class_people - share)) + 1 - sum(share)) / 2 as equal_distance
        from cells group by class, class_people
    ), steps as (
        select step.rank, coalesce(sum(share), 0) as up_to
        from generate_series(1, (select greatest(cardinality(%(order)s::text[]), max(rank)) from everybody)) as step (rank)
        left join everybody on everybody.rank <= step.rank group by step.rank
    ), ordered as (
        select class, sum(abs(coalesce(held, 0) / class_people - up_to)) / nullif((select count(*) - 1 from steps), 0) as ordered_distance
        from (select class, class_people, steps.rank, up_to, sum(people) filter (where cells.rank <= steps.rank) as held
              from cells cross join steps where %(kind)s = 'ordered' group by class, class_people, steps.rank, up_to) cumulated
        group by class
    ), judged as (
        select diverse.*, case when %(kind)s = 'ordered' then coalesce(ordered_distance, 0) else equal_distance end as distance
        from diverse left join ordered using (class)
    )
    select %(night)s, %(name)s, %(kind)s, (select count(*) from everybody), min(distinct_values), round(min(entropy)::numeric, 4),
           coalesce(sum(class_people) filter (where distinct_values = 1), 0), round(max(distance)::numeric, 4),
           round((sum(class_people * distance) / sum(class_people))::numeric, 4),
           case when %(l)s::int is not null then coalesce(sum(class_people) filter (where distinct_values < %(l)s), 0) end, %(l)s,
           case when %(t)s::numeric is not null then coalesce(sum(class_people) filter (where distance > %(t)s + 1e-12), 0) end, %(t)s
    from judged having count(*) > 0
"""


def broken_thresholds(
    hot: psycopg.Connection, night: date, policy: AnonymityPolicy | None = None
) -> Iterator[tuple[str, int]]:
    """What was found, expected and can be done, with the people concerned, for each threshold that the night breaks."""
    policy = policy or DisclosurePolicy.load().anonymity
    allowed, limits = policy.thresholds.share_allowed, policy.thresholds
    said = f"at most {allowed:.1%} of people are allowed"
    for people, below, best, best_below in hot.execute(_BELOW_K, [night]).fetchall():
        if below is not None and below > allowed * people:
            easier = f"; leave out or widen {best} (without it {best_below:,})" if best else ""
            yield (
                f"row-level marts: {below:,} of {people:,} people share their quasi-identifiers with fewer than "
                f"{limits.smallest_class} ({said}){easier}, or change smallest_class in disclosure.yml", below,
            )  # fmt: skip
    for attribute, people, below_l, beyond_t in hot.execute(_ATTRIBUTES, [night]).fetchall():
        if below_l is not None and below_l > allowed * people:
            yield (
                f"row-level marts: {below_l:,} of {people:,} people are in a class with fewer than {limits.fewest_values} values "
                f"of '{attribute}' ({said}); widen a quasi-identifier, or change fewest_values in disclosure.yml", below_l,
            )  # fmt: skip
        if beyond_t is not None and beyond_t > allowed * people:
            yield (
                f"row-level marts: {beyond_t:,} of {people:,} people are in a class whose '{attribute}' lies further than "
                f"{limits.greatest_distance:g} from everybody's ({said}); widen a quasi-identifier, or change greatest_distance "
                "in disclosure.yml", beyond_t,
            )  # fmt: skip


_BELOW_K = """
    select whole.people, whole.people_below_k, best.without, best.people_below_k
    from quality.anonymity whole
    left join lateral (select without, people_below_k from quality.anonymity
                       where night = whole.night and without <> '' order by people_below_k, without limit 1) best on true
    where whole.night = %s and whole.without = ''
"""
_ATTRIBUTES = """
    select attribute, people, people_below_l, people_beyond_t from quality.anonymity_attribute
    join quality.anonymity using (night) where night = %s and without = '' order by attribute
"""
