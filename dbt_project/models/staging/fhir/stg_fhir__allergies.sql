with

parsed as (

    select
        {{ record_columns() }},
        resource.resource_id::uuid as allergy_id,
        json.*

    from {{ source('raw', 'resource') }} as resource
    left join lateral json_table(resource.body, '$' columns (
        encounter_reference text path '$.encounter.reference' null on error,
        {{ concept_columns('allergy', '$.code') }},
        category text path '$.category[0]' null on error,
        criticality text path '$.criticality' null on error,
        clinical_status text path '$.clinicalStatus.coding[0].code' null on error,
        verification_status text path '$.verificationStatus.coding[0].code' null on error,
        {{ moment_columns('recorded', '$.recordedDate') }},
        {{ moment_columns('onset', '$.onsetDateTime') }}
    )) as json on true

    where
        resource.resource_type = 'AllergyIntolerance'
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
        allergy_id,
        {{ reference_token('encounter_reference') }} as encounter_id,
        {{ concept('allergy', 'system', 'http://snomed.info/sct') }} as system,
        {{ concept('allergy', 'code', 'http://snomed.info/sct') }} as code,
        {{ concept('allergy', 'display', 'http://snomed.info/sct') }} as display,
        allergy_codings as other_codings,
        category,
        criticality,
        clinical_status,
        verification_status,
        coalesce({{ moment('recorded') }}, {{ moment('onset') }}) as recorded_at

    from parsed

)

select * from typed
