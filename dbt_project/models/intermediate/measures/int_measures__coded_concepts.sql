{{ config(post_hook="analyze {{ this }}") }}
{#- Which codes that stand in the data belong to which value set. Matched once per code, not once per record. -#}
with

value_sets as (

    select * from {{ ref('value_sets') }}

),

codes_seen as (

    {{ every_coding(ref('int_conditions__current'), []) }}
    union
    {{ every_coding(ref('int_observations__current'), []) }}
    union
    {{ every_coding(ref('int_procedures__current'), []) }}
    union
    {{ every_coding(ref('int_immunizations__current'), []) }}
    union
    {{ every_coding(ref('int_encounters__current'), [], 'type_system', 'type_code', none) }}
    union
    {{ every_coding(ref('int_encounters__current'), [], 'reason_system', 'reason_code', none) }}

)

select distinct
    value_sets.value_set,
    codes_seen.system,
    codes_seen.code

from codes_seen
inner join value_sets
    on codes_seen.system = value_sets.system
    and (
        codes_seen.code = value_sets.code
        or (value_sets.match = 'descendants' and starts_with(codes_seen.code, value_sets.code))
    )
