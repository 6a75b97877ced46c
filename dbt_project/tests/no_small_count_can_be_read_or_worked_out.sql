-- On the table that readers get: no count below the minimum, on neither side of a proportion, and none left over when what
-- is shown of a dimension is taken from the total. Where people can be in several groups, nothing left over tells nothing.
{%- set minimum = policy('disclosure_minimum_cell') %}
with

results as (

    select *, rate_per = 1 as is_proportion from {{ ref('results_by_group') }} where rounded_to = 1

),

read_directly as (

    select measure_id, period, dimension, subgroup

    from results

    where
        people < {{ minimum }}
        or numerator < {{ minimum }}
        or (is_proportion and people - numerator < {{ minimum }})

),

totals as (

    select measure_id, period, people, numerator from results where dimension = 'all'

),

worked_out as (

    select results.measure_id, results.period, results.dimension, 'left over' as subgroup

    from results
    inner join totals using (measure_id, period)

    where results.dimension <> 'all'

    group by results.measure_id, results.period, results.dimension, totals.people, totals.numerator

    having
        (
            bool_or(results.people is null)
            and totals.people - coalesce(sum(results.people), 0) < {{ minimum }}
            and (results.dimension <> 'race_ethnicity' or totals.people > coalesce(sum(results.people), 0))
        )
        or (
            bool_or(results.numerator is null)
            and totals.numerator - coalesce(sum(results.numerator), 0) < {{ minimum }}
            and (results.dimension <> 'race_ethnicity' or totals.numerator > coalesce(sum(results.numerator), 0))
        )

)

select * from read_directly
union all
select * from worked_out
