{{ config(post_hook="analyze {{ this }}") }}
{#-
    Exact counts by population and two dimensions together, of every part there could be, with nobody in it where there is none;
    members are the people of its denominator. Restricted, never published.
-#}
{%- set minimum = policy('disclosure_minimum_cell') -%}
{%- set key = 'population, period_kind, period, dimension' -%}
with

counted as (

    select
        roles.population,
        pair_counts.period_kind,
        pair_counts.period,
        pair_counts.dimension,
        pair_counts.first_group,
        pair_counts.second_group,
        max(pair_counts.people) as members,
        {{ counts_of_population('pair_counts') }}

    from {{ ref('int_measures__pair_counts') }} as pair_counts
    inner join {{ ref('measure_populations') }} as roles using (measure_id)
    inner join (select measure_id, kind from {{ ref('measure_catalogue') }}) as catalogue using (measure_id)

    group by 1, 2, 3, 4, 5, 6

),

margins as (

    select
        counts.*,
        hidden.is_hidden

    from {{ ref('int_measures__population_counts') }} as counts
    inner join {{ ref('int_measures__hidden') }} as hidden using ({{ key }}, subgroup)

),

tables as (

    select distinct
        {{ key }},
        split_part(dimension, '*', 1) as first_dimension,
        split_part(dimension, '*', 2) as second_dimension

    from counted

)

select
        tables.population,
        tables.period_kind,
        tables.period,
        tables.dimension,
        first_margin.level,
        first_margin.subgroup as first_group,
        second_margin.subgroup as second_group,
        first_margin.is_hidden as is_first_hidden,
        second_margin.is_hidden as is_second_hidden,
        case when second_margin.is_hidden then '' else second_margin.subgroup end as part,
        first_margin.people as people_of_first,
        first_margin.outside as outside_of_first,
        second_margin.people as people_of_second,
        second_margin.outside as outside_of_second,
        coalesce(counted.members, 0) as members,
        coalesce(counted.people, 0) as people,
        case when first_margin.outside is not null then coalesce(counted.outside, 0) end as outside,
        counted.events,
        {{ minimum }} as smallest_shown,
        true as is_closed

    from tables
    {%- for place in ['first', 'second'] %}
    inner join margins as {{ place }}_margin
        on {{ place }}_margin.population = tables.population
        and {{ place }}_margin.period_kind = tables.period_kind
        and {{ place }}_margin.period = tables.period
        and {{ place }}_margin.dimension = tables.{{ place }}_dimension
    {%- endfor %}
    left join counted
        on counted.population = tables.population
        and counted.period_kind = tables.period_kind
        and counted.period = tables.period
        and counted.dimension = tables.dimension
        and counted.first_group = first_margin.subgroup
        and counted.second_group = second_margin.subgroup
