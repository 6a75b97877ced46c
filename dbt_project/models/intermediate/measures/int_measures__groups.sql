{{ config(materialized='view') }}
{#-
    Which group of each dimension every person belongs to in every period. Everybody is in one: not known and declined are
    groups of their own, and different ones. Several races and ethnicities stand side by side, separated by semicolons.
-#}
with

people as (

    select period_kind, period, person_key, age_at_end from {{ ref('int_measures__people') }}

),

persons as (

    select
        persons.person_key,
        persons.sex,
        persons.gender_identity,
        persons.race_ethnicity,
        persons.language,
        persons.payer,
        persons.zip3,
        persons.state,
        areas.svi_quartile,
        areas.rurality,
        disability.disability

    from {{ ref('int_persons__resolved') }} as persons
    left join {{ ref('int_measures__disability') }} as disability using (person_key)
    left join {{ source('geography', 'zip_area') }} as areas on left(persons.postal_code, 5) = areas.zip_code

)

select
    people.period_kind,
    people.period,
    people.person_key,
    people.age_at_end,
    coalesce(persons.sex, 'unknown') as sex,
    coalesce(persons.race_ethnicity, 'unknown') as race_ethnicity,
    case
        when people.age_at_end is null then 'unknown'
        when people.age_at_end < 18 then '0-17'
        when people.age_at_end < 45 then '18-44'
        when people.age_at_end < 65 then '45-64'
        when people.age_at_end < 75 then '65-74'
        else '75 and over'
    end as age_band,
    coalesce(persons.language, 'unknown') as language,
    coalesce(persons.payer, 'unknown') as payer,
    coalesce(persons.zip3, 'unknown') as zip3,
    coalesce(persons.gender_identity, 'unknown') as gender_identity,
    coalesce(persons.disability, 'unknown') as disability,
    coalesce(persons.state, 'unknown') as state,
    coalesce(persons.rurality, 'unknown') as rurality,
    case persons.svi_quartile
        when 1 then '1 (least vulnerable)'
        when 4 then '4 (most vulnerable)'
        else coalesce(persons.svi_quartile::text, 'unknown')
    end as svi_quartile

from people
inner join persons using (person_key)
