with

versions as not materialized (

    select * from {{ ref('stg_fhir__coverages') }}
    union all
    select * from {{ ref('stg_tables__coverages') }}

),

contested as materialized (

    {{ ids_with_several_versions('versions', 'coverage_id') }}

),

newest as (

    {{ newest_versions('versions', 'coverage_id') }}

),

current_coverages as (

    select
        person_link.person_key,
        newest.source,
        newest.coverage_id,
        newest.payer as payer_name,
        {{ payer_category('newest.payer', 'newest.payer_type') }} as payer,
        newest.status,
        newest.started_at,
        newest.ended_at

    from newest
    join {{ source('restricted', 'person_link') }} as person_link using (person_token)

    where
        not newest.is_deleted
        and coalesce(newest.status, '') not in ('entered-in-error', 'cancelled')

)

select * from current_coverages
