with

versions as not materialized (

    select *, 1 as shape_order from {{ ref('stg_fhir__documents') }}

),

contested as materialized (

    {{ ids_with_several_versions('versions', 'document_id') }}

),

newest as (

    {{ newest_versions('versions', 'document_id') }}

),

current_facts as not materialized (

    select
        newest.*,
        person_link.person_key,
        persons.fact_salt,
        persons.source_count,
        newest.dated_at as event_at

    from newest
    join {{ source('restricted', 'person_link') }} as person_link using (person_token)
    join {{ source('restricted', 'person') }} as persons using (person_key)

    where
        not newest.is_deleted
        and coalesce(newest.status, '') <> 'entered-in-error'

),

told_again as materialized (

    {{ told_by_another_source('current_facts', ['document_id'], ["type_system", "type_code", "date_trunc('minute', event_at)"], 'type_code') }}

),

keyed as (

    select
        current_facts.person_key,
        current_facts.source,
        current_facts.record_id,
        current_facts.document_id,
        {{ public_key('current_facts.fact_salt', 'current_facts.document_id') }} as document_key,
        encounters.surviving_encounter_id as encounter_id,
        encounters.encounter_key,
        current_facts.event_at,
        current_facts.type_system,
        current_facts.type_code,
        current_facts.type_display,
        current_facts.category,
        current_facts.status,
        current_facts.document_status,
        current_facts.content_type,
        current_facts.dated_at

    from current_facts
    left join {{ ref('int_encounters__matched') }} as encounters
        on current_facts.encounter_id = encounters.encounter_id

    where not exists (select 1 from told_again where told_again.document_id = current_facts.document_id)

)

select * from keyed
