with

versions as not materialized (

    select * from {{ ref('stg_fhir__requests') }}

),

contested as materialized (

    {{ ids_with_several_versions('versions', 'request_id') }}

),

newest as (

    {{ newest_versions('versions', 'request_id') }}

)

select
    person_link.person_key,
    newest.request_id,
    newest.kind,
    newest.system,
    newest.code,
    newest.other_codings,
    newest.status,
    newest.intent,
    newest.is_negated,
    newest.begins_from,
    newest.begins_to,
    newest.ends_from,
    newest.ends_to

from newest
join {{ source('restricted', 'person_link') }} as person_link using (person_token)

where
    not newest.is_deleted
    and coalesce(newest.status, '') <> 'entered-in-error'
