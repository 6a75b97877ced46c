{#- People aged 18 to 85 at the end of the period, seen in it, with essential hypertension known by its middle. -#}
with

people as (

    select * from {{ ref('int_measures__people') }}
    where period_kind = 'calendar year' and has_encounter and age_at_end between 18 and 85

),

diagnoses as (

    select * from {{ ref('int_measures__diagnoses') }} where value_set = 'essential_hypertension'

)

select
    people.period_kind,
    people.period,
    people.person_key,
    max(people.person_days) as person_days,
    bool_or(people.is_partly_observed) as is_partly_observed

from people
inner join diagnoses using (person_key)

where
    diagnoses.began_on < least((people.starts_on + interval '6 months')::date, people.observed_before)
    and coalesce(diagnoses.ended_on >= people.starts_on, true)

group by 1, 2, 3
