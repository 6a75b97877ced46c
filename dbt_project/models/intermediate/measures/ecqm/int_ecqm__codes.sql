{{ config(post_hook="analyze {{ this }}") }}
{#-
    Every code of the value sets that the CMS measures name: from the installation's terminology folder, or, of a set that is
    not there, the project's own codes of the same name (seed value_sets) as a stand-in. int_ecqm__readiness says which.
-#}
with

needed as (

    select value_set, oid from {{ ref('ecqm_value_sets') }}

),

held as (

    select distinct
        needed.value_set,
        {{ code_system('terminology.system') }} as system,
        terminology.code

    from needed
    inner join {{ source('terminology', 'value_set_code') }} as terminology using (oid)

),

standing_in as (

    select
        value_set,
        {{ code_system('system') }} as system,
        code,
        match

    from {{ ref('value_sets') }}

    where
        value_set in (select value_set from needed)
        and value_set not in (select value_set from held)

),

-- What stands for its descendants is followed by the codes that are seen.
diagnoses_seen as (

    select distinct {{ code_system('system') }} as system, code
    from ({{ every_coding(ref('int_conditions__current'), []) }}) as codings

)

select value_set, system, code from held
union
select value_set, system, code from standing_in
union
select standing_in.value_set, diagnoses_seen.system, diagnoses_seen.code
from standing_in
inner join diagnoses_seen
    on standing_in.match = 'descendants'
    and standing_in.system = diagnoses_seen.system
    and starts_with(diagnoses_seen.code, standing_in.code)
