{{ config(post_hook="analyze {{ this }}") }}
{#- Everyone of a calendar year with the ages they can have on its last day (two where only the year of birth is known). -#}
with

people as (

    select * from {{ ref('int_measures__people') }} where period_kind = 'calendar year'

),

persons as (

    select person_key, birth_date, birth_date_precision, sex from {{ ref('int_persons__resolved') }}

)

select
    people.period_kind,
    people.period,
    people.starts_on,
    people.ends_before - 1 as ends_on,
    -- CQL counts in milliseconds; the period ends with the last of them.
    people.starts_on::timestamp at time zone 'UTC' as starts_at,
    people.ends_before::timestamp at time zone 'UTC' - interval '1 millisecond' as ends_at,
    {{ 'people.ends_before' if var('measure_readings') == 'by the end' else "'infinity'::date" }} as known_before,
    people.person_key,
    people.person_days,
    people.is_partly_observed,
    persons.sex,
    people.age_at_end as oldest_at_end,
    extract(year from age(
        people.ends_before - 1,
        case persons.birth_date_precision
            when 'year' then persons.birth_date + interval '1 year' - interval '1 day'
            when 'month' then persons.birth_date + interval '1 month' - interval '1 day'
            else persons.birth_date
        end
    ))::integer as youngest_at_end

from people
inner join persons using (person_key)

where people.age_at_end is not null
