{#-
    Exact counts by group, before anything is hidden: restricted, never published. Sums of days and their squares are whole
    numbers, so that a repeated night gives the same bits.
-#}
{%- set dimensions = [
    'sex', 'age_band', 'race_ethnicity', 'language', 'payer', 'zip3', 'gender_identity', 'state', 'rurality', 'svi_quartile',
    'disability'
] -%}
with

membership as (

    select * from {{ ref('int_measures__membership') }} where is_denominator

),

groups as (

    select * from {{ ref('int_measures__groups') }}

),

-- The age groups that a published measure asks to be reported apart.
strata as (

    select * from {{ ref('measure_strata') }}

),

counted as (

    select
        membership.measure_id,
        membership.period_kind,
        membership.period,
        case
            {%- for dimension in dimensions %}
            when grouping(groups.{{ dimension }}) = 0 then '{{ dimension }}'
            {%- endfor %}
            when grouping(strata.stratum) = 0 then 'stratum'
            else 'all'
        end as dimension,
        coalesce(
            {%- for dimension in dimensions %}
            groups.{{ dimension }},
            {%- endfor %}
            strata.stratum,
            'All people'
        ) as subgroups,
        {{ sums_of_members('membership') }}

    from membership
    inner join groups using (period_kind, period, person_key)
    left join strata
        on strata.measure_id = membership.measure_id
        and groups.age_at_end between strata.from_age and strata.to_age

    group by
        membership.measure_id, membership.period_kind, membership.period,
        grouping sets ((), (strata.stratum), (groups.{{ dimensions | join('), (groups.') }}))

),

-- A person of several races and ethnicities counts in each of them (OMB 2024, alone or in combination).
counted_in_each as (

    select
        counted.*,
        subgroup

    from counted
    cross join lateral unnest(
        case when dimension = 'race_ethnicity' then string_to_array(subgroups, ';') else array[subgroups] end
    ) as subgroup

    -- Who is in no stratum, of most measures everybody, is in no group of them.
    where dimension <> 'stratum' or subgroups <> 'All people'

)

select
    measure_id,
    period_kind,
    period,
    dimension,
    subgroup,
    case dimension
        when 'age_band' then array_position(array['0-17', '18-44', '45-64', '65-74', '75 and over'], subgroup)
        -- From the most disadvantaged, as measures of order count.
        when 'svi_quartile' then array_position(array['4 (most vulnerable)', '3', '2', '1 (least vulnerable)'], subgroup)
    end
        as subgroup_order,
    subgroup not in ('unknown', 'declined') as is_known_group,
    {{ sums_of_sums() }}

from counted_in_each

group by 1, 2, 3, 4, 5
