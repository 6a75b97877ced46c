{{ config(post_hook="analyze {{ this }}") }}
{#-
    Stays in hospital, from admission to discharge; stays that overlap or follow each other without a day between (transfers)
    are one. What the admission was for is the first stay's reason, or, where it tells none, the diagnoses made at it.
-#}
with

encounters as (

    select
        person_key,
        encounter_key,
        {{ utc_day('started_at') }} as admitted_on,
        greatest({{ utc_day('coalesce(ended_at, started_at)') }}, {{ utc_day('started_at') }}) as discharged_on,
        reason_system,
        reason_code,
        discharge_disposition in ('exp', '20', '40', '41', '42', '371828006', '419099009') as ended_in_death

    from {{ ref('int_encounters__current') }}

    where
        class_code in ('IMP', 'ACUTE', 'NONAC')
        and started_at is not null
        and coalesce(status, 'finished') not in ('planned', 'cancelled', 'entered-in-error')

),

ordered as (

    select
        *,
        max(discharged_on) over (
            partition by person_key order by admitted_on, encounter_key rows between unbounded preceding and 1 preceding
        ) as discharged_before

    from encounters

),

numbered as (

    select
        *,
        count(*) filter (where discharged_before is null or admitted_on > discharged_before)
            over (partition by person_key order by admitted_on, encounter_key) as stay_no

    from ordered

),

sensitive as (

    select system, code from {{ ref('int_measures__coded_concepts') }} where value_set = 'ambulatory_care_sensitive_condition'

),

made_at_it as (

    select distinct conditions.encounter_key
    from {{ ref('int_conditions__current') }} as conditions
    inner join sensitive using (system, code)
    where conditions.encounter_key is not null

)

select
    numbered.person_key,
    numbered.stay_no,
    min(numbered.admitted_on) as admitted_on,
    max(numbered.discharged_on) as discharged_on,
    bool_or(coalesce(numbered.ended_in_death, false)) as ended_in_death,
    (array_agg(
        case
            when numbered.reason_code is not null then sensitive.code is not null
            else made_at_it.encounter_key is not null
        end
        order by numbered.admitted_on, numbered.encounter_key
    ))[1] as is_ambulatory_care_sensitive

from numbered
left join sensitive on sensitive.system = numbered.reason_system and sensitive.code = numbered.reason_code
left join made_at_it using (encounter_key)

group by 1, 2
