"""Which records may be one person though they share no token that joins: Fellegi and Sunter's model, in sets of SQL.

A pair's weight is log2 of the odds that it is one person: of the prior, plus log2(m/u) of how each trait agrees (I. P. Fellegi,
A. B. Sunter, A Theory for Record Linkage, JASA 64, 1969). What is compared are keyed hashes of traits, birth date and sex; pairs that
share no block are not compared. Runs in the transaction of include/identity/resolve.py, as the transformer.
"""

from __future__ import annotations

from math import log2

import psycopg
from psycopg import sql

from include.identity.policy import Matching

# One row per record, its hashes by kind.
_TRAITS = """
    create temporary table trait on commit drop as
    select
        member.member_no, member.group_no, evidence.person_token, evidence.birth_date, evidence.sex,
        array_agg(substr(token, 4)) filter (where token like 'fn:%') as family,
        array_agg(substr(token, 4)) filter (where token like 'fd:%') as family_near,
        array_agg(substr(token, 4)) filter (where token like 'fs:%') as family_sound,
        array_agg(substr(token, 4)) filter (where token like 'gn:%') as given,
        array_agg(substr(token, 4)) filter (where token like 'gd:%') as given_near,
        array_agg(substr(token, 4)) filter (where token like 'gs:%') as given_sound,
        array_agg(substr(token, 4)) filter (where token like 'gi:%') as given_initial,
        array_agg(substr(token, 4)) filter (where token like 'zp:%') as postal_code,
        array_agg(token) filter (where left(token, 3) in ('ad:', 'ph:', 'em:')) as contact,
        array_agg(substr(token, 4)) filter (where token like 'on:%') as numbers
    from restricted.person_evidence as evidence
    join member using (person_token)
    left join lateral unnest(evidence.match_tokens) as told (token) on true
    where not evidence.is_deleted
    group by member.member_no, member.group_no, evidence.person_token, evidence.birth_date, evidence.sex
"""

# How common each name and ZIP code is. Half a record more than seen, so that what only one record has is not infinitely rare.
_FREQUENCIES = """
    create temporary table frequency on commit drop as
    with said as (
        select 'family' as trait, unnest(family) as value from trait
        union all select 'given', unnest(given) from trait
        union all select 'postal_code', unnest(postal_code) from trait
    )
    select trait, value, (count(*) + 0.5) / (select greatest(count(*), 2) from trait) as share
    from said group by trait, value
"""

_BLOCKS = """
    create temporary table block on commit drop as
    select distinct key, member_no, group_no
    from (
        select 'birth initial ' || birth_date || unnest(given_initial) as key, member_no, group_no from trait where birth_date is not null
        union all
        select 'birth sound ' || birth_date || unnest(family_sound), member_no, group_no from trait where birth_date is not null
        union all
        select 'birth names ' || birth_date || least(f, g) || greatest(f, g), member_no, group_no
        from trait cross join lateral unnest(family) as f cross join lateral unnest(given) as g where birth_date is not null
        union all
        select 'names ' || f || g, member_no, group_no
        from trait cross join lateral unnest(family) as f cross join lateral unnest(given) as g
        union all
        select 'sounds ' || f || g || z, member_no, group_no
        from trait cross join lateral unnest(family_sound) as f cross join lateral unnest(given_sound) as g
            cross join lateral unnest(postal_code) as z
        union all
        select 'contact ' || unnest(contact) || unnest(given_initial), member_no, group_no from trait
    ) as keys
    where key is not null
"""

_CANDIDATES = """
    create temporary table candidate on commit drop as
    with sized as (
        select key from block group by key having count(*) between 2 and %(largest)s and count(distinct group_no) > 1
    )
    select distinct one.member_no as one_no, other.member_no as other_no
    from sized join block as one using (key) join block as other using (key)
    where one.member_no < other.member_no and one.group_no <> other.group_no
"""

_OVERSIZED = "select count(*) from (select key from block group by key having count(*) > %(largest)s) as large"

_LEVELS = """
    create temporary table compared on commit drop as
    select
        one_no, other_no, one.person_token as one, other.person_token as other,
        case
            when one.family is null or other.family is null then null
            when one.family && other.family then 'exact'
            when one.family && other.given and one.given && other.family then 'swapped'
            when one.family_near && other.family_near then 'near'
            when one.family_sound && other.family_sound then 'sound'
            else 'differs'
        end as family_name,
        case
            when one.given is null or other.given is null then null
            when one.given && other.given then 'exact'
            when one.given_near && other.given_near then 'near'
            when one.given_sound && other.given_sound then 'sound'
            when one.given_initial && other.given_initial then 'initial'
            else 'differs'
        end as given_name,
        case
            when one.birth_date is null or other.birth_date is null then null
            when one.birth_date = other.birth_date then 'exact'
            when left(one.birth_date, 7) = left(other.birth_date, 7)
                or right(one.birth_date, 5) = right(other.birth_date, 5)
                or (left(one.birth_date, 4), right(one.birth_date, 2)) = (left(other.birth_date, 4), right(other.birth_date, 2))
                or (left(one.birth_date, 4), substr(one.birth_date, 6, 2), right(one.birth_date, 2))
                    = (left(other.birth_date, 4), right(other.birth_date, 2), substr(other.birth_date, 6, 2)) then 'part'
            else 'differs'
        end as birth_date,
        case when one.sex = other.sex then 'exact' when one.sex <> other.sex then 'differs' end as sex,
        case
            when one.postal_code is null or other.postal_code is null then null
            when one.postal_code && other.postal_code then 'exact'
            else 'differs'
        end as postal_code,
        case
            when one.contact && other.contact then 'exact'
            when exists (
                select 1 from unnest(one.contact) as a join unnest(other.contact) as b on left(a, 3) = left(b, 3)
            ) then 'differs'
        end as contact,
        (select min(share) from frequency
         where trait = 'family' and value = any(one.family) and value = any(other.family)) as family_share,
        (select min(share) from frequency
         where trait = 'given' and value = any(one.given) and value = any(other.given)) as given_share,
        (select min(share) from frequency
         where trait = 'postal_code' and value = any(one.postal_code) and value = any(other.postal_code)) as postal_share,
        (select min(share) from frequency where trait = 'family' and value = any(one.family)) as swapped_family_share,
        (select min(share) from frequency where trait = 'given' and value = any(one.given)) as swapped_given_share,
        exists (
            select 1 from unnest(one.numbers) as a join unnest(other.numbers) as b on left(a, 16) = left(b, 16)
            where not a = any(other.numbers) and not b = any(one.numbers)
        ) as numbers_differ
    from candidate
    join trait as one on one.member_no = one_no
    join trait as other on other.member_no = other_no
"""

_SCORED = """
    create temporary table scored on commit drop as
    with weighed as (
        select compared.*, {weights} as weight from compared
    )
    select
        one_no, other_no, one, other, weight, 1 / (1 + power(2::float8, -least(weight, 60))) as chance,
        jsonb_strip_nulls(jsonb_build_object(
            'family_name', family_name, 'given_name', case when family_name = 'swapped' then 'swapped' else given_name end,
            'birth_date', birth_date, 'sex', sex, 'postal_code', postal_code, 'contact', contact
        )) as levels,
        case
            when numbers_differ then 'numbers that people have one of differ'
            when case when family_name = 'swapped' then 'swapped' else given_name end is null
                or case when family_name = 'swapped' then 'swapped' else given_name end <> all(%(given)s) then 'given names differ'
            when birth_date is null or birth_date <> all(%(birth)s) then 'birth dates differ'
            when not ('postal_code' = any(%(besides)s) and postal_code = 'exact' is true
                      or 'contact' = any(%(besides)s) and contact = 'exact' is true) then 'nothing besides name and birth date agrees'
        end as objection
    from weighed
    -- Different numbers for life and another given name or birth date: two people, as twins are; nobody has to look.
    where weight >= %(least)s
        and not (numbers_differ and (given_name in ('initial', 'differs') or birth_date = 'differs') and family_name <> 'swapped')
"""


def compare_records(hot: psycopg.Connection, matching: Matching) -> dict[str, int]:
    """Score pairs of records of different groups (table ``member``) into table ``scored``; pairs below review are left out.

    ``objection`` says why a pair is not to be joined without a person, whatever its chance. Returns counts: compared_pairs,
    oversized_blocks.
    """
    largest = {"largest": matching.largest_block}
    for statement in (_TRAITS, _FREQUENCIES, _BLOCKS):
        hot.execute(statement)
    hot.execute("create index on frequency (trait, value)")
    hot.execute("analyze trait, frequency, block")
    hot.execute(_CANDIDATES, largest)
    hot.execute("create index on trait (member_no)")
    hot.execute("analyze candidate")
    pairs = hot.execute(_LEVELS).rowcount
    hot.execute(
        sql.SQL(_SCORED).format(weights=_weights(hot, matching)),
        {
            "least": log2(matching.review_from / (1 - matching.review_from)),
            "given": list(matching.needs["given_name"]),
            "birth": list(matching.needs["birth_date"]),
            "besides": list(matching.needs["besides"]),
        },
    )
    return {"compared_pairs": pairs, "oversized_blocks": hot.execute(_OVERSIZED, largest).fetchone()[0]}


def _weights(hot: psycopg.Connection, matching: Matching) -> sql.Composable:
    """The sum over traits, as SQL over the columns of ``compared``."""
    (records,) = hot.execute("select greatest(count(*), 2) from trait").fetchone()
    terms = [sql.Literal(-log2(records))]
    for trait in dict.fromkeys(trait for trait, _ in matching.chances):
        levels = {level: chances for (name, level), chances in matching.chances.items() if name == trait}
        cases = sql.SQL(" ").join(_case(trait, level, *chances) for level, chances in levels.items())
        column = sql.SQL(
            "case when family_name = 'swapped' then null else given_name end" if trait == "given_name" else trait
        )
        terms.append(sql.SQL("coalesce(case {} {} end, 0)").format(column, cases))
    return sql.SQL(" + ").join(terms)


_SHARES = {
    ("family_name", "exact"): "family_share",
    ("family_name", "swapped"): "(swapped_family_share * swapped_given_share)",
    ("given_name", "exact"): "given_share",
    ("postal_code", "exact"): "postal_share",
}


def _case(trait: str, level: str, m: float, u: float | None) -> sql.Composable:
    if u is not None:
        return sql.SQL("when {} then {}").format(sql.Literal(level), sql.Literal(log2(m / u)))
    share = sql.SQL(_SHARES[trait, level])
    return sql.SQL("when {} then log(2, ({} / least({}, 0.999))::numeric)::float8").format(
        sql.Literal(level), sql.Literal(m), share
    )
