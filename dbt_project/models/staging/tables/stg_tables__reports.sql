with

mapped as (

    select * from {{ source('mapped', 'report') }}

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
        report_id::uuid,
        encounter_id::uuid,
        system,
        code,
        display,
        null::jsonb as other_codings,
        null::text as category,
        status,
        issued_at

    from mapped

)

select * from typed
