"""What readers are about to see, written down before they see it: exact numbers of closed periods are released once.

Two exact releases of one period, a record apart, would give that record's person away. So the first one stays
(``quality.released_rate``; ``int_measures__rates`` takes it from there) until the privacy officer names a new edition in
``disclosure.yml``. Of running periods it is kept which counts were shown, rounded, since those cover no other count later.
"""

from __future__ import annotations

from datetime import date

from psycopg import sql

from include.privacy.disclosure import DisclosurePolicy
from include.settings import Settings
from include.warehouse.connect import connect

RATE_COLUMNS = (
    "measure_id", "period_kind", "period", "dimension", "subgroup", "subgroup_order", "is_known_group", "is_people_hidden",
    "is_suppressed", "kind", "favourable_direction", "rate_per", "rounded_to", "people", "numerator", "denominator", "rate",
    "standard_error", "rate_lower", "rate_upper", "interval_method",
)  # fmt: skip


def record_release(night: date, settings: Settings) -> dict[str, int]:
    """Write down what the candidates release, before they are published. Returns measures times closed periods, new and late.

    ``late`` counts closed periods that would have other numbers today than were released: records that came afterwards, also
    where a new edition keeps the former numbers because too few people would tell the two apart.
    Safe to run again: what is on the books stays.
    """
    with connect("transformer", "hot", settings) as hot:
        if not hot.execute("select to_regclass('intermediate.int_measures__rates')").fetchone()[0]:
            return {"periods_released": 0, "periods_late": 0}
        given = {"night": night, "edition": DisclosurePolicy.load().edition}
        (new,) = hot.execute(_CLOSED, given).fetchone()
        hot.execute(_RUNNING, given)
        (late,) = hot.execute(_LATE, given).fetchone()
    return {"periods_released": new, "periods_late": late}


# Only what was computed: a measure that lacks its codes today is released when it has them.
_CLOSED = sql.SQL("""
    with computed as (
        select measure_id, period_kind, period from candidate_measures.results_by_group
        where dimension = 'all' and is_period_closed and status in ('shown', 'suppressed')
        except
        select measure_id, period_kind, period from quality.released_rate where edition = %(edition)s
    ), written as (
        insert into quality.released_rate (edition, night, {columns})
        select %(edition)s, %(night)s, {columns} from intermediate.int_measures__rates join computed using (measure_id, period_kind, period)
        returning measure_id, period_kind, period
    )
    select count(*) from (select distinct * from written) periods
""").format(columns=sql.SQL(", ").join(map(sql.Identifier, RATE_COLUMNS)))
_RUNNING = """
    insert into quality.released_group
    select measure_id, period_kind, period, dimension, subgroup, case when people is not null then %(night)s::date end,
           case when numerator is not null then %(night)s::date end
    from candidate_measures.results_by_group
    where not is_period_closed and dimension <> 'all' and (people is not null or numerator is not null)
    on conflict (measure_id, period_kind, period, dimension, subgroup) do update set
        people_shown_since = least(released_group.people_shown_since, excluded.people_shown_since),
        numerator_shown_since = least(released_group.numerator_shown_since, excluded.numerator_shown_since)
"""
_LATE = """
    select count(*) from quality.released_rate released
    join intermediate.int_measures__rates_tonight tonight using (measure_id, period_kind, period, dimension, subgroup)
    where edition = %(edition)s and dimension = 'all'
      and (released.people, released.numerator) is distinct from (tonight.people, tonight.numerator)
"""
