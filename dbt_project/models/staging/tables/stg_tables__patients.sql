with

mapped as (

    select * from {{ source('mapped', 'patient') }}

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
        patient_id::uuid,
        birth_date,
        case when birth_date is not null then 'day' end as birth_date_precision,
        death_date,
        death_date is not null as is_deceased,
        sex,
        gender_identity,
        race,
        ethnicity,
        language,
        payer,
        postal_code,
        state,
        null::text as country,
        age_years

    from mapped

)

select * from typed
