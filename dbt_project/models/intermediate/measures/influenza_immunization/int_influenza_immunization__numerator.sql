{#- Of the initial population, those given an influenza vaccine from 1 August to 31 March. -#}
with

initial_population as (

    select * from {{ ref('int_influenza_immunization__initial_population') }}

),

periods as (

    select * from {{ ref('int_measures__periods') }}

),

immunizations as (

    {{ every_coding(ref('int_immunizations__current'), ['person_key', 'occurred_at', 'status']) }}

),

vaccinations as (

    select
        immunizations.person_key,
        (immunizations.occurred_at at time zone 'UTC')::date as given_on

    from immunizations
    inner join {{ ref('int_measures__coded_concepts') }} as concepts using (system, code)

    where
        concepts.value_set = 'influenza_vaccine'
        and coalesce(immunizations.status, 'completed') = 'completed'

)

select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    1 as events

from initial_population
inner join periods using (period_kind, period)
inner join vaccinations using (person_key)

where vaccinations.given_on >= periods.starts_on and vaccinations.given_on < periods.observed_before

group by 1, 2, 3
