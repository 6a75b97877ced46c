with

facts as (

    select * from {{ ref('int_encounters__current') }}

),

persons as (

    select person_key, birth_date, is_age_withheld, first_shown_event_at from {{ ref('int_persons__resolved') }}

),

codes as (

    select system, code, display from {{ ref('int_codes__shareable') }}

),

safe as (

    select
        facts.encounter_key,
        facts.person_key,
        facts.class_code,
        facts.type_system,
        type_shared.code as type_code,
        type_shared.display as type_display,
        facts.status,
        facts.reason_system,
        reason_shared.code as reason_code,
        reason_shared.display as reason_display,
        facts.discharge_disposition,
        facts.admit_source,
        round((extract(epoch from facts.ended_at - facts.started_at) / 86400)::numeric, 2) as length_of_stay_days,
        {{ event_year('facts.event_at') }} as event_year,
        {{ days_from_first_event('facts.event_at') }} as days_from_first_event,
        {{ age_at_event('facts.event_at') }} as age_years,
        {{ age_status('facts.event_at') }} as age_status

    from facts
    inner join persons on facts.person_key = persons.person_key
    left join codes as type_shared on coalesce(facts.type_system, '') = type_shared.system and facts.type_code = type_shared.code
    left join codes as reason_shared on coalesce(facts.reason_system, '') = reason_shared.system and facts.reason_code = reason_shared.code

)

select * from safe
