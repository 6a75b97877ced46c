{{ config(pre_hook="set local enable_nestloop = off", post_hook="analyze {{ this }}") }}
{#-
    What hides in each part of two dimensions together under each limit: people, those who lack it, and those between it and the
    nearest count it can be subtracted from. The groups of the second dimension that are hidden alone count as one part.
-#}
{%- set minimum = policy('disclosure_minimum_cell') -%}
{%- set key = 'population, period_kind, period, dimension' -%}
with

grid as (

    select * from {{ ref('int_measures__pair_population_counts') }}

),

peopled as (

    select * from grid where members > 0

),

{{ differences_to_others(
    'peopled', 'cell_differences', ['dimension', 'first_group', 'second_group'], "counts.first_group || ', ' || counts.second_group"
) }},

differences as (

    select
        {{ key }},
        first_group,
        grid.part,
        cell_differences.smallest_shown,
        cell_differences.is_closed,
        other,
        is_own,
        sum(difference) as difference,
        bool_or(people_between < cell_differences.smallest_shown) as is_close

    from cell_differences
    inner join grid using ({{ key }}, first_group, second_group)

    group by {{ key }}, first_group, grid.part, cell_differences.smallest_shown, cell_differences.is_closed, other, is_own

),

{{ nearest('differences', 'near', 'dimension', ['dimension', 'first_group', 'part']) }},

parts as (

    select
        {{ key }},
        grid.first_group,
        grid.part,
        min(grid.level) as level,
        bool_or(is_first_hidden) as is_first_hidden,
        sum(members) as members,
        sum(people) as people,
        sum(outside) as outside,
        min(people_of_first) as people_of_first,
        min(outside_of_first) as outside_of_first,
        sum(people_of_second) as people_of_second,
        sum(outside_of_second) as outside_of_second

    from grid

    group by {{ key }}, grid.first_group, grid.part

),

-- What is left of the group when its shown parts are taken from it, where people are in several of its parts.
left_of_first as (

    select
        {{ key }},
        first_group,
        sum(members) as members,
        coalesce(bool_or(part = '' and members > 0), false) and (
            {%- for count in ['people', 'outside'] %}
            {{ 'or ' if not loop.first }}coalesce(
                min({{ count }}_of_first) - coalesce(sum({{ count }}) filter (where part <> ''), 0) between 1 and {{ minimum }} - 1, false
            )
            {%- endfor %}
        ) as is_left_small

    from parts

    group by {{ key }}, first_group

),

close_around as (

    select
        {{ key }},
        first_group,
        array_agg(distinct other) filter (where is_close) as close_around

    from differences

    group by {{ key }}, first_group

)

select
    {% for column in key.split(', ') %}parts.{{ column }}, {% endfor %}
    parts.level,
    parts.first_group as subgroup,
    {{ minimum }} as smallest_shown,
    false as is_shown_before,
    parts.members > 0 as is_present,
    false as is_no_cover,
    left_of_first.members as size,
    of_each.limit_name || ' ' || parts.part as limit_name,
    amount,
    total,
    is_first_hidden or is_left_small or (parts.members > 0 and of_each.is_small) as is_small,
    parts.members > 0 and needs_cover as needs_cover,
    false as has_one_each,
    -- A hidden count can only move as far as shown ones within it leave room.
    close_around.close_around

from parts
inner join left_of_first using ({{ key }}, first_group)
left join near
    on near.population = parts.population
    and near.period_kind = parts.period_kind
    and near.period = parts.period
    and near.dimension = parts.dimension
    and near.first_group = parts.first_group
    and near.part = parts.part
left join close_around
    on close_around.population = parts.population
    and close_around.period_kind = parts.period_kind
    and close_around.period = parts.period
    and close_around.dimension = parts.dimension
    and close_around.first_group = parts.first_group
cross join lateral (values
    ('people', parts.people, parts.people_of_second, parts.people < {{ minimum }}, true),
    ('outside', parts.outside, parts.outside_of_second, parts.outside < {{ minimum }}, true),
    ('difference', coalesce(near.difference, parts.people), null::numeric, coalesce(near.is_near, false), coalesce(near.is_near, false))
) as of_each (limit_name, amount, total, is_small, needs_cover)

where amount is not null
