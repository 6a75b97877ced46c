{#-
    Exact counts by two dimensions together (include/policies/equity.yml, pairs), of the newest closed periods, before anything is
    hidden: restricted, never published.
-#}
{%- set pairs = policy('equity_pairs') -%}
{%- set dimensions = (pairs | map('first') | list + pairs | map('last') | list) | unique | list -%}
{%- set sums = names_of_sums().split() -%}
{%- set keys = ['measure_id', 'period_kind', 'period', 'dimension', 'first_group', 'second_group'] -%}
{% if not pairs %}
select
    measure_id,
    period_kind,
    period,
    dimension,
    subgroup as first_group,
    subgroup as second_group,
    {{ sums | join(', ') }}

from {{ ref('int_measures__group_counts') }}

where false
{% else %}
with

newest as (

    select
        period_kind,
        period,
        row_number() over (partition by period_kind order by starts_on desc) as newness

    from {{ ref('int_measures__periods') }}

    where is_closed

),

membership as (

    select membership.*

    from {{ ref('int_measures__membership') }} as membership
    inner join newest using (period_kind, period)

    where membership.is_denominator and newest.newness <= {{ policy('equity_pair_periods') }}

),

groups as (

    select * from {{ ref('int_measures__groups') }}

),

counted as (

    select
        membership.measure_id,
        membership.period_kind,
        membership.period,
        case
            {%- for one, other in pairs %}
            when grouping(groups.{{ one }}) + grouping(groups.{{ other }}) = 0 then '{{ one }}*{{ other }}'
            {%- endfor %}
        end as dimension,
        {%- for place in [0, 1] %}
        case
            {%- for pair in pairs %}
            when grouping(groups.{{ pair[0] }}) + grouping(groups.{{ pair[1] }}) = 0 then groups.{{ pair[place] }}
            {%- endfor %}
        end as {{ ['first_groups', 'second_groups'][place] }},
        {%- endfor %}
        {{ sums_of_members('membership') }}

    from membership
    inner join groups using (period_kind, period, person_key)

    group by
        membership.measure_id, membership.period_kind, membership.period,
        grouping sets (
            {%- for one, other in pairs %}
            (groups.{{ one }}, groups.{{ other }}){{ ',' if not loop.last }}
            {%- endfor %}
        )

),

counted_in_each as (

    select
        counted.*,
        first_group,
        second_group

    from counted
    cross join lateral unnest(
        case when dimension like 'race_ethnicity*%' then string_to_array(first_groups, ';') else array[first_groups] end
    ) as first_group
    cross join lateral unnest(
        case when dimension like '%*race_ethnicity' then string_to_array(second_groups, ';') else array[second_groups] end
    ) as second_group

)

select
    {{ keys | join(', ') }},
    {{ sums_of_sums() }}

from counted_in_each

group by {{ keys | join(', ') }}
{% endif %}
