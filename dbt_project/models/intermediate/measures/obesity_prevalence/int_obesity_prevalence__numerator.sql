{{ config(materialized='ephemeral') }}
{#-
    Of the initial population, those with a diagnosis of obesity that was not over before the period began, or whose last body
    mass index of the 24 months up to its end is 30 or more. Overweight (E66.3) is no obesity.
-#}
with

diagnosed as (

    {{ diagnosed_in_period('obesity_prevalence', 'obesity', but_not='E66.3') }}

),

last_index as (

    select distinct on (people.period, people.person_key)
        people.period_kind,
        people.period,
        people.person_key,
        results.value_number

    from {{ ref('int_measures__people') }} as people
    inner join {{ ref('int_obesity_prevalence__initial_population') }} using (period_kind, period, person_key)
    inner join {{ ref('int_measures__results') }} as results
        on results.person_key = people.person_key
        and results.observed_on < people.observed_before
        and results.observed_on >= (people.ends_before - interval '24 months')::date

    where results.value_set = 'body_mass_index' and results.value_number between 10 and 150

    order by people.period, people.person_key, results.observed_at desc, results.value_number

)

select period_kind, period, person_key, events from diagnosed
union
select period_kind, period, person_key, 1 from last_index where value_number >= 30
