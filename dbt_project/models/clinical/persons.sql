with

persons as (

    select * from {{ ref('int_persons__resolved') }}

),

safe as (

    select
        person_key,
        has_patient_record,
        source_count::integer as source_count,
        case when not is_age_withheld then extract(year from birth_date)::integer end as birth_year,
        case when not is_age_withheld then birth_date_precision end as birth_year_basis,
        case
            when not is_age_withheld and birth_date <= least({{ night() }}, death_date)
                then {{ age_in_years('birth_date', 'least(' ~ night() ~ ', death_date)') }}
        end as age_years,
        case
            when is_age_withheld then 'withheld at 90+'
            when birth_date <= least({{ night() }}, death_date) then 'known'
            else 'unknown'
        end as age_status,
        sex,
        gender_identity,
        race,
        ethnicity,
        race_ethnicity,
        language,
        payer,
        zip3,
        state,
        is_deceased,
        extract(year from death_date)::integer as death_year,
        extract(year from first_shown_event_at at time zone 'UTC')::integer as first_event_year,
        case
            when last_event_at >= first_shown_event_at
                then floor(extract(epoch from last_event_at - first_shown_event_at) / 86400)::integer
        end as observed_days

    from persons

)

select * from safe
