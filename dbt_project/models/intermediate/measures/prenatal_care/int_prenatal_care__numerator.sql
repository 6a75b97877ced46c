{{ config(materialized='ephemeral') }}
{#- Of the initial population, those with supervision of the pregnancy from 280 to 176 days before a delivery: in its first trimester. -#}
with

supervisions as (

    select person_key, began_on from {{ ref('int_measures__diagnoses') }} where value_set = 'prenatal_supervision'

    union
    select encounters.person_key, {{ utc_day('encounters.started_at') }}
    from {{ ref('int_encounters__current') }} as encounters
    inner join {{ ref('value_sets') }} as value_sets
        on value_sets.value_set = 'prenatal_supervision'
        and (
            (value_sets.match = 'descendants' and value_sets.system = encounters.reason_system and starts_with(encounters.reason_code, value_sets.code))
            or (value_sets.system = encounters.type_system and value_sets.code = encounters.type_code)
        )

)

select distinct
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    1 as events

from {{ ref('int_prenatal_care__initial_population') }} as initial_population
inner join {{ ref('int_measures__periods') }} as periods using (period_kind, period)
inner join {{ ref('int_measures__diagnoses') }} as deliveries using (person_key)
inner join supervisions using (person_key)

where
    deliveries.value_set = 'delivery'
    and deliveries.began_on >= periods.starts_on
    and deliveries.began_on < periods.observed_before
    and supervisions.began_on between deliveries.began_on - 280 and deliveries.began_on - 176
