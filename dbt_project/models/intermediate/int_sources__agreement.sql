{#-
    Accuracy against other sources: of people whom several sources tell of, how many this source and another both describe, and of
    how many another says something else. Counts only. What is unknown, declined or 'other' contradicts nobody; races agree
    where they share a category. Results are compared at the same code, unit and minute; half a percent covers rounding.
-#}
with

shared as (

    select person_link.person_token, person_link.person_key

    from {{ source('restricted', 'person_link') }} as person_link
    join {{ source('restricted', 'person') }} as persons using (person_key)

    where persons.source_count > 1

),

patients as (

    select * from {{ ref('int_patients__current') }}

),

-- Each source's newest answer about each person, as a set of words.
answers as (

    select distinct on (patients.person_key, patients.source, told.trait)
        patients.person_key,
        patients.source,
        told.trait,
        told.answer

    from patients
    cross join lateral (
        values
        ('birth_date', case when birth_date_precision = 'day' then array[birth_date::text] end),
        ('sex', case when sex in ('female', 'male') then array[sex] end),
        ('race', case when race not in ('unknown', 'declined', 'other') then string_to_array(race, ';') end),
        ('ethnicity', case when ethnicity in ('hispanic', 'not hispanic') then array[ethnicity] end),
        ('state', case when state is not null then array[state] end),
        ('death_date', case when death_date is not null then array[death_date::text] end)
    ) as told (trait, answer)

    where told.answer is not null and patients.person_key in (select person_key from shared)

    order by patients.person_key, patients.source, told.trait, patients.valid_from desc, patients.patient_id

),

described as (

    select
        one.source,
        one.trait,
        bool_or(not one.answer && other.answer) as is_other

    from answers as one
    join answers as other
        on one.person_key = other.person_key and one.trait = other.trait and one.source <> other.source

    group by one.person_key, one.source, one.trait

),

versions as materialized (

    select *

    from (
        select *, 1 as shape_order from {{ ref('stg_fhir__observations') }}
        union all
        select *, 2 as shape_order from {{ ref('stg_tables__observations') }}
    ) as told

    where person_token in (select person_token from shared)

),

contested as materialized (

    {{ ids_with_several_versions('versions', 'observation_id', 'count(*) filter (where component_no <= 1)') }}

),

newest as (

    {{ newest_versions('versions', 'observation_id') }}

),

measured as (

    select
        shared.person_key,
        newest.source,
        coalesce(local.system, newest.system) as system,
        coalesce(local.code, newest.code) as code,
        newest.unit,
        date_trunc('minute', newest.observed_at) as observed_at,
        newest.value_number

    from newest
    join shared using (person_token)
    {{ local_code_join('newest', 'observation') }}

    where
        not newest.is_deleted
        and coalesce(newest.status, '') <> 'entered-in-error'
        and newest.observed_precision = 'time'
        and newest.value_number is not null
        and newest.unit is not null
        and newest.code is not null

),

-- Two readings in a minute are one source's own; one that another source tells as well is enough.
compared as (

    select
        one.source,
        bool_or(abs(one.value_number - other.value_number) <= 0.005 * greatest(abs(one.value_number), abs(other.value_number)))
            as is_told_alike

    from measured as one
    join measured as other
        on
            one.person_key = other.person_key
            and one.code = other.code
            and one.system is not distinct from other.system
            and one.unit = other.unit
            and one.observed_at = other.observed_at
            and one.source <> other.source

    group by one.person_key, one.source, one.system, one.code, one.unit, one.observed_at, one.value_number

),

counted as (

    select source, trait, count(*) as tested, count(*) filter (where is_other) as failed from described group by 1, 2
    union all
    select source, 'value', count(*), count(*) filter (where not is_told_alike) from compared group by 1

),

-- Every source of people has its row of every trait, so that nothing compared is told apart from nothing counted.
traits as (

    select distinct patients.source, named.trait
    from patients
    cross join (
        values ('birth_date'), ('sex'), ('race'), ('ethnicity'), ('state'), ('death_date'), ('value')
    ) as named (trait)

)

select
    traits.source,
    traits.trait,
    coalesce(counted.tested, 0) as tested,
    coalesce(counted.failed, 0) as failed

from traits
left join counted using (source, trait)
