{{ config(materialized='ephemeral') }}
{#- Of the initial population, those admitted to hospital for a condition that good ambulatory care can keep out of hospital, and how often in the period. -#}
select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    count(*)::integer as events

from {{ ref('int_avoidable_admissions__initial_population') }} as initial_population
inner join {{ ref('int_measures__periods') }} as periods using (period_kind, period)
inner join {{ ref('int_measures__admissions') }} as admissions using (person_key)

where
    admissions.admitted_on >= periods.starts_on
    and admissions.admitted_on < periods.observed_before
    and admissions.is_ambulatory_care_sensitive

group by 1, 2, 3
