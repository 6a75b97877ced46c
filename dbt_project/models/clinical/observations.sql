with

facts as (

    select * from {{ ref('int_observations__current') }}

),

persons as (

    select person_key, birth_date, is_age_withheld, first_shown_event_at from {{ ref('int_persons__resolved') }}

),

codes as (

    select system, code, display from {{ ref('int_codes__shareable') }}

),

ages as (

    select system, code from {{ ref('age_bearing_codes') }}

),

safe as (

    select
        facts.observation_key,
        facts.person_key,
        facts.encounter_key,
        facts.system,
        code_shared.code,
        code_shared.display as display,
        facts.panel_code,
        facts.category,
        facts.status,
        case when persons.is_age_withheld and (ages.code is not null or facts.unit in ('a', 'a_j', 'a_g', 'a_t', 'yr', 'yrs', 'year', 'years', '{age}', 'y')) then null else facts.value_number end as value_number,
        facts.unit,
        facts.value_system,
        case when facts.value_code in ('true', 'false') then facts.value_code else value_shared.code end as value_code,
        value_shared.display as value_display,
        {{ event_year('facts.event_at') }} as event_year,
        {{ days_from_first_event('facts.event_at') }} as days_from_first_event,
        {{ age_at_event('facts.event_at') }} as age_years,
        {{ age_status('facts.event_at') }} as age_status

    from facts
    inner join persons on facts.person_key = persons.person_key
    left join codes as code_shared on coalesce(facts.system, '') = code_shared.system and facts.code = code_shared.code
    left join codes as value_shared on coalesce(facts.value_system, '') = value_shared.system and facts.value_code = value_shared.code
    left join ages on facts.system = ages.system and facts.code = ages.code

)

select * from safe
