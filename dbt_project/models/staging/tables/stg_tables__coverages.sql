with

mapped as (

    select * from {{ source('mapped', 'coverage') }}

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
        record_id as coverage_id,
        null::text as status,
        payer,
        payer_type,
        started_at,
        ended_at

    from mapped

)

select * from typed
