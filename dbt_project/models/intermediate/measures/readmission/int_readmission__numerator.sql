{{ config(materialized='ephemeral') }}
{#- Of the initial population, those admitted again from 1 to 30 days after such a discharge. -#}
select distinct
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    1 as events

from {{ ref('int_readmission__initial_population') }} as initial_population
inner join {{ ref('int_measures__periods') }} as periods using (period_kind, period)
inner join {{ ref('int_measures__admissions') }} as stays using (person_key)
inner join {{ ref('int_measures__admissions') }} as later
    on later.person_key = stays.person_key
    and later.admitted_on between stays.discharged_on + 1 and stays.discharged_on + 30

where
    not stays.ended_in_death
    and stays.discharged_on >= periods.starts_on
    and stays.discharged_on + 30 < periods.observed_before
