{{ config(post_hook="analyze {{ this }}") }}
{#- Counts of closed periods that readers have been shown, of whatever edition, by population: what later numbers can be subtracted from. -#}
with

rates as (

    select
        measure_id,
        period_kind,
        period,
        dimension,
        subgroup,
        case when not is_people_hidden then people end as people,
        case when not is_suppressed then numerator end as numerator,
        kind = 'proportion' as is_proportion

    from {{ source('quality', 'released_rate') }}

),

roles as (

    select * from {{ ref('measure_populations') }}

)

select distinct
    roles.population,
    rates.period_kind,
    rates.period,
    rates.dimension,
    rates.subgroup,
    case when roles.role = 'denominator' or rates.is_proportion then
        case roles.role when 'denominator' then rates.people else rates.numerator end
    end as people,
    case when roles.role = 'numerator' and rates.is_proportion then rates.people - rates.numerator end as outside,
    case when roles.role = 'numerator' and not rates.is_proportion then rates.numerator end as events

from rates
inner join roles using (measure_id)

where rates.people is not null or rates.numerator is not null
