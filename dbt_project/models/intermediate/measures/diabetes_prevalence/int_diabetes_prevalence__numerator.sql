{#- Of the initial population, those with a diagnosis of diabetes that was not over before the period began. -#}
with

initial_population as (

    select * from {{ ref('int_diabetes_prevalence__initial_population') }}

),

periods as (

    select * from {{ ref('int_measures__periods') }}

),

diagnoses as (

    select * from {{ ref('int_measures__diagnoses') }} where value_set = 'diabetes'

)

select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    1 as events

from initial_population
inner join periods using (period_kind, period)
inner join diagnoses using (person_key)

where
    diagnoses.began_on < periods.observed_before
    and coalesce(diagnoses.ended_on >= periods.starts_on, true)

group by 1, 2, 3
