{#-
    CMS165: of the initial population, those whose last day with a blood pressure has a lowest systolic below 140 and a lowest
    diastolic below 90. A reading counts that was not taken during an inpatient stay or emergency visit, whenever it was taken, or
    that was taken in the period at an encounter of another class than those (the text is a union; see decisions/0226). A reading
    of that day without one of its two components hides the others, since CQL sorts what is missing first.
-#}
with

people as (

    select people.* from {{ ref('int_ecqm__people') }} as people
    inner join {{ ref('int_cms165__initial_population') }} using (period_kind, period, person_key)

),

readings as (

    select
        blood_pressures.*,
        encounters.class_code

    from {{ ref('int_ecqm__blood_pressures') }} as blood_pressures
    left join {{ ref('int_encounters__current') }} as encounters using (encounter_key)

    where blood_pressures.person_key in (select person_key from people)

),

stays as (

    select * from {{ ref('int_ecqm__encounters') }}
    where value_set in ('encounter_inpatient', 'emergency_department_evaluation_and_management_visit')

),

readings_during_stays as (

    select distinct readings.person_key, readings.reading

    from readings
    inner join stays using (person_key)

    where
        {{ utc_day('readings.latest_from') }} >= {{ utc_day('stays.begins_to') }}
        and {{ utc_day('readings.latest_to') }} <= {{ utc_day('stays.ends_from') }}

),

qualifying as (

    select
        people.period_kind,
        people.period,
        people.person_key,
        {{ utc_day('readings.latest_from') }} as measured_on,
        readings.systolic,
        readings.diastolic

    from people
    inner join readings using (person_key)
    left join readings_during_stays as during_stays using (person_key, reading)

    where
        {{ utc_day('readings.latest_from') }} < people.known_before
        and (
            during_stays.reading is null
            or (
                readings.class_code not in ('EMER', 'IMP', 'ACUTE', 'NONAC', 'PRENC', 'SS')
                and {{ from_day('readings.latest', 'people.starts_on') }}
                and {{ by_day('readings.latest', 'people.ends_on') }}
            )
        )

),

days as (

    select
        period_kind,
        period,
        person_key,
        measured_on,
        (array_agg(systolic order by systolic asc nulls first))[1] as lowest_systolic,
        (array_agg(diastolic order by diastolic asc nulls first))[1] as lowest_diastolic

    from qualifying

    group by 1, 2, 3, 4

),

last_days as (

    select distinct on (period_kind, period, person_key) *
    from days
    order by period_kind, period, person_key, measured_on desc

)

select
    period_kind,
    period,
    person_key,
    1 as events

from last_days

where lowest_systolic < 140 and lowest_diastolic < 90
