with

facts as (

    select * from {{ ref('int_documents__current') }}

),

persons as (

    select person_key, birth_date, is_age_withheld, first_shown_event_at from {{ ref('int_persons__resolved') }}

),

texts as (

    select record_id, form, state, text, section_headings from {{ ref('int_documents__texts') }}

),

codes as (

    select system, code, display from {{ ref('int_codes__shareable') }}

),

safe as (

    select
        facts.document_key,
        facts.person_key,
        facts.encounter_key,
        facts.type_system,
        type_shared.code as type_code,
        type_shared.display as type_display,
        facts.category,
        facts.status,
        facts.document_status,
        facts.content_type,
        {{ event_year('facts.event_at') }} as event_year,
        {{ days_from_first_event('facts.event_at') }} as days_from_first_event,
        {{ age_at_event('facts.event_at') }} as age_years,
        {{ age_status('facts.event_at') }} as age_status,
        coalesce(texts.state, 'no_text') as text_status,
        texts.form as text_form,
        texts.text as deidentified_text,
        length(texts.text) as text_length,
        coalesce(texts.section_headings, '{}') as section_headings,
        -- A tsvector holds a megabyte at most; what comes after this much text is found by reading it.
        to_tsvector('english', left(texts.text, {{ var('most_text_searched') }})) as text_search

    from facts
    left join texts on facts.record_id = texts.record_id
    inner join persons on facts.person_key = persons.person_key
    left join codes as type_shared on coalesce(facts.type_system, '') = type_shared.system and facts.type_code = type_shared.code

)

select * from safe
