{{ config(post_hook="analyze {{ this }}") }}
{#- When each person had a condition of a value set: first and, where it is over, last day. -#}
with

conditions as (

    {{ every_coding(ref('int_conditions__current'), [
        'person_key', 'verification_status', 'clinical_status', 'onset_at', 'abated_at', 'recorded_at'
    ]) }}

),

concepts as (

    select * from {{ ref('int_measures__coded_concepts') }}

)

select
    concepts.value_set,
    conditions.person_key,
    conditions.code,
    (coalesce(conditions.onset_at, conditions.recorded_at) at time zone 'UTC')::date as began_on,
    (conditions.abated_at at time zone 'UTC')::date as ended_on

from conditions
inner join concepts using (system, code)

where
    coalesce(conditions.verification_status, 'confirmed') not in ('refuted', 'entered-in-error')
    -- Over without saying since when: it cannot be placed in a period, so it is not counted in one.
    and not (
        coalesce(conditions.clinical_status, 'active') in ('inactive', 'resolved', 'remission')
        and conditions.abated_at is null
    )
