with

mapped as (

    select * from {{ source('mapped', 'medication') }}

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
        medication_id::uuid,
        'request' as kind,
        encounter_id::uuid,
        null::uuid as product_id,
        system,
        code,
        display,
        null::jsonb as other_codings,
        status,
        null::text as intent,
        started_at,
        ended_at,
        false as is_negated,
        started_at as authored_at,
        null::jsonb as dosage,
        null::jsonb as dispense

    from mapped

)

select * from typed
