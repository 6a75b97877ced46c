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

    select person_key, sex, race_ethnicity, language, payer, zip3 from {{ ref('int_persons__resolved') }}

)

select
    people.period_kind,
    people.period,
    people.person_key,
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
    coalesce(persons.zip3, 'unknown') as zip3

from people
inner join persons using (person_key)
