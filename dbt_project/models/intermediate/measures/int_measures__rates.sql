{{ config(pre_hook="set local enable_nestloop = off") }}
{#-
    Rates as they are released: of a closed period, the exact numbers that were released once (until the privacy officer names
    a new edition in disclosure.yml), since two exact releases of one period would give away who was added in between; of every
    other, tonight's. A new edition does not restate a measure whose total would change by fewer than the minimum cell: there the
    former numbers stand. A hidden row stays hidden in what is built on this. See decisions/0721, 0724.

    Without nested loops: the planner takes the editions for a row or two, and would join them in seconds instead of milliseconds.
-#}
{%- set minimum = policy('disclosure_minimum_cell') -%}
with

catalogue as (

    select measure_id from {{ ref('measure_catalogue') }}

),

rates_tonight as (

    select * from {{ ref('int_measures__rates_tonight') }}

),

editions as (

    select rates.*

    from {{ source('quality', 'released_rate') }} as rates
    inner join catalogue using (measure_id)
    inner join {{ ref('int_measures__periods') }} as periods using (period_kind, period)

    where rates.edition <= {{ policy('disclosure_edition') }}

),

newest as (

    select
        measure_id,
        period_kind,
        period,
        max(edition) as edition

    from editions

    group by 1, 2, 3

),

standing as (

    select
        newest.measure_id,
        newest.period_kind,
        newest.period,
        newest.edition

    from newest
    left join editions as former
        on former.measure_id = newest.measure_id
        and former.period_kind = newest.period_kind
        and former.period = newest.period
        and former.edition = newest.edition
        and former.dimension = 'all'
    left join rates_tonight
        on rates_tonight.measure_id = newest.measure_id
        and rates_tonight.period_kind = newest.period_kind
        and rates_tonight.period = newest.period
        and rates_tonight.dimension = 'all'

    where
        newest.edition = {{ policy('disclosure_edition') }}
        or (
            not former.is_people_hidden
            and abs(rates_tonight.people - former.people) between 1 and {{ minimum }} - 1
        )
        or (
            not former.is_suppressed
            and (
                abs(rates_tonight.numerator - former.numerator) between 1 and {{ minimum }} - 1
                or (
                    former.kind = 'proportion'
                    and abs(rates_tonight.people - rates_tonight.numerator - former.people + former.numerator) between 1 and {{ minimum }} - 1
                )
            )
        )

),

released as (

    select editions.* from editions inner join standing using (measure_id, period_kind, period, edition)

),

released_periods as (

    select distinct measure_id, period_kind, period from released

),

tonight as (

    select rates_tonight.*

    from rates_tonight
    left join released_periods using (measure_id, period_kind, period)

    where released_periods.measure_id is null

)

{% for rates in ['released', 'tonight'] %}
select
    measure_id,
    period_kind,
    period,
    dimension,
    subgroup,
    subgroup_order,
    is_known_group,
    is_people_hidden,
    is_suppressed,
    kind,
    favourable_direction,
    rate_per,
    rounded_to,
    people,
    numerator,
    denominator,
    rate,
    standard_error,
    rate_lower,
    rate_upper,
    interval_method

from {{ rates }}
{{ 'union all' if not loop.last }}
{% endfor %}
