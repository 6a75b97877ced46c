{{ config(post_hook="analyze {{ this }}") }}
{#- Final observations of a value set. One whose value was not given is kept: it was asked for. -#}
with

observations as (

    {{ every_coding(ref('int_observations__current'), [
        'person_key', 'encounter_key', 'observed_at', 'status', 'value_number', 'unit'
    ]) }}

),

concepts as (

    select * from {{ ref('int_measures__coded_concepts') }}

)

select
    concepts.value_set,
    observations.person_key,
    observations.encounter_key,
    observations.observed_at,
    (observations.observed_at at time zone 'UTC')::date as observed_on,
    observations.code,
    observations.value_number,
    observations.unit

from observations
inner join concepts using (system, code)

where
    observations.observed_at is not null
    and coalesce(observations.status, 'final') in ('final', 'amended', 'corrected')
