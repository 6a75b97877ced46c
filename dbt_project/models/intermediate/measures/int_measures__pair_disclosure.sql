{#-
    What may be shown of two dimensions together of each measure: what int_measures__pair_hidden decides of its populations. Hidden
    groups are listed with every part there could be, so that nobody learns which of them are empty.
-#}
{%- set key = ['period_kind', 'period', 'dimension', 'first_group', 'second_group'] -%}
with

roles as (

    select * from {{ ref('measure_populations') }}

),

counts as (

    select * from {{ ref('int_measures__pair_counts') }}

),

groups as (

    select
        dimension,
        subgroup,
        bool_and(is_known_group) as is_known_group

    from {{ ref('int_measures__group_counts') }}

    group by 1, 2

),

hidden as (

    select
        {{ key | join(', ') }},
        population,
        pair_hidden.is_hidden or counts.is_second_hidden as is_hidden

    from {{ ref('int_measures__pair_population_counts') }} as counts
    inner join {{ ref('int_measures__pair_hidden') }} as pair_hidden
        using (population, period_kind, period, dimension, first_group)

),

measures as (

    select distinct measure_id, period_kind, period, dimension from counts

),

shown as (

    select
        measures.measure_id,
        {%- for column in key %}
        denominators.{{ column }},
        {%- endfor %}
        denominators.is_hidden as is_people_hidden,
        denominators.is_hidden or coalesce(numerators.is_hidden, false) as is_suppressed

    from measures
    {%- for role in ['denominator', 'numerator'] %}
    inner join roles as {{ role }}_roles
        on {{ role }}_roles.measure_id = measures.measure_id
        and {{ role }}_roles.role = '{{ role }}'
    {{ 'inner' if role == 'denominator' else 'left' }} join hidden as {{ role }}s
        on {{ role }}s.population = {{ role }}_roles.population
        {%- for column in key %}
        {%- if loop.index <= 3 or role == 'numerator' %}
        and {{ role }}s.{{ column }} = {{ 'measures' if loop.index <= 3 else 'denominators' }}.{{ column }}
        {%- endif %}
        {%- endfor %}
    {%- endfor %}

)

select
    shown.measure_id,
    shown.period_kind,
    shown.period,
    shown.dimension,
    shown.first_group || ', ' || shown.second_group as subgroup,
    null::integer as subgroup_order,
    first_groups.is_known_group and second_groups.is_known_group as is_known_group,
    shown.is_people_hidden,
    shown.is_suppressed,
    {%- for sum in names_of_sums().split() %}
    coalesce(counts.{{ sum }}, 0) as {{ sum }}{{ ',' if not loop.last }}
    {%- endfor %}

from shown
inner join groups as first_groups
    on first_groups.dimension = split_part(shown.dimension, '*', 1) and first_groups.subgroup = shown.first_group
inner join groups as second_groups
    on second_groups.dimension = split_part(shown.dimension, '*', 2) and second_groups.subgroup = shown.second_group
left join counts
    on counts.measure_id = shown.measure_id
    {%- for column in key %}
    and counts.{{ column }} = shown.{{ column }}
    {%- endfor %}

where counts.people > 0 or shown.is_people_hidden
