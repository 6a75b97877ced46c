{{ config(materialized='view') }}
{#- Adults discharged alive from hospital in the period, early enough for the 30 days after it to have been observed. -#}
select distinct
    people.period_kind,
    people.period,
    people.person_key,
    people.person_days,
    people.is_partly_observed

from {{ ref('int_measures__people') }} as people
inner join {{ ref('int_measures__admissions') }} as stays using (person_key)

where
    people.period_kind = 'calendar year'
    and people.age_at_end >= 18
    and not stays.ended_in_death
    and stays.discharged_on >= people.starts_on
    and stays.discharged_on + 30 < people.observed_before
