{#- Of the initial population, those with an emergency visit, and on how many days of the period. -#}
with

initial_population as (

    select * from {{ ref('int_emergency_visits__initial_population') }}

),

periods as (

    select * from {{ ref('int_measures__periods') }}

),

visits as (

    select person_key, started_on from {{ ref('int_measures__encounters') }} where class_code = 'EMER'

)

select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    count(distinct visits.started_on)::integer as events

from initial_population
inner join periods using (period_kind, period)
inner join visits using (person_key)

where visits.started_on >= periods.starts_on and visits.started_on < periods.observed_before

group by 1, 2, 3
