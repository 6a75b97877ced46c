{{ config(post_hook="analyze {{ this }}") }}
{#-
    Which population of measures lies within which other by their definitions, over any number of steps: whoever knows both counts
    of a group knows how many are in the one and not in the other. From the seed measure_populations, where it is declared.
-#}
with recursive

declared as (

    select
        measure_populations.population,
        larger,
        false as is_own

    from {{ ref('measure_populations') }} as measure_populations
    cross join lateral unnest(string_to_array(measure_populations.within, ';')) as larger

    union
    select numerators.population, denominators.population, true
    from {{ ref('measure_populations') }} as numerators
    inner join {{ ref('measure_populations') }} as denominators
        on denominators.measure_id = numerators.measure_id
        and denominators.role = 'denominator'
    where numerators.role = 'numerator'

),

reached as (

    select population, larger, is_own, 1 as steps from declared

    union
    select reached.population, declared.larger, false, reached.steps + 1
    from reached
    inner join declared on declared.population = reached.larger

)

select
    population,
    larger,
    -- A numerator in its own denominator: both sides of a share are published, so that nobody on one side is a statement too.
    bool_or(is_own) as is_own,
    max(steps) as steps

from reached

group by 1, 2
