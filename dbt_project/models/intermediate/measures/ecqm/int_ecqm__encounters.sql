{{ config(post_hook="analyze {{ this }}") }}
{#- Encounters that took place, once for each value set that one of their types belongs to (CQL: Status.isEncounterPerformed). -#}
with

encounters as (

    select * from {{ ref('int_encounters__current') }}

    -- Tables often tell no status: what they list took place.
    where coalesce(status, 'finished') = 'finished'

),

types as (

    {{ every_coding('encounters', ['encounter_key'], 'type_system', 'type_code', 'other_type_codings') }}

),

named as (

    select distinct codes.value_set, types.encounter_key
    from types
    inner join {{ ref('int_ecqm__codes') }} as codes
        on codes.code = types.code and codes.system = {{ code_system('types.system') }}

)

select
    named.value_set,
    encounters.encounter_key,
    encounters.person_key,
    -- Discharge to home, or to a healthcare facility, for hospice care.
    coalesce(
        encounters.discharge_codings
        @? '$[*] ? (@.system == "http://snomed.info/sct" && (@.code == "428361000124107" || @.code == "428371000124100"))',
        false
    ) as is_discharged_to_hospice,
    encounters.begins_from,
    encounters.begins_to,
    encounters.ends_from,
    encounters.ends_to

from named
inner join encounters using (encounter_key)
