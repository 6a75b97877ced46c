{#-
    Built on the groups that measures.results_by_group shows, and on nothing else: whatever stands here can be worked out from
    what a reader already sees, so it can give no hidden group away (decisions/0222). Groups left out are counted.
-#}
{%- set minimum_people = policy('equity_minimum_people') -%}
{%- set named = policy('equity_reference_groups') -%}
with

rates as (

    select
        *,
        dimension like '%race_ethnicity%' as has_overlapping_groups

    from {{ ref('int_measures__rates') }}

    where dimension <> 'all'

),

shown as (

    select * from rates where not is_suppressed and rate is not null

),

candidates as (

    select
        *,
        case
            {%- for dimension, subgroup in named.items() %}
            when dimension = '{{ dimension }}' then subgroup = '{{ subgroup }}'
            {%- endfor %}
            when true then false
        end as is_named

    from shown

    where is_known_group and people >= {{ minimum_people }}

),

references_by_policy as (

    select distinct on (measure_id, period_kind, period, dimension)
        measure_id,
        period_kind,
        period,
        dimension,
        subgroup as reference_group,
        case when is_named then 'named by policy' else '{{ policy("equity_reference_rule") }} group' end as reference_rule,
        kind,
        rate,
        standard_error,
        rate_lower,
        rate_upper

    from candidates

    order by
        measure_id, period_kind, period, dimension, is_named desc,
        {% if policy('equity_reference_rule') == 'best' -%}
        case favourable_direction when 'higher' then -rate else rate end,
        {%- endif %}
        people desc, subgroup

),

best_groups as (

    select distinct on (measure_id, period_kind, period, dimension)
        measure_id,
        period_kind,
        period,
        dimension,
        subgroup as reference_group,
        rate

    from candidates

    order by
        measure_id, period_kind, period, dimension,
        case favourable_direction when 'higher' then -rate else rate end, people desc, subgroup

),

{{ disparities_between_two() }},

{{ disparities_between_all() }},

disparities as (

    select * from pairwise_rows
    union all
    select * from summary_rows

)

select
    measure_id,
    period_kind,
    period,
    dimension,
    statistic,
    comparison_group,
    reference_group,
    reference_rule,
    estimate,
    standard_error,
    lower_limit,
    upper_limit,
    0.95::double precision as confidence_level,
    method,
    scale,
    is_suppressed,
    groups_compared,
    groups_left_out,
    note

from disparities
