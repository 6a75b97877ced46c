{#-
    Of the initial population, those whose last day with a whole outpatient blood pressure has a lowest systolic below 140
    and a lowest diastolic below 90. Without a reading nobody is in here.
-#}
with

initial_population as (

    select * from {{ ref('int_hypertension_control__initial_population') }}

),

periods as (

    select * from {{ ref('int_measures__periods') }} where period_kind = 'calendar year'

),

readings as (

    select results.*

    from {{ ref('int_measures__results') }} as results
    left join {{ ref('int_measures__encounters') }} as encounters using (encounter_key)

    where
        results.value_set in ('systolic_blood_pressure', 'diastolic_blood_pressure')
        and results.value_number is not null
        and results.person_key in (select person_key from initial_population)
        and coalesce(encounters.class_code, 'AMB') not in ('IMP', 'ACUTE', 'NONAC', 'OBSENC', 'SS', 'EMER')

),

days as (

    select
        person_key,
        observed_on,
        min(value_number) filter (where value_set = 'systolic_blood_pressure') as lowest_systolic,
        min(value_number) filter (where value_set = 'diastolic_blood_pressure') as lowest_diastolic

    from readings

    group by 1, 2

),

last_days as (

    select distinct on (periods.period, days.person_key)
        periods.period_kind,
        periods.period,
        days.person_key,
        days.lowest_systolic,
        days.lowest_diastolic

    from periods
    inner join days on days.observed_on >= periods.starts_on and days.observed_on < periods.observed_before

    where days.lowest_systolic is not null and days.lowest_diastolic is not null

    order by periods.period, days.person_key, days.observed_on desc

)

select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    1 as events

from initial_population
inner join last_days using (period_kind, period, person_key)

where last_days.lowest_systolic < 140 and last_days.lowest_diastolic < 90
