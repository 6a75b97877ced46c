{{ config(post_hook="analyze {{ this }}") }}
{#- Everyone alive for at least a day of the period, with their age on its first and last day and whether they were seen. -#}
with

persons as (

    select
        person_key,
        birth_date,
        -- Dead without a date: nothing is known of them after their last event.
        coalesce(death_date, case when is_deceased then last_event_date end) as death_date

    from {{ ref('int_persons__resolved') }} as everyone

    -- Who said no to measuring quality is in no population, of whatever year.
    where not {{ has_opted_out('everyone.person_key', 'quality') }}

),

periods as (

    select * from {{ ref('int_measures__periods') }}

),

encounters as (

    select person_key, started_on from {{ ref('int_measures__encounters') }}

),

seen as (

    select
        periods.period_kind,
        periods.period,
        encounters.person_key,
        bool_or(encounters.started_on >= periods.starts_on) as has_encounter,
        bool_or(encounters.started_on >= (periods.ends_before - interval '6 months')::date) as has_encounter_in_last_six_months

    from periods
    inner join encounters
        on encounters.started_on < periods.observed_before
        and encounters.started_on >= (periods.ends_before - interval '24 months')::date

    group by 1, 2, 3

)

select
    periods.period_kind,
    periods.period,
    periods.starts_on,
    periods.ends_before,
    periods.observed_before,
    persons.person_key,
    extract(year from age(periods.starts_on, persons.birth_date))::integer as age_at_start,
    persons.birth_date <= (periods.starts_on - interval '6 months')::date as is_six_months_at_start,
    extract(year from age(periods.ends_before - 1, persons.birth_date))::integer as age_at_end,
    seen.person_key is not null as is_active,
    coalesce(seen.has_encounter, false) as has_encounter,
    coalesce(seen.has_encounter_in_last_six_months, false) as has_encounter_in_last_six_months,
    least(periods.observed_before, persons.death_date + 1)
        - greatest(periods.starts_on, coalesce(persons.birth_date, periods.starts_on)) as person_days,
    coalesce(persons.birth_date > periods.starts_on, false)
    or coalesce(persons.death_date < periods.observed_before - 1, false) as is_partly_observed

from periods
cross join persons
left join seen using (period_kind, period, person_key)

where
    coalesce(persons.birth_date < periods.observed_before, true)
    and coalesce(persons.death_date >= periods.starts_on, true)
