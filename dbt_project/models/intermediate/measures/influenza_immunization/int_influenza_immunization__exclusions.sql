{#- Of the initial population, people in hospice care during the season. -#}
with

initial_population as (

    select * from {{ ref('int_influenza_immunization__initial_population') }}

),

hospice_care as (

    select * from {{ ref('int_measures__end_of_life_care') }} where is_hospice

)

select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    hospice_care.reason

from initial_population
inner join hospice_care using (period_kind, period, person_key)
