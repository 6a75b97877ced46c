with

mapped as (

    select * from {{ source('mapped', 'observation') }}

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
        observation_id::uuid,
        -- A row of a table can tell several things (a line of vital signs): what tells them apart is their code.
        ('x' || left(md5(concat_ws('|', system, code)), 8))::bit(32)::integer as component_no,
        encounter_id::uuid,
        null::text as panel_system,
        null::text as panel_code,
        system,
        code,
        display,
        null::jsonb as other_codings,
        category,
        status,
        value_number,
        unit,
        value_code,
        value_system,
        null::text as value_display,
        observed_at,
        case when observed_at is not null then 'time' end as observed_precision,
        null::jsonb as categories,
        value_number is not null or value_code is not null as has_value,
        null::jsonb as other_value_codings,
        {{ told_bounds('observed_at', 'observed_at') }}

    from mapped

)

select * from typed
