with

mapped as (

    select * from {{ source('mapped', 'condition') }}

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
        condition_id::uuid,
        encounter_id::uuid,
        system,
        code,
        display,
        null::jsonb as other_codings,
        null::text as words_code,
        null::text as words_context,
        category,
        clinical_status,
        null::text as verification_status,
        onset_at,
        case when onset_at is not null then 'time' end as onset_precision,
        abated_at,
        recorded_at,
        null::jsonb as categories,
        null::jsonb as body_sites,
        {{ told_bounds('coalesce(onset_at, recorded_at)', 'abated_at') }},
        null::interval as onset_age,
        null::interval as abatement_age

    from mapped

)

select * from typed
