{#-
    Rates as they are released: of a closed period, the exact numbers that were released once (until the privacy officer names
    a new edition in disclosure.yml), since two exact releases of one period would give away who was added in between; of every
    other, tonight's. A hidden row stays hidden in what is built on this. See decisions/0721.
-#}
with

catalogue as (

    select measure_id from {{ ref('measure_catalogue') }}

),

released as (

    select rates.*

    from {{ source('quality', 'released_rate') }} as rates
    inner join catalogue using (measure_id)
    inner join {{ ref('int_measures__periods') }} as periods using (period_kind, period)

    where rates.edition = {{ policy('disclosure_edition') }}

),

released_periods as (

    select distinct measure_id, period_kind, period from released

),

tonight as (

    select rates_tonight.*

    from {{ ref('int_measures__rates_tonight') }} as rates_tonight
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
