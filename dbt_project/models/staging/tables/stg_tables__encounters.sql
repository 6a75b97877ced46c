with

mapped as (

    select * from {{ source('mapped', 'encounter') }}

    where {{ newer_batches('batch_seq') }}

),

typed as (

    select
        record_id,
        source,
        batch_seq,
        is_deleted,
        person_token,
        null::text as version_id,
        last_updated,
        received_at,
        encounter_id::uuid,
        status,
        class_code,
        type_system,
        type_code,
        null::text as type_display,
        started_at,
        case when started_at is not null then 'time' end as started_precision,
        ended_at,
        reason_system,
        reason_code,
        null::text as reason_display,
        discharge_disposition,
        null::text as admit_source,
        null::uuid as part_of_encounter_id,
        null::jsonb as other_type_codings,
        null::jsonb as discharge_codings,
        {{ told_bounds('started_at', 'coalesce(ended_at, started_at)') }}

    from mapped

)

select * from typed
