-- On the table that readers get: of two measures of which one contains the other, no group is shown of both where fewer than the
-- minimum lie between them (decisions/0724). An edition released before that was looked at fails here: raise `edition` in
-- include/policies/disclosure.yml by one.
{%- set minimum = policy('disclosure_minimum_cell') %}
with

results as (

    select *, rate_per = 1 as is_proportion from {{ ref('results_by_group') }} where rounded_to = 1

),

shown_by_population as (

    select distinct
        populations.population,
        results.period_kind,
        results.period,
        results.dimension,
        results.subgroup,
        results.is_proportion or populations.role = 'denominator' as is_people,
        case populations.role when 'denominator' then results.people else results.numerator end as shown

    from results
    inner join {{ ref('measure_populations') }} as populations using (measure_id)

)

select smaller.population, smaller.period, smaller.dimension, smaller.subgroup

from shown_by_population as smaller
inner join {{ ref('int_measures__containments') }} as containments using (population)
inner join shown_by_population as larger
    on larger.population = containments.larger
    and larger.is_people = smaller.is_people
    and larger.period_kind = smaller.period_kind
    and larger.period = smaller.period
    and larger.dimension = smaller.dimension
    and larger.subgroup = smaller.subgroup

where larger.shown - smaller.shown between 1 and {{ minimum }} - 1
