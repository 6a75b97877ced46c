{#- Of the initial population, people in hospice or palliative care during the period. -#}
with

initial_population as (

    select * from {{ ref('int_hba1c_poor_control__initial_population') }}

),

end_of_life_care as (

    select * from {{ ref('int_measures__end_of_life_care') }}

)

select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    end_of_life_care.reason

from initial_population
inner join end_of_life_care using (period_kind, period, person_key)
