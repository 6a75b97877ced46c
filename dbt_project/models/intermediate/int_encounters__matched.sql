-- Every current encounter, also those that another source tells too: facts of either feed find the one that survives.
with

versions as not materialized (

    select *, 1 as shape_order from {{ ref('stg_fhir__encounters') }}
    union all
    select *, 2 as shape_order from {{ ref('stg_tables__encounters') }}

),

contested as materialized (

    {{ ids_with_several_versions('versions', 'encounter_id') }}

),

newest as (

    {{ newest_versions('versions', 'encounter_id') }}

),

current_facts as (

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

told_once as (

    select
        *,
        case
            when source_count > 1 and event_at is not null then dense_rank() over (
                partition by person_key, class_code, date_trunc('minute', event_at)
                order by shape_order, source
            )
            else 1
        end as source_rank,
        case
            when source_count > 1 and event_at is not null then first_value(encounter_id) over (
                partition by person_key, class_code, date_trunc('minute', event_at)
                order by shape_order, source, encounter_id
            )
            else encounter_id
        end as first_told_encounter_id

    from current_facts

),

matched as (

    select
        told_once.*,
        source_rank = 1 as is_surviving,
        case when source_rank = 1 then encounter_id else first_told_encounter_id end as surviving_encounter_id

    from told_once

),

keyed as (

    select
        person_key,
        source,
        encounter_id,
        is_surviving,
        surviving_encounter_id,
        {{ public_key('fact_salt', 'surviving_encounter_id') }} as encounter_key,
        event_at,
        status,
        class_code,
        type_system,
        type_code,
        type_display,
        started_at,
        started_precision,
        ended_at,
        reason_system,
        reason_code,
        reason_display,
        discharge_disposition,
        admit_source,
        part_of_encounter_id,
        other_type_codings,
        discharge_codings,
        begins_from,
        begins_to,
        ends_from,
        ends_to

    from matched

)

select * from keyed
