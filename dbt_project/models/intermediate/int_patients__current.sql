-- Patient records as sources tell them, in the words that measures and equity use. What is not told is 'unknown'; that
-- somebody would not say is 'declined', which is not the same.
with

versions as not materialized (

    select *, 1 as shape_order from {{ ref('stg_fhir__patients') }}
    union all
    select *, 2 as shape_order from {{ ref('stg_tables__patients') }}

),

contested as materialized (

    {{ ids_with_several_versions('versions', 'patient_id') }}

),

newest as (

    {{ newest_versions('versions', 'patient_id') }}

),

current_patients as (

    select newest.*, person_link.person_key, coalesce(newest.last_updated, newest.received_at) as valid_from

    from newest
    join {{ source('restricted', 'person_link') }} as person_link using (person_token)

    where not newest.is_deleted

),

told_values as (

    select
        patients.record_id,
        coalesce({{ cdc_race_category('told.value') }}, words.category) as category

    from current_patients as patients
    cross join lateral regexp_split_to_table(lower(concat_ws(';', patients.race, patients.ethnicity)), '\s*;\s*') as told (value)
    left join {{ ref('race_ethnicity_words') }} as words on told.value = words.word

),

categories as (

    select
        record_id,
        string_agg(distinct category, ';' order by category) filter (
            where category not in ('Hispanic or Latino', 'not hispanic', 'unknown', 'declined')
        ) as races,
        -- 'other' beside a category of OMB's one question adds nothing: it is how two questions recorded Hispanic alone.
        coalesce(
            string_agg(distinct category, ';' order by category) filter (
                where category not in ('not hispanic', 'other', 'unknown', 'declined')
            ),
            max(category) filter (where category = 'other')
        ) as races_and_ethnicities,
        coalesce(bool_or(category = 'Hispanic or Latino'), false) as is_hispanic,
        coalesce(bool_or(category = 'not hispanic'), false) as is_not_hispanic,
        coalesce(bool_or(category = 'declined'), false) as is_declined

    from told_values

    group by record_id

),

worded as (

    select
        patients.person_key,
        patients.source,
        patients.patient_id,
        patients.shape_order,
        patients.valid_from,
        -- Of somebody whose age alone is known, the earliest day they can have been born: nobody passes for younger.
        coalesce(
            patients.birth_date,
            ((patients.received_at at time zone 'UTC')::date
                - make_interval(years => floor(patients.age_years)::integer + 1) + interval '1 day')::date
        ) as birth_date,
        coalesce(patients.birth_date_precision, case when patients.age_years is not null then 'age' end) as birth_date_precision,
        patients.is_deceased,
        patients.death_date,
        {{ sex_word('patients.sex') }} as sex,
        {{ gender_identity_word('patients.gender_identity') }} as gender_identity,
        {{ known_or('categories.races', 'categories.is_declined') }} as race,
        case
            when categories.is_hispanic then 'hispanic'
            when categories.is_not_hispanic then 'not hispanic'
            when categories.is_declined then 'declined'
            else 'unknown'
        end as ethnicity,
        {{ known_or('categories.races_and_ethnicities', 'categories.is_declined') }} as race_ethnicity,
        {{ language_tag('patients.language', 'languages.tag') }} as language,
        {{ payer_category('patients.payer', 'null::text') }} as payer,
        patients.postal_code,
        coalesce(states.code, case when upper(patients.state) ~ '^[A-Z]{2}$' then upper(patients.state) end) as state,
        case
            when coalesce(patients.postal_code, '') = '' then 'unknown'
            when upper(coalesce(patients.country, 'US')) not in ('US', 'USA', 'UNITED STATES', 'UNITED STATES OF AMERICA', 'PR', 'PRI') then '000'
            when patients.postal_code ~ '^[0-9]{5}(-?[0-9]{4})?$' or patients.postal_code ~ '^[0-9]{3}$' then left(patients.postal_code, 3)
            else '000'
        end as zip3_told

    from current_patients as patients
    left join categories using (record_id)
    left join {{ ref('languages') }} as languages on lower(patients.language) = languages.word
    left join {{ ref('us_states') }} as states on lower(patients.state) = lower(states.name)

)

select * from worded
