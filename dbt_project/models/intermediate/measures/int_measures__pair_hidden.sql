{{ config(pre_hook="set local enable_nestloop = off", post_hook="analyze {{ this }}") }}
{#-
    Which populations must stay hidden in which group of the first of two dimensions (decisions/0722, 0724): a group is shown with all
    its parts or with none. Hidden are the groups with a small part and, from the smallest upwards, as many others as it takes for
    the hidden parts of every group of the second dimension to be at least two and to add up to the minimum under every limit.
    What is hidden alone (int_measures__hidden) is hidden here and, as there, what is hidden of a larger population is hidden of
    those within it.
-#}
{%- set levels = 6 -%}
{%- set key = 'population, period_kind, period, dimension' -%}
with

limits as (

    select * from {{ ref('int_measures__pair_limits') }}

),

close_around as (

    select distinct {{ key }}, subgroup, larger from limits cross join lateral unnest(close_around) as larger

)
{%- for level in range(levels) %},

-- Level {{ level }}
hidden_around_{{ level }} as (

    {{ hidden_around(level, 'close_around', 'protected') }}

),

limits_{{ level }} as (

    select {{ key }}, '' as part, subgroup, smallest_shown, is_shown_before, is_present, is_no_cover, size, limit_name, amount, total,
        is_small or around.population is not null as is_small, needs_cover, has_one_each

    from limits
    left join hidden_around_{{ level }} as around using ({{ key }}, subgroup)

    where limits.level = {{ level }}

),

{{ hide_small('limits_' ~ level, 'protected_' ~ level) }}
{%- endfor %}

{% for level in range(levels) %}
select {{ key }}, subgroup as first_group, is_hidden from protected_{{ level }}
{{ 'union all' if not loop.last }}
{%- endfor %}
