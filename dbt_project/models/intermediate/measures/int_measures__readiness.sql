{#- Whether each measure can be computed: its value sets exist, and some record carries a code of each. -#}
with

needed as (

    select
        measure_catalogue.measure_id,
        value_set

    from {{ ref('measure_catalogue') }} as measure_catalogue
    left join lateral unnest(string_to_array(measure_catalogue.value_sets, ';')) as value_set on true

),

held as (

    select value_set, count(*) as codes from {{ ref('value_sets') }} group by 1

),

seen as (

    select value_set, count(*) as codes from {{ ref('int_measures__coded_concepts') }} group by 1

)

select
    needed.measure_id,
    coalesce(
        string_agg(needed.value_set, ', ' order by needed.value_set)
            filter (where needed.value_set is not null and held.codes is null),
        -- The CMS measures name many sets; all of them have to be there (int_ecqm__readiness).
        max(of_folder.missing_value_sets)
    ) as missing_value_sets,
    string_agg(needed.value_set, ', ' order by needed.value_set)
        filter (where held.codes is not null and seen.codes is null) as unseen_value_sets

from needed
left join held using (value_set)
left join seen using (value_set)
left join {{ ref('int_ecqm__readiness') }} as of_folder using (measure_id)

group by 1
