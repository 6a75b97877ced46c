{{ config(post_hook="analyze {{ this }}") }}
{#-
    Conditions of the value sets with the interval in which they prevail (CQL: Status.verified, QICoreCommon.prevalenceInterval).
    An active condition that has not abated goes on; of one that is over and tells no end, only the beginning is known.
-#}
with

conditions as (

    select
        conditions.*,
        persons.birth_date

    from {{ ref('int_conditions__current') }} as conditions
    inner join {{ ref('int_persons__resolved') }} as persons using (person_key)

    where coalesce(conditions.verification_status, 'confirmed') in ('confirmed', 'unconfirmed', 'provisional', 'differential')

),

codings as (

    {{ every_coding('conditions', ['condition_key']) }}

),

named as (

    select distinct codes.value_set, codings.condition_key
    from codings
    inner join {{ ref('int_ecqm__codes') }} as codes
        on codes.code = codings.code and codes.system = {{ code_system('codings.system') }}

),

placed as (

    select
        named.value_set,
        conditions.condition_key,
        conditions.person_key,
        -- Without a category it may be either kind; with one it is the kind that it says.
        coalesce(
            conditions.categories ? 'encounter-diagnosis' or not conditions.categories ?| array['problem-list-item', 'health-concern'],
            true
        ) as is_encounter_diagnosis,
        coalesce(conditions.body_sites ? '7771000', false) as is_left,
        coalesce(conditions.body_sites ? '24028007', false) as is_right,
        conditions.clinical_status in ('active', 'recurrence', 'relapse') as is_active,
        coalesce(conditions.begins_from, (conditions.birth_date + conditions.onset_age)::timestamp at time zone 'UTC') as begins_from,
        coalesce(
            conditions.begins_to,
            (conditions.birth_date + conditions.onset_age + interval '1 day' - interval '1 millisecond')::timestamp at time zone 'UTC'
        ) as begins_to,
        -- An age of abatement lasts until the day before the next birthday.
        coalesce(
            conditions.ends_from,
            (conditions.birth_date + conditions.abatement_age + interval '1 year' - interval '1 day')::timestamp at time zone 'UTC'
        ) as ends_from,
        coalesce(
            conditions.ends_to,
            (conditions.birth_date + conditions.abatement_age + interval '1 year' - interval '1 millisecond')::timestamp at time zone 'UTC'
        ) as ends_to

    from named
    inner join conditions using (condition_key)

)

select
    value_set,
    condition_key,
    person_key,
    is_encounter_diagnosis,
    is_left,
    is_right,
    begins_from,
    begins_to,
    coalesce(ends_from, case when is_active then 'infinity' else begins_from end) as ends_from,
    coalesce(ends_to, 'infinity') as ends_to

from placed

where begins_from is not null
