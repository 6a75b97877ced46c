-- One person across sources. Of each trait the newest known answer counts (of the birth date the most exact one); that
-- somebody declined counts only where nobody knows.
with

patients as (

    select
        *,
        row_number() over (
            partition by person_key order by valid_from desc, shape_order, source, patient_id
        ) as newness

    from {{ ref('int_patients__current') }}

),

traits as (

    select
        person_key,
        (array_agg(birth_date order by
            case birth_date_precision when 'day' then 1 when 'month' then 2 when 'year' then 3 else 4 end, newness
        ) filter (where birth_date is not null))[1] as birth_date,
        (array_agg(birth_date_precision order by
            case birth_date_precision when 'day' then 1 when 'month' then 2 when 'year' then 3 else 4 end, newness
        ) filter (where birth_date is not null))[1] as birth_date_precision,
        bool_or(is_deceased) as is_deceased,
        (array_agg(death_date order by newness) filter (where death_date is not null))[1] as death_date,
        {{ newest_known('sex') }} as sex,
        {{ newest_known('gender_identity') }} as gender_identity,
        {{ newest_known('race') }} as race,
        {{ newest_known('ethnicity') }} as ethnicity,
        {{ newest_known('race_ethnicity') }} as race_ethnicity,
        {{ newest_known('language') }} as language,
        {{ newest_known('payer') }} as payer,
        (array_agg(postal_code order by newness) filter (where zip3_told <> 'unknown'))[1] as postal_code,
        {{ newest_known('zip3_told') }} as zip3_told,
        (array_agg(state order by newness) filter (where state is not null))[1] as state

    from patients

    group by person_key

),

-- Who pays as of the night: what is in force, else what ended last.
coverages as (

    select
        person_key,
        payer,
        coalesce(started_at < {{ night() }} + 1, true) and coalesce(ended_at >= {{ night() }}, true) as is_in_force,
        coalesce(ended_at, 'infinity') as ended_at

    from {{ ref('int_coverages__current') }}

    where payer <> 'unknown'

),

coverages_that_count as (

    select
        person_key,
        payer,
        rank() over (partition by person_key order by is_in_force desc, case when not is_in_force then ended_at end desc) as newness

    from coverages

),

payers as (

    select
        person_key,
        case
            when bool_or(payer = 'dual') or (bool_or(payer = 'medicare') and bool_or(payer = 'medicaid')) then 'dual'
            when bool_or(payer = 'medicare') then 'medicare'
            when bool_or(payer = 'medicaid') then 'medicaid'
            when bool_or(payer = 'private') then 'private'
            when bool_or(payer = 'other public') then 'other public'
            when bool_or(payer = 'other') then 'other'
            else 'self pay'
        end as payer

    from coverages_that_count

    where newness = 1

    group by person_key

),

events as (

    select person_key, event_at from {{ ref('int_encounters__matched') }}
    union all
    select person_key, event_at from {{ ref('int_conditions__current') }}
    union all
    select person_key, event_at from {{ ref('int_observations__current') }}
    union all
    select person_key, event_at from {{ ref('int_medications__current') }}
    union all
    select person_key, event_at from {{ ref('int_procedures__current') }}
    union all
    select person_key, event_at from {{ ref('int_immunizations__current') }}
    union all
    select person_key, event_at from {{ ref('int_allergies__current') }}
    union all
    select person_key, event_at from {{ ref('int_reports__current') }}
    union all
    select person_key, event_at from {{ ref('int_documents__current') }}
    union all
    select person_key, event_at from {{ ref('int_imaging_studies__current') }}

),

timelines as (

    select
        events.person_key,
        min(events.event_at) as first_event_at,
        min(events.event_at) filter (where events.event_at >= {{ shown_from_day() }}) as first_event_at_in_shown_years,
        max(events.event_at) filter (where events.event_at < {{ night() }} + 1) as last_event_at

    from events
    left join traits using (person_key)

    where traits.birth_date is null or events.event_at is null or events.event_at >= traits.birth_date

    group by events.person_key

),

-- Everybody with a current patient record or a current fact; who has neither left with a deletion.
everybody as (

    select person_key from traits
    union
    select person_key from events

),

joined as (

    select
        everybody.person_key,
        persons.source_count,
        traits.person_key is not null as has_patient_record,
        traits.birth_date,
        traits.birth_date_precision,
        coalesce(traits.is_deceased, false) as is_deceased,
        traits.death_date,
        coalesce(traits.sex, 'unknown') as sex,
        coalesce(traits.gender_identity, 'unknown') as gender_identity,
        coalesce(traits.race, 'unknown') as race,
        coalesce(traits.ethnicity, 'unknown') as ethnicity,
        coalesce(traits.race_ethnicity, 'unknown') as race_ethnicity,
        coalesce(traits.language, 'unknown') as language,
        coalesce(payers.payer, traits.payer, 'unknown') as payer,
        traits.postal_code,
        case when restricted.zip3 is not null then '000' else coalesce(traits.zip3_told, 'unknown') end as zip3,
        coalesce(traits.state, 'unknown') as state,
        timelines.first_event_at,
        timelines.first_event_at_in_shown_years,
        timelines.last_event_at,
        coalesce(
            {{ age_in_years('coalesce(traits.birth_date, timelines.first_event_at::date)', 'least(' ~ night() ~ ', traits.death_date)') }}
            >= {{ var('withheld_from_age') }},
            false
        ) as is_age_withheld

    from everybody
    left join {{ source('restricted', 'person') }} as persons using (person_key)
    left join traits using (person_key)
    left join payers using (person_key)
    left join timelines using (person_key)
    left join {{ ref('int_zip3__restricted') }} as restricted on traits.zip3_told = restricted.zip3

)

select
    joined.*,
    (first_event_at at time zone 'UTC')::date as first_event_date,
    (last_event_at at time zone 'UTC')::date as last_event_date,
    case when is_age_withheld then first_event_at_in_shown_years else first_event_at end as first_shown_event_at

from joined
