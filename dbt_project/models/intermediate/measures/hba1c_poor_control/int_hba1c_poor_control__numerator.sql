{#- Of the initial population, those whose last HbA1c of the period is above 9%, has no value, or is missing. -#}
with

initial_population as (

    select * from {{ ref('int_hba1c_poor_control__initial_population') }}

),

periods as (

    select * from {{ ref('int_measures__periods') }}

),

results as (

    select
        person_key,
        observed_at,
        observed_on,
        -- IFCC units to percent: the master equation of the IFCC and NGSP (Hoelzel et al. 2004).
        case when unit = 'mmol/mol' then 0.09148 * value_number + 2.152 else value_number end as percent

    from {{ ref('int_measures__results') }}

    where value_set = 'hba1c_test'

),

last_results as (

    select distinct on (periods.period, results.person_key)
        periods.period_kind,
        periods.period,
        results.person_key,
        results.percent

    from periods
    inner join results
        on results.observed_on >= periods.starts_on and results.observed_on < periods.observed_before

    where periods.period_kind = 'calendar year'

    -- Several at the same moment: the lowest counts, as CMS122 says; one without a value only when there is no other.
    order by periods.period, results.person_key, results.observed_at desc, results.percent asc nulls last

)

select
    initial_population.period_kind,
    initial_population.period,
    initial_population.person_key,
    1 as events

from initial_population
left join last_results using (period_kind, period, person_key)

where last_results.percent is null or last_results.percent > 9
