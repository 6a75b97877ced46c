{{ config(materialized='view') }}

-- Made without identifiers before the build, by the policy on free text.
select
    record_id,
    form,
    state,
    text,
    section_headings

from {{ source('restricted', 'document_text') }}
