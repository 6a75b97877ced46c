with

parsed as (

    select
        {{ record_columns() }},
        resource.resource_id::uuid as immunization_id,
        json.*

    from {{ source('raw', 'resource') }} as resource
    left join lateral json_table(resource.body, '$' columns (
        status text path '$.status' null on error,
        encounter_reference text path '$.encounter.reference' null on error,
        {{ concept_columns('vaccine', '$.vaccineCode') }},
        {{ moment_columns('occurred', '$.occurrenceDateTime') }}
    )) as json on true

    where
        resource.resource_type = 'Immunization'
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
        immunization_id,
        {{ reference_token('encounter_reference') }} as encounter_id,
        {{ concept('vaccine', 'system', 'http://hl7.org/fhir/sid/cvx') }} as system,
        {{ concept('vaccine', 'code', 'http://hl7.org/fhir/sid/cvx') }} as code,
        {{ concept('vaccine', 'display', 'http://hl7.org/fhir/sid/cvx') }} as display,
        vaccine_codings as other_codings,
        status,
        {{ moment('occurred') }} as occurred_at

    from parsed

)

select * from typed
