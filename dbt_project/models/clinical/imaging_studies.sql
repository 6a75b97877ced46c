with

facts as (

    select * from {{ ref('int_imaging_studies__current') }}

),

persons as (

    select person_key, birth_date, is_age_withheld, first_shown_event_at from {{ ref('int_persons__resolved') }}

),

codes as (

    select system, code, display from {{ ref('int_codes__shareable') }}

),

safe as (

    select
        facts.imaging_study_key,
        facts.person_key,
        facts.encounter_key,
        facts.modality_code,
        facts.body_site_system,
        body_site_shared.code as body_site_code,
        body_site_shared.display as body_site_display,
        facts.procedure_system,
        procedure_shared.code as procedure_code,
        procedure_shared.display as procedure_display,
        facts.status,
        facts.series_count,
        facts.instance_count,
        facts.burned_in_risk,
        {{ event_year('facts.event_at') }} as event_year,
        {{ days_from_first_event('facts.event_at') }} as days_from_first_event,
        {{ age_at_event('facts.event_at') }} as age_years,
        {{ age_status('facts.event_at') }} as age_status

    from facts
    inner join persons on facts.person_key = persons.person_key
    left join codes as body_site_shared on coalesce(facts.body_site_system, '') = body_site_shared.system and facts.body_site_code = body_site_shared.code
    left join codes as procedure_shared on coalesce(facts.procedure_system, '') = procedure_shared.system and facts.procedure_code = procedure_shared.code

)

select * from safe
