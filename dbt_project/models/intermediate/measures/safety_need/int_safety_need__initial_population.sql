{{ config(materialized='ephemeral') }}
{#- Adults seen in the period who were asked in it. -#}
select distinct
    people.period_kind,
    people.period,
    people.person_key,
    people.person_days,
    people.is_partly_observed

from {{ ref('int_measures__people') }} as people
inner join {{ ref('int_measures__results') }} as screenings using (person_key)

where
    people.period_kind = 'calendar year'
    and people.has_encounter
    and people.age_at_end >= 18
    and screenings.value_set = 'safety_screening'
    and screenings.observed_on >= people.starts_on
    and screenings.observed_on < people.observed_before
