with

versions as not materialized (

    select *, 1 as shape_order from {{ ref('stg_fhir__imaging_studies') }}

),

contested as materialized (

    {{ ids_with_several_versions('versions', 'part_id') }}

),

newest as (

    {{ newest_versions('versions', 'part_id') }}

),

current_parts as not materialized (

    select
        newest.*,
        person_link.person_key,
        persons.fact_salt,
        persons.source_count

    from newest
    join {{ source('restricted', 'person_link') }} as person_link using (person_token)
    join {{ source('restricted', 'person') }} as persons using (person_key)

    where
        not newest.is_deleted
        and coalesce(newest.status, '') <> 'entered-in-error'

),

-- One row per study of a person: of kind dicom from its instances, whenever they arrived; else what the source says itself.
-- Reports and other objects without pictures do not name the modality of a study that has pictures.
current_facts as materialized (

    select
        imaging_study_id,
        person_key,
        fact_salt,
        source_count,
        source,
        min(shape_order) as shape_order,
        min(study_uid_token::text)::uuid as study_uid_token,
        min(encounter_id::text)::uuid as encounter_id,
        min(status) as status,
        coalesce(
            mode() within group (order by modality_code)
                filter (where modality_code not in ('SR', 'PR', 'KO', 'DOC', 'SEG', 'REG', 'RWV', 'FID', 'OT')),
            mode() within group (order by modality_code)
        ) as modality_code,
        mode() within group (order by array[body_site_system, body_site_code, body_site_display])
            filter (where body_site_code is not null or body_site_system is not null) as body_site,
        mode() within group (order by array[procedure_system, procedure_code, procedure_display])
            filter (where procedure_code is not null or procedure_system is not null) as procedure,
        case when bool_or(is_instance) then count(distinct series_uid_token) else max(series_count) end::integer as series_count,
        case when bool_or(is_instance) then count(*) else max(instance_count) end::integer as instance_count,
        case
            when bool_or(burned_in_risk = 'declared') then 'declared'
            when bool_or(burned_in_risk = 'suspected') then 'suspected'
            when bool_or(burned_in_risk = 'not suspected') then 'not suspected'
            when bool_or(burned_in_risk = 'denied') then 'denied'
            else 'not told'
        end as burned_in_risk,
        min(started_at) as started_at,
        min(started_at) as event_at

    from current_parts

    group by imaging_study_id, person_key, fact_salt, source_count, source

),

told_again as materialized (

    {{ told_by_another_source('current_facts', ['imaging_study_id'], ["modality_code", "body_site[2]", "date_trunc('minute', event_at)"], 'modality_code') }}

    union

    {{ told_by_another_source('current_facts', ['imaging_study_id'], ["study_uid_token"], 'study_uid_token') }}

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
        current_facts.body_site[1] as body_site_system,
        current_facts.body_site[2] as body_site_code,
        current_facts.body_site[3] as body_site_display,
        current_facts.procedure[1] as procedure_system,
        current_facts.procedure[2] as procedure_code,
        current_facts.procedure[3] as procedure_display,
        current_facts.series_count,
        current_facts.instance_count,
        current_facts.burned_in_risk,
        current_facts.started_at

    from current_facts
    left join {{ ref('int_encounters__matched') }} as encounters
        on current_facts.encounter_id = encounters.encounter_id

    where not exists (select 1 from told_again where told_again.imaging_study_id = current_facts.imaging_study_id)

)

select * from keyed
