{#- Of the initial population, those asked about a social need in the period, whatever the answer. -#}
with

initial_population as (

    select * from {{ ref('int_sdoh_screening__initial_population') }}

),

periods as (

    select * from {{ ref('int_measures__periods') }}

),

screenings as (

    select person_key, observed_on from {{ ref('int_measures__results') }} where value_set = 'sdoh_screening'

)

select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    1 as events

from initial_population
inner join periods using (period_kind, period)
inner join screenings using (person_key)

where screenings.observed_on >= periods.starts_on and screenings.observed_on < periods.observed_before

group by 1, 2, 3
