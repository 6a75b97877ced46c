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
        words_code text path '$._foundInWords.code' null on error,
        words_context text path '$._foundInWords.context' null on error,
        category text path '$.category[0].coding[0].code' null on error,
        clinical_status text path '$.clinicalStatus.coding[0].code' null on error,
        verification_status text path '$.verificationStatus.coding[0].code' null on error,
        {{ moment_columns('onset', '$.onsetDateTime') }},
        {{ moment_columns('onset_start', '$.onsetPeriod.start') }},
        {{ moment_columns('abated', '$.abatementDateTime') }},
        {{ moment_columns('recorded', '$.recordedDate') }},
        {{ moment_columns('onset_end', '$.onsetPeriod.end') }},
        {{ moment_columns('abated_end', '$.abatementPeriod.end') }},
        {{ age_columns('onset', '$.onsetAge', '$.onsetRange') }},
        {{ age_columns('abated', '$.abatementAge', '$.abatementRange') }},
        categories jsonb path '$.category[*].coding[*].code' with wrapper null on error,
        body_sites jsonb path '$.bodySite[*].coding[*].code' with wrapper null on error
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
        words_code,
        words_context,
        category,
        clinical_status,
        verification_status,
        coalesce({{ moment('onset') }}, {{ moment('onset_start') }}) as onset_at,
        coalesce({{ moment_precision('onset') }}, {{ moment_precision('onset_start') }}) as onset_precision,
        {{ moment('abated') }} as abated_at,
        {{ moment('recorded') }} as recorded_at,
        coalesce(categories, '[]') as categories,
        body_sites,
        coalesce(
            {{ moment('onset') }}, {{ moment('onset_start') }}, case when onset_end_text is not null then '-infinity'::timestamptz end
        ) as begins_from,
        coalesce({{ moment_latest('onset') }}, {{ moment_latest('onset_start') }}, {{ moment_latest('onset_end') }}) as begins_to,
        -- The end of an abatement told as a period is not itself part of it.
        coalesce(
            {{ moment('abated') }},
            {{ moment('abated_end') }} - case when abated_end_text like '%T%' then interval '1 millisecond' else interval '1 day' end
        ) as ends_from,
        coalesce(
            {{ moment_latest('abated') }},
            {{ moment_latest('abated_end') }} - case when abated_end_text like '%T%' then interval '1 millisecond' else interval '1 day' end
        ) as ends_to,
        {{ age_from('onset') }} as onset_age,
        {{ age_to('abated') }} as abatement_age

    from parsed

)

select * from typed
