{#- Analysed, since without an idea of its size Postgres compared every order with every coding. -#}
{{ config(post_hook="analyze {{ this }} (kind, status, medication_key, code)") }}
-- What a request names by reference (Medication/…) gets that product's code.
with

products as (

    select distinct on (product_id) *

    from {{ ref('stg_fhir__medication_products') }}

    where not is_deleted

    order by product_id, coalesce(last_updated, received_at) desc, batch_seq desc

),

told as (

    select *, 1 as shape_order from {{ ref('stg_fhir__medications') }}
    union all
    select *, 2 as shape_order from {{ ref('stg_tables__medications') }}

),

versions as not materialized (

    select
        told.record_id,
        told.source,
        told.batch_seq,
        told.is_deleted,
        told.person_token,
        told.version_id,
        told.last_updated,
        told.received_at,
        told.shape_order,
        told.medication_id,
        told.kind,
        told.encounter_id,
        case when told.code is null then products.system else told.system end as system,
        case when told.code is null then products.code else told.code end as code,
        case when told.code is null then products.display else told.display end as display,
        coalesce(told.other_codings, products.other_codings) as other_codings,
        told.status,
        told.intent,
        told.started_at,
        told.ended_at,
        told.is_negated,
        told.authored_at,
        told.dosage,
        told.dispense

    from told
    left join products on told.product_id = products.product_id

),

contested as materialized (

    {{ ids_with_several_versions('versions', 'medication_id') }}

),

newest as (

    {{ newest_versions('versions', 'medication_id') }}

),

current_facts as not materialized (

    select
        newest.*,
        person_link.person_key,
        persons.fact_salt,
        persons.source_count,
        newest.started_at as event_at

    from newest
    join {{ source('restricted', 'person_link') }} as person_link using (person_token)
    join {{ source('restricted', 'person') }} as persons using (person_key)

    where
        not newest.is_deleted
        and coalesce(newest.status, '') <> 'entered-in-error'

),

told_again as materialized (

    {{ told_by_another_source('current_facts', ['medication_id'], ["kind", "system", "code", "date_trunc('minute', event_at)"], 'code') }}

),

keyed as (

    select
        current_facts.person_key,
        current_facts.source,
        current_facts.medication_id,
        {{ public_key('current_facts.fact_salt', 'current_facts.medication_id') }} as medication_key,
        encounters.surviving_encounter_id as encounter_id,
        encounters.encounter_key,
        current_facts.event_at,
        current_facts.kind,
        current_facts.system,
        current_facts.code,
        current_facts.display,
        current_facts.other_codings,
        current_facts.status,
        current_facts.intent,
        current_facts.started_at,
        current_facts.ended_at,
        current_facts.is_negated,
        current_facts.authored_at,
        current_facts.dosage,
        current_facts.dispense

    from current_facts
    left join {{ ref('int_encounters__matched') }} as encounters
        on current_facts.encounter_id = encounters.encounter_id

    where not exists (select 1 from told_again where told_again.medication_id = current_facts.medication_id)

)

select * from keyed
