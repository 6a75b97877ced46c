{{ config(post_hook="analyze {{ this }}") }}
{#-
    Exact counts by population and group: measures that count the same people share one row, since what hides them in one table
    and shows them in the other hides nothing.
-#}
{%- set minimum = policy('disclosure_minimum_cell') -%}
{%- set rounded_to = policy('disclosure_round_open_periods_to') -%}
with

levels as (

    select population, max(steps) as level from {{ ref('int_measures__containments') }} group by 1

),

periods as (

    select
        period_kind,
        period,
        is_closed,
        -- Of a period that runs, counts are shown rounded: two roundings can take so much away.
        {{ minimum }}
        + case when is_closed or {{ rounded_to }} = 1 then 0 else {{ rounded_to }} end as smallest_shown

    from {{ ref('int_measures__periods') }}

),

counted as (

    select
        roles.population,
        group_counts.period_kind,
        group_counts.period,
        group_counts.dimension,
        group_counts.subgroup,
        {{ counts_of_population('group_counts') }},
        bool_or(roles.role = 'denominator') as is_denominator,
        bool_or(coalesce(
            case roles.role when 'denominator' then released.people_shown_since else released.numerator_shown_since end < {{ night() }},
            false
        )) as is_shown_before

    from {{ ref('int_measures__group_counts') }} as group_counts
    inner join {{ ref('measure_populations') }} as roles using (measure_id)
    inner join (select measure_id, kind from {{ ref('measure_catalogue') }}) as catalogue using (measure_id)
    left join {{ source('quality', 'released_group') }} as released using (measure_id, period_kind, period, dimension, subgroup)

    group by 1, 2, 3, 4, 5

)

select
    counted.population,
    coalesce(levels.level, 0) as level,
    counted.period_kind,
    counted.period,
    periods.is_closed,
    periods.smallest_shown,
    counted.dimension,
    counted.subgroup,
    counted.people,
    counted.outside,
    counted.events,
    counted.is_denominator,
    counted.is_shown_before,
    everybody.people as total_people,
    everybody.outside as total_outside,
    everybody.events as total_events

from counted
inner join periods using (period_kind, period)
inner join counted as everybody
    on everybody.population = counted.population
    and everybody.period_kind = counted.period_kind
    and everybody.period = counted.period
    and everybody.dimension = 'all'
left join levels on levels.population = counted.population
