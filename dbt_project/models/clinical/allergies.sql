with

facts as (

    select * from {{ ref('int_allergies__current') }}

),

persons as (

    select person_key, birth_date, is_age_withheld, first_shown_event_at from {{ ref('int_persons__resolved') }}

),

codes as (

    select system, code, display from {{ ref('int_codes__shareable') }}

),

safe as (

    select
        facts.allergy_key,
        facts.person_key,
        facts.encounter_key,
        facts.system,
        code_shared.code,
        code_shared.display as display,
        facts.category,
        facts.criticality,
        facts.clinical_status,
        {{ event_year('facts.event_at') }} as event_year,
        {{ days_from_first_event('facts.event_at') }} as days_from_first_event,
        {{ age_at_event('facts.event_at') }} as age_years,
        {{ age_status('facts.event_at') }} as age_status

    from facts
    inner join persons on facts.person_key = persons.person_key
    left join codes as code_shared on coalesce(facts.system, '') = code_shared.system and facts.code = code_shared.code

)

select * from safe
