with

parsed as (

    select
        {{ record_columns() }},
        resource.resource_id::uuid as document_id,
        json.*

    from {{ source('raw', 'resource') }} as resource
    left join lateral json_table(resource.body, '$' columns (
        status text path '$.status' null on error,
        document_status text path '$.docStatus' null on error,
        encounter_reference text path '$.context.encounter[0].reference' null on error,
        {{ concept_columns('type', '$.type') }},
        category text path '$.category[0].coding[0].code' null on error,
        content_type text path '$.content[0].attachment.contentType' null on error,
        {{ moment_columns('dated', '$.date') }},
        {{ moment_columns('period', '$.context.period.start') }}
    )) as json on true

    where
        resource.resource_type = 'DocumentReference'
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
        document_id,
        {{ reference_token('encounter_reference') }} as encounter_id,
        {{ concept('type', 'system', 'http://loinc.org') }} as type_system,
        {{ concept('type', 'code', 'http://loinc.org') }} as type_code,
        {{ concept('type', 'display', 'http://loinc.org') }} as type_display,
        category,
        status,
        document_status,
        content_type,
        coalesce({{ moment('dated') }}, {{ moment('period') }}) as dated_at

    from parsed

)

select * from typed
