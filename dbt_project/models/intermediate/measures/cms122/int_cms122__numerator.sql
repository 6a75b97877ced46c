{#-
    CMS122: of the initial population, those without a glycemic status assessment (HbA1c or glucose management indicator) in the
    period, or with the lowest of its last day above 9% or without a result. Of that day's, one without a number comes before
    every number, as CQL sorts; one whose value is something else than a number is neither.
-#}
with

people as (

    select people.* from {{ ref('int_ecqm__people') }} as people
    inner join {{ ref('int_cms122__initial_population') }} using (period_kind, period, person_key)

),

observations as (

    select * from {{ ref('int_ecqm__observations') }}
    where value_set in ('hba1c_laboratory_test', 'glucose_management_indicator') and is_final and is_laboratory

),

assessments as (

    select
        people.period_kind,
        people.period,
        people.person_key,
        {{ utc_day('observations.latest_from') }} as assessed_on,
        observations.has_value,
        case
            -- IFCC units to percent: the master equation of the IFCC and NGSP (Hoelzel et al. 2004).
            when observations.unit = 'mmol/mol' then 0.09148 * observations.value_number + 2.152
            when coalesce(observations.unit, '%') in ('%', '{HbA1c}', '% (HbA1c)') or observations.unit like '\%%' then observations.value_number
        end as percent,
        observations.value_number

    from people
    inner join observations using (person_key)

    where
        {{ from_day('observations.latest', 'people.starts_on') }}
        and {{ by_day('observations.latest', 'people.ends_on') }}

),

lowest_of_the_last_day as (

    select distinct on (period_kind, period, person_key) *

    from assessments

    order by period_kind, period, person_key, assessed_on desc, value_number asc nulls first, has_value

)

select
    people.period_kind,
    people.period,
    people.person_key,
    1 as events

from people
left join lowest_of_the_last_day as lowest using (period_kind, period, person_key)

where
    lowest.person_key is null
    or not lowest.has_value
    or lowest.percent > 9
