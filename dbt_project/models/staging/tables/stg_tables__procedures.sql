with

mapped as (

    select * from {{ source('mapped', 'procedure') }}

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
        procedure_id::uuid,
        encounter_id::uuid,
        system,
        code,
        display,
        null::jsonb as other_codings,
        status,
        started_at,
        ended_at,
        {{ told_bounds('started_at', 'coalesce(ended_at, started_at)') }},
        null::interval as performed_age_from,
        null::interval as performed_age_to

    from mapped

)

select * from typed
