-- On the table that readers get: no count below the minimum, on neither side of a proportion, and none left over when what
-- is shown of a dimension is taken from the total, or what is shown of two dimensions from a group of either. Where people can
-- be in several groups, what is left over only says that the hidden ones together are at least so many: that tells of one hidden group,
-- and of none of several.
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

    -- Two dimensions together are taken from the groups of either, below, which says more.
    where results.dimension <> 'all' and results.dimension not like '%*%'

    group by results.measure_id, results.period, results.dimension, totals.people, totals.numerator

    having
        (
            bool_or(results.people is null)
            and totals.people - coalesce(sum(results.people), 0) < {{ minimum }}
            and (results.dimension not like '%race_ethnicity%'
                or (totals.people > coalesce(sum(results.people), 0) and count(*) - count(results.people) < 2))
        )
        or (
            bool_or(results.numerator is null)
            and totals.numerator - coalesce(sum(results.numerator), 0) < {{ minimum }}
            and (results.dimension not like '%race_ethnicity%'
                or (totals.numerator > coalesce(sum(results.numerator), 0) and count(*) - count(results.numerator) < 2))
        )

),

parts as (

    select
        results.*,
        whole.dimension as whole_dimension,
        whole.subgroup as whole_subgroup,
        whole.people as whole_people,
        whole.numerator as whole_numerator,
        -- People of several races are in several parts of the other dimension's group.
        split_part(results.dimension, '*', 3 - place) = 'race_ethnicity' as is_overlapping

    from results
    cross join (values (1), (2)) as places (place)
    inner join results as whole
        on whole.measure_id = results.measure_id
        and whole.period = results.period
        and whole.dimension = split_part(results.dimension, '*', place)
        and whole.subgroup = split_part(results.subgroup, ', ', place)

    where results.dimension like '%*%'

),

worked_out_of_groups as (

    select measure_id, period, dimension, whole_subgroup as subgroup

    from parts

    group by measure_id, period, dimension, whole_dimension, whole_subgroup, whole_people, whole_numerator, is_overlapping

    having
        bool_or(numerator is null)
        and (
            (
                whole_people - coalesce(sum(people), 0) < {{ minimum }}
                and whole_people - coalesce(sum(people), 0) <> 0
                and (not is_overlapping or (whole_people > coalesce(sum(people), 0) and count(*) - count(people) < 2))
            )
            or (
                whole_numerator - coalesce(sum(numerator), 0) < {{ minimum }}
                -- Somebody is in what is left.
                and whole_people - coalesce(sum(people) filter (where numerator is not null), 0) <> 0
                and (not is_overlapping or (whole_numerator > coalesce(sum(numerator), 0) and count(*) - count(numerator) < 2))
            )
        )

)

select * from read_directly
union all
select * from worked_out
union all
select * from worked_out_of_groups
