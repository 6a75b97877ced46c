with

parsed as (

    select
        {{ record_columns() }},
        resource.resource_id::uuid as report_id,
        json.*

    from {{ source('raw', 'resource') }} as resource
    left join lateral json_table(resource.body, '$' columns (
        status text path '$.status' null on error,
        encounter_reference text path '$.encounter.reference' null on error,
        {{ concept_columns('report', '$.code') }},
        category text path '$.category[0].coding[0].code' null on error,
        {{ moment_columns('effective', '$.effectiveDateTime') }},
        {{ moment_columns('effective_start', '$.effectivePeriod.start') }},
        {{ moment_columns('issued', '$.issued') }}
    )) as json on true

    where
        resource.resource_type = 'DiagnosticReport'
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
        report_id,
        {{ reference_token('encounter_reference') }} as encounter_id,
        {{ concept('report', 'system', 'http://loinc.org') }} as system,
        {{ concept('report', 'code', 'http://loinc.org') }} as code,
        {{ concept('report', 'display', 'http://loinc.org') }} as display,
        report_codings as other_codings,
        category,
        status,
        coalesce({{ moment('effective') }}, {{ moment('effective_start') }}, {{ moment('issued') }}) as issued_at

    from parsed

)

select * from typed
