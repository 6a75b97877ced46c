with

parsed as (

    select
        {{ record_columns() }},
        lower(replace(resource.resource_type, 'Medication', '')) as kind,
        resource.resource_id::uuid as medication_id,
        json.*

    from {{ source('raw', 'resource') }} as resource
    left join lateral json_table(resource.body, '$' columns (
        status text path '$.status' null on error,
        intent text path '$.intent' null on error,
        encounter_reference text path '$.encounter.reference' null on error,
        context_reference text path '$.context.reference' null on error,
        {{ concept_columns('medication', '$.medicationCodeableConcept') }},
        product_reference text path '$.medicationReference.reference' null on error,
        {{ moment_columns('authored', '$.authoredOn') }},
        {{ moment_columns('effective', '$.effectiveDateTime') }},
        {{ moment_columns('effective_start', '$.effectivePeriod.start') }},
        {{ moment_columns('effective_end', '$.effectivePeriod.end') }},
        {{ moment_columns('handed_over', '$.whenHandedOver') }},
        {{ moment_columns('valid_until', '$.dispenseRequest.validityPeriod.end') }},
        is_negated boolean path '$.doNotPerform' null on error,
        dosage jsonb path '$.dosageInstruction' null on error,
        dispense jsonb path '$.dispenseRequest' null on error
    )) as json on true

    where
        resource.resource_type in ('MedicationRequest', 'MedicationStatement', 'MedicationAdministration', 'MedicationDispense')
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
        medication_id,
        kind,
        {{ reference_token('coalesce(encounter_reference, context_reference)') }} as encounter_id,
        {{ reference_token('product_reference') }} as product_id,
        {{ concept('medication', 'system', 'http://www.nlm.nih.gov/research/umls/rxnorm') }} as system,
        {{ concept('medication', 'code', 'http://www.nlm.nih.gov/research/umls/rxnorm') }} as code,
        {{ concept('medication', 'display', 'http://www.nlm.nih.gov/research/umls/rxnorm') }} as display,
        medication_codings as other_codings,
        status,
        intent,
        coalesce(
            {{ moment('authored') }}, {{ moment('effective') }}, {{ moment('effective_start') }}, {{ moment('handed_over') }}
        ) as started_at,
        coalesce({{ moment('effective_end') }}, {{ moment('valid_until') }}) as ended_at,
        coalesce(is_negated, false) as is_negated,
        {{ moment('authored') }} as authored_at,
        dosage,
        dispense

    from parsed

)

select * from typed
