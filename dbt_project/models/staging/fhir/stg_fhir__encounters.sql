with

parsed as (

    select
        {{ record_columns() }},
        resource.resource_id::uuid as encounter_id,
        json.*

    from {{ source('raw', 'resource') }} as resource
    left join lateral json_table(resource.body, '$' columns (
        status text path '$.status' null on error,
        class_code text path '$.class.code' null on error,
        {{ concept_columns('type', '$.type[0]') }},
        {{ concept_columns('reason', '$.reasonCode[0]') }},
        {{ moment_columns('started', '$.period.start') }},
        {{ moment_columns('ended', '$.period.end') }},
        discharge_disposition text path '$.hospitalization.dischargeDisposition.coding[0].code' null on error,
        admit_source text path '$.hospitalization.admitSource.coding[0].code' null on error,
        part_of_reference text path '$.partOf.reference' null on error,
        every_type jsonb path '$.type[*].coding[*]' with wrapper null on error,
        discharge_codings jsonb path '$.hospitalization.dischargeDisposition.coding[*]' with wrapper null on error
    )) as json on true

    where
        resource.resource_type = 'Encounter'
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
        encounter_id,
        status,
        class_code,
        {{ concept('type', 'system', 'http://snomed.info/sct') }} as type_system,
        {{ concept('type', 'code', 'http://snomed.info/sct') }} as type_code,
        {{ concept('type', 'display', 'http://snomed.info/sct') }} as type_display,
        {{ moment('started') }} as started_at,
        {{ moment_precision('started') }} as started_precision,
        {{ moment('ended') }} as ended_at,
        {{ concept('reason', 'system', 'http://hl7.org/fhir/sid/icd-10-cm') }} as reason_system,
        {{ concept('reason', 'code', 'http://hl7.org/fhir/sid/icd-10-cm') }} as reason_code,
        {{ concept('reason', 'display', 'http://hl7.org/fhir/sid/icd-10-cm') }} as reason_display,
        discharge_disposition,
        admit_source,
        {{ reference_token('part_of_reference') }} as part_of_encounter_id,
        case when jsonb_array_length(every_type) > 1 then every_type end as other_type_codings,
        discharge_codings,
        {{ bounds('started', 'ended') }}

    from parsed

)

select * from typed
