with

parsed as (

    select
        {{ record_columns() }},
        resource.resource_id::uuid as condition_id,
        json.*

    from {{ source('raw', 'resource') }} as resource
    left join lateral json_table(resource.body, '$' columns (
        encounter_reference text path '$.encounter.reference' null on error,
        {{ concept_columns('condition', '$.code') }},
        category text path '$.category[0].coding[0].code' null on error,
        clinical_status text path '$.clinicalStatus.coding[0].code' null on error,
        verification_status text path '$.verificationStatus.coding[0].code' null on error,
        {{ moment_columns('onset', '$.onsetDateTime') }},
        {{ moment_columns('onset_start', '$.onsetPeriod.start') }},
        {{ moment_columns('abated', '$.abatementDateTime') }},
        {{ moment_columns('recorded', '$.recordedDate') }}
    )) as json on true

    where
        resource.resource_type = 'Condition'
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
        condition_id,
        {{ reference_token('encounter_reference') }} as encounter_id,
        {{ concept('condition', 'system', 'http://hl7.org/fhir/sid/icd-10-cm') }} as system,
        {{ concept('condition', 'code', 'http://hl7.org/fhir/sid/icd-10-cm') }} as code,
        {{ concept('condition', 'display', 'http://hl7.org/fhir/sid/icd-10-cm') }} as display,
        condition_codings as other_codings,
        category,
        clinical_status,
        verification_status,
        coalesce({{ moment('onset') }}, {{ moment('onset_start') }}) as onset_at,
        coalesce({{ moment_precision('onset') }}, {{ moment_precision('onset_start') }}) as onset_precision,
        {{ moment('abated') }} as abated_at,
        {{ moment('recorded') }} as recorded_at

    from parsed

)

select * from typed
