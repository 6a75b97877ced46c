with

versions as not materialized (

    select *, 1 as shape_order from {{ ref('stg_fhir__conditions') }}
    union all
    select *, 2 as shape_order from {{ ref('stg_tables__conditions') }}

),

contested as materialized (

    {{ ids_with_several_versions('versions', 'condition_id') }}

),

newest as (

    {{ newest_versions('versions', 'condition_id') }}

),

current_facts as not materialized (

    select
        newest.*,
        {{ local_code_columns() }},
        person_link.person_key,
        persons.fact_salt,
        persons.source_count,
        coalesce(newest.onset_at, newest.recorded_at) as event_at

    from newest
    join {{ source('restricted', 'person_link') }} as person_link using (person_token)
    join {{ source('restricted', 'person') }} as persons using (person_key)
    {{ local_code_join('newest', 'condition') }}

    where
        not newest.is_deleted
        and coalesce(newest.verification_status, '') <> 'entered-in-error'

),

told_again as materialized (

    {{ told_by_another_source('current_facts', ['condition_id'], ["coalesce(mapped_system, system)", "coalesce(mapped_code, code)", "date_trunc('minute', event_at)"], 'code') }}

),

keyed as (

    select
        current_facts.person_key,
        current_facts.source,
        current_facts.condition_id,
        {{ public_key('current_facts.fact_salt', 'current_facts.condition_id') }} as condition_key,
        encounters.surviving_encounter_id as encounter_id,
        encounters.encounter_key,
        current_facts.event_at,
        {{ counted_code('current_facts') }},
        current_facts.words_code,
        current_facts.words_context,
        {{ code_validity('coalesce(current_facts.mapped_system, current_facts.system)', 'coalesce(current_facts.mapped_code, current_facts.code)') }} as code_validity,
        current_facts.category,
        current_facts.clinical_status,
        current_facts.verification_status,
        current_facts.onset_at,
        current_facts.onset_precision,
        current_facts.abated_at,
        current_facts.recorded_at,
        current_facts.categories,
        current_facts.body_sites,
        current_facts.begins_from,
        current_facts.begins_to,
        current_facts.ends_from,
        current_facts.ends_to,
        current_facts.onset_age,
        current_facts.abatement_age

    from current_facts
    left join {{ ref('int_encounters__matched') }} as encounters
        on current_facts.encounter_id = encounters.encounter_id
    left join {{ source('coding', 'icd10cm') }} as icd10cm
        on coalesce(current_facts.mapped_system, current_facts.system) = 'http://hl7.org/fhir/sid/icd-10-cm'
        and icd10cm.code = replace(upper(coalesce(current_facts.mapped_code, current_facts.code)), '.', '')

    where not exists (select 1 from told_again where told_again.condition_id = current_facts.condition_id)

)

select * from keyed
