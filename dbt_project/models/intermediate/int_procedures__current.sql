with

versions as not materialized (

    select *, 1 as shape_order from {{ ref('stg_fhir__procedures') }}
    union all
    select *, 2 as shape_order from {{ ref('stg_tables__procedures') }}

),

contested as materialized (

    {{ ids_with_several_versions('versions', 'procedure_id') }}

),

newest as (

    {{ newest_versions('versions', 'procedure_id') }}

),

current_facts as not materialized (

    select
        newest.*,
        {{ local_code_columns() }},
        person_link.person_key,
        persons.fact_salt,
        persons.source_count,
        newest.started_at as event_at

    from newest
    join {{ source('restricted', 'person_link') }} as person_link using (person_token)
    join {{ source('restricted', 'person') }} as persons using (person_key)
    {{ local_code_join('newest', 'procedure') }}

    where
        not newest.is_deleted
        and coalesce(newest.status, '') <> 'entered-in-error'

),

told_again as materialized (

    {{ told_by_another_source('current_facts', ['procedure_id'], ["coalesce(mapped_system, system)", "coalesce(mapped_code, code)", "date_trunc('minute', event_at)"], 'code') }}

),

keyed as (

    select
        current_facts.person_key,
        current_facts.source,
        current_facts.procedure_id,
        {{ public_key('current_facts.fact_salt', 'current_facts.procedure_id') }} as procedure_key,
        encounters.surviving_encounter_id as encounter_id,
        encounters.encounter_key,
        current_facts.event_at,
        {{ counted_code('current_facts') }},
        current_facts.status,
        current_facts.started_at,
        current_facts.ended_at,
        current_facts.begins_from,
        current_facts.begins_to,
        current_facts.ends_from,
        current_facts.ends_to,
        current_facts.performed_age_from,
        current_facts.performed_age_to

    from current_facts
    left join {{ ref('int_encounters__matched') }} as encounters
        on current_facts.encounter_id = encounters.encounter_id

    where not exists (select 1 from told_again where told_again.procedure_id = current_facts.procedure_id)

)

select * from keyed
