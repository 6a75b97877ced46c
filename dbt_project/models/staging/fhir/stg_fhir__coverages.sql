with

parsed as (

    select
        {{ record_columns() }},
        resource.resource_id::uuid as coverage_id,
        json.*

    from {{ source('raw', 'resource') }} as resource
    left join lateral json_table(resource.body, '$' columns (
        status text path '$.status' null on error,
        type_code text path '$.type.coding[0].code' null on error,
        type_display text path '$.type.coding[0].display' null on error,
        type_text text path '$.type.text' null on error,
        payor_display text path '$.payor[0].display' null on error,
        class_value text path '$.class[0].value' null on error,
        {{ moment_columns('started', '$.period.start') }},
        {{ moment_columns('ended', '$.period.end') }}
    )) as json on true

    where
        resource.resource_type = 'Coverage'
        and {{ newer_batches('resource.batch_seq') }}

),

typed as (

    select
        record_id,
        source,
        batch_seq,
        is_deleted,
        person_token,
        version_id,
        last_updated,
        received_at,
        coverage_id,
        status,
        coalesce(type_text, type_display, payor_display, class_value) as payer,
        type_code as payer_type,
        {{ moment('started') }} as started_at,
        {{ moment('ended') }} as ended_at

    from parsed

)

select * from typed
