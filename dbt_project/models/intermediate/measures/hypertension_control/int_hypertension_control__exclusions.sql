{#- Of the initial population: hospice or palliative care, pregnancy, end-stage renal disease during the period. -#}
with

initial_population as (

    select * from {{ ref('int_hypertension_control__initial_population') }}

),

periods as (

    select * from {{ ref('int_measures__periods') }}

),

end_of_life_care as (

    select period_kind, period, person_key, reason from {{ ref('int_measures__end_of_life_care') }}

),

other_reasons as (

    select
        periods.period_kind,
        periods.period,
        diagnoses.person_key,
        replace(diagnoses.value_set, '_', ' ') as reason

    from periods
    inner join {{ ref('int_measures__diagnoses') }} as diagnoses
        on diagnoses.began_on < periods.observed_before
        and coalesce(diagnoses.ended_on >= periods.starts_on, true)

    where diagnoses.value_set in ('pregnancy', 'end_stage_renal_disease')

),

reasons as (

    select * from end_of_life_care
    union all
    select * from other_reasons

)

select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    min(reasons.reason) as reason

from initial_population
inner join reasons using (period_kind, period, person_key)

group by 1, 2, 3
