with

parsed as (

    select
        {{ record_columns() }},
        resource.resource_id::uuid as product_id,
        json.*

    from {{ source('raw', 'resource') }} as resource
    left join lateral json_table(resource.body, '$' columns (
        {{ concept_columns('product', '$.code') }}
    )) as json on true

    where
        resource.resource_type = 'Medication'
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
        product_id,
        {{ concept('product', 'system', 'http://www.nlm.nih.gov/research/umls/rxnorm') }} as system,
        {{ concept('product', 'code', 'http://www.nlm.nih.gov/research/umls/rxnorm') }} as code,
        {{ concept('product', 'display', 'http://www.nlm.nih.gov/research/umls/rxnorm') }} as display,
        product_codings as other_codings

    from parsed

)

select * from typed
