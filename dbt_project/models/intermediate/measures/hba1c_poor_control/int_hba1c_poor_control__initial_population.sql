{#- People aged 18 to 75 at the end of the period, with diabetes and an encounter in it. -#}
with

people as (

    select * from {{ ref('int_measures__people') }}
    where period_kind = 'calendar year' and has_encounter and age_at_end between 18 and 75

),

diagnoses as (

    select * from {{ ref('int_measures__diagnoses') }} where value_set = 'diabetes'

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
    diagnoses.began_on < people.observed_before
    and coalesce(diagnoses.ended_on >= people.starts_on, true)

group by 1, 2, 3
