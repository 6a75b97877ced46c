with

mapped as (

    select * from {{ source('mapped', 'allergy') }}

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
        allergy_id::uuid,
        encounter_id::uuid,
        system,
        code,
        display,
        null::jsonb as other_codings,
        category,
        null::text as criticality,
        clinical_status,
        null::text as verification_status,
        recorded_at

    from mapped

)

select * from typed
