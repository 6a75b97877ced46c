with

versions as not materialized (

    select *, 1 as shape_order from {{ ref('stg_fhir__imaging_studies') }}

),

contested as materialized (

    {{ ids_with_several_versions('versions', 'imaging_study_id') }}

),

newest as (

    {{ newest_versions('versions', 'imaging_study_id') }}

),

current_facts as not materialized (

    select
        newest.*,
        person_link.person_key,
        persons.fact_salt,
        persons.source_count,
        newest.started_at as event_at

    from newest
    join {{ source('restricted', 'person_link') }} as person_link using (person_token)
    join {{ source('restricted', 'person') }} as persons using (person_key)

    where
        not newest.is_deleted
        and coalesce(newest.status, '') <> 'entered-in-error'

),

told_again as materialized (

    {{ told_by_another_source('current_facts', ['imaging_study_id'], ["modality_code", "body_site_code", "date_trunc('minute', event_at)"], 'modality_code') }}

),

keyed as (

    select
        current_facts.person_key,
        current_facts.source,
        current_facts.imaging_study_id,
        {{ public_key('current_facts.fact_salt', 'current_facts.imaging_study_id') }} as imaging_study_key,
        encounters.surviving_encounter_id as encounter_id,
        encounters.encounter_key,
        current_facts.event_at,
        current_facts.status,
        current_facts.modality_code,
        current_facts.body_site_system,
        current_facts.body_site_code,
        current_facts.body_site_display,
        current_facts.procedure_system,
        current_facts.procedure_code,
        current_facts.procedure_display,
        current_facts.series_count,
        current_facts.instance_count,
        current_facts.started_at

    from current_facts
    left join {{ ref('int_encounters__matched') }} as encounters
        on current_facts.encounter_id = encounters.encounter_id

    where not exists (select 1 from told_again where told_again.imaging_study_id = current_facts.imaging_study_id)

)

select * from keyed
