{{ config(materialized='ephemeral') }}
{#- People delivered of a child in the period. -#}
select distinct
    people.period_kind,
    people.period,
    people.person_key,
    people.person_days,
    people.is_partly_observed

from {{ ref('int_measures__people') }} as people
inner join {{ ref('int_measures__diagnoses') }} as deliveries using (person_key)

where
    people.period_kind = 'calendar year'
    and deliveries.value_set = 'delivery'
    and deliveries.began_on >= people.starts_on
    and deliveries.began_on < people.observed_before
