with

versions as not materialized (

    select *, 1 as shape_order from {{ ref('stg_fhir__allergies') }}
    union all
    select *, 2 as shape_order from {{ ref('stg_tables__allergies') }}

),

contested as materialized (

    {{ ids_with_several_versions('versions', 'allergy_id') }}

),

newest as (

    {{ newest_versions('versions', 'allergy_id') }}

),

current_facts as not materialized (

    select
        newest.*,
        person_link.person_key,
        persons.fact_salt,
        persons.source_count,
        newest.recorded_at as event_at

    from newest
    join {{ source('restricted', 'person_link') }} as person_link using (person_token)
    join {{ source('restricted', 'person') }} as persons using (person_key)

    where
        not newest.is_deleted
        and coalesce(newest.verification_status, '') <> 'entered-in-error'

),

told_again as materialized (

    {{ told_by_another_source('current_facts', ['allergy_id'], ["system", "code", "date_trunc('minute', event_at)"], 'code') }}

),

keyed as (

    select
        current_facts.person_key,
        current_facts.source,
        current_facts.allergy_id,
        {{ public_key('current_facts.fact_salt', 'current_facts.allergy_id') }} as allergy_key,
        encounters.surviving_encounter_id as encounter_id,
        encounters.encounter_key,
        current_facts.event_at,
        current_facts.system,
        current_facts.code,
        current_facts.display,
        current_facts.other_codings,
        current_facts.category,
        current_facts.criticality,
        current_facts.clinical_status,
        current_facts.verification_status,
        current_facts.recorded_at

    from current_facts
    left join {{ ref('int_encounters__matched') }} as encounters
        on current_facts.encounter_id = encounters.encounter_id

    where not exists (select 1 from told_again where told_again.allergy_id = current_facts.allergy_id)

)

select * from keyed
