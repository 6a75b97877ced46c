with

facts as (

    select * from {{ ref('int_conditions__current') }}

),

persons as (

    select person_key, birth_date, is_age_withheld, first_shown_event_at from {{ ref('int_persons__resolved') }}

),

codes as (

    select system, code, display from {{ ref('int_codes__shareable') }}

),

safe as (

    select
        facts.condition_key,
        facts.person_key,
        facts.encounter_key,
        case when facts.code is null and facts.words_code is not null and facts.words_context = 'affirmed'
            then 'http://hl7.org/fhir/sid/icd-10-cm' else facts.system end as system,
        case when facts.code is null and facts.words_context = 'affirmed' then facts.words_code else code_shared.code end as code,
        code_shared.display as display,
        case
            when facts.is_mapped then 'mapped'
            when facts.code is not null then 'source'
            when facts.words_code is not null and facts.words_context = 'affirmed' then 'words'
            else 'none'
        end as code_origin,
        case when facts.code is null then facts.words_context end as words_context,
        facts.code_validity,
        facts.category,
        facts.clinical_status,
        facts.verification_status,
        facts.abated_at is not null as has_abated,
        case when facts.abated_at >= facts.onset_at then floor(extract(epoch from facts.abated_at - facts.onset_at) / 86400)::integer end as days_until_abated,
        {{ event_year('facts.event_at') }} as event_year,
        {{ days_from_first_event('facts.event_at') }} as days_from_first_event,
        {{ age_at_event('facts.event_at') }} as age_years,
        {{ age_status('facts.event_at') }} as age_status

    from facts
    inner join persons on facts.person_key = persons.person_key
    left join codes as code_shared on coalesce(facts.system, '') = code_shared.system and facts.code = code_shared.code

)

select * from safe
