-- Prefixes that become 000: those any census has ever counted too few people in, by the project's own list and by the
-- populations that were delivered. Delivered rows are totals of a prefix; the smallest counts.
with

listed as (

    select zip3 from {{ ref('restricted_zip3') }}

),

counted as (

    select zip3

    from {{ source('mapped', 'zip3_population') }}

    where not is_deleted

    group by zip3

    having min(population) < {{ var('zip3_smallest_population') }}

)

select zip3 from listed
union
select zip3 from counted
