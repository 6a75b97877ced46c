{#- Which value sets of each CMS measure hold no code here, and which are stood in for by the project's own codes. -#}
with

needed as (

    select
        measure_id,
        ecqm_value_sets.value_set,
        ecqm_value_sets.oid,
        ecqm_value_sets.title,
        ecqm_value_sets.is_indispensable

    from {{ ref('ecqm_value_sets') }} as ecqm_value_sets
    cross join lateral unnest(string_to_array(ecqm_value_sets.measures, ';')) as measure_id

),

held as (

    select value_set, count(*) as codes from {{ ref('int_ecqm__codes') }} group by 1

),

from_folder as (

    select distinct oid from {{ source('terminology', 'value_set_code') }}

)

select
    needed.measure_id,
    string_agg(needed.title, '; ' order by needed.title) filter (where held.codes is null) as missing_value_sets,
    string_agg(needed.title, '; ' order by needed.title)
        filter (where held.codes is not null and from_folder.oid is null) as stand_in_value_sets,
    -- Of the sets that only exclude people, a test deck may lack some and still be worth evaluating; a night may not.
    string_agg(needed.title, '; ' order by needed.title)
        filter (where held.codes is null and needed.is_indispensable) as missing_indispensable

from needed
left join held using (value_set)
left join from_folder using (oid)

group by 1
