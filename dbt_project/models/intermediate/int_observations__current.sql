with

versions as not materialized (

    select *, 1 as shape_order from {{ ref('stg_fhir__observations') }}
    union all
    select *, 2 as shape_order from {{ ref('stg_tables__observations') }}

),

-- Of documents one row of a version counts, their components being numbered; of tables every row, since there the number is
-- a hash of the code.
contested as materialized (

    {{ ids_with_several_versions('versions', 'observation_id', 'count(*) filter (where component_no <= 1 or shape_order = 2)') }}

),

newest as (

    {{ newest_versions('versions', 'observation_id') }}

),

current_facts as not materialized (

    select
        newest.*,
        {{ local_code_columns() }},
        person_link.person_key,
        persons.fact_salt,
        persons.source_count,
        newest.observed_at as event_at

    from newest
    join {{ source('restricted', 'person_link') }} as person_link using (person_token)
    join {{ source('restricted', 'person') }} as persons using (person_key)
    {{ local_code_join('newest', 'observation') }}

    where
        not newest.is_deleted
        and coalesce(newest.status, '') <> 'entered-in-error'

),

told_again as materialized (

    {{ told_by_another_source('current_facts', ['observation_id', 'component_no'], ["coalesce(mapped_system, system)", "coalesce(mapped_code, code)", "value_number", "value_code", "date_trunc('minute', event_at)"], 'code') }}

),

keyed as (

    select
        current_facts.person_key,
        current_facts.source,
        current_facts.observation_id,
        {{ public_key('current_facts.fact_salt', 'current_facts.observation_id', 'current_facts.component_no') }} as observation_key,
        encounters.surviving_encounter_id as encounter_id,
        encounters.encounter_key,
        current_facts.event_at,
        current_facts.component_no,
        current_facts.panel_system,
        current_facts.panel_code,
        {{ counted_code('current_facts') }},
        current_facts.category,
        current_facts.status,
        current_facts.value_number,
        current_facts.unit,
        current_facts.value_code,
        current_facts.value_system,
        current_facts.value_display,
        current_facts.observed_at,
        current_facts.observed_precision,
        current_facts.categories,
        current_facts.has_value,
        current_facts.other_value_codings,
        current_facts.begins_from,
        current_facts.begins_to,
        current_facts.ends_from,
        current_facts.ends_to

    from current_facts
    left join {{ ref('int_encounters__matched') }} as encounters
        on current_facts.encounter_id = encounters.encounter_id

    where not exists (
        select 1 from told_again
        where
            told_again.observation_id = current_facts.observation_id
            and told_again.component_no = current_facts.component_no
    )

)

select * from keyed
