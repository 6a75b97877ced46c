with

parsed as (

    select
        {{ record_columns() }},
        case resource.resource_type when 'ServiceRequest' then 'service' else 'device' end as kind,
        resource.resource_id::uuid as request_id,
        json.*

    from {{ source('raw', 'resource') }} as resource
    left join lateral json_table(resource.body, '$' columns (
        status text path '$.status' null on error,
        intent text path '$.intent' null on error,
        do_not_perform boolean path '$.doNotPerform' null on error,
        is_modified_not_to boolean path '$.modifierExtension[*] ? (@.url like_regex "doNotPerform$").valueBoolean' null on error,
        {{ concept_columns('service', '$.code') }},
        {{ concept_columns('device', '$.codeCodeableConcept') }},
        {{ moment_columns('authored', '$.authoredOn') }}
    )) as json on true

    where
        resource.resource_type in ('ServiceRequest', 'DeviceRequest')
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
        request_id,
        kind,
        coalesce(service_system, device_system) as system,
        coalesce(service_code, device_code) as code,
        coalesce(service_codings, device_codings) as other_codings,
        status,
        intent,
        coalesce(do_not_perform, false) or coalesce(is_modified_not_to, false) as is_negated,
        {{ moment('authored') }} as begins_from,
        {{ moment_latest('authored') }} as begins_to,
        {{ moment('authored') }} as ends_from,
        {{ moment_latest('authored') }} as ends_to

    from parsed

)

select * from typed
