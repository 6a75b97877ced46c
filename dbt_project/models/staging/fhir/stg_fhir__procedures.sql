with

parsed as (

    select
        {{ record_columns() }},
        resource.resource_id::uuid as procedure_id,
        json.*

    from {{ source('raw', 'resource') }} as resource
    left join lateral json_table(resource.body, '$' columns (
        status text path '$.status' null on error,
        encounter_reference text path '$.encounter.reference' null on error,
        {{ concept_columns('procedure', '$.code') }},
        {{ moment_columns('performed', '$.performedDateTime') }},
        {{ moment_columns('performed_start', '$.performedPeriod.start') }},
        {{ moment_columns('performed_end', '$.performedPeriod.end') }},
        {{ age_columns('performed', '$.performedAge', '$.performedRange') }}
    )) as json on true

    where
        resource.resource_type = 'Procedure'
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
        procedure_id,
        {{ reference_token('encounter_reference') }} as encounter_id,
        {{ concept('procedure', 'system', 'http://snomed.info/sct') }} as system,
        {{ concept('procedure', 'code', 'http://snomed.info/sct') }} as code,
        {{ concept('procedure', 'display', 'http://snomed.info/sct') }} as display,
        procedure_codings as other_codings,
        status,
        coalesce({{ moment('performed') }}, {{ moment('performed_start') }}) as started_at,
        {{ moment('performed_end') }} as ended_at,
        {{ bounds('performed_start', 'performed_end', ['performed']) }},
        {{ age_from('performed') }} as performed_age_from,
        {{ age_to('performed') }} as performed_age_to

    from parsed

)

select * from typed
