{{ config(pre_hook="set local enable_nestloop = off", post_hook="analyze {{ this }}") }}
{#-
    Which populations must stay hidden in which group (include/policies/disclosure.yml; decisions/0221, 0722, 0724).

    A count is small when it, what is left of its denominator, or what lies between it and another count that readers can subtract
    it from, stands for fewer than the minimum of people. Larger populations are decided before those within them, and what is
    hidden of the larger is hidden of the smaller where they are close, so that both can move together. Everybody knows which ZIP3 is
    in which state: ZIP3s are protected within their state, and those of a hidden state are hidden.

    Without nested loops: the planner takes the many steps for a row each, and would join them in minutes instead of seconds.
-#}
{%- set levels = 6 -%}
{%- set key = 'population, period_kind, period' -%}
with

counts as (

    select * from {{ ref('int_measures__population_counts') }}

),

{{ differences_to_others('counts', 'differences', ['dimension', 'subgroup'], 'counts.subgroup') }},

{{ nearest('differences', 'near', 'dimension', ['dimension', 'subgroup']) }},

judged as (

    select
        counts.*,
        coalesce(near.difference, counts.people) as difference,
        coalesce(near.is_near, false) as is_near,
        coalesce(near_total.is_near, false) as is_total_near,
        coalesce(bool_or(near.is_near) over (partition by counts.population, counts.period_kind, counts.period, counts.dimension), false)
            as has_near

    from counts
    left join near using ({{ key }}, dimension, subgroup)
    left join near as near_total
        on near_total.population = counts.population
        and near_total.period_kind = counts.period_kind
        and near_total.period = counts.period
        and near_total.dimension = 'all'

),

limits as (

    select
        {{ key }},
        judged.level,
        judged.dimension,
        judged.subgroup,
        judged.smallest_shown,
        judged.is_shown_before,
        true as is_present,
        judged.has_near and judged.difference = 0 as is_no_cover,
        least(judged.people, coalesce(judged.outside, judged.people)) as size,
        limit_name,
        amount,
        total,
        judged.is_total_near or is_small as is_small,
        needs_cover,
        judged.is_denominator and limit_name = 'people' as has_one_each

    from judged
    cross join lateral (values
        ('people', judged.people, judged.total_people, judged.people < judged.smallest_shown, true),
        ('outside', judged.outside, judged.total_outside, judged.outside < judged.smallest_shown, true),
        ('events', judged.events, judged.total_events, false, true),
        ('difference', judged.difference, null::bigint, judged.is_near, judged.is_near)
    ) as of_each (limit_name, amount, total, is_small, needs_cover)

    where amount is not null

),

-- A hidden count can only move as far as shown ones within it leave room.
close_around as (

    select {{ key }}, dimension, subgroup, other as larger from differences where people_between < smallest_shown

),

states as (

    select zip3 as subgroup, mode() within group (order by state) as part from {{ ref('int_persons__resolved') }} group by 1

)

{%- for level in range(levels) %},

-- Level {{ level }}
hidden_around_{{ level }} as (

    {{ hidden_around(level, 'close_around', 'decided') }}

),

due_{{ level }} as (

    select
        limits.*,
        hidden_around_{{ level }}.population is not null as is_hidden_around

    from limits
    left join hidden_around_{{ level }} using ({{ key }}, dimension, subgroup)

    where limits.level = {{ level }}

),

limits_{{ level }} as (

    select {{ key }}, dimension, '' as part, subgroup, smallest_shown, is_shown_before, is_present, is_no_cover, size, limit_name, amount,
        total, is_small or is_hidden_around as is_small, needs_cover, has_one_each

    from due_{{ level }}

    where dimension <> 'zip3'

),

{{ hide_small('limits_' ~ level, 'protected_' ~ level) }},

zip3_limits_{{ level }} as (

    select due.population, due.period_kind, due.period, due.dimension, coalesce(states.part, 'unknown') as part, due.subgroup,
        due.smallest_shown, due.is_shown_before, due.is_present, due.is_no_cover, due.size, due.limit_name, due.amount,
        case when due.total is not null then
            sum(due.amount) over (partition by due.population, due.period_kind, due.period, coalesce(states.part, 'unknown'), due.limit_name)
        end as total,
        due.is_small or due.is_hidden_around or coalesce(of_state.is_hidden, false) as is_small,
        due.needs_cover, due.has_one_each

    from due_{{ level }} as due
    left join states using (subgroup)
    left join protected_{{ level }} as of_state
        on of_state.population = due.population
        and of_state.period_kind = due.period_kind
        and of_state.period = due.period
        and of_state.dimension = 'state'
        and of_state.subgroup = coalesce(states.part, 'unknown')

    where due.dimension = 'zip3'

),

{{ hide_small('zip3_limits_' ~ level, 'within_states_' ~ level) }},

-- And all of them against everybody, since not every person's ZIP3 is one of their state.
all_zip3_limits_{{ level }} as (

    select due.population, due.period_kind, due.period, due.dimension, '' as part, due.subgroup,
        due.smallest_shown, due.is_shown_before, due.is_present, due.is_no_cover, due.size, due.limit_name, due.amount, due.total,
        within_states_{{ level }}.is_hidden as is_small, due.needs_cover, due.has_one_each

    from due_{{ level }} as due
    inner join within_states_{{ level }} using ({{ key }}, dimension, subgroup)

),

{{ hide_small('all_zip3_limits_' ~ level, 'protected_zip3_' ~ level) }},

decided_{{ level }} as (

    select {{ key }}, dimension, subgroup, is_hidden from protected_{{ level }}
    union all
    select {{ key }}, dimension, subgroup, is_hidden from protected_zip3_{{ level }}

)
{%- endfor %}

{% for level in range(levels) %}
select {{ key }}, dimension, subgroup, is_hidden from decided_{{ level }}
{{ 'union all' if not loop.last }}
{%- endfor %}
