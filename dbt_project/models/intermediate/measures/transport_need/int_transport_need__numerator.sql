{{ config(materialized='ephemeral') }}
{#- Of the initial population, those whose answer in the period tells of a need, or who have a diagnosis of one in it. -#}
select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    1 as events

from {{ ref('int_transport_need__initial_population') }} as initial_population
inner join {{ ref('int_measures__periods') }} as periods using (period_kind, period)
inner join {{ ref('int_measures__social_needs') }} as needs using (person_key)

where
    needs.began_on < periods.observed_before
    and needs.ended_on >= periods.starts_on
    and needs.need = 'transport'

group by 1, 2, 3
